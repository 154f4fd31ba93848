"""The page about the IR is current, and its examples are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metaphrase.ir.document import document, main
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.ops import OPS
from metaphrase.ir.parse import parse_module
from metaphrase.ir.text import print_function
from metaphrase.ir.verify import verify

PAGE = Path(__file__).parents[2] / "docs" / "ir.md"


def test_the_page_is_current() -> None:
    text = PAGE.read_text()
    assert document(text) == text, "run: python -m metaphrase.ir.document"
    assert all(f"| `{name}` |" in text for name in OPS)


def test_its_functions_are_read_and_written() -> None:
    examples = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        for parsed in parse_module(example).functions:
            text = print_function(verify(parsed.function))
            assert print_function(parse_module(text, parsed.function.layout).functions[0].function) == text


def test_its_python_runs() -> None:
    scope: dict[str, object] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(example, scope)


def test_the_command_rewrites_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- generated: passes -->\nSTALE\n<!-- end -->\nafter\n")
    main([str(page)])
    assert "`dead_state`" in page.read_text()
    assert "STALE" not in page.read_text()
    page.write_text("<!-- generated: nonsense -->\n<!-- end -->\n")
    with pytest.raises(MetaphraseError, match="nothing generates the part 'nonsense'"):
        main([str(page)])
