"""A function of the IR as one of Python: its schedule line by line, which calls the handlers of effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from metaphrase.backends.reference.memory import MemoryFault
from metaphrase.backends.reference.operations import Code, reader, writer
from metaphrase.backends.reference.outcome import FloatException, InterpreterError, Outcome
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.ops import MAY_FAULT
from metaphrase.ir.schedule import schedule
from metaphrase.ir.types import VOID

if TYPE_CHECKING:
    from metaphrase.backends.reference.interpreter import Interpreter

Effect = Callable[..., Any]
"""How an effect runs: called with the interpreter, the node, and the operands' values."""
INLINE: Final = frozenset(("get", "put", "load", "near_load", "store", "near_store", "read", "write"))
"""Effects that are Python text rather than calls of handlers."""
_NAMES: Final[Mapping[str, object]] = {
    "MemoryFault": MemoryFault, "FloatException": FloatException, "Outcome": Outcome,
}  # fmt: skip


class FunctionCode:
    """What runs a function: `run` is called with the interpreter, its state and its memory."""

    def __init__(self, function: Function, effects: Mapping[str, Effect]) -> None:
        self.function, self.extent = function, 0
        """`extent`: how many bytes of the state it touches at known offsets."""
        self._effects = effects
        self._blocks = schedule(function)
        self._numbers = {block: number for number, (block, _) in enumerate(self._blocks)}
        self._code = Code("run", "state", "memory")
        self._code.names |= _NAMES
        self._texts: dict[int, str] = {}
        self._origin: int | None = None
        self._inputs()
        self.run: Callable[[Interpreter, Any, Any], Outcome] = self._compile()

    def _inputs(self) -> None:
        """What is fixed while it runs stands at the start; constants stand where they are used."""
        for value in self.function.values():
            if value.args or not value.op.is_pure:
                self._texts[value.id] = f"v{value.id}"
            elif value.is_const:
                self._texts[value.id] = self._code.constant(value.imm)
            else:
                self._texts[value.id] = f"v{value.id}"
                self._code.line(f"v{value.id} = run.input({self._code.name(value)})")

    def _compile(self) -> Callable[..., Outcome]:
        code = self._code
        code.line("origin = block = steps = 0")
        for number in range(len(self.function.locals)):
            code.line(f"local{number} = None")
        code.line("try:")
        if len(self._blocks) > 1:
            code.line("while True:", 2)
        for number, (block, values) in enumerate(self._blocks):
            depth = 2
            if len(self._blocks) > 1:
                code.line(f"if block == {number}:", 3)
                code.line(f"steps += {len(values) + 1}", 4)
                code.line(f"if steps > run.limit: {code.name(_too_long)}(run, {block.name!r})", 4)
                depth = 4
                self._origin = None
            for value in values:
                self._value(value, depth)
            self._end(block, depth)
        names = code.name([block.name for block, _ in self._blocks])
        code.line("except MemoryFault as fault:")
        code.line(
            "return Outcome('fault', address=fault.address, access=fault.access, origin=origin, "
            f"block={names}[block])", 2,
        )  # fmt: skip
        code.line("except FloatException:")
        code.line(f"return Outcome('exception', block={names}[block])", 2)
        return code.compile()

    def _value(self, value: Value, depth: int) -> None:
        code, operands = self._code, [self._texts[arg.id] for arg in value.args]
        if value.op in MAY_FAULT and value.origin != self._origin:
            self._origin = value.origin
            code.line(f"origin = {value.origin}", depth)
        text = code.apply(value, operands) if value.op.is_pure else self._effect(value, operands)
        code.line(text if value.type is VOID else f"v{value.id} = {text}", depth)

    def _effect(self, value: Value, operands: list[str]) -> str:
        code, imm = self._code, value.imm
        match value.op.name:
            case "get":
                self._touches(imm + value.type.bytes)
                if value.type.bits == 8:
                    return f"state[{imm}]"
                if not value.type.is_vector and not value.type.bits % 8:
                    return f"int.from_bytes(state[{imm}:{imm + value.type.bytes}], 'little')"
                return f"{code.name(reader(value.type))}(state, {imm})"
            case "put":
                type = value.args[0].type
                self._touches(imm + type.bytes)
                if type.bits <= 8:
                    return f"state[{imm}] = {operands[0]}"
                place = f"state[{imm}:{imm + type.bytes}]"
                if not type.is_vector:
                    return f"{place} = ({operands[0]}).to_bytes({type.bytes}, 'little')"
                return f"{place} = {code.name(writer(type))}({operands[0]})"
            case "load" | "near_load":
                type = value.type
                if type.is_vector or type.bits % 8:
                    return f"{code.name(reader(type))}(memory.read({operands[0]}, {type.bytes}), 0)"
                return f"int.from_bytes(memory.read({operands[0]}, {type.bytes}), 'little')"
            case "store" | "near_store":
                return f"memory.write({operands[0]}, {code.name(writer(value.args[1].type))}({operands[1]}))"
            case "read":
                unwritten = f"{code.name(_unwritten)}(run, {imm})"
                return f"local{imm} if local{imm} is not None else {unwritten}"
            case "write":
                return f"local{imm} = {operands[0]}"
        return f"{code.name(self._effects[value.op.name])}({', '.join(('run', code.name(value), *operands))})"

    def _touches(self, end: int) -> None:
        self.extent = max(self.extent, end)

    def _end(self, block: Block, depth: int) -> None:
        code, end = self._code, block.terminator
        if end is None:
            raise InterpreterError(f"{self.function.name}: block {block.name} has no terminator")
        targets = [self._numbers[target] for target in end.targets]
        match end.op.name:
            case "jump":
                code.line(f"block = {targets[0]}", depth)
                code.line("continue", depth)
            case "branch":
                condition = self._texts[end.args[0].id]
                code.line(f"block = {targets[0]} if {condition} else {targets[1]}", depth)
                code.line("continue", depth)
            case "next":
                code.line(f"return Outcome('next', block={block.name!r})", depth)
            case _:
                code.line(f"return Outcome({self._leaving(end)}, block={block.name!r})", depth)

    def _leaving(self, end: Terminator) -> str:
        operands = [self._texts[arg.id] for arg in end.args]
        match end.op.name:
            case "goto":
                return f"'goto', {operands[0]}, transfer={end.imm!r}"
            case "leave":
                return f"'leave', {operands[0]}, reason={end.imm!r}"
            case "ret":
                return f"'ret', value={operands[0] if operands else None}"
        raise InterpreterError(f"{self.function.name}: a block ends in the unknown {end!r}")


def _too_long(run: Interpreter, block: str) -> None:
    raise InterpreterError(
        f"{run.function.name} took more than {run.limit} steps (now in block {block}); "
        "it may loop for ever: raise `limit` if it should not"
    )


def _unwritten(run: Interpreter, number: int) -> None:
    raise InterpreterError(f"{run.function.name} reads its local variable {number} before it is written")
