"""The command line: `metaphrase run`."""

from __future__ import annotations

import sys

import click

from metaphrase.ir.errors import MetaphraseError


class _Run(click.Command):
    """`--stats` takes its value only after an equals sign, so that `--stats PROGRAM` means what it says."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--stats=text" if a == "--stats" else a for a in _options(args)] + args[len(_options(args)) :])


def _options(args: list[str]) -> list[str]:
    """The leading arguments that are options of ours, values included."""
    count = 0
    while count < len(args) and args[count].startswith("-") and args[count] != "--":
        count += 2 if args[count] in ("--tier", "-L") else 1
    return args[:count]


@click.group()
@click.version_option(package_name="metaphrase")
def main() -> None:
    """Metaphrase: run and study machine code of one architecture on another."""


@main.command(cls=_Run, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--tier", type=click.Choice(["0", "1", "auto"]), default="auto", help="Handlers only, regions at once, or both.")
@click.option("--stats", default=None, metavar="[json:FILE]", help="Print statistics at the end.")
@click.option("-L", "sysroot", metavar="SYSROOT", help="Look for absolute paths beneath this folder first.")
@click.option("--debug", is_flag=True, help="Show a traceback when something goes wrong.")
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(tier: str, stats: str | None, sysroot: str | None, debug: bool, program: str, arguments: tuple[str, ...]) -> None:
    """Run a guest Linux PROGRAM with ARGUMENTS."""
    from metaphrase.run import run_program

    try:
        status = run_program(program, arguments, tier=tier, sysroot=sysroot, stats=stats)
    except MetaphraseError as error:
        if debug:
            raise
        print(f"metaphrase: {error}", file=sys.stderr)
        status = getattr(error, "exit_status", 125)
    sys.exit(status)
