"""Many cases of 64-bit mode at once, by numpy: the states that they begin with, and a first look at what they leave.

Most executions agree, byte by byte, and that is found out here. Where one does not, `observed.differences` tells
whether that counts, and what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from metaphrase.translator.x86 import state as s
from tests.oracle import _trap
from tests.oracle.native import FLAGS, REGISTERS, Case, Result
from tests.translator.x86.interpreted import LAYOUT, Seen, keep_starts, pack_slots
from tests.translator.x86.observed import FLAG_BITS, event_of, significant

Array = np.ndarray
_SIZE: Final = -(-LAYOUT.size // 8) * 8
_ORDER: Final = [_trap.REGISTERS // 8 + _trap.SIGNAL_ORDER.index(name) for name in REGISTERS]
_VECTORS, _HIGH, _IMAGE = _trap.IMAGE + 160, _trap.HIGH, _trap.IMAGE
_ST: Final = _IMAGE + 32
_TOP, _ERROR_SUMMARY, _C1 = 0x3800, 0x8080, 0x200
_FLAG_NAMES: Final = ("cf", "parity", "adjust", "zf", "sf", "of", "df")
_RFLAGS: Final = _trap.REGISTERS // 8 + 17


def _contribution(name: str) -> Array:
    """What the values of a flag slot add to RFLAGS."""
    none = {**dict.fromkeys(_FLAG_NAMES, 0), "parity": 1, "eflags_rest": 0}
    return np.array([s.rflags({**none, name: value}) & FLAGS for value in range(256)], np.uint16)


_CONTRIBUTIONS: Final = [(LAYOUT[name].offset, _contribution(name)) for name in _FLAG_NAMES]
_SLOTS: Final = [(LAYOUT[name].offset, np.array([s.flag_slots(flags)[name] for flags in range(FLAGS + 1)], np.uint8))
                 for name in _FLAG_NAMES]  # fmt: skip
_COMPARED: Final = np.zeros(_SIZE, np.uint8)
"""The bytes of the state that must be the same, whatever is undefined."""
for _start, _end in (
    (s.GPR[0], s.GPR[-1] + 8), (s.FS_BASE, s.ZERO_PC + 8), (s.XMM[0], s.XMM[-1] + s.YMM_HIGH + 16),
    (s.X87[0], s.X87[-1] + 16),
    *((LAYOUT[name].offset, LAYOUT[name].end) for name in ("top", "fcw", "ftw")),
):  # fmt: skip
    _COMPARED[_start:_end] = 255
_MASK: Final = _COMPARED.view(np.uint64)


def _rows(texts: Sequence[bytes]) -> Array:
    return np.frombuffer(b"".join(texts), np.uint8).reshape(len(texts), -1)


def _laid_out(blocks: Array) -> Array:
    """The oracle's blocks as the guest's layout has them, but for flags, the program counter, and MXCSR."""
    count = len(blocks)
    out = np.zeros((count, _SIZE), np.uint8)
    words = blocks.view(np.uint64)
    out.view(np.uint64)[:, s.GPR[0] // 8 : s.GPR[-1] // 8 + 1] = words[:, _ORDER]
    out[:, s.FS_BASE : s.FS_BASE + 8], out[:, s.GS_BASE : s.GS_BASE + 8] = blocks[:, :8], blocks[:, 8:16]
    for at, held in ((s.XMM[0], _VECTORS), (s.XMM[0] + s.YMM_HIGH, _HIGH)):
        out[:, at : at + 256] = blocks[:, held : held + 256]
    top = blocks[:, _IMAGE + 3] >> 3 & 7
    physical = (np.arange(8) - top[:, None]) % 8
    numbers = np.take_along_axis(blocks[:, _ST : _ST + 128].reshape(count, 8, 16), physical[:, :, None], 1)
    out[:, s.X87[0] : s.X87[-1] + 16].reshape(count, 8, 16)[:, :, :10] = numbers[:, :, :10]
    out[:, LAYOUT["top"].offset] = top
    _put(out, "fcw", _word(blocks, _IMAGE))
    _put(out, "fsw", _word(blocks, _IMAGE + 2) & ~np.uint16(_TOP))
    _put(out, "ftw", _word(blocks, _IMAGE + 4) & 0xFF)
    return out


def _word(rows: Array, at: int) -> Array:
    return rows[:, at : at + 2].copy().view(np.uint16)[:, 0]


def _put(rows: Array, name: str, values: Array) -> None:
    slot = LAYOUT[name]
    rows[:, slot.offset : slot.end] = values.astype(f"<u{slot.type.bytes}")[:, None].view(np.uint8)


_OTHERS: Final = np.frombuffer(bytes(pack_slots(s.RESET)), np.uint8)
"""What is not in an oracle's block."""


