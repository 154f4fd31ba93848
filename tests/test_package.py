"""The wheel holds what the code reads: every data file of a layer matches a pattern of pyproject.toml."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("ir", "translator", "backends", "machines", "benchmarks")
NOT_PACKAGED = (".py", ".pyc", ".md", ".img")
"""Python files come by themselves; notes are for readers of the source, and images are made on each machine."""


@pytest.mark.parametrize("layer", LAYERS)
def test_data_files_are_packaged(layer: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    data = [path for path in (ROOT / layer).rglob("*") if path.is_file() and path.suffix not in NOT_PACKAGED]
    missing = [str(path.relative_to(ROOT)) for path in data if not any(fnmatch(path.name, p) for p in patterns)]
    assert not missing, f"add their pattern to package-data in pyproject.toml: {missing}"
