"""The command line: `metaphrase run`, `metaphrase explain`, `metaphrase precompile` and `metaphrase bench`.

Starting a guest is to cost little, so nothing is imported here that `run` does not need: argparse is the quickest of
the parsers that say what is wrong, and each command's work lies in a module that is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, TypeAlias

from metaphrase import __version__
from metaphrase.ir.errors import MetaphraseError

STATUS_USAGE = 2
"""The command line is wrong, or names something that does not exist."""
STATUS_INTERRUPTED = 130

_CPU_HELP = "the CPU's model, with features added and left out: haswell, or max,-avx2,-fma; max (the default) has all"
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_TAKE_A_VALUE = ("--tier", "--cpu", "--policy", "-L")


def _formatter(prog: str) -> argparse.HelpFormatter:
    """As by default, which would import shutil, and zip formats with it, for the width of the terminal."""
    try:
        columns = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size().columns
    except (OSError, ValueError):
        columns = 80
    return argparse.HelpFormatter(prog, width=columns - 2)


def _parser(wanted: str) -> argparse.ArgumentParser:
    """The parser with what the wanted command may be given; with all commands if there is no such."""
    parser = argparse.ArgumentParser(
        prog="metaphrase", allow_abbrev=False, formatter_class=_formatter,
        description="Run and study machine code of one architecture on another.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"metaphrase {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    for name, add in _COMMANDS.items():
        if wanted == name or wanted not in _COMMANDS:
            add(commands)
    return parser


def _add_run(commands: _Commands) -> None:
    run = commands.add_parser(
        "run", allow_abbrev=False, formatter_class=_formatter, help="run a Linux program of another architecture",
        usage="metaphrase run [--tier 0|1|auto|reference] [--cpu MODEL[,+FEATURE,-FEATURE...]] [--stats[=json:FILE]] "
              "[--strace[=FILE]] [--policy PRESET|FILE] [-L SYSROOT] [--debug] [--] PROGRAM [ARGUMENT...]",
        description="Run a guest Linux PROGRAM, whose input, output and exit status are this command's. A death by "
                    "signal N is status 128 + N, with one line that says where.",
    )  # fmt: skip
    run.add_argument("--tier", choices=("0", "1", "auto", "reference"), default="auto",
                     help="0: native handlers only; 1: optimised regions at once; auto (the default): both; "
                          "reference: the interpreter of the IR, slow and plain")  # fmt: skip
    run.add_argument("--cpu", metavar="MODEL", help=_CPU_HELP)
    run.add_argument("--stats", nargs="?", const="text", metavar="json:FILE",
                     help="at the end, print statistics on standard error, or write them to FILE as JSON")  # fmt: skip
    run.add_argument("--strace", nargs="?", const="-", metavar="FILE",
                     help="tell each system call of the program on standard error, or in FILE")  # fmt: skip
    run.add_argument("--policy", metavar="PRESET|FILE",
                     help="what the program may do: caller (the default) is all that you may; sandbox lets it read the "
                          "system's files and keeps what it changes aside; or a FILE (docs/policy.md)")  # fmt: skip
    run.add_argument("-L", dest="sysroot", metavar="SYSROOT", help="look for absolute paths beneath this folder first")
    run.add_argument("--debug", action="store_true", help="show a traceback when something goes wrong")


def _add_explain(commands: _Commands) -> None:
    explain = commands.add_parser(
        "explain", allow_abbrev=False, formatter_class=_formatter, help="show what becomes of machine code",
        description="Show how machine code is decoded, its IR, the IR after each pass that changed it, and the LLVM IR "
                    "and host code that it becomes.",
    )  # fmt: skip
    explain.add_argument("guest", metavar="GUEST", help="x86_64, i386, i8086, riscv64, or another that there is")
    explain.add_argument("bytes", nargs="*", metavar="BYTES", help="the code in hexadecimal")
    explain.add_argument("--asm", metavar="TEXT", help="the code in assembly; instructions are separated by ;")
    explain.add_argument("--address", type=lambda text: int(text, 0), default=0x1000, metavar="N",
                         help="where the code lies (0x1000)")  # fmt: skip
    explain.add_argument("--cpu", metavar="MODEL", help=_CPU_HELP)
    explain.add_argument("--handler", action="store_true", help="show the tier-0 handlers of the instructions too")
    explain.add_argument("--debug", action="store_true", help="show a traceback when something goes wrong")


def _add_precompile(commands: _Commands) -> None:
    precompile = commands.add_parser(
        "precompile", allow_abbrev=False, formatter_class=_formatter,
        help="compile beforehand what the first run of every program would have to",
        description="Compile the runtimes, and the handlers of the forms of instructions that programs commonly have, "
                    "for this machine. They are put beside the installed package, so that runs with an empty cache "
                    "start fast.",
    )  # fmt: skip
    precompile.add_argument("--learn", metavar="FOLDER",
                            help="first add to the common forms those that the cache in FOLDER has")  # fmt: skip


def _add_bench(commands: _Commands) -> None:
    # Listed here only: its options are those of the harness, which parses them itself.
    commands.add_parser("bench", add_help=False, help="compare with native runs and other emulators on this machine")


_COMMANDS = {"run": _add_run, "explain": _add_explain, "precompile": _add_precompile, "bench": _add_bench}


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of `run`, and the guest's command, whose own options are none of ours."""
    count = 0
    while count < len(arguments) and arguments[count].startswith("-") and arguments[count] != "-":
        if arguments[count] == "--":
            return list(arguments[:count]), list(arguments[count + 1 :])
        count += 2 if arguments[count] in _TAKE_A_VALUE else 1
    return list(arguments[:count]), list(arguments[count:])


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The command `metaphrase`; ends the process."""
    try:
        _main(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        os._exit(STATUS_INTERRUPTED)
    raise AssertionError("each command ends the process")


def _main(given: list[str]) -> NoReturn:
    parser = _parser(given[0] if given else "")
    if given[:1] == ["run"]:
        ours, command = _split(given[1:])
        options = parser.parse_args(["run", *ours])
        if not command:
            parser.error("run: which program? (metaphrase run --help tells more)")
        _run(options, command)
    if given[:1] == ["bench"]:
        _bench(given[1:])
    options = parser.parse_args(given)
    if options.command == "precompile":
        _precompile(options)
    _explain(options)


def _run(options: argparse.Namespace, command: Sequence[str]) -> NoReturn:
    gc.disable()  # imports make no garbage worth looking for
    from metaphrase.runner import leave, run_command  # once the command line was found to be good

    status = run_command(
        command[0], command[1:], tier=options.tier, sysroot=options.sysroot, stats=options.stats, debug=options.debug,
        cpu=options.cpu, strace=options.strace, policy=options.policy,
    )  # fmt: skip
    leave(status)


def _explain(options: argparse.Namespace) -> NoReturn:
    from metaphrase.explain import explain_command  # not needed to run a program

    try:
        explain_command(
            options.guest, " ".join(options.bytes), asm=options.asm, address=options.address, handler=options.handler,
            cpu=options.cpu,
        )  # fmt: skip
    except MetaphraseError as error:
        if options.debug:
            raise
        print(f"metaphrase: {error}", file=sys.stderr)
        sys.exit(STATUS_USAGE)
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(0)


def _precompile(options: argparse.Namespace) -> NoReturn:
    from metaphrase.precompile import precompile_command  # brings all guests

    try:
        precompile_command(options.learn)
    except (MetaphraseError, OSError) as error:
        print(f"metaphrase: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def _bench(arguments: Sequence[str]) -> NoReturn:
    from metaphrase.benchmarks.command import bench  # brings a parser and tables of its own

    bench.main(args=list(arguments), prog_name="metaphrase bench")
    raise AssertionError("the harness ends the process")
