"""Rules: every one is proved, and every one fires where its function in tests/ir/cases/rules.ir is built."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from metaphrase.backends.reference import Interpreter, PagedMemory
from metaphrase.ir.evaluate import Raw, evaluate
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function, Terminator, Value
from metaphrase.ir.ops import OPS
from metaphrase.ir.parse import parse_module
from metaphrase.ir.rules import RULES
from metaphrase.ir.rules.matcher import RuleSet
from metaphrase.ir.rules.pattern import Narrow, Rewrite, Rule, RuleError, Wide, rule
from metaphrase.ir.smt import ProofError, Term, Widths, prove_rule, widths_of
from metaphrase.ir.text import print_value
from metaphrase.ir.types import I1, I8, I16, I32, I64, Type, vector
from metaphrase.ir.verify import verify

z3 = pytest.importorskip("z3")
CASES = Path(__file__).parent / "cases" / "rules.ir"


@pytest.mark.parametrize("each", RULES.rules, ids=lambda each: each.name)
def test_proved(each: Rule) -> None:
    for widths in widths_of(each):
        prove_rule(each, widths)


def test_a_wrong_rule_is_found_out() -> None:
    @rule
    def wrong(x: Wide, y: Wide) -> Rewrite:
        """Not so."""
        return Rewrite(find=(x | y) - y, to=x)

    with pytest.raises(ProofError, match=r"rule wrong at Widths\(wide=8, narrow=0\) does not hold for"):
        prove_rule(wrong, Widths(8, 0))


def test_every_rule_fires() -> None:
    functions = {p.function.name: p for p in parse_module(CASES.read_text()).functions}
    text = CASES.read_text().splitlines()
    silent = []
    for each in RULES.rules:
        parsed = functions.get(each.name)
        if parsed is None:
            silent.append(each.name)
            continue
        before = each.fired
        parse_module("\n".join(text[parsed.line - 1 : parsed.end_line]), simplify=simplify)
        if each.fired == before:
            silent.append(each.name)
    assert not silent


def test_names_are_unique_and_rules_are_documented() -> None:
    names = [each.name for each in RULES.rules]
    assert len(set(names)) == len(names)
    assert all(each.doc.endswith(".") for each in RULES.rules)


def test_rules_that_cannot_be_matched_are_refused() -> None:
    with pytest.raises(RuleError, match="needs one of the annotations"):

        @rule
        def untyped(x: Any) -> Rewrite:
            """No kind."""
            return Rewrite(find=x + x, to=x)

    with pytest.raises(RuleError, match="no docstring"):

        @rule
        def silent(x: Wide) -> Rewrite:
            return Rewrite(find=x + x, to=x)

    @rule
    def loose(x: Wide, y: Wide) -> Rewrite:
        """Builds from a value that it does not find."""
        return Rewrite(find=x + x, to=y)

    @rule
    def typeless(x: Wide, y: Narrow) -> Rewrite:
        """Builds a type that it does not find."""
        return Rewrite(find=x + x, to=x.trunc().zext())

    cases = ((loose, "uses a variable that its pattern does not find"), (typeless, "nothing .* tells the type N"))
    for bad, what in cases:
        function = Function("f", parameters=(I32,), simplify=None)
        x = function.pure(OPS["arg"], I32, (), 0)
        with pytest.raises(RuleError, match=what):
            RuleSet([bad]).apply(function, OPS["add"], I32, (x, x))


def test_rules_are_about_scalar_integers() -> None:
    function = Function("f", parameters=(vector(I32, 4),), simplify=simplify)
    x = function.pure(OPS["arg"], vector(I32, 4), (), 0)
    assert print_value(x.shl(8).lshr(8)) == "lshr (shl a0, 8), 8"


# --- terms ------------------------------------------------------------------------------------------------------------
MEANT = [name for name, op in OPS.items() if op.is_pure and op.meaning is not None]


@pytest.mark.parametrize("name", MEANT)
@pytest.mark.parametrize("type", [I16, I32], ids=str)
def test_terms_agree_with_bits(name: str, type: Type) -> None:
    op = OPS[name]
    choose = random.Random(f"{name} {type}")
    given = {"R": I64 if name != "trunc" else I1, "B": I1}.get(op.result, type)
    edges = (0, 1, type.mask, type.mask >> 1, (type.mask >> 1) + 1, type.bits, type.bits - 1)
    for _ in range(40):
        types = [I1 if word == "B" else type for word in op.operands]
        values = [choose.choice((*edges, choose.getrandbits(t.bits))) & t.mask for t in types]
        assert op.meaning is not None
        terms = [Term.of(t.bits, value) for t, value in zip(types, values)]
        term = op.meaning(*terms, given.bits) if op.result == "R" else op.meaning(*terms)
        assert z3.simplify(term.term).as_long() == evaluate(op, given, values, types), (name, values)


# --- folding keeps meaning --------------------------------------------------------------------------------------------
BINARY = ("add", "sub", "and", "or", "xor", "shl", "lshr", "ashr", "mul", "umin", "smax")
COMPARE = ("eq", "ne", "ult", "ule", "slt", "sle")
SIZES = (I1, I8, I32, I64)


def random_function(seed: int, fold: bool) -> Function:
    """A straight-line function of random ops over few values and constants, so that patterns arise."""
    choose = random.Random(seed)
    parameters = (I64, I64, I32, I8, I1)
    function = Function("random", parameters=parameters, result=I64, simplify=simplify if fold else None)
    block = function.block()
    pool: dict[Type, list[Value]] = {type: [] for type in SIZES}
    for number, type in enumerate(parameters):
        pool[type].append(function.pure(OPS["arg"], type, (), number))
    for type in SIZES:
        for number in (0, 1, -1, 8, type.mask >> 8, 1 << type.bits - 1):
            pool[type].append(function.const(type, number))
    for _ in range(30):
        kind, type = choose.randrange(6), choose.choice(SIZES)
        a, b = (choose.choice(pool[type][-6:] + pool[type][:3]) for _ in range(2))
        if kind < 3:
            pool[type].append(a.binary(choose.choice(BINARY), b))
        elif kind == 3:
            pool[I1].append(function.pure(OPS[choose.choice(COMPARE)], I1, (a, b)))
        elif kind == 4:
            pool[type].append(choose.choice(pool[I1]).select(a, b))
        else:
            other = choose.choice(SIZES)
            extend = choose.choice((a.zext, a.sext))
            pool[other].append(a.trunc(other.bits) if other.bits < type.bits else extend(other.bits))
    total = function.const(I64, 0)
    for type in SIZES:
        for value in pool[type][-3:]:
            total = total.rotl(7) ^ value.zext(64)
    block.terminator = Terminator(OPS["ret"], (total,))
    return function


@pytest.mark.parametrize("start", range(0, 400, 20))
def test_folding_keeps_the_value_of_random_functions(start: int) -> None:
    for seed in range(start, start + 20):
        plain, folded = random_function(seed, False), verify(random_function(seed, True))
        choose = random.Random(seed)
        for _ in range(4):
            arguments: list[Raw] = [choose.choice((0, 1, t.mask, choose.getrandbits(t.bits))) for t in plain.parameters]
            assert result(plain, arguments) == result(folded, arguments), (seed, arguments)


def result(function: Function, arguments: list[Raw]) -> Raw | None:
    return Interpreter(function, state=bytearray(), memory=PagedMemory(), arguments=arguments).run().value
