"""Time: clock_gettime(2), nanosleep(2), timers."""

from __future__ import annotations

import ctypes
from errno import EINTR, ENOSYS
from typing import TYPE_CHECKING

from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, VALUE, out, passthrough, syscall
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_TIMER_ABSTIME = 1
_CLOCK_MONOTONIC = 1

passthrough("clock_gettime", VALUE, out(16), way=Way.CLOCK)
passthrough("clock_getres", VALUE, out(16))
passthrough("clock_settime", VALUE, IN)
passthrough("adjtimex", out(208))
passthrough("clock_adjtime", VALUE, out(208))
passthrough("gettimeofday", out(16), out(8), way=Way.TIME_OF_DAY)
passthrough("time", out(8))
passthrough("times", out(32))
passthrough("getitimer", VALUE, out(32))
passthrough("setitimer", VALUE, IN, out(32))
passthrough("alarm", VALUE)
passthrough("timer_create", VALUE, IN, out(4))
passthrough("timer_settime", VALUE, VALUE, IN, out(32))
passthrough("timer_gettime", VALUE, out(32))
passthrough("timer_getoverrun", VALUE)
passthrough("timer_delete", VALUE)


@syscall("nanosleep", restart=False)
def nanosleep(task: Task, request: int, remaining: int) -> int:
    """nanosleep(2)."""
    return clock_nanosleep(task, _CLOCK_MONOTONIC, 0, request, remaining)


@syscall("clock_nanosleep", restart=False)
def clock_nanosleep(task: Task, clock: int, flags: int, request: int, remaining: int) -> int:
    """clock_nanosleep(2). An interruption that no handler of the guest sees does not end the sleep."""
    window = task.window
    time = ctypes.create_string_buffer(window.read(request, 16), 16)
    address = ctypes.addressof(time)
    while True:
        # The remaining time lands where the next attempt takes it from.
        left = 0 if flags & _TIMER_ABSTIME else address
        result = task.blocking_call(HOST["clock_nanosleep"], clock, flags, address, left)
        if result != -EINTR:
            return result
        if task.signals.deliverable() is not None or not task.goes_on():
            break
    if remaining and not flags & _TIMER_ABSTIME:
        window.write(remaining, time.raw)
    return -EINTR


@syscall("adjtimex", "clock_adjtime", compat=True)
def adjust(task: Task) -> int:
    """adjtimex(2), whose structure has another layout with 32-bit words."""
    return -ENOSYS
