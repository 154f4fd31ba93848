"""Comparisons: conditions computed from flags become comparisons of what was compared.

With r = a - b, a guest that keeps flags has: sign r < 0, overflow ((a ^ b) & (a ^ r)) < 0, carry a < b unsigned,
zero a = b. Its conditions are expressions over these.
"""

from __future__ import annotations

from metaphrase.ir.rules.pattern import Condition, Constant, Narrow, Rewrite, Wide, bit, narrow, rule, wide


# --- flags of a subtraction -------------------------------------------------------------------------------------------
@rule
def sign_unlike_overflow(a: Wide, b: Wide, r: Wide) -> Rewrite:
    """Sign and overflow of a - b differ where a is less than b, signed."""
    return Rewrite(find=r.slt(0) ^ ((a ^ b) & (a ^ r)).slt(0), to=a.slt(b), when=r.eq(a - b))


@rule
def less_or_equal_signed(a: Wide, b: Wide) -> Rewrite:
    """Equal or less is less or equal."""
    return Rewrite(find=a.eq(b) | a.slt(b), to=a.sle(b))


@rule
def less_or_equal_unsigned(a: Wide, b: Wide) -> Rewrite:
    """Equal or below is below or equal."""
    return Rewrite(find=a.eq(b) | a.ult(b), to=a.ule(b))


@rule
def sum_less_or_equal_signed(x: Wide, k: Constant, m: Constant, n: Constant) -> Rewrite:
    """x + k is equal to or less than n, where the equality has been brought to x = n - k."""
    return Rewrite(find=x.eq(m) | (x + k).slt(n), to=(x + k).sle(n), when=n.eq(m + k))


@rule
def sum_less_or_equal_unsigned(x: Wide, k: Constant, m: Constant, n: Constant) -> Rewrite:
    """x + k is equal to or below n, where the equality has been brought to x = n - k."""
    return Rewrite(find=x.eq(m) | (x + k).ult(n), to=(x + k).ule(n), when=n.eq(m + k))


@rule
def difference_is_zero(a: Wide, b: Wide) -> Rewrite:
    """a - b is zero where a equals b."""
    return Rewrite(find=(a - b).eq(0), to=a.eq(b))


@rule
def difference_is_not_zero(a: Wide, b: Wide) -> Rewrite:
    """a - b is not zero where a and b differ."""
    return Rewrite(find=(a - b).ne(0), to=a.ne(b))


@rule
def exclusive_or_is_zero(a: Wide, b: Wide) -> Rewrite:
    """a ^ b is zero where a equals b."""
    return Rewrite(find=(a ^ b).eq(0), to=a.eq(b))


@rule
def exclusive_or_is_not_zero(a: Wide, b: Wide) -> Rewrite:
    """a ^ b is not zero where a and b differ."""
    return Rewrite(find=(a ^ b).ne(0), to=a.ne(b))


@rule
def sum_equals_constant(x: Wide, k: Constant, m: Constant) -> Rewrite:
    """x + k = m where x = m - k."""
    return Rewrite(find=(x + k).eq(m), to=x.eq(m - k))


@rule
def sum_differs_from_constant(x: Wide, k: Constant, m: Constant) -> Rewrite:
    """x + k differs from m where x differs from m - k."""
    return Rewrite(find=(x + k).ne(m), to=x.ne(m - k))


# --- flags that stand in one byte ----------------------------------------------------------------------------------
@rule
def any_of_two_masks(x: Wide, k: Constant, m: Constant) -> Rewrite:
    """Of two sets of bits, any is set in either where any is set in both sets together."""
    return Rewrite(find=(x & k).ne(0) | (x & m).ne(0), to=(x & (k | m)).ne(0))


# --- negation ---------------------------------------------------------------------------------------------------------
@rule
def not_equal(x: Wide, y: Wide) -> Rewrite:
    """The opposite of = is ≠."""
    return Rewrite(find=x.eq(y) ^ 1, to=x.ne(y))


@rule
def not_different(x: Wide, y: Wide) -> Rewrite:
    """The opposite of ≠ is =."""
    return Rewrite(find=x.ne(y) ^ 1, to=x.eq(y))


@rule
def not_below(x: Wide, y: Wide) -> Rewrite:
    """x is not below y where y is below or equal to x."""
    return Rewrite(find=x.ult(y) ^ 1, to=y.ule(x))


