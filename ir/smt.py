"""Bit vectors as z3 terms: the algebra of `ir/bits.py` over unknowns, for proofs.

The meanings in the table of ops work on `Term` as they do on `Bits`, so what is proved is what is folded and run.
z3 is needed here only; install `metaphrase[test]` to have it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.rules.pattern import B, Literal, N, Node, Pattern, Rule, T, Variable


class ProofError(MetaphraseError):
    """A claim does not hold; the text has a counterexample. Or z3 is missing, or gave up."""


def _z3() -> Any:
    try:
        return importlib.import_module("z3")
    except ImportError:
        raise ProofError("proofs need z3: pip install 'metaphrase[test]'") from None


class Term:
    """`width` bits that z3 knows as `term`; comparisons are terms of width 1."""

    __slots__ = ("term", "width")

    def __init__(self, width: int, term: Any) -> None:
        self.width, self.term = width, term

    @classmethod
    def unknown(cls, name: str, width: int) -> Term:
        """Bits of which nothing is known."""
        return cls(width, _z3().BitVec(name, width))

    @classmethod
    def of(cls, width: int, value: int) -> Term:
        """Known bits."""
        return cls(width, _z3().BitVecVal(value, width))

    def constant(self, value: int) -> Term:
        """A constant of this width."""
        return Term.of(self.width, value)

    def _same(self, term: Any) -> Term:
        return Term(self.width, term)

    def _bit(self, claim: Any) -> Term:
        z3 = _z3()
        return Term(1, z3.If(claim, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)))

    @property
    def is_set(self) -> Any:
        """A one-bit term as a claim of z3's."""
        return self.term == 1

    def __add__(self, other: Term) -> Term:
        return self._same(self.term + other.term)

    def __sub__(self, other: Term) -> Term:
        return self._same(self.term - other.term)

    def __mul__(self, other: Term) -> Term:
        return self._same(self.term * other.term)

    def __and__(self, other: Term) -> Term:
        return self._same(self.term & other.term)

    def __or__(self, other: Term) -> Term:
        return self._same(self.term | other.term)

    def __xor__(self, other: Term) -> Term:
        return self._same(self.term ^ other.term)

    def shl(self, count: Term) -> Term:
        return self._same(self.term << count.term)

    def lshr(self, count: Term) -> Term:
        return self._same(_z3().LShR(self.term, count.term))

    def ashr(self, count: Term) -> Term:
        return self._same(self.term >> count.term)

    def rotl(self, count: Term) -> Term:
        return self._same(_z3().RotateLeft(self.term, count.term))

    def rotr(self, count: Term) -> Term:
        return self._same(_z3().RotateRight(self.term, count.term))

    def udiv(self, other: Term) -> Term:
        return self._same(_z3().UDiv(self.term, other.term))

    def urem(self, other: Term) -> Term:
        return self._same(_z3().URem(self.term, other.term))

    def sdiv(self, other: Term) -> Term:
        # SMT-LIB's quotient by zero has the dividend's sign in it; ours has not.
        return self._same(_z3().If(other.term == 0, self.constant(-1).term, self.term / other.term))

    def srem(self, other: Term) -> Term:
        return self._same(_z3().SRem(self.term, other.term))

    def eq(self, other: Term) -> Term:
        return self._bit(self.term == other.term)

    def ne(self, other: Term) -> Term:
        return self._bit(self.term != other.term)

    def ult(self, other: Term) -> Term:
        return self._bit(_z3().ULT(self.term, other.term))

    def ule(self, other: Term) -> Term:
        return self._bit(_z3().ULE(self.term, other.term))

    def slt(self, other: Term) -> Term:
        return self._bit(self.term < other.term)

    def sle(self, other: Term) -> Term:
        return self._bit(self.term <= other.term)

    def ite(self, then: Term, otherwise: Term) -> Term:
        """`then` if this one-bit vector is set, else `otherwise`."""
        return Term(then.width, _z3().If(self.is_set, then.term, otherwise.term))

    def zext(self, width: int) -> Term:
        return Term(width, _z3().ZeroExt(width - self.width, self.term))

    def sext(self, width: int) -> Term:
        return Term(width, _z3().SignExt(width - self.width, self.term))

    def trunc(self, width: int) -> Term:
        return Term(width, _z3().Extract(width - 1, 0, self.term))

    def _bits(self) -> list[Term]:
        """The bits, each as wide as this vector, least significant first."""
        z3 = _z3()
        return [self._same(z3.ZeroExt(self.width - 1, z3.Extract(i, i, self.term))) for i in range(self.width)]

    def popcount(self) -> Term:
        return reduce(lambda total, bit: total + bit, self._bits())

    def clz(self) -> Term:
        count = self.constant(self.width)
        for index, bit in enumerate(self._bits()):
            count = bit.eq(self.constant(1)).ite(self.constant(self.width - 1 - index), count)
        return count

    def ctz(self) -> Term:
        count = self.constant(self.width)
        for index, bit in reversed(list(enumerate(self._bits()))):
            count = bit.eq(self.constant(1)).ite(self.constant(index), count)
        return count

    def bswap(self) -> Term:
        z3 = _z3()
        return self._same(z3.Concat(*[z3.Extract(i + 7, i, self.term) for i in range(0, self.width, 8)]))


