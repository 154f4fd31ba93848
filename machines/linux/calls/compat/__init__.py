"""The system calls of programs with 32-bit words, as far as they are not those of 64-bit programs.

They have structures of their own, pairs of registers for 64-bit numbers, and old calls that came with them. Importing
this package declares them, as `COMPAT_CALLS`.
"""

from __future__ import annotations

from metaphrase.machines.linux.calls.compat import (
    files,
    identity,
    ipc,
    polling,
    processes,
    signals,
    sockets,
    times,
    transfer,
)

TOPICS = (files, identity, ipc, polling, processes, signals, sockets, times, transfer)

__all__ = ["TOPICS"]
