"""The documentation is true: what it names exists, what it quotes is there, and its examples run."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
_CODE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"(?:<!-- from: (\S+) -->\n)?```(\w*)([^\n]*)\n(.*?)```", re.DOTALL)
_FOLDERS = ("ir", "translator", "backends", "machines", "metaphrase", "benchmarks", "notebooks", "tests", "docs")
_PATH = re.compile(rf"(?:{'|'.join(_FOLDERS)})/[\w./-]*")
_DOTTED = re.compile(r"(?:metaphrase|mp)(?:\.\w+)+")


def page_id(path: Path) -> str:
    return path.stem


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _BLOCK.sub("", page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_index() -> None:
    linked = set(_LINK.findall((ROOT / "docs" / "index.md").read_text()))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} <= linked
    assert "docs/index.md" in _LINK.findall((ROOT / "README.md").read_text())


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_paths_exist(page: Path) -> None:
    for code in _CODE.findall(prose(page)):
        if _PATH.fullmatch(code):
            assert (ROOT / code).exists(), code


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_names_exist(page: Path) -> None:
    """Dotted names of the package, and words in capitals or with an underscore that look like names of code."""
    sources = "\n".join(path.read_text() for folder in _FOLDERS[:6] for path in (ROOT / folder).rglob("*.py"))
    for code in _CODE.findall(prose(page)):
        name = code.removesuffix("()")
        if _DOTTED.fullmatch(name) and name not in ("metaphrase.guests",):  # an entry-point group
            resolve(name)
        elif re.fullmatch(r"[A-Z]?[a-z]+(?:_[a-z0-9]+)+|[A-Z][a-z]+(?:[A-Z][a-z]+)+|[A-Z]+_[A-Z_]+", name):
            assert re.search(rf"\b{re.escape(name)}\b", sources), name


def resolve(name: str) -> None:
    """Import what a dotted name begins with, and get its attributes."""
    parts = name.replace("mp.", "metaphrase.", 1).split(".") if name.startswith("mp.") else name.split(".")
    found: object = importlib.import_module(parts[0])
    for number, part in enumerate(parts[1:], 2):
        try:
            found = getattr(found, part)
        except AttributeError:
            found = importlib.import_module(".".join(parts[:number]))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_options_and_targets_exist(page: Path) -> None:
    text = page.read_text()
    for command in ("run", "explain"):
        usage = subprocess.run(
            [sys.executable, "-m", "metaphrase", command, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for line in re.findall(rf"metaphrase {command}\b([^`\n]*)", text):
            for option in re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", line.partition(" -- ")[0].partition("/")[0]):
                assert option in usage, f"metaphrase {command} has no option {option}"
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert target in targets, f"make {target}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_quotations_are_current(page: Path) -> None:
    for source, _, _, body in _BLOCK.findall(page.read_text()):
        if source:
            assert body in (ROOT / source).read_text(), f"{source} reads differently"


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "ir"], ids=page_id)
def test_examples_run(page: Path) -> None:
    """The Python blocks of a page run one after the other, in a process with room for a guest's address space."""
    found = _BLOCK.findall(page.read_text())
    blocks = [body for source, language, _, body in found if language == "python" and not source]
    if not blocks:
        return
    script = "\n".join(f"exec(compile({body!r}, '{page.name}', 'exec', dont_inherit=True))" for body in blocks)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
