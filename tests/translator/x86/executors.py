"""The host CPU and every way in which this project runs an instruction, compared on random cases of every row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Final

from metaphrase.translator.guest import Decoded, Description
from tests.oracle.native import ARENA, ARENA_SIZE, REGISTERS, Case, Oracle
from tests.translator.x86 import (
    gather_setups,
    host,
    integer_setups,
    lane_setups,
    mmx_setups,
    vector_setups,
    x87_setups,
    xsave_setups,
)
from tests.translator.x86.batches import prepare
from tests.translator.x86.differential import Drawn, guest_of
from tests.translator.x86.execution import Execution
from tests.translator.x86.expected import Expected, ExpectedOfHost
from tests.translator.x86.interpreted import RUNNERS, Seen, run_constants
from tests.translator.x86.lines import show_case
from tests.translator.x86.native_tiers import NativeTier
from tests.translator.x86.observed import X87_NEIGHBOUR, differences, x87_registers

SETUPS: Final = (
    gather_setups, integer_setups, lane_setups, mmx_setups, vector_setups, x87_setups, xsave_setups,
)  # fmt: skip
"""The chapters that refine drawing: importing them is what counts."""
WITHOUT_HARDWARE: Final = frozenset({"cpuid", "xgetbv", "rdtsc", "rdtscp", "sldt", "str", "sgdt", "sidt", "smsw"})
"""Rows that tell of the processor itself, or fault where the host's kernel says so: the runners only agree."""
UNREPEATABLE: Final = {"rdtsc": ("rax", "rdx"), "rdtscp": ("rax", "rdx"), "rdrand": (), "rdseed": (), "rdpid": ()}
"""Rows of which registers differ from run to run; the operand, where none are named."""
NATIVE: Final = ("tier 0", "tier 1")
Runner = Callable[[Case, Decoded], Seen]
"""An execution of a case's one instruction: the interpreter over a binding, or a native tier."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """An execution that differed from the expected one, with as little state as still shows it."""

    row: Description
    runner: str
    found: tuple[str, ...]
    line: str
    """The case, for regressions.txt."""

    def __str__(self) -> str:
        return f"{self.row} by {self.runner}: {'; '.join(self.found)}\n{self.line}"


class Executors:
    """The oracle and the runners; use it as a context manager."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self._tiers: dict[tuple[str, str], NativeTier] = {}
        self.runners: dict[str, Runner] = {
            **dict(RUNNERS), **{tier: partial(self._run_natively, tier) for tier in NATIVE}
        }  # fmt: skip

    def _run_natively(self, tier: str, case: Case, decoded: Decoded) -> Seen:
        """By a native tier of the case's guest, which is made when it is first needed."""
        by = guest_of(case)
        made = self._tiers.get((tier, by.name))
        if made is None:
            made = self._tiers[tier, by.name] = NativeTier(tier.removeprefix("tier "), by)
        return made(case, decoded)

    def __enter__(self) -> Executors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.oracle.close()
        for tier in self._tiers.values():
            tier.cpu.close()

    def divergence(self, drawn: Sequence[Drawn], *, by_turns: bool = False) -> Divergence | None:
        """Run each case everywhere; the first difference, shrunk, or None.

        By turns, only one of the interpreters runs a case.
        """
        expected = self._expected(drawn)
        for name in self.runners:  # one after the other, for changing from one tier to the other takes its time
            chosen = [n for n in range(len(drawn)) if not by_turns or name != RUNNERS[n % 2][0]]
            seen = [self.runners[name](drawn[number].case, drawn[number].decoded) for number in chosen]
            agree = expected.agree(chosen, seen)
            for number, one in zip(chosen, seen, strict=True):
                found = [] if number in agree else self._differences(drawn[number], expected, number, one, name)
                if found:
                    return self._shrunk(drawn[number], name, found)
        return None

    def _expected(self, drawn: Sequence[Drawn]) -> Expected:
        runs = [Execution(one.case, one.decoded) for one in drawn]
        undefined = [one.undefined | host.undefined(run) for one, run in zip(drawn, runs, strict=True)]
        if drawn[0].row.name in WITHOUT_HARDWARE:
            return Expected([run_constants(run.case, run.decoded).observed for run in runs], undefined)
        results = host.run_all(self.oracle, runs)
        prepare([one.case for one in drawn], results)
        return ExpectedOfHost(runs, results, undefined)

    def _differences(self, drawn: Drawn, expected: Expected, number: int, seen: Seen, name: str) -> list[str]:
        wanted, actual, undefined = expected.observed(number), seen.observed, expected.undefined[number]
        if wanted is None:
            return []
        if drawn.row.name in x87_setups.ELEMENTARY and name in NATIVE:
            undefined &= ~X87_NEIGHBOUR
        if drawn.row.name in UNREPEATABLE:
            for register in UNREPEATABLE[drawn.row.name] or (REGISTERS[drawn.encoded.rm or 0],):
                known = (1 << 64) - (1 << (drawn.size or 64))
                actual.registers[register] &= known
                actual.registers[register] |= wanted.registers[register] & ~known
        return differences(wanted, actual, undefined)

    def _shrunk(self, drawn: Drawn, name: str, found: list[str]) -> Divergence:
        kind = found[0].split()[0]

        def attempt(candidate: Drawn) -> bool:
            nonlocal drawn, found
            try:
                seen = self.runners[name](candidate.case, candidate.decoded)
                now = self._differences(candidate, self._expected([candidate]), 0, seen, name)
            except AssertionError:
                return False
            if now and now[0].split()[0] == kind:
                drawn, found = candidate, now
                return True
            return False

        shrink(lambda: drawn, attempt)
        return Divergence(drawn.row, name, tuple(found), show_case(drawn.case, drawn.undefined))


