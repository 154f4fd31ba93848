"""`python -m metaphrase.benchmarks`: compare Metaphrase with native runs and with qemu-user on this machine."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from metaphrase.benchmarks.building import build
from metaphrase.benchmarks.engines import Engine, kernel_engines, start_up_engines
from metaphrase.benchmarks.kernels import all_kernels
from metaphrase.benchmarks.measure import RunFailed, measure, statistics_of
from metaphrase.benchmarks.report import Row, as_json, show

RESULTS = Path(".cache/benchmarks")
WIDTH = 130  # columns, where the output is no terminal
QUICK_SHARE = 4  # --quick runs a quarter of the iterations: shorter, and start-up weighs more in the ratios
START_UPS = {
    "/bin/true": ["/bin/true"],
    "/bin/ls": ["/bin/ls", "-l", "/etc"],
    "python3 -c pass": ["/usr/bin/python3", "-S", "-E", "-c", "pass"],
}


def chosen(engines: Sequence[Engine], names: Sequence[str]) -> list[Engine]:
    """The reference always, and of the others those named (all, if none is)."""
    return [engines[0], *(engine for engine in engines[1:] if not names or engine.name in names)]


@click.command()
@click.option("--quick", is_flag=True, help="A quarter of the iterations; start-up then weighs more.")
@click.option("--repetitions", default=3, show_default=True, help="Measured runs of each program and engine.")
@click.option("--only", default="", help="Only programs whose name matches this regular expression.")
@click.option("--engine", "names", multiple=True, help="Only these engines, besides native (repeatable).")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "latest.json", show_default=True)
def main(quick: bool, repetitions: int, only: str, names: tuple[str, ...], output: Path) -> None:
    """Time the kernels and the start of Debian's programs; print tables and write JSON.

    Exits with 1 if any engine failed anywhere.
    """
    console, progress = Console(), Console(stderr=True)
    if not console.is_terminal:
        console = Console(width=WIDTH)
    binaries = (RESULTS / "binaries").absolute()
    kernels: list[Row] = []
    starts: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="metaphrase-benchmark-") as scratch, progress.status("") as status:
        engines = chosen(kernel_engines(Path(scratch) / "kernels"), names)
        for kernel in all_kernels():
            if not re.search(only, kernel.name):
                continue
            binary = build(kernel.source, ["-O2"], folder=binaries)
            iterations = max(kernel.iterations // QUICK_SHARE, 1) if quick else kernel.iterations
            results = measure(
                engines,
                lambda count, binary=binary: [str(binary), str(count)],  # type: ignore[misc]
                iterations,
                repetitions,
                lambda text, name=kernel.name: status.update(f"{name}: {text}"),  # type: ignore[misc]
            )
            for engine, result in zip(engines, results):
                if engine.gives_statistics and not result.error:
                    try:
                        program = [str(binary), str(max(int(iterations / result.scale), 1))]
                        result.statistics = statistics_of(engine, program)
                    except (RunFailed, OSError, ValueError) as failure:
                        result.error = f"no statistics: {failure}"
            kernels.append(Row(kernel.name, kernel.group, results))
        for name, command in START_UPS.items():
            if re.search(only, name):
                results = measure(
                    chosen(start_up_engines(Path(scratch) / "start"), names),
                    lambda count, command=command: command,  # type: ignore[misc]
                    1,
                    repetitions * 2,
                    lambda text, name=name: status.update(f"start of {name}: {text}"),  # type: ignore[misc]
                )
                starts.append(Row(name, "start-up", results))
    show(console, "Kernels (times slower than native; ± half the spread; ~ scaled up from fewer iterations)", kernels)
    show(console, "Start-up", starts)
    settings = {"quick": quick, "repetitions": repetitions, "only": only, "engines": list(names)}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(as_json({"kernels": kernels, "start_up": starts}, settings), indent=1) + "\n")
    console.print(f"written to {output}")
    sys.exit(any(result.error for row in [*kernels, *starts] for result in row.results))


if __name__ == "__main__":
    main()
