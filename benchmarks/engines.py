"""What runs a program: the host itself, qemu-user, and Metaphrase with a chosen tier and cache."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from metaphrase.translator import mechanisms

QEMU = "qemu-x86_64"
COLD = "cold"
"""Both tiers, with a cache that is empty at each run."""
IMPORT = "import"
"""The suite of imports, and the engine that imports."""
FILLING = 6
"""Runs that may be needed until nothing is left to compile: short ones end before all that is hot is compiled, and what
one leaves in the cache changes what the next one finds hot."""
CONTROLS = ("native", "qemu", "python")
"""Engines that no change of Metaphrase makes slower: if one is, the machine was."""


@dataclass(frozen=True)
class Engine:
    """A command prefix with its environment. `prepare` runs before each run, outside the measured time.

    unmeasured    runs before the measured ones, at most, to fill caches; the last of them leaves the statistics
    """

    name: str
    prefix: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    gives_statistics: bool = False
    unmeasured: int = 1

    def command(self, program: list[str], statistics: Path | None = None) -> list[str]:
        """The whole command; with `statistics`, Metaphrase leaves its counters there as JSON."""
        extra = [f"--stats=json:{statistics}"] if statistics is not None else []
        return [*self.prefix, *extra, *(["--"] if self.gives_statistics else []), *program]


def metaphrase(
    name: str, tier: str, env: Mapping[str, str], prepare: Callable[[], None] = lambda: None, unmeasured: int = 1
) -> Engine:
    script = Path(sys.executable).with_name("metaphrase")
    start = (str(script),) if script.exists() else (sys.executable, "-m", "metaphrase")
    return Engine(name, (*start, "run", "--tier", tier), env, prepare, gives_statistics=True, unmeasured=unmeasured)


def others() -> list[Engine]:
    """The engines to compare with: the host first, then what is installed."""
    return [Engine("native"), *([Engine("qemu", (QEMU,))] if shutil.which(QEMU) else [])]


def with_empty_cache(cache: Path) -> Engine:
    """The engine COLD; its statistics, too, are those of an empty cache."""

    def empty() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)

    return metaphrase(COLD, "auto", {"METAPHRASE_CACHE_DIR": str(cache)}, empty)


def without(mechanism: str, cache: Path) -> Engine:
    """Both tiers without one of the `translator.mechanisms`, with a cache of its own that is filled."""
    env = {"METAPHRASE_CACHE_DIR": str(cache / "warm"), mechanisms.VARIABLE: mechanism}
    return metaphrase(f"without {mechanism}", "auto", env, unmeasured=FILLING)


def kernel_engines(cache: Path) -> list[Engine]:
    env = {"METAPHRASE_CACHE_DIR": str(cache / "warm")}
    return [*others(), metaphrase("tier 0", "0", env), metaphrase("auto", "auto", env, unmeasured=FILLING)]


def program_engines(cache: Path) -> list[Engine]:
    """Both tiers also with an empty cache."""
    env = {"METAPHRASE_CACHE_DIR": str(cache / "warm")}
    return [
        *others(),
        metaphrase("tier 0", "0", env),
        metaphrase("auto", "auto", env, unmeasured=FILLING),
        with_empty_cache(cache / "cold"),
    ]


def start_up_engines(cache: Path) -> list[Engine]:
    """Start-up with a cache that is empty at each run, one that is filled, and none."""
    return [
        *others(),
        with_empty_cache(cache / "cold"),
        metaphrase("warm", "auto", {"METAPHRASE_CACHE_DIR": str(cache / "warm")}, unmeasured=FILLING),
        metaphrase("no cache", "auto", {"METAPHRASE_CACHE_DIR": os.devnull, "METAPHRASE_CACHE": "off"}),
    ]


def import_engines(cache: Path) -> list[Engine]:
    """This Python with nothing to do, which is given the statement as an argument, and with the statement to run."""
    return [Engine("python", (sys.executable, "-c", "pass")), Engine(IMPORT, (sys.executable, "-c"))]
