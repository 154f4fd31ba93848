"""How a run of a function ends, and the errors of running one."""

from __future__ import annotations

from dataclasses import dataclass

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.evaluate import Raw


class InterpreterError(MetaphraseError):
    """The function cannot be run as asked: an input is missing, or it does not end within the step limit."""


class FloatException(Exception):
    """An operation raised a flag that the environment does not mask."""


@dataclass(slots=True)
class Outcome:
    """How a run ended.

    kind "next": the instruction is over. "goto": go on at guest address `pc` (`transfer` is "jump", "call" or
    "return"). "leave": leave for `reason`, resume at `pc`. "ret": a function that is not guest code gave `value`.
    "fault": the `access` ("read" or "write") of guest memory at `address` failed; effects before it have happened.
    "exception": a floating-point exception that is not masked; its flag is set.
    """

    kind: str
    pc: int | None = None
    value: Raw | None = None
    reason: str | None = None
    transfer: str | None = None
    address: int | None = None
    access: str | None = None
    origin: int | None = None
    """Of a fault: where the instruction lies that faulted, as an offset from the region's base."""
    block: str | None = None
    """Name of the block that the run ended in."""