def prepare(cases: Sequence[Case], results: Sequence[Result]) -> None:
    """Make the states that plain cases of 64-bit mode begin with, for `interpreted.start_of` to find."""
    pairs = zip(cases, results, strict=True)
    chosen = [(case, result.start) for case, result in pairs if case.mode == 64 and not case.guest]
    if not chosen:
        return
    blocks = _rows([start for _, start in chosen])
    rows = _laid_out(blocks)
    for name in ("eflags_rest", "xcr0", "last_xcr"):
        slot = LAYOUT[name]
        rows[:, slot.offset : slot.end] = _OTHERS[slot.offset : slot.end]
    flags = blocks.view(np.uint64)[:, _RFLAGS] & FLAGS
    for offset, values in _SLOTS:
        rows[:, offset] = values[flags]
    _put(rows, "rip", np.array([case.address for case, _ in chosen], np.uint64))
    _put(rows, "fenv", np.array([case.state.mxcsr for case, _ in chosen], np.uint32))
    keep_starts([case for case, _ in chosen], [row.tobytes()[: LAYOUT.size] for row in rows])


class Agreement:
    """What the host left of cases of 64-bit mode, to compare executions with."""

    def __init__(self, results: Sequence[Result]) -> None:
        blocks = _rows([result.block for result in results])
        self._rows = _laid_out(blocks)
        status, control = _word(blocks, _IMAGE + 2), _word(blocks, _IMAGE)
        pending = np.where(status & ~control & 0x3F, _ERROR_SUMMARY, 0)
        self._plain = (status & _ERROR_SUMMARY) == pending
        """Whether the summary of exceptions is what the slots give, which have none."""
        self._status = status & ~np.uint16(_TOP | _ERROR_SUMMARY)
        self._words = self._rows.view(np.uint64)
        self._flags = (blocks.view(np.uint64)[:, _RFLAGS] & FLAGS).astype(np.uint16)
        environments = blocks[:, _IMAGE + 24 : _IMAGE + 28].copy().view(np.uint32)[:, 0].tolist()
        self._ends = [
            (event_of(result), result.fault.address if result.fault else None, result.rip, mxcsr, result.changes)
            for result, mxcsr in zip(results, environments, strict=True)
        ]

    def holds(self, chosen: Sequence[int], seen: Sequence[Seen], undefined: Sequence[int]) -> Array:
        """For each of the chosen cases, whether its execution certainly agrees."""
        rows = np.zeros((len(seen), _SIZE), np.uint8)
        rows[:, : LAYOUT.size] = _rows([one.data for one in seen])
        flags = sum(values[rows[:, offset]] for offset, values in _CONTRIBUTIONS)
        wrong = ((rows.view(np.uint64) ^ self._words[chosen]) & _MASK).any(axis=1)
        wrong |= ((flags ^ self._flags[chosen]) & np.array([significant(bits) for bits in undefined], np.uint16)) != 0
        told = np.where(np.array(undefined) & FLAG_BITS["c1"], 0xFFFF & ~_C1, 0xFFFF)
        wrong |= ((_word(rows, LAYOUT["fsw"].offset) ^ self._status[chosen]) & told) != 0
        ends = [self._ends[number] == (one.event, one.address, one.rip, one.mxcsr, one.changes)
                for number, one in zip(chosen, seen, strict=True)]  # fmt: skip
        return ~wrong & self._plain[chosen] & ends
