"""Random cases of all rows for as long as wanted: `python -m tests.translator.x86.fuzz --seconds 600 --seed 1`.

A divergence is shrunk to one line and appended to regressions.txt, which the tests replay from then on.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from metaphrase.translator.guest import Description
from tests.oracle.native import MODES
from tests.translator.x86.differential import ROWS, draw
from tests.translator.x86.executors import Divergence, Executors
from tests.translator.x86.float_sequences import draw_sequence
from tests.translator.x86.host import lacks

REGRESSIONS: Final = Path(__file__).with_name("regressions.txt")
CASES_AT_ONCE: Final = 4
ENOUGH: Final = 2
"""After so many divergences a row is left alone."""


def regression_lines() -> list[str]:
    """The cases that once were wrong."""
    lines = REGRESSIONS.read_text().splitlines() if REGRESSIONS.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def keep(divergence: Divergence) -> None:
    """Append a divergence to the regressions, unless it stands there."""
    if divergence.line not in regression_lines():
        with REGRESSIONS.open("a") as file:
            file.write(f"# {divergence.row.name}, {divergence.runner}: {divergence.found[0]}\n{divergence.line}\n")


def fuzz(executors: Executors, seconds: float, seed: int) -> list[Divergence]:
    """Go round all rows, in another order each time, until `seconds` are over; gives what was found and kept."""
    end = time.monotonic() + seconds
    rng = random.Random(seed)
    found: list[Divergence] = []
    count: Counter[tuple[Description, int]] = Counter()
    turn = 0
    while True:
        rows = [one for one in ROWS if count[one] < ENOUGH and MODES[one[1]] and not lacks(one[0])]
        rng.shuffle(rows)
        for row, mode in rows:
            if time.monotonic() > end:
                return found
            numbers = range(turn * CASES_AT_ONCE, (turn + 1) * CASES_AT_ONCE)
            divergence = executors.divergence([draw(row, number, seed, mode) for number in numbers])
            if divergence is not None:
                keep(divergence)
                found.append(divergence)
                count[row, mode] += 1
        turn += 1


def fuzz_sequences(executors: Executors, seconds: float, seed: int) -> list[Divergence]:
    """Sequences of floating-point instructions until `seconds` are over; gives what was found and kept."""
    end, number = time.monotonic() + seconds, 0
    found: list[Divergence] = []
    while time.monotonic() < end and len(found) < ENOUGH:
        divergence = executors.divergence([draw_sequence(number + n, seed) for n in range(CASES_AT_ONCE)])
        if divergence is not None:
            keep(divergence)
            found.append(divergence)
        number += CASES_AT_ONCE
    return found


def main(arguments: list[str]) -> int:
    """Run from the command line; 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="makes a run happen again; random by default")
    options = parser.parse_args(arguments)
    seed = random.getrandbits(32) if options.seed is None else options.seed
    print(f"seed {seed}, {options.seconds:g} s, {len(ROWS)} rows", flush=True)
    with Executors() as executors:
        found = fuzz(executors, options.seconds, seed)
    for divergence in found:
        print(divergence)
    print(f"{len(found)} divergences" + (f", kept in {REGRESSIONS.name}" if found else ""))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
