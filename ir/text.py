"""The text form of the IR: `print_function` writes it, `ir/parse.py` reads it back, and the two agree to the letter.

A pure node is written where the scheduler places it; constants and inputs stand in place. A type follows the op's name
where the result's type is the user's choice, or where no operand tells it:

    func @add_byte(a0: i64) -> i8 {
      v1 = get i8 al
      v2 = trunc i8 a0
      v3 = add v1, v2
      put al, v3
      ret v3
    }
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from metaphrase.ir.evaluate import Raw
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.schedule import schedule
from metaphrase.ir.types import VOID, Type

NAME = re.compile(r"[A-Za-z_$][\w.$]*")
_FLOATS = {16: ("<e", "<H"), 32: ("<f", "<I"), 64: ("<d", "<Q")}
_DECIMAL = 1024
"""Numbers up to this size are written in decimal, greater ones in hexadecimal."""


def print_function(function: Function) -> str:
    """The text of a function. Blocks that cannot be reached, and values that nothing uses, are not written."""
    return "\n".join(_Printer(function).lines()) + "\n"


def print_value(value: Value) -> str:
    """A pure value as one nested expression, e.g. ``and (shl a0, 8), 0xff00``; effects in it are written ``v1``…"""
    printer = _Printer(value.function)
    return printer.nested(value)


def block_texts(function: Function) -> dict[Block, list[str]]:
    """The lines of every reachable block, its label first."""
    return _Printer(function).blocks()


def number_text(value: int, type: Type) -> str:
    """A scalar constant as it is written: small ones in decimal, floats as floats where that is exact."""
    if type.is_float:
        return _float_text(value, type)
    if type.bits >= 8 and type.mask - value < _DECIMAL // 8:
        return str(value - type.mask - 1)
    return str(value) if value < _DECIMAL else hex(value)


def signed_text(value: int, type: Type) -> str:
    """An integer constant that is added: a great one as the negative that it most likely is."""
    if value >> (type.bits - 1) and type.bits >= 32:
        negative = type.mask + 1 - value
        return f"-{negative}" if negative < _DECIMAL else f"-{negative:#x}"
    return number_text(value, type)


def _float_text(value: int, type: Type) -> str:
    formats = _FLOATS.get(type.bits)
    if formats is None:
        return hex(value)
    number = struct.unpack(formats[0], struct.pack(formats[1], value))[0]
    text = repr(number)
    # NaNs and infinities, whose bits a literal would hide, and exponents stay hexadecimal.
    return text if re.fullmatch(r"-?\d+\.\d+", text) and len(text) < 12 else hex(value)


def constant_text(value: Raw, type: Type) -> str:
    """A constant of any type; a vector whose lanes are all the same is written as one number."""
    if isinstance(value, int):
        return number_text(value, type)
    if len(set(value)) == 1:
        return number_text(value[0], type.element)
    return "<" + ", ".join(number_text(lane, type.element) for lane in value) + ">"


def place_text(layout: Layout | None, offset: int) -> str:
    """A byte offset of the state: the slot's name, or ``slot+1``, or ``[24]`` where no slot lies."""
    slot = layout.find(offset) if layout else None
    if slot is None or not NAME.fullmatch(slot.name):
        return f"[{offset}]"
    return slot.name if slot.offset == offset else f"{slot.name}+{offset - slot.offset}"


def quoted(text: str) -> str:
    """A name as it is, or in quotes where it is none."""
    if NAME.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def layout_text(layout: Layout) -> str:
    """The declaration of a layout as test files hold it."""
    slots = [
        f"  {quoted(slot.name)}: {slot.type} at {slot.offset}" + (f" in {quoted(slot.group)}" if slot.group else "")
        for slot in layout
    ]
    return "\n".join([f"layout {quoted(layout.name)} {{", *slots, "}"]) + "\n"


