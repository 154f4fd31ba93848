"""A descriptor table of its own for a thread of the engine, beside a guest whose descriptors are the process's."""

from __future__ import annotations

import ctypes
import os

_NR_MQ_GETSETATTR, _NR_CLOSE_RANGE = 245, 436
_CLONE_FILES = 0x400
_LAST = 0xFFFF_FFFF
_STANDARD_ERROR = 2
_ATTRIBUTES_SIZE = 64
_LOOKED_AT = 1024
"""Numbers that are looked at where open descriptors cannot be listed."""


def leave() -> None:
    """Give the calling thread a table of its own, empty but for standard error and message queues.

    Files opened here must not take the guest's numbers, and copies kept here would keep its pipes open after it has
    closed them. A message queue stays: the kernel forgets whom to tell of a message (mq_notify(2)) when any of the
    process's threads closes the queue. Where the kernel has no close_range(2), before 5.9, the table stays shared.
    """
    libc = ctypes.CDLL(None)
    if libc.syscall(_NR_CLOSE_RANGE, ctypes.c_uint(_LAST), ctypes.c_uint(_LAST), 0) or libc.unshare(_CLONE_FILES):
        return
    attributes = ctypes.create_string_buffer(_ATTRIBUTES_SIZE)
    first = 0
    for kept in (*filter(lambda number: _is_kept(libc, number, attributes), _open()), _LAST + 1):
        if kept > first:
            libc.syscall(_NR_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(kept - 1), 0)
        first = kept + 1


def _open() -> list[int]:
    try:
        return sorted(map(int, os.listdir("/proc/thread-self/fd")))
    except OSError:
        return list(range(_LOOKED_AT))


def _is_kept(libc: ctypes.CDLL, number: int, attributes: ctypes.Array[ctypes.c_char]) -> bool:
    return number == _STANDARD_ERROR or libc.syscall(_NR_MQ_GETSETATTR, number, None, attributes) == 0
