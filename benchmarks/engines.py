"""What runs a program: the host itself, qemu-user, and Metaphrase with a chosen tier and cache."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

QEMU = "qemu-x86_64"


@dataclass(frozen=True)
class Engine:
    """A command prefix with its environment. `prepare` runs before each run, outside the measured time."""

    name: str
    prefix: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    gives_statistics: bool = False

    def command(self, program: list[str], statistics: Path | None = None) -> list[str]:
        """The whole command; with `statistics`, Metaphrase leaves its counters there as JSON."""
        extra = [f"--stats=json:{statistics}"] if statistics is not None else []
        return [*self.prefix, *extra, *(["--"] if self.gives_statistics else []), *program]


def metaphrase(name: str, tier: str, env: Mapping[str, str], prepare: Callable[[], None] = lambda: None) -> Engine:
    script = Path(sys.executable).with_name("metaphrase")
    start = (str(script),) if script.exists() else (sys.executable, "-m", "metaphrase")
    return Engine(name, (*start, "run", "--tier", tier), env, prepare, gives_statistics=True)


def others() -> list[Engine]:
    """The engines to compare with: the host first, then what is installed."""
    return [Engine("native"), *([Engine("qemu", (QEMU,))] if shutil.which(QEMU) else [])]


def kernel_engines(cache: Path) -> list[Engine]:
    env = {"METAPHRASE_CACHE_DIR": str(cache)}
    return [*others(), metaphrase("tier 0", "0", env), metaphrase("auto", "auto", env)]


def start_up_engines(cache: Path) -> list[Engine]:
    """Start-up with a cache that is empty at each run, one that is filled, and none."""
    cold = cache / "cold"

    def empty() -> None:
        shutil.rmtree(cold, ignore_errors=True)
        cold.mkdir(parents=True)

    return [
        *others(),
        metaphrase("cold", "auto", {"METAPHRASE_CACHE_DIR": str(cold)}, empty),
        metaphrase("warm", "auto", {"METAPHRASE_CACHE_DIR": str(cache / "warm")}),
        metaphrase("no cache", "auto", {"METAPHRASE_CACHE_DIR": os.devnull, "METAPHRASE_CACHE": "off"}),
    ]
