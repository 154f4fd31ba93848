"""And, or and exclusive or: masks, and partial writes of registers that are overwritten or read back.

A guest's write to part of a register is `(whole & ~mask) | part << position`; what follows it often needs the part
alone, or everything but the part.
"""

from __future__ import annotations

from metaphrase.ir.rules.pattern import Condition, Constant, Narrow, Rewrite, Wide, bit, narrow, rule, wide


@rule
def or_of_constants(x: Wide, k: Constant, m: Constant) -> Rewrite:
    """Two constants are or-ed once."""
    return Rewrite(find=(x | k) | m, to=x | (k | m))


@rule
def exclusive_or_of_constants(x: Wide, k: Constant, m: Constant) -> Rewrite:
    """Two constants are combined once; so that not not x is x."""
    return Rewrite(find=(x ^ k) ^ m, to=x ^ (k ^ m))


@rule
def exclusive_or_undone(x: Wide, y: Wide) -> Rewrite:
    """x ^ y ^ y is x."""
    return Rewrite(find=(x ^ y) ^ y, to=x)


@rule
def or_then_subtract(x: Wide, y: Wide) -> Rewrite:
    """(x | y) - y is x when the operands share no bits."""
    return Rewrite(find=(x | y) - y, to=x, when=(x & y).eq(0))


@rule
def masks_joined(x: Wide, k: Constant, m: Constant) -> Rewrite:
    """Parts of one value are put together again."""
    return Rewrite(find=(x & k) | (x & m), to=x & (k | m))


@rule
def mask_of_widened(x: Narrow, k: Constant) -> Rewrite:
    """A zero-extended value is masked before it is extended."""
    return Rewrite(find=x.zext() & k, to=(x & k.trunc()).zext())


@rule
def and_of_widened(x: Narrow, y: Narrow) -> Rewrite:
    """Zero-extended values are and-ed before they are extended."""
    return Rewrite(find=x.zext() & y.zext(), to=(x & y).zext())


@rule
def or_of_widened(x: Narrow, y: Narrow) -> Rewrite:
    """Zero-extended values are or-ed before they are extended."""
    return Rewrite(find=x.zext() | y.zext(), to=(x | y).zext())


@rule
def exclusive_or_of_widened(x: Narrow, y: Narrow) -> Rewrite:
    """Zero-extended values are combined before they are extended."""
    return Rewrite(find=x.zext() ^ y.zext(), to=(x ^ y).zext())


@rule
def exclusive_or_of_widened_constant(x: Narrow, k: Constant) -> Rewrite:
    """A zero-extended value is combined with a constant that fits before it is extended."""
    return Rewrite(find=x.zext() ^ k, to=(x ^ k.trunc()).zext(), when=k.ule(narrow(-1).zext()))


@rule
def mask_beside_widened(x: Wide, y: Narrow, k: Constant) -> Rewrite:
    """What a mask leaves above a zero-extended value shares no bits with it."""
    return Rewrite(find=(x & k) & y.zext(), to=wide(0), when=(k & narrow(-1).zext()).eq(0))


@rule
def low_part_masked_out(x: Wide, y: Narrow, k: Constant) -> Rewrite:
    """A mask that drops the part written to the low end drops the write."""
    return Rewrite(find=(x | y.zext()) & k, to=x & k, when=(k & narrow(-1).zext()).eq(0))


@rule
def high_part_masked_out(x: Wide, y: Narrow, j: Constant, k: Constant) -> Rewrite:
    """A mask that drops the part written further up drops the write."""
    return Rewrite(find=(x | (y.zext() << j)) & k, to=x & k, when=(k & (narrow(-1).zext() << j)).eq(0))


@rule
def high_part_not_in_low_bits(x: Wide, y: Narrow, j: Constant) -> Rewrite:
    """The low bits of a value do not see a part written above them."""
    return Rewrite(
        find=(x | (y.zext() << j)).trunc(), to=x.trunc(), when=((wide(-1) << j) & narrow(-1).zext()).eq(0)
    )


@rule
def high_part_read_back(x: Wide, y: Narrow, k: Constant, j: Constant) -> Rewrite:
    """What was written to a part above the low bits is read back."""
    ones = narrow(-1).zext()
    whole = (ones << j).lshr(j).eq(ones)  # no bit of y is shifted out at the top
    find = ((x & k) | (y.zext() << j)).lshr(j).trunc()
    return Rewrite(find=find, to=y, when=(k.lshr(j) & ones).eq(0) & whole)


@rule
def condition_and_its_opposite(p: Condition) -> Rewrite:
    """A condition and its opposite are never both set."""
    return Rewrite(find=(p ^ 1) & p, to=bit(0))
