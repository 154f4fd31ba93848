"""The table of host calls that native code makes for guest code (`native/calls.ll`)."""

from __future__ import annotations

from metaphrase.backends.llvm import context as c
from metaphrase.translator.engine.host_memory import HostBlock, clock_function
from metaphrase.translator.guest import Guest
from metaphrase.translator.host_calls import HostCalls


def call_table(guest: Guest, described: HostCalls, roots: int) -> HostBlock:
    """A machine's description as native code reads it; `roots` is the address of the process's roots."""
    count = max(described.calls, default=-1) + 1
    table = HostBlock(c.CALL_ROWS + count * c.CALL_ROW)

    def place(register: str) -> int:
        return guest.layout[guest.slot_of(register)[0]].offset

    for offset, value in {
        c.CALL_COUNT: count, c.CALL_LIMIT: described.limit, c.CALL_NUMBER: place(described.number_register),
        c.CALL_RESULT: place(described.result_register), c.CALL_ROOTS: roots,
        c.CALL_SHOWN: described.shown_device, c.CALL_CLOCK: clock_function(),
        c.CALL_NEVER_BLOCKED: described.never_blocked,
        c.CALL_MASK: (1 << guest.slot_of(described.result_register)[1]) - 1,
    }.items():  # fmt: skip
        table.put_u64(offset, value)
    for index, register in enumerate(described.argument_registers):
        table.put_u64(c.CALL_ARGUMENTS + 8 * index, place(register))
    for number, call in described.calls.items():
        row = c.CALL_ROWS + number * c.CALL_ROW
        table.put_u64(row, call.number + 1 | call.way << 8 * c.CALL_WAY)
        kinds = row + c.CALL_KINDS
        table.view[kinds : kinds + len(call.arguments)] = bytes(call.arguments)
    return table
