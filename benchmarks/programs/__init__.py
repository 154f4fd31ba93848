"""Debian's programs as benchmarks: one module of this folder each, which defines BENCHMARK."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from metaphrase.benchmarks.inputs import Inputs
from metaphrase.ir.errors import MetaphraseError

GROUPS = ("compression", "cryptography", "interpreters", "text")


@dataclass(frozen=True)
class Program:
    """A program of a Debian package, with work for it whose output is always the same.

    title         what it does and what that exercises, one sentence
    group         of GROUPS
    executables   full paths; the first that exists is run
    package       the Debian package that brings it
    size          of the work: about a second of it natively. Bytes of input, or turns of a loop
    arguments     of the program for a size; what they name is made through `inputs`
    """

    title: str
    group: str
    executables: tuple[str, ...]
    package: str
    size: int
    arguments: Callable[[Inputs, int], list[str]]

    @property
    def executable(self) -> str | None:
        return next((path for path in self.executables if shutil.which(path)), None)

    def command(self, inputs: Inputs, size: int) -> list[str]:
        """The whole command. Raises MetaphraseError if the program is not installed."""
        if self.executable is None:
            raise MetaphraseError(self.missing)
        return [self.executable, *self.arguments(inputs, size)]

    @property
    def missing(self) -> str:
        """What to tell where it is not installed."""
        return f"not installed: apt-get install {self.package}"


def all_programs() -> dict[str, Program]:
    """The benchmarks of this folder by the names of their modules. Raises MetaphraseError for one that is none."""
    found = {}
    for module in sorted(iter_modules(__path__), key=lambda module: module.name):
        benchmark = getattr(import_module(f"{__name__}.{module.name}"), "BENCHMARK", None)
        if not isinstance(benchmark, Program) or benchmark.group not in GROUPS:
            raise MetaphraseError(f"{module.name}.py must define BENCHMARK, a Program of a group of {GROUPS}")
        found[module.name] = benchmark
    return found
