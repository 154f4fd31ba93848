"""The text form: what is printed is read back, and mistakes are found where they stand."""

from __future__ import annotations

import pytest

from metaphrase.ir.graph import Function
from metaphrase.ir.layout import Layout
from metaphrase.ir.parse import parse_function, parse_module, parse_value
from metaphrase.ir.text import layout_text, print_function, print_value
from metaphrase.ir.tokens import TextError
from metaphrase.ir.types import I8, I64, vector
from metaphrase.ir.verify import verify

LAYOUT = Layout("guest")
LAYOUT.add("rax", I64)
LAYOUT.add("zf", I8, group="flags")
LAYOUT.add("xmm0", vector(I64, 8))

STRAIGHT = """\
func @straight(a0: i64, a1: i8) -> i32 {
  v1 = get i64 rax
  v2 = add v1, a0
  put rax, v2
  put zf, 1
  v3 = zext i64 a1
  v4 = shl v3, 8
  v5 = add v4, base
  v6 = load i32 v5
  put rax+4, v6
  v7 = add i64 1, -1
  store v7, field.r0
  v8 = rmw v5, v6, add
  v9 = get <2 x i64> xmm0+16
  v10 = shuffle <4 x i64> v9, <2 x i64> <1, 2>, [0, 1, 2, 3]
  v11 = insert v10, 5, 2
  put [12], v11
  v12 = fadd f64 1.5, 0x7ff8000000000000
  ret v8
}
"""

CONTROL = """\
func @control(a0: i32) {
  local l0: i32
entry at 0x10 count 3:
  write l0, 10
  jump head
head:
  v1 = read i32 l0
  v2 = ne v1, a0
  branch v2, body, after
after:
  v3 = zext i64 v1
  leave v3, "page fault"
body at -0x8 count 1:
  v4 = sub v1, 1
  write l0, v4
  jump head
}
"""


@pytest.mark.parametrize("text", [STRAIGHT, CONTROL])
def test_printing_what_was_parsed_gives_the_text(text: str) -> None:
    function = verify(parse_function(text, LAYOUT))
    assert print_function(function) == text


def test_free_form_is_read() -> None:
    text = "func @f(x: i32) -> i32 { a = shl x, 8   ret (lshr (or a, x), 0x08) }  ; all in one line"
    assert print_function(parse_function(text)) == (
        "func @f(a0: i32) -> i32 {\n  v1 = shl a0, 8\n  v2 = or v1, a0\n  v3 = lshr v2, 8\n  ret v3\n}\n"
    )


def test_a_declared_layout_round_trips() -> None:
    module = parse_module(layout_text(LAYOUT))
    assert module.layout is not None
    assert list(module.layout) == list(LAYOUT)
    assert module.layout.size == LAYOUT.size


def test_comments_keep_their_lines() -> None:
    module = parse_module("; test fold\nfunc @f() { next } ; why\n; run: @f()")
    assert module.comments == [(1, "; test fold"), (2, "; why"), (3, "; run: @f()")]
    assert (module.functions[0].line, module.functions[0].end_line) == (2, 2)


def test_expressions_are_nested() -> None:
    text = "func @f(x: i32, c: i1) -> i32 { a = and x, 255  ret (select c, (add a, x), 7) }"
    parsed = parse_module(text).functions[0]
    end = parsed.function.blocks[0].terminator
    assert end is not None
    text = print_value(end.args[0])
    assert text == "select a1, (add (and a0, 255), a0), 7"
    assert parse_value("select c, (add a, x), 7", parsed) is end.args[0]
    assert parse_value("x", parsed) is parsed.names["x"]
    assert parse_value("-1", parsed).imm == 0xFFFFFFFF


def test_names_that_are_no_words_are_quoted() -> None:
    function = parse_function('func @"adc|10 /r|2"() { next }')
    assert function.name == "adc|10 /r|2"
    assert print_function(function) == 'func @"adc|10 /r|2"() {\n  next\n}\n'


def test_blocks_of_one_name_are_told_apart() -> None:
    function = parse_function("func @f(c: i1) { a: branch c, b, d b: next d: next }")
    function.blocks[2].name = "b"
    text = print_function(function)
    assert "b.1:" in text
    assert print_function(parse_function(text)) == text


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("func @f() {\n  a = shll 1, 2\n}", 2, 7, "no op is called 'shll'; did you mean shl?"),
        ("func @f(value: i32) -> i32 {\n  ret vaule }", 2, 7, "vaule is not defined here; did you mean value?"),
        ("func @f(x: i32, y: i64) -> i32 { ret (add x, y) }", 1, 39, "operand 2 of add is i64"),
        ("func @f() -> i32 { ret (add 1, 2) }", 1, 29, "nothing here tells this constant's type"),
        ("func @f() -> i8 { ret 256 }", 1, 23, "0x100 does not fit into i8"),
        ("func @f() { a = get i64 rbx next }", 1, 25, "layout guest has no slot 'rbx'"),
        ("func @f() { next next }", 1, 18, "a terminator ends the block"),
        ("func @f() { fence }", 1, 19, "the last block has no terminator"),
        ("func @f() { jump away }", 1, 18, "there is no block called away"),
        ("func @f(x: i32) { x = add x, 1 next }", 1, 19, "x is defined twice"),
        ("func @f(x: i32) -> i64 { ret x }", 1, 26, "ret needs i64, not i32"),
        ("func @f(x: i64) { a = put rax, x next }", 1, 23, "put gives no value"),
        ("func @f(x: i64) -> i64 { ret (load i64 x) }", 1, 31, "load has effects, so it stands in a line of its own"),
        ("func @f(x: i32) -> i16 { ret (zext i16 x) }", 1, 31, "zext cannot take i32 to i16"),
        ("func @f(x: i64) { goto x, hop }", 1, 19, "the immediate transfer of goto cannot be 'hop'"),
        ("func @f(x: i64) { write n, x next }", 1, 25, "no local variable is called n"),
        ("func @f() { ? }", 1, 13, "'?' belongs to no word of the IR"),
        ("function", 1, 1, "expected 'func' or 'layout', found 'function'"),
        ("func @f() { a: next a: next }", 1, 21, "the label a stands twice"),
        ("func @f(", 1, 9, "expected a parameter's name, found the end of the text"),
    ],
)
def test_mistakes_are_named_where_they_stand(text: str, line: int, column: int, what: str) -> None:
    with pytest.raises(TextError) as caught:
        parse_function(text, LAYOUT)
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert what in caught.value.what


def test_one_function_is_expected() -> None:
    with pytest.raises(TextError, match="one function is expected here, not 0"):
        parse_function("")
    assert isinstance(parse_function("func @f() { next }"), Function)
