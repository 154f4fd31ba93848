"""Goldens of emitted host code: every file in tests/backends/hostcode/cases.

A file's head says what its cases are about, and by what they were made. A case is guest code and what becomes of it:

    == name: riscv64, exact      of which guest, if it is not x86_64; of an exact region, or tier 0's "handler"
    the guest's assembly         ";" begins a comment that says what to look at
    -- 12 instructions, 51 bytes
    the host's assembly          see `listing` for what stands there by name

A change of these numbers and lines is no fault in itself: it is there to be looked at. METAPHRASE_TEST_REFRESH=1 writes
the files anew, git shows what became of the code:

    METAPHRASE_TEST_REFRESH=1 python -m pytest tests/backends/hostcode
"""

from __future__ import annotations

import difflib
import os
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import capstone
import llvmlite.binding as llvm
import pytest

from metaphrase.snippet import Snippet
from tests.backends.hostcode.listing import CPU, Listing, handler_listing, region_listing

CASES = Path(__file__).parent / "cases"
REFRESH_VARIABLE = "METAPHRASE_TEST_REFRESH"
REFRESH = REFRESH_VARIABLE in os.environ
TOOLS = (
    f"; made by LLVM {'.'.join(map(str, llvm.llvm_version_info))} for {CPU}, "
    f"shown by capstone {'.'.join(map(str, capstone.cs_version()[:2]))}"
)
_CASE = re.compile(
    r"== (?P<name>\w+)(?:: (?P<how>.+))?\n"
    r"(?P<guest>(?:(?!==|--).*\n)*)"
    r"(?:-- (?P<host>(?:(?!==).*\n)*))?"
)
_WAYS = {"riscv64", "exact", "handler"}


class Case(NamedTuple):
    """A case as its file has it; `host` is what is expected: the numbers, then the instructions."""

    path: Path
    name: str
    how: frozenset[str]
    guest: str
    host: str

    @property
    def text(self) -> str:
        """It in its file."""
        how = f": {', '.join(sorted(self.how, reverse=True))}" if self.how else ""
        return f"== {self.name}{how}\n{self.guest}-- {self.host}"


def read(path: Path) -> tuple[str, list[Case]]:
    """A file's head and its cases."""
    head, mark, rest = path.read_text().partition("== ")
    cases, at = [], 0
    for match in _CASE.finditer(mark + rest):
        assert match.start() == at, f"{path.name}: what begins {(mark + rest)[at : at + 40]!r} is no case"
        at = match.end()
        how = frozenset(word.strip() for word in (match["how"] or "").split(",") if word)
        assert how <= _WAYS, f"{path.name}: {match['name']}: {', '.join(how - _WAYS)} is none of {', '.join(_WAYS)}"
        guest, host = (f"{part.strip()}\n" for part in (match["guest"], match["host"] or ""))
        cases.append(Case(path, match["name"], how, guest, host))
    assert at == len(mark + rest) and cases, f"{path.name}: what begins {(mark + rest)[at : at + 40]!r} is no case"
    return head, cases


def listing_of(case: Case) -> Listing:
    guest = "riscv64" if "riscv64" in case.how else "x86_64"
    code = "\n".join(line.partition(";")[0] for line in case.guest.splitlines())
    snippet = Snippet(guest, code)
    return handler_listing(snippet) if "handler" in case.how else region_listing(snippet, exact="exact" in case.how)


def made(case: Case) -> str:
    """What the case should expect."""
    listing = listing_of(case)
    return "\n".join([listing.summary, *listing.lines]) + "\n"


@cache
def refresh(path: Path) -> None:
    """Write all of a file anew, so that its head is true of every case in it."""
    head, cases = read(path)
    about = [line for line in head.splitlines() if line and not line.startswith("; made by ")]
    parts = ["\n".join([*about, TOOLS]) + "\n", *(case._replace(host=made(case)).text for case in cases)]
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_text("\n".join(parts))
    aside.replace(path)


FILES = sorted(CASES.glob("*.txt"))
NAMES = [(path, case.name) for path in FILES for case in read(path)[1]]


@pytest.mark.parametrize(("path", "name"), NAMES, ids=lambda value: value.stem if isinstance(value, Path) else value)
def test_case(path: Path, name: str) -> None:
    if REFRESH:
        refresh(path)
    head, cases = read(path)
    made_by = next((line for line in head.splitlines() if line.startswith("; made by ")), TOOLS)
    if made_by != TOOLS:
        pytest.skip(f"{path.name} was {made_by[2:]}; here it would be {TOOLS[2:]}")
    case = next(case for case in cases if case.name == name)
    now = made(case)
    if now != case.host:
        was, *_ = case.host.splitlines()
        diff = difflib.unified_diff(case.host.splitlines(), now.splitlines(), "golden", "now", n=4, lineterm="")
        pytest.fail(
            f"{path.name}: {name}: {was or 'nothing'} before, {now.splitlines()[0]} now.\n{case.guest}"
            + "\n".join(diff)
            + f"\nIf that is meant: {REFRESH_VARIABLE}=1 python -m pytest tests/backends/hostcode",
            pytrace=False,
        )


def test_names_are_used_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
