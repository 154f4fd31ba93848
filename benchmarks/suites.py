"""The suites: what is run, and which engines run it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metaphrase.benchmarks import scaling
from metaphrase.benchmarks.building import COMPILERS, build
from metaphrase.benchmarks.engines import (
    IMPORT,
    Engine,
    import_engines,
    kernel_engines,
    program_engines,
    start_up_engines,
)
from metaphrase.benchmarks.inputs import Inputs
from metaphrase.benchmarks.kernels import CALLS, Kernel, all_kernels, call_kernels, read_kernel
from metaphrase.benchmarks.machine import package_version
from metaphrase.benchmarks.programs import all_programs

QUICK_SHARE = 4  # --quick does a quarter of the work: shorter, and start-up weighs more in the ratios
COMPILER = COMPILERS["x86_64"]
START_UPS = {
    "/bin/true": (["/bin/true"], "A process that does nothing.", "coreutils"),
    "/bin/ls": (["/bin/ls", "-l", "/etc"], "A few libraries, a few hundred system calls.", "coreutils"),
    "python3 -S -E -c pass": (
        ["/usr/bin/python3", "-S", "-E", "-c", "pass"], "A large program that reads little.", "python3-minimal",
    ),
    "python3 -c pass": (["/usr/bin/python3", "-c", "pass"], "The same as one starts it.", "python3-minimal"),
}  # fmt: skip


@dataclass(frozen=True)
class Benchmark:
    """One program to be timed.

    iterations    how much work; engines that are slow do less of it and are scaled up, unless this is 1
    make          makes what it needs below a folder, and gives the command for a number of iterations
    package       whose version belongs to the figures
    missing       what is not installed, if anything: it is then skipped
    """

    name: str
    group: str
    title: str
    iterations: int
    make: Callable[[Path], Callable[[int], list[str]]]
    package: str = ""
    missing: str = ""

    @property
    def version(self) -> str:
        return f"{self.package} {package_version(self.package)}".strip() if self.package else ""


@dataclass(frozen=True)
class Suite:
    """Benchmarks with the engines that are to run them. The engines take a folder for their caches, the benchmarks
    whether they are to be quick. `times` multiplies the repetitions, where runs are short."""

    name: str
    title: str
    engines: Callable[[Path], list[Engine]]
    benchmarks: Callable[[bool], list[Benchmark]]
    times: int = 1


def share(work: int, quick: bool) -> int:
    return max(work // QUICK_SHARE, 1) if quick else work


def kernels(quick: bool) -> list[Benchmark]:
    return _built(all_kernels(), quick)


def calls(quick: bool) -> list[Benchmark]:
    return _built(call_kernels(), quick)


def _missing_compiler() -> str:
    return "" if shutil.which(COMPILER) else f"{COMPILER} is not installed: apt-get install gcc libc6-dev"


def _built(kernels: Sequence[Kernel], quick: bool) -> list[Benchmark]:
    def maker(source: Path) -> Callable[[Path], Callable[[int], list[str]]]:
        def make(folder: Path) -> Callable[[int], list[str]]:
            binary = build(source, ["-O2"], folder=folder / "binaries")
            return lambda count: [str(binary), str(count)]

        return make

    return [
        Benchmark(
            kernel.name, kernel.group, kernel.title, share(kernel.iterations, quick), maker(kernel.source),
            missing=_missing_compiler(),
        )
        for kernel in kernels
    ]  # fmt: skip


def programs(quick: bool) -> list[Benchmark]:
    """A quick one has less input. Their iterations are 1, for their times do not grow evenly with their input."""

    def maker(command: Callable[[Inputs, int], list[str]], size: int) -> Callable[[Path], Callable[[int], list[str]]]:
        def make(folder: Path) -> Callable[[int], list[str]]:
            whole = command(Inputs(folder / "inputs"), size)
            return lambda count: whole

        return make

    return [
        Benchmark(
            name, program.group, program.title, 1, maker(program.command, share(program.size, quick)),
            package=program.package, missing="" if program.executable else program.missing,
        )
        for name, program in all_programs().items()
    ]  # fmt: skip


def start_ups(quick: bool) -> list[Benchmark]:
    def maker(command: list[str]) -> Callable[[Path], Callable[[int], list[str]]]:
        return lambda folder: lambda count: command

    return [
        Benchmark(
            name, "start-up", title, 1, maker(command), package=package,
            missing="" if shutil.which(command[0]) else f"not installed: apt-get install {package}",
        )
        for name, (command, title, package) in START_UPS.items()
    ]  # fmt: skip


def scalings(quick: bool) -> list[Benchmark]:
    """Each program with one thread and with two. Their iterations are 1: those of the same name do the same work."""
    work, size = share(scaling.pthreads_work(), quick), share(scaling.XZ_SIZE, quick)
    missing = "" if shutil.which(scaling.XZ) else "not installed: apt-get install xz-utils"
    title = read_kernel(scaling.SOURCE, ("threads",)).title
    found = []
    for count in scaling.COUNTS:
        found.append(Benchmark(
            scaling.name_of("pthreads", count), "pthreads", title, 1, scaling.pthreads(work, count),
            missing=_missing_compiler(),
        ))  # fmt: skip
        found.append(Benchmark(
            scaling.name_of("xz", count), "xz", "Compression, block by block.", 1, scaling.xz(size, count),
            package="xz-utils", missing=missing,
        ))  # fmt: skip
    return found


def imports(quick: bool) -> list[Benchmark]:
    statement = "import metaphrase"
    title = "The library with nothing done; what it needs to run programs is imported when it is first asked for."
    return [Benchmark(statement, IMPORT, title, 1, lambda folder: lambda count: [statement])]


def work_of(command: list[str], folder: Path) -> str:
    """A digest of a command. Built binaries and made inputs carry theirs in their names; where they lie is left out."""
    parts = [part.replace(str(folder), "") for part in command]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


SUITES = (
    Suite("kernels", "Kernels", kernel_engines, kernels),
    Suite(CALLS, "System calls", kernel_engines, calls),
    Suite("programs", "Debian's programs", program_engines, programs),
    Suite(scaling.SCALING, "Gain by threads", kernel_engines, scalings),
    Suite("start-up", "Start-up", start_up_engines, start_ups, times=2),
    Suite(IMPORT, "Import", import_engines, imports, times=10),
)
