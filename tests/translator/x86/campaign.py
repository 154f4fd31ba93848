"""Random cases of all rows until each has enough of them: `python -m tests.translator.x86.campaign --cases 10000`.

campaign.txt counts, for each row, the cases that agreed with the host's CPU in the reference, in tier 0 and in tier 1,
and names by a digest what the row meant then: if its IR is another one by now, its count starts again. Rows run in
64-bit mode; those that it does not have, in the 32-bit and 16-bit modes by turns. A campaign may
be stopped at any time; the next one goes on with the rows that have the fewest cases. What diverges is kept in
regressions.txt, and its row is left alone until it is begun anew.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import queue
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Final, TypeAlias

from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.guest import Description
from metaphrase.translator.x86 import document
from metaphrase.translator.x86.decoder import encoding_of
from metaphrase.translator.x86.table import IMMEDIATES
from tests.translator.x86.differential import GUEST, ROWS, draw_states
from tests.translator.x86.executors import Executors
from tests.translator.x86.forms import digest
from tests.translator.x86.fuzz import keep
from tests.translator.x86.host import lacks

COUNTS: Final = document.COUNTS
PAGE: Final = Path(__file__).parents[3] / "docs" / "isa-x86.md"
STATES, STATES_WITH_BYTE = 256, 32
"""How many cases share their code, and so one region of tier 1; fewer where an immediate byte must have all values."""
AT_ONCE: Final = 256
BYTES: Final = tuple(IMMEDIATES[name] for name in ("ib", "iub", "cb", "iw ib", "is4"))
SEED: Final = 1
"""Case by case, every campaign draws the same."""
_SAVE_SECONDS: Final = 60
_ROWS_BETWEEN_COLLECTIONS: Final = 500
_LONG: Final = frozenset(row.row for row, mode in ROWS if mode == 64)


def read_counts() -> dict[int, int]:
    """How many cases each row has passed as it is described now."""
    recorded = document.recorded_counts()
    counts = {}
    for row in GUEST.rows:
        meaning, count = recorded.get(document.form_key(row), ("", 0))
        counts[row.row] = count if count and meaning == digest(row) else 0
    return counts


def write_counts(counts: dict[int, int]) -> None:
    """Record the counts, in the order of the tables, and bring the page up to date."""
    rows = [row for row in GUEST.rows if counts[row.row]]
    COUNTS.write_text("".join(f"{digest(row)} {counts[row.row]} {document.form_key(row)}\n" for row in rows))
    PAGE.write_text(document.page())


def turns(counts: dict[int, int], rows: Sequence[Description], enough: int) -> Iterator[tuple[Description, int]]:
    """Rows and the first of their next cases, always one with the fewest, until all have enough.

    Whoever runs them advances the counts; a row whose count is negative is left alone.
    """
    while waiting := [row for row in rows if 0 <= counts[row.row] < enough]:
        least = min(counts[row.row] for row in waiting)
        for row in waiting:
            if counts[row.row] == least:
                yield row, least


def passed(executors: Executors, row: Description, first: int) -> bool:
    """Run the next cases of a row; whether all agree. What does not is kept."""
    has_byte = encoding_of(row).immediate in BYTES
    states = STATES_WITH_BYTE if has_byte else STATES
    for number in range(first // states, (first + AT_ONCE) // states):
        encoding = 2 * number + 1 if has_byte else number  # odd ones have a byte's values one after the other
        mode = 64 if row.row in _LONG else (32, 16)[number // 2 % 2]
        try:
            divergence = executors.divergence(draw_states(row, encoding, states, SEED, mode), by_turns=True)
        except (AssertionError, MetaphraseError) as error:
            print(f"{row}, encoding {number}: {error!r}", flush=True)
            return False
        if divergence is not None:
            keep(divergence)
            print(divergence, flush=True)
            return False
    return True


Results: TypeAlias = "Queue[tuple[int, int]]"


def work(part: int, parts: int, counts: dict[int, int], enough: int, end: float, results: Results) -> None:
    """One process's share: every so manyth row. It tells (row, count), a count of -1 where something diverged."""
    gc.freeze()  # the tables and the tests stay: no collection needs to look at them
    gc.disable()
    rows = [row for row in GUEST.rows[part::parts] if not lacks(row)]
    with Executors() as executors:
        for turn, (row, first) in enumerate(turns(counts, rows, enough)):
            if time.time() > end:
                break
            if turn % _ROWS_BETWEEN_COLLECTIONS == 0:
                gc.collect()
            counts[row.row] = first + AT_ONCE if passed(executors, row, first) else -1
            results.put((row.row, counts[row.row]))


def campaign(enough: int, seconds: float, parts: int) -> int:
    """Run until all rows have enough cases or the time is over; gives how many rows diverged."""
    counts = read_counts()
    results: Results = multiprocessing.Queue()
    arguments = (counts, enough, time.time() + seconds, results)
    workers = [multiprocessing.Process(target=work, args=(part, parts, *arguments)) for part in range(parts)]
    for worker in workers:
        worker.start()
    diverged, saved = 0, time.monotonic()
    while True:
        alive = any(worker.is_alive() for worker in workers)
        try:
            row, count = results.get(timeout=1)
        except queue.Empty:
            if not alive:
                break
            continue
        diverged += count < 0
        counts[row] = max(count, counts[row])
        if time.monotonic() - saved > _SAVE_SECONDS:
            write_counts(counts)
            saved = time.monotonic()
    write_counts(counts)
    done = sum(count >= enough for count in counts.values())
    least = min(counts.values())
    print(f"{sum(counts.values())} cases, at least {least} a row; {done} rows of {len(counts)} have enough")
    return diverged + sum(worker.exitcode != 0 for worker in workers)


def main(arguments: list[str]) -> int:
    """Run from the command line; 1 if something diverged."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000, help="how many are enough")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("METAPHRASE_CACHE_DIR", folder)  # regions of random code are of no use to anyone
        return int(bool(campaign(options.cases, 60 * options.minutes, options.processes)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
