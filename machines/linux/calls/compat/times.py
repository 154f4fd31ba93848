"""Time, with 32 bits of seconds and, in calls of newer programs, with 64."""

from __future__ import annotations

import ctypes
import struct
from errno import EINTR
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.compat.layouts import (
    CLOCKS,
    NUMBER,
    POINTER,
    TIME_32,
    TIME_64,
    TIMES_32,
    TIMES_64,
    Structure,
    converted,
    given,
    host_area,
    taken,
)
from metaphrase.machines.linux.calls.table import syscall

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_TIMER_ABSTIME = 1
_CLOCK_MONOTONIC = 1
#: struct sigevent: value, signal, how, thread.
_EVENT, _HOST_EVENT = struct.Struct("<Iiii"), struct.Struct("<Qiii44x")

for _name, _other, _time, _times in (
    ("clock_gettime", "clock_gettime64", given(TIME_32), given(TIME_64)),
    ("clock_getres", "clock_getres_time64", given(TIME_32), given(TIME_64)),
    ("clock_settime", "clock_settime64", taken(TIME_32), taken(TIME_64)),
    ("sched_rr_get_interval", "sched_rr_get_interval_time64", given(TIME_32), given(TIME_64)),
    ("timer_gettime", "timer_gettime64", given(TIMES_32), given(TIMES_64)),
    ("timerfd_gettime", "timerfd_gettime64", given(TIMES_32), given(TIMES_64)),
):
    converted(_name, NUMBER, _time)
    converted(_other, NUMBER, _times, to=_name)
for _name in ("timer_settime", "timerfd_settime"):
    converted(_name, NUMBER, NUMBER, taken(TIMES_32), given(TIMES_32))
    converted(f"{_name}64", NUMBER, NUMBER, taken(TIMES_64), given(TIMES_64), to=_name)
converted("gettimeofday", given(TIME_32), POINTER)
converted("settimeofday", taken(TIME_32), POINTER)
converted("getitimer", NUMBER, given(TIMES_32))
converted("setitimer", NUMBER, taken(TIMES_32), given(TIMES_32))
converted("times", given(CLOCKS))


@syscall("time", compat=True)
def time(task: Task, pointer: int) -> int:
    """time(2)."""
    now = host.call(HOST["time"], 0)
    if pointer:
        task.window.write_u32(pointer, now)
    return now


@syscall("timer_create", compat=True)
def timer_create(task: Task, clock: int, event: int, timer: int) -> int:
    """timer_create(2)."""
    area, _keep = 0, None
    if event:
        area, _keep = host_area(_HOST_EVENT.pack(*_EVENT.unpack(task.window.read(event, _EVENT.size))))
    return host.call(HOST["timer_create"], clock, area, task.window.host_pointer(timer))


@syscall("nanosleep", restart=False, compat=True)
def nanosleep(task: Task, request: int, remaining: int) -> int:
    """nanosleep(2)."""
    return _sleep(task, TIME_32, _CLOCK_MONOTONIC, 0, request, remaining)


@syscall("clock_nanosleep", restart=False, compat=True)
def clock_nanosleep(task: Task, clock: int, flags: int, request: int, remaining: int) -> int:
    """clock_nanosleep(2)."""
    return _sleep(task, TIME_32, clock, flags, request, remaining)


@syscall("clock_nanosleep_time64", restart=False, compat=True)
def clock_nanosleep_time64(task: Task, clock: int, flags: int, request: int, remaining: int) -> int:
    """clock_nanosleep(2)."""
    return _sleep(task, TIME_64, clock, flags, request, remaining)


def _sleep(task: Task, layout: Structure, clock: int, flags: int, request: int, remaining: int) -> int:
    """As the call of 64-bit programs: an interruption that no handler of the guest sees does not end the sleep."""
    area = ctypes.create_string_buffer(layout.read(task, request), layout.host.size)
    address = ctypes.addressof(area)
    while True:
        left = 0 if flags & _TIMER_ABSTIME else address
        result = task.blocking_call(HOST["clock_nanosleep"], clock, flags, address, left)
        if result != -EINTR:
            return result
        if task.signals.deliverable() is not None:
            break
    if remaining and not flags & _TIMER_ABSTIME:
        layout.write(task, remaining, area.raw)
    return -EINTR