def shrink(current: Callable[[], Drawn], attempt: Callable[[Drawn], bool]) -> None:
    """Offer simpler and simpler versions of the current case to `attempt`, which takes those that still do."""

    def change(**fields: object) -> bool:
        drawn = current()
        return attempt(replace(drawn, state=replace(drawn.state, **fields)))  # type: ignore[arg-type]

    while any(attempt(candidate) for candidate in current().simpler()):
        pass
    for name in REGISTERS:
        default = ARENA + ARENA_SIZE // 2 if name == "rsp" else 0
        change(registers={**current().state.registers, name: default})
    zeroes = dict.fromkeys(("rflags", "fs_base", "gs_base"), 0)
    for name, value in {**zeroes, "xmm": [], "ymm_high": [], "mxcsr": 0x1F80}.items():
        change(**{name: value})
    for half in ("xmm", "ymm_high"):
        for number in range(len(getattr(current().state, half))):
            change(**{half: [0 if n == number else value for n, value in enumerate(getattr(current().state, half))]})
    _shrink_x87(current, change)
    for at in range(0, ARENA_SIZE, 64):
        block = current().arena[at : at + 64]
        if any(block):
            _shrink_block(current, attempt, at)


def _shrink_x87(current: Callable[[], Drawn], change: Callable[..., bool]) -> None:
    if change(x87=type(current().state)().x87):
        return
    for number in range(8):
        image = bytearray(current().state.x87)
        if x87_registers(image)[number]:
            image[32 + 16 * number : 42 + 16 * number] = bytes(10)
            change(x87=bytes(image))


def _shrink_block(current: Callable[[], Drawn], attempt: Callable[[Drawn], bool], at: int) -> None:
    """Clear 64 bytes of the arena, or those of their words that do not matter."""
    for step in (64, 8):
        for place in range(at, at + 64, step):
            arena = bytearray(current().arena)
            if any(arena[place : place + step]):
                arena[place : place + step] = bytes(step)
                if attempt(replace(current(), arena=arena)) and step == 64:
                    return
