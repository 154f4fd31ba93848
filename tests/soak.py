"""`make soak MINUTES=60`: ever-changing code for so long, in memory that does not grow.

A program that rewrites its own code, in all the ways of tests/metaphrase/guests/changing.c, runs on tier auto in this
process. What it takes is printed now and then. Fails if the last third of the samples take more than the second, or if
the program does not print what it prints natively.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import metaphrase.translator.x86  # noqa: F401 (registers the guest)
from metaphrase.machines.linux.cpu import Cpu
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.process import LinuxProcess
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.engine.native import code_cache
from metaphrase.translator.guest import guest
from tests.metaphrase.programs import changing_program
from tests.metaphrase.test_process import output_to

_SAMPLES = 60
_DISK = 32 << 20
_COLUMNS = {
    "minutes": 8, "RSS KiB": 9, "code KiB": 9, "arena KiB": 10, "records KiB": 12, "regions": 8, "disk KiB": 9,
    "evictions": 10, "Minsns": 9,
}  # fmt: skip
_BOUNDS = {"disk KiB": (_DISK >> 10) * 5 // 4}
"""What may fill up to its bound."""
_SLACK = {"RSS KiB": 8 << 10, "code KiB": 1 << 10, "arena KiB": 4 << 10, "records KiB": 1 << 10, "disk KiB": 0}
"""By how much the last third may exceed the second: what is dropped together is as large as it is."""


def main() -> int:
    """The exit status: 1 if something grew or the result is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("minutes", type=float, nargs="?", default=60)
    minutes = parser.parse_args().minutes
    os.environ["METAPHRASE_CACHE_SIZE"] = str(_DISK)
    with tempfile.TemporaryDirectory(prefix="metaphrase-soak-") as folder:
        os.environ["METAPHRASE_CACHE_DIR"] = os.path.join(folder, "cache")
        samples, printed = soak(minutes * 60, Path(folder))
    rounds = printed.split()[1]
    want = subprocess.run([changing_program(), "mix", rounds], capture_output=True, text=True, check=True).stdout
    print(f"{rounds} rounds; the result is {'right' if printed == want else f'{printed!r}, natively {want!r}'}")
    grown = [told for column, slack in _SLACK.items() if (told := growth(column, samples, slack))]
    print("\n".join(grown) or "nothing grew")
    return int(printed != want or bool(grown))


def soak(seconds: float, folder: Path) -> tuple[list[dict[str, float]], str]:
    """What was measured while the program ran for so long, and what it printed."""
    cpus: list[NativeCpu] = []

    def make(window: Window) -> Cpu:
        cpus.append(NativeCpu(guest("x86_64"), window))
        return cpus[-1]

    command = [changing_program(), "soak", str(int(seconds))]
    process = LinuxProcess(command[0], command, {}, cpu_factory=make)
    samples: list[dict[str, float]] = []
    begin, ended = time.monotonic(), threading.Event()

    def watch() -> None:
        print("".join(f"{name:>{width}}" for name, width in _COLUMNS.items()), file=sys.stderr)
        while not ended.wait(seconds / _SAMPLES):
            samples.append(sample(cpus[-1], folder, time.monotonic() - begin))
            figures = (f"{samples[-1][name]:{width},.{int(name == 'minutes')}f}" for name, width in _COLUMNS.items())
            print("".join(figures), file=sys.stderr, flush=True)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with output_to(folder / "out"):
        process.run()
    ended.set()
    watcher.join()
    cpus[-1].close()
    process.close()
    return samples, (folder / "out").read_text()


def sample(cpu: NativeCpu, folder: Path, seconds: float) -> dict[str, float]:
    """What the process takes now."""
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * 4
    statistics = cpu.update_statistics()
    disk = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                disk += os.stat(os.path.join(root, name)).st_blocks // 2
            except FileNotFoundError:  # renamed or deleted meanwhile
                continue
    figures = (
        seconds / 60, resident, code_cache().used >> 10, statistics.arena_bytes >> 10, statistics.region_records >> 10,
        statistics.installed_regions, disk, statistics.evictions, statistics.instructions / 1e6,
    )  # fmt: skip
    return dict(zip(_COLUMNS, figures))


def growth(column: str, samples: list[dict[str, float]], slack: float) -> str:
    """What to say of a figure that grows: its last third goes higher than its second ever did; else nothing."""
    third = len(samples) // 3
    before, after = (max(one[column] for one in part) for part in (samples[third : 2 * third], samples[2 * third :]))
    grows = after > before + slack and after > _BOUNDS.get(column, 0)
    return f"{column} grew from {before:,.0f} to {after:,.0f}" if grows else ""


if __name__ == "__main__":
    sys.exit(main())
