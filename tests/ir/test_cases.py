"""Tests written as text: every file in tests/ir/cases.

A file starts with ``; test`` and its targets: fold (simplification while building), reference (the interpreter), llvm,
or the name of a pass. Behind a function stand what is expected of it:

    ; fold: and x, 0xff           the value it returns, after folding
    ; run: @name(1, 2) == 3       what it returns, on every target that runs
    ; becomes                     the function that follows is what the passes make of it
"""

from __future__ import annotations

import ctypes
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from metaphrase.backends.llvm.codecache import CodeCache
from metaphrase.backends.llvm.compile import compile_text, host
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import link
from metaphrase.backends.reference import Interpreter, PagedMemory
from metaphrase.ir.evaluate import Raw
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function, Value
from metaphrase.ir.parse import Module, Parsed, parse_constants, parse_module, parse_value
from metaphrase.ir.passes import PIPELINE
from metaphrase.ir.text import print_function, print_value
from metaphrase.ir.verify import verify

CASES = Path(__file__).parent / "cases"
_RUN = re.compile(r"@([\w.$]+)\((.*)\)\s*==\s*(.+)")


class Case(NamedTuple):
    """One expectation of one file."""

    path: Path
    line: int
    target: str
    name: str
    expectation: str


def collect() -> list[Case]:
    cases = []
    for path in sorted(CASES.glob("*.ir")):
        module = parse_module(path.read_text())
        targets: list[str] = []
        for line, comment in module.comments:
            word, _, rest = comment.lstrip("; ").partition(" ")
            if word == "test":
                targets = [target.strip() for target in rest.split(",")]
            elif word == "fold:":
                cases.append(Case(path, line, "fold", before(module, line).function.name, rest.strip()))
            elif word == "run:":
                match = _RUN.fullmatch(rest.strip())
                assert match, f"{path.name}:{line}: {rest!r} is not @name(arguments) == result"
                cases += [Case(path, line, t, match[1], rest.strip()) for t in targets if t in RUNNERS]
            elif word == "becomes":
                for target in targets:
                    cases.append(Case(path, line, target, before(module, line).function.name, ""))
        assert targets, f"{path.name} names no targets"
    return cases


@cache
def read(path: Path, fold: bool) -> Module:
    """A file's functions, built with folding or without; for those who don't change them."""
    return parse_module(path.read_text(), simplify=simplify if fold else None)


def before(module: Module, line: int) -> Parsed:
    """The function that ends before a line."""
    return [parsed for parsed in module.functions if parsed.end_line <= line][-1]


def returned(function: Function) -> Value:
    end = function.blocks[-1].terminator
    assert end is not None
    return end.args[0]


def run_reference(function: Function, arguments: list[Raw]) -> Raw | None:
    size = function.layout.size if function.layout else 0
    return Interpreter(function, state=bytearray(size), memory=PagedMemory(), arguments=arguments).run().value


PASSES = {each.__name__: each for each in PIPELINE}
_code: list[CodeCache] = []


def run_llvm(function: Function, arguments: list[Raw]) -> Raw | None:
    """Compile for the host and call; scalars of 64 bits at most."""
    module = ModuleWriter(host())
    module.function(function, "case")
    if not _code:
        _code.append(CodeCache(1 << 24))
    image = link([compile_text(module.text())])
    entry = _code[0].add(image) + image.symbols["case"]
    types = [ctypes.c_uint64 if type.bits > 8 else ctypes.c_uint8 for type in function.parameters]
    call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, *types)(entry)
    state = ctypes.create_string_buffer(function.layout.size if function.layout else 1)
    value: int = call(ctypes.addressof(state), *arguments)
    return value & function.result.mask


RUNNERS: dict[str, Callable[[Function, list[Raw]], Raw | None]] = {"reference": run_reference, "llvm": run_llvm}


@pytest.mark.parametrize("case", collect(), ids=lambda case: f"{case.path.stem}:{case.line}-{case.target}")
def test_case(case: Case) -> None:
    plain, folded = read(case.path, False), read(case.path, True)
    if case.target == "fold":
        expected = print_value(parse_value(case.expectation, before(plain, case.line)))
        assert print_value(returned(before(folded, case.line).function)) == expected
    elif case.target in RUNNERS:
        match = _RUN.fullmatch(case.expectation)
        assert match
        for module in (plain, folded):
            function = next(p.function for p in module.functions if p.function.name == match[1])
            arguments = parse_constants(match[2], function.parameters)
            expected_value = parse_constants(match[3], [function.result])[0]
            assert RUNNERS[case.target](verify(function), arguments) == expected_value
    else:
        check_pass(case, parse_module(case.path.read_text()))


def check_pass(case: Case, module: Module) -> None:
    function = before(module, case.line).function
    original = before(parse_module(case.path.read_text()), case.line).function
    expected = next(parsed for parsed in module.functions if parsed.line > case.line).function
    behaviour = [observed(function, seed) for seed in range(8)]
    changed = verify(PASSES[case.target](verify(function)))
    assert print_function(changed) == print_function(expected)
    assert [observed(changed, seed, original) for seed in range(8)] == behaviour


def observed(function: Function, seed: int, careful: Function | None = None) -> object:
    """What a run from a random state shows: how it ends, state and memory. `careful` goes on at its loop's head."""
    choose = random.Random(seed)
    state = bytearray(choose.randbytes(function.layout.size if function.layout else 0))
    memory = PagedMemory()
    memory.map(0x1000, choose.randbytes(4096))
    arguments: list[Raw] = []
    for type in function.parameters:
        arguments.append(choose.choice((0, 1, 0x1000, choose.getrandbits(type.bits))) & type.mask)
    outcome = Interpreter(function, state=state, memory=memory, arguments=arguments).run()
    if careful is not None and outcome.transfer == "carefully":
        outcome = Interpreter(careful, state=state, memory=memory, arguments=arguments).run()
    faulted = outcome.kind == "fault"
    end = (outcome.kind, outcome.pc, outcome.value, outcome.reason, outcome.transfer)
    return end, b"" if faulted else bytes(state), memory.read(0x1000, 4096)
