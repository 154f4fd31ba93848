"""Addition and subtraction: what is added and taken away again, and negation."""

from __future__ import annotations

from metaphrase.ir.rules.pattern import Condition, Rewrite, Wide, rule, wide


@rule
def added_then_subtracted(x: Wide, y: Wide) -> Rewrite:
    """x + y - y is x."""
    return Rewrite(find=(x + y) - y, to=x)


@rule
def subtracted_then_added(x: Wide, y: Wide) -> Rewrite:
    """x - y + y is x."""
    return Rewrite(find=(x - y) + y, to=x)


@rule
def subtracted_from_itself(x: Wide, y: Wide) -> Rewrite:
    """x - (x - y) is y."""
    return Rewrite(find=x - (x - y), to=y)


@rule
def negative_added(x: Wide, y: Wide) -> Rewrite:
    """x + -y is x - y."""
    return Rewrite(find=x + (wide(0) - y), to=x - y)


@rule
def negative_subtracted(x: Wide, y: Wide) -> Rewrite:
    """x - -y is x + y."""
    return Rewrite(find=x - (wide(0) - y), to=x + y)


@rule
def condition_negated(p: Condition) -> Rewrite:
    """The negative of a widened condition is all ones where it is set."""
    return Rewrite(find=wide(0) - p.zext(), to=p.sext())
