"""Where the stack pointer is known to be near the window (see `backends.llvm.near_stack`)."""

from __future__ import annotations

import pytest

from metaphrase.backends.llvm.near_stack import NearStack
from metaphrase.ir.layout import Layout
from metaphrase.ir.parse import parse_function
from metaphrase.ir.schedule import Dominators
from metaphrase.ir.types import I64

LAYOUT = Layout("guest")
LAYOUT.add("rax", I64)
LAYOUT.add("rsp", I64)
LAYOUT.stack_pointer = LAYOUT["rsp"]
BELOW = 0xFFFF_FFFF_FFFF_FFF8

CASES = {
    "untouched": ("next", True),
    "pushed": (f"p = get i64 rsp  store (add p, {BELOW}), i64 1  put rsp, (add p, {BELOW})  next", True),
    "moved": ("p = get i64 rsp  put rsp, (sub p, 4096)  next", False),
    "moved and accessed": ("p = get i64 rsp  put rsp, (sub p, 4096)  store (sub p, 8), i64 1  next", True),
    "another accessed": ("p = get i64 rsp  q = get i64 rax  put rsp, (sub p, 4096)  store q, i64 1  next", False),
    "moved far": (f"p = get i64 rsp  store p, i64 1  put rsp, (add p, {1 << 40})  next", False),
    "another's": ("p = get i64 rax  put rsp, p  next", False),
    "another's, accessed": ("p = get i64 rax  v = load i64 (add p, 16)  put rsp, (add p, 24)  next", True),
    "a small number": ("v = get i64 rax  put rsp, (zext i64 (trunc i32 v))  next", True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_block(name: str) -> None:
    text, near = CASES[name]
    function = parse_function(f"func @f() {{ {text} }}", LAYOUT)
    found = NearStack(function, Dominators(function))
    assert found.behind[function.blocks[0]] is near
    reads = [e for e in function.blocks[0].effects if e.op.name == "get" and e.imm == found.offset]
    assert set(reads) <= found.reads


def test_a_loop_that_moves_it() -> None:
    """What it was given is near, what it gives itself is not: so what it reads is not known to be near."""
    text = """func @f(c: i1) {
      start: jump loop
      loop: p = get i64 rsp  put rsp, (sub p, 16)  branch c, loop, out
      out: q = get i64 rsp  store q, i64 1  next
    }"""
    function = parse_function(text, LAYOUT)
    found = NearStack(function, Dominators(function))
    assert not found.reads
    assert [found.behind[block] for block in found.blocks] == [True, False, True]


def test_a_loop_that_accesses_it() -> None:
    text = """func @f(c: i1) {
      start: jump loop
      loop: p = get i64 rsp  v = load i64 p  put rsp, (add p, 8)  branch c, loop, out
      out: q = get i64 rsp  store q, i64 1  next
    }"""
    function = parse_function(text, LAYOUT)
    found = NearStack(function, Dominators(function))
    assert len(found.reads) == 2 and all(found.behind.values())
