"""Peephole rules: named, one a function, proved by z3 in the tests; tried on every node that is built.

A new rule stands in the file that its root op belongs to, and in the list here through that file's names.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from metaphrase.ir.rules import arithmetic, comparisons, logic, selects, shifts
from metaphrase.ir.rules.matcher import RuleSet
from metaphrase.ir.rules.pattern import Rule


def rules_of(module: ModuleType) -> list[Rule]:
    """The rules of a file, in its order."""
    return [item for item in vars(module).values() if isinstance(item, Rule)]


FILES: Final = (comparisons, logic, shifts, arithmetic, selects)
RULES: Final = RuleSet(rule for module in FILES for rule in rules_of(module))
"""All rules, in the order in which they are tried."""
