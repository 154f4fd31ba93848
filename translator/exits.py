"""What a CPU reports to the machine it runs in."""

from __future__ import annotations

from typing import Literal, NamedTuple

ExitKind = Literal["syscall", "interrupted", "fault", "trap", "interrupt", "budget"]
Access = Literal["read", "write", "execute", ""]


class Exit(NamedTuple):
    """Why `run` came back.

    kind     "syscall": the system call instruction has been executed, pc is behind it.
             "fault": the instruction at pc touched `address`, which is not mapped for `access`.
             "trap": the instruction at pc raised `trap` (a name from the guest's `reasons`, or "illegal" where no
             description matches); pc is that of the instruction itself, also for a breakpoint.
             "interrupted": the same as "syscall", but the call was made, and a signal has ended it (EINTR).
             "interrupt": `interrupt` was called. "budget": the CPU wanted to come up for air; just run again.
    """

    kind: ExitKind
    pc: int
    address: int = 0
    access: Access = ""
    trap: str = ""
