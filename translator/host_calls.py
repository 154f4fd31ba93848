"""Calls of the host's kernel that native code can make for the guest, as the machine describes them.

The machine says which of its system calls only pass through, and in which registers their arguments are. Native code
(`backends/llvm/native/calls.ll`) then answers them without Python, and waits in them; what is in doubt it leaves to the
machine, which must be able to answer all of them itself. A call that a signal has ended is the machine's too, which is
told so: it decides whether the guest sees that, or makes the call again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from metaphrase.backends.llvm import context as c


class Kind(IntEnum):
    """What an argument is."""

    NONE = c.CALL_NOTHING
    VALUE = c.CALL_VALUE
    #: A guest address, which becomes the host's; null stays null. The kernel reads there.
    READ = c.CALL_READ
    #: The same, where the kernel writes.
    FILLED = c.CALL_FILLED
    #: A number of bytes, clamped to what the kernel moves at most.
    SIZE = c.CALL_SIZE
    #: A path that the kernel reads, which is not below /proc: what is there tells of the guest.
    PATH = c.CALL_PATH
    #: A list of struct iovec, whose buffers the kernel reads, or writes; the next argument is their number.
    VECTOR = c.CALL_VECTOR
    FILLED_VECTOR = c.CALL_FILLED_VECTOR


class Way(IntEnum):
    """How a call is made, and what is left to the machine."""

    #: As it is: it never waits.
    PLAIN = c.WAY_PLAIN
    #: As it is, and it may wait.
    WAITING = c.WAY_WAITING
    #: As it is where the descriptor, its first argument, is the guest's; the others look only if they find
    #: AT_EMPTY_PATH in their third or fourth argument, with which the call may be about the descriptor.
    OWN = c.WAY_OWN
    OWN_3 = c.WAY_OWN_3
    OWN_4 = c.WAY_OWN_4
    #: fcntl(2): the same, for commands up to F_SETFL, which take a number.
    FLAGS = c.WAY_FLAGS
    #: futex(2), where it wakes somebody, or waits for ever or to a moment.
    FUTEX = c.WAY_FUTEX
    #: openat(2) of files and folders, and getdents64(2), but for those of `HostCalls.shown_device`.
    OPEN = c.WAY_OPEN
    LIST = c.WAY_LIST
    #: clock_gettime(2), and gettimeofday(2).
    CLOCK = c.WAY_CLOCK
    TIME_OF_DAY = c.WAY_TIME_OF_DAY
    #: rt_sigprocmask(2), while the machine says that it need not see to it.
    MASK = c.WAY_MASK


class HostCall(NamedTuple):
    """A call that passes through."""

    number: int
    arguments: tuple[Kind, ...]
    way: Way = Way.PLAIN
    #: What it fills is struct stat, which may be laid out in another way for the guest.
    fills_status: bool = False


class HostCalls(NamedTuple):
    """The calls of a machine by the guest's numbers, and what the guest's registers mean."""

    calls: Mapping[int, HostCall]
    number_register: str
    argument_registers: tuple[str, ...]
    result_register: str
    #: Guest addresses from here on are none.
    limit: int
    #: The device, as st_dev has it, whose files the machine shows to the guest in its own way; 0 if there is none.
    shown_device: int = 0
    #: The signals that the host never blocks for the guest, as a mask.
    never_blocked: int = 0