@rule
def not_below_or_equal(x: Wide, y: Wide) -> Rewrite:
    """x is not below or equal to y where y is below x."""
    return Rewrite(find=x.ule(y) ^ 1, to=y.ult(x))


@rule
def not_less(x: Wide, y: Wide) -> Rewrite:
    """x is not less than y where y is less than or equal to x."""
    return Rewrite(find=x.slt(y) ^ 1, to=y.sle(x))


@rule
def not_less_or_equal(x: Wide, y: Wide) -> Rewrite:
    """x is not less than or equal to y where y is less than x."""
    return Rewrite(find=x.sle(y) ^ 1, to=y.slt(x))


# --- single bits ------------------------------------------------------------------------------------------------------
@rule
def bit_differs(p: Condition, q: Condition) -> Rewrite:
    """Conditions differ where their exclusive or is set."""
    return Rewrite(find=p.ne(q), to=p ^ q)


@rule
def bit_equals(p: Condition, q: Condition) -> Rewrite:
    """Conditions are equal where their exclusive or is clear."""
    return Rewrite(find=p.eq(q), to=p ^ q ^ bit(1))


# --- widened operands -------------------------------------------------------------------------------------------------
@rule
def equal_widened(x: Narrow, y: Narrow) -> Rewrite:
    """Zero extension keeps equality."""
    return Rewrite(find=x.zext().eq(y.zext()), to=x.eq(y))


@rule
def different_widened(x: Narrow, y: Narrow) -> Rewrite:
    """Zero extension keeps difference."""
    return Rewrite(find=x.zext().ne(y.zext()), to=x.ne(y))


@rule
def below_widened(x: Narrow, y: Narrow) -> Rewrite:
    """Zero extension keeps the unsigned order."""
    return Rewrite(find=x.zext().ult(y.zext()), to=x.ult(y))


@rule
def equal_widened_constant(x: Narrow, k: Constant) -> Rewrite:
    """A zero-extended value equals a constant that fits where the value itself does."""
    return Rewrite(find=x.zext().eq(k), to=x.eq(k.trunc()), when=k.ule(narrow(-1).zext()))


@rule
def different_widened_constant(x: Narrow, k: Constant) -> Rewrite:
    """A zero-extended value differs from a constant that fits where the value itself does."""
    return Rewrite(find=x.zext().ne(k), to=x.ne(k.trunc()), when=k.ule(narrow(-1).zext()))


@rule
def below_widened_constant(x: Narrow, k: Constant) -> Rewrite:
    """A zero-extended value is below a constant that fits where the value itself is."""
    return Rewrite(find=x.zext().ult(k), to=x.ult(k.trunc()), when=k.ule(narrow(-1).zext()))


@rule
def equal_sign_extended(x: Narrow, y: Narrow) -> Rewrite:
    """Sign extension keeps equality."""
    return Rewrite(find=x.sext().eq(y.sext()), to=x.eq(y))


@rule
def sign_of_sign_extended(x: Narrow) -> Rewrite:
    """Sign extension keeps the sign."""
    return Rewrite(find=x.sext().slt(0), to=x.slt(0))


@rule
def widened_is_not_negative(x: Narrow) -> Rewrite:
    """A zero-extended value has no sign."""
    return Rewrite(find=x.zext().slt(0), to=bit(0))


# --- ends of the range ------------------------------------------------------------------------------------------------
@rule
def below_zero(x: Wide) -> Rewrite:
    """Nothing is below zero."""
    return Rewrite(find=x.ult(0), to=bit(0))


@rule
def below_or_equal_zero(x: Wide) -> Rewrite:
    """Only zero is below or equal to zero."""
    return Rewrite(find=x.ule(0), to=x.eq(0))


@rule
def above_zero(x: Wide) -> Rewrite:
    """Everything but zero is above zero."""
    return Rewrite(find=wide(0).ult(x), to=x.ne(0))


@rule
def above_or_equal_zero(x: Wide) -> Rewrite:
    """Everything is above or equal to zero."""
    return Rewrite(find=wide(0).ule(x), to=bit(1))


@rule
def below_one(x: Wide) -> Rewrite:
    """Only zero is below one."""
    return Rewrite(find=x.ult(1), to=x.eq(0))


@rule
def above_or_equal_one(x: Wide) -> Rewrite:
    """Everything but zero is above or equal to one."""
    return Rewrite(find=wide(1).ule(x), to=x.ne(0))
