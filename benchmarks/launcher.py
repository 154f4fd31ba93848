"""Started as a script for each measured run: starts the command given and says what it took.

A process of its own, because the kernel counts the memory of the process that forks as its child's: ru_maxrss of
whatever a large harness started would never be below the harness's own size. This one imports next to nothing.
Usage: launcher.py DESCRIPTOR COMMAND [ARGUMENT...]; it writes "status wall user+system ru_maxrss" to the descriptor.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    report, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(report, False)
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}".encode())
        os._exit(127)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - start
    text = f"{os.waitstatus_to_exitcode(status)} {wall} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}"
    os.write(report, text.encode())


if __name__ == "__main__":
    main()
