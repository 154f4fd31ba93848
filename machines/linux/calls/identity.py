"""Who the process is: user and group ids, sessions and process groups, capabilities (credentials(7))."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import IN, VALUE, in_native_code, out, passthrough, signed32, syscall

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_GROUP_SIZE = 4

for _name in ("getuid", "geteuid", "getgid", "getegid", "getppid", "getpgrp", "setsid"):
    passthrough(_name)
for _name in ("getpgid", "getsid"):
    passthrough(_name, VALUE)
passthrough("setpgid", VALUE, VALUE)
for _name in ("getresuid", "getresgid"):
    passthrough(_name, out(4), out(4), out(4))
passthrough("setgroups", VALUE, IN)
passthrough("capget", IN, out(24))
passthrough("capset", IN, IN)


@syscall("getpid", native=in_native_code("getpid"))
def getpid(task: Task) -> int:
    """getpid(2)."""
    return os.getpid()


@syscall("getgroups")
def getgroups(task: Task, count: int, groups: int) -> int:
    """getgroups(2)."""
    task.window.will_write(groups, max(signed32(count), 0) * _GROUP_SIZE)
    return host.call(HOST["getgroups"], count, task.window.host_pointer(groups))
