"""Imports run downwards only, and the lower layers name no guest.

The order is ir < translator, backends < machines < metaphrase. Translator and backends are neighbours: neither may
reach a cycle through the other, and backends never see a guest's folder.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "ir": {"ir"},
    "translator": {"ir", "translator", "backends"},
    "backends": {"ir", "translator", "backends"},
    "machines": {"ir", "translator", "backends", "machines"},
}
FRONT = "metaphrase"
GUEST = re.compile(
    r"(?:^|_)(x86|x86_64|x64|amd64|i386|i686|riscv|riscv32|riscv64|rv32|rv64|aarch64|arm64|s390x|ppc64|ppc64le)(?:_|$)",
    re.IGNORECASE,
)
# The code that LLVM makes is x86-64 host code, so its loader and runtime speak of the host.
HOST_CODE = ROOT / "backends" / "llvm"


def layer_files() -> list[Path]:
    return [path for layer in MAY_IMPORT for path in sorted((ROOT / layer).rglob("*.py"))]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def module_name(path: Path) -> str:
    """The module's dotted name inside the package: ir/types.py is metaphrase.ir.types."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join([FRONT, *parts])


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Dotted names of everything the file imports, relative imports resolved, with their lines."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def our_layer(name: str) -> str | None:
    """Which of our folders a dotted name belongs to; the package itself counts as the front door."""
    parts = name.split(".")
    if parts[0] == FRONT:
        return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else FRONT
    return parts[0] if parts[0] in MAY_IMPORT else None


@pytest.mark.parametrize("path", layer_files(), ids=relative)
def test_imports_run_downwards(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    for name, line in imports(path):
        target = our_layer(name)
        if target is None:
            continue
        assert name.startswith(f"{FRONT}."), f"{relative(path)}:{line} imports {name}: write metaphrase.{name}"
        assert target in MAY_IMPORT[layer], f"{relative(path)}:{line}: {layer} imports {name}, which stands above it"


def test_backends_see_no_guest() -> None:
    guests = {entry.name for entry in (ROOT / "translator").iterdir() if (entry / "__init__.py").exists()}
    for path in sorted((ROOT / "backends").rglob("*.py")):
        for name, line in imports(path):
            parts = name.split(".")
            assert not (parts[:2] == [FRONT, "translator"] and parts[2] in guests), (
                f"{relative(path)}:{line} imports the guest {name}"
            )


def test_no_import_cycle_joins_two_layers() -> None:
    modules = {module_name(path): path for path in layer_files()}
    graph = networkx.DiGraph()
    for module, path in modules.items():
        for name, _ in imports(path):
            target = name if name in modules else name.rpartition(".")[0]
            if target in modules and target != module:
                graph.add_edge(module, target)
    for group in networkx.strongly_connected_components(graph):
        assert len({our_layer(module) for module in group}) == 1, f"an import cycle joins layers: {sorted(group)}"


def identifiers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((part, node.lineno) for alias in aliases for part in alias.name.split("."))


@pytest.mark.parametrize("layer", ["ir", "backends"])
def test_names_no_guest(layer: str) -> None:
    found = [
        f"{relative(path)}:{line} {name}"
        for path in sorted((ROOT / layer).rglob("*.py"))
        if HOST_CODE not in path.parents
        for name, line in identifiers(tree_of(path))
        if GUEST.search(name)
    ]
    assert not found, found


def test_package_links_are_relative() -> None:
    for layer in [*MAY_IMPORT, "benchmarks"]:
        link = ROOT / FRONT / layer
        assert link.is_symlink() and str(link.readlink()) == f"../{layer}"