def prove(find: Term, to: Term, when: Term | None = None, *, what: str = "the claim", seconds: int = 60) -> None:
    """Show that `find` equals `to` wherever `when` is set. Raises ProofError with a counterexample if it does not."""
    z3 = _z3()
    solver = z3.Solver()
    solver.set("timeout", 1000 * seconds)
    if when is not None:
        solver.add(when.is_set)
    solver.add(find.term != to.term)
    answer = solver.check()
    if answer == z3.sat:
        raise ProofError(f"{what} does not hold for {solver.model()}")
    if answer != z3.unsat:
        raise ProofError(f"{what}: z3 gave up ({solver.reason_unknown()})")


@dataclass(frozen=True, slots=True)
class Widths:
    """An assignment of widths in bits to the type variables of a rule."""

    wide: int
    narrow: int

    def of(self, tag: str) -> int:
        return {T: self.wide, N: self.narrow, B: 1}[tag]


def widths_of(rule: Rule, sizes: tuple[int, ...] = (8, 16, 32, 64)) -> Iterator[Widths]:
    """The widths for which a rule is proved: every one of `sizes` for T, and for N (if used) those below it and 1."""
    rewrite = rule.rewrite
    tags = {pattern.tag for root in (rewrite.find, rewrite.to, rewrite.when) if root for pattern in _walk(root)}
    for wide in sizes:
        for narrow in [size for size in (1, *sizes) if size < wide] if N in tags else [0]:
            yield Widths(wide, narrow)
    if N not in tags and not _resizes(rule):
        yield Widths(1, 0)


def _walk(pattern: Pattern) -> Iterator[Pattern]:
    yield pattern
    if isinstance(pattern, Node):
        for arg in pattern.args:
            yield from _walk(arg)


def _resizes(rule: Rule) -> bool:
    """Whether a rule goes between i1 and T, which then is no i1 itself."""
    rewrite = rule.rewrite
    roots = [root for root in (rewrite.find, rewrite.to, rewrite.when) if root]
    return any(isinstance(p, Node) and p.op.name in ("zext", "sext", "trunc") for root in roots for p in _walk(root))


def term_of(pattern: Pattern, widths: Widths, unknowns: Mapping[Variable, Term]) -> Term:
    """A rule's pattern as a term, by the meanings of the table of ops."""
    if isinstance(pattern, Variable):
        return unknowns[pattern]
    if isinstance(pattern, Literal):
        return Term.of(widths.of(pattern.tag), pattern.value)
    assert isinstance(pattern, Node)
    meaning: Callable[..., Term] | None = pattern.op.meaning
    if meaning is None:
        raise ProofError(f"{pattern.op} has no meaning that z3 could be told")
    args = [term_of(arg, widths, unknowns) for arg in pattern.args]
    return meaning(*args, widths.of(pattern.tag)) if pattern.op.result == "R" else meaning(*args)


def prove_rule(rule: Rule, widths: Widths) -> None:
    """Prove a rule for the given widths. Raises ProofError with a counterexample if it is wrong."""
    unknowns = {variable: Term.unknown(variable.name, widths.of(variable.tag)) for variable in rule.variables}
    rewrite = rule.rewrite
    when = term_of(rewrite.when, widths, unknowns) if rewrite.when else None
    find, to = (term_of(pattern, widths, unknowns) for pattern in (rewrite.find, rewrite.to))
    prove(find, to, when, what=f"rule {rule.name} at {widths}")