class _Printer:
    """Names given so far, and the text of what is written with them."""

    def __init__(self, function: Function) -> None:
        self.function, self.layout = function, function.layout
        self.names: dict[int, str] = {}
        self.labels: dict[Block, str] = {}

    def lines(self) -> Iterator[str]:
        function = self.function
        parameters = ", ".join(f"a{i}: {type}" for i, type in enumerate(function.parameters))
        result = f" -> {function.result}" if function.result is not VOID else ""
        yield f"func @{quoted(function.name)}({parameters}){result} {{"
        for number, type in enumerate(function.locals):
            yield f"  local l{number}: {type}"
        blocks = self.blocks()
        first = function.blocks[0]
        if len(blocks) == 1 and first.name == "b0" and first.origin is None:
            blocks[first].pop(0)
        for lines in blocks.values():
            yield from lines
        yield "}"

    def blocks(self) -> dict[Block, list[str]]:
        """The lines of every block, its label first."""
        scheduled = schedule(self.function)
        self._label([block for block, _ in scheduled])
        texts = {}
        for block, values in scheduled:
            body = [f"  {self._statement(value)}" for value in values]
            label = f"{self.labels[block]}{_origin(block)}:"
            texts[block] = [label, *body, f"  {self._terminator(block.terminator)}"]
        return texts

    def _label(self, blocks: list[Block]) -> None:
        """Give every block a name of its own that can be read back."""
        used: set[str] = set()
        for block in blocks:
            stem = name = re.sub(r"[^\w.$]", "_", block.name) if not NAME.fullmatch(block.name) else block.name
            if not NAME.fullmatch(name):
                stem = name = f"b_{name}"
            number = 0
            while name in used:
                number += 1
                name = f"{stem}.{number}"
            used.add(name)
            self.labels[block] = name

    def _name(self, value: Value) -> str:
        name = self.names.get(value.id)
        if name is None:
            name = self.names[value.id] = f"v{len(self.names) + 1}"
        return name

    def _statement(self, value: Value) -> str:
        operands = [self._operand(arg) for arg in value.args]
        text = self._application(value, operands)
        return text if value.type is VOID else f"{self._name(value)} = {text}"

    def _operand(self, value: Value) -> str:
        return self._leaf(value) or self._name(value)

    def _leaf(self, value: Value) -> str:
        """A constant or an input, in place; empty for what is computed."""
        match value.op.name:
            case "const":
                return constant_text(value.imm, value.type)
            case "arg":
                return f"a{value.imm}"
            case "base":
                return "base"
            case "field":
                return f"field.{value.imm}" if value.type.name == "i64" else f"field.{value.imm} as {value.type}"
        return ""

    def nested(self, value: Value) -> str:
        leaf = self._leaf(value)
        if leaf or not value.op.is_pure:
            return leaf or self._name(value)
        operands = [self.nested(arg) for arg in value.args]
        operands = [f"({text})" if arg.op.is_pure and arg.args else text for text, arg in zip(operands, value.args)]
        return self._application(value, operands)

    def _application(self, value: Value, operands: list[str]) -> str:
        """The op with its operands, and with the types that nothing else tells."""
        op, imm = value.op, value.imm
        words = list(operands)
        type = self._needed_type(value)
        if op.name in ("add", "sub") and value.args[1].is_const and not value.type.is_vector:
            words[1] = signed_text(value.args[1].imm, value.type)
        for index, (word, arg) in enumerate(zip(op.operands, value.args)):
            free = (word in ("T", "E") and op.result == "R") or (word == "B" and arg.type.is_vector)
            if free and arg.is_const:
                words[index] = f"{arg.type} {words[index]}"
        match op.immediate:
            case "offset":
                words.insert(0, place_text(self.layout, imm))
            case "local":
                words.insert(0, f"l{imm}")
            case "lanes":
                words.append("[" + ", ".join(map(str, imm)) + "]")
            case "lane" | "rounding" | "operation" | "function" | "count" | "address":
                words.append(str(imm))
        head = f"{op.name} {type}" if type else op.name
        return f"{head} {', '.join(words)}" if words else head

    def _needed_type(self, value: Value) -> Type | None:
        op = value.op
        if op.result == "R" or (op.name == "select" and value.args[0].is_const and value.args[0].type.is_vector):
            return value.type
        told = [arg for word, arg in zip(op.operands, value.args) if word == "T"]
        if not told or any(not arg.is_const for arg in told):
            return None
        type = told[0].type
        if op.name == "put" and self._slot_type(value.imm) is type:
            return None
        if op.name == "write" and self.function.locals[value.imm] is type:
            return None
        return type

    def _slot_type(self, offset: int) -> Type | None:
        slot = self.layout.find(offset) if self.layout else None
        return slot.type if slot and slot.offset == offset and NAME.fullmatch(slot.name) else None

    def _terminator(self, end: Terminator | None) -> str:
        if end is None:
            return "; no terminator yet"
        words = [self._operand(arg) for arg in end.args] + [self.labels[target] for target in end.targets]
        if end.op.name == "leave":
            words.append(quoted(end.imm))
        elif end.op.name == "goto" and end.imm != "jump":
            words.append(end.imm)
        return f"{end.op.name} {', '.join(words)}" if words else end.op.name


def _origin(block: Block) -> str:
    return "" if block.origin is None else f" at {block.origin[0]:#x} count {block.origin[1]}"
