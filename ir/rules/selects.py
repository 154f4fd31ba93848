"""Select: choices between constants, and between conditions."""

from __future__ import annotations

from metaphrase.ir.rules.pattern import Condition, Rewrite, Wide, bit, rule, wide


@rule
def choose_one_or_zero(p: Condition) -> Rewrite:
    """One where set and zero where not is the condition itself, widened."""
    return Rewrite(find=p.select(wide(1), 0), to=p.zext())


@rule
def choose_zero_or_one(p: Condition) -> Rewrite:
    """Zero where set and one where not is the opposite, widened."""
    return Rewrite(find=p.select(wide(0), 1), to=(p ^ 1).zext())


@rule
def choose_ones_or_zero(p: Condition) -> Rewrite:
    """All ones where set and zero where not is the condition, sign-extended."""
    return Rewrite(find=p.select(wide(-1), 0), to=p.sext())


@rule
def choose_by_opposite(p: Condition, x: Wide, y: Wide) -> Rewrite:
    """The opposite condition chooses the other operand."""
    return Rewrite(find=(p ^ 1).select(x, y), to=p.select(y, x))


@rule
def choose_condition_or_clear(p: Condition, q: Condition) -> Rewrite:
    """q where p is set and nothing where not is p and q."""
    return Rewrite(find=p.select(q, 0), to=p & q)


@rule
def choose_set_or_condition(p: Condition, q: Condition) -> Rewrite:
    """Set where p is set and q where not is p or q."""
    return Rewrite(find=p.select(bit(1), q), to=p | q)


@rule
def choose_clear_or_condition(p: Condition, q: Condition) -> Rewrite:
    """Nothing where p is set and q where not is q without p."""
    return Rewrite(find=p.select(bit(0), q), to=(p ^ 1) & q)


@rule
def choose_condition_or_set(p: Condition, q: Condition) -> Rewrite:
    """q where p is set and set where not is q or not p."""
    return Rewrite(find=p.select(q, 1), to=(p ^ 1) | q)
