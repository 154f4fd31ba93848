"""Read the text form of the IR (`ir/text.py` writes it).

    func @name(x: i32, y: i32) -> i32 {
      local l0: i64
      a = shl x, 8
      put rax, (zext i64 a)
      ret (add a, y)
    }

Line breaks mean nothing; comments run from ``;`` to the end of the line; operands may be nested in parentheses.
A constant takes its type from the operands beside it, or has it written before: ``i32 5``. Floats are written as
``1.5`` or as raw bits. A layout may be declared before the functions: ``layout name { rax: i64  zf: i8 in flags }``.
"""

from __future__ import annotations

import difflib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from metaphrase.ir.evaluate import Raw
from metaphrase.ir.graph import Block, Function, Imm, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import OPS, Op, Trait
from metaphrase.ir.tokens import Reader, TextError, Token
from metaphrase.ir.types import I1, I64, VOID, Type, parse_type
from metaphrase.ir.verify import TARGETS, bind, mismatch, result_type

Simplify = Callable[[Function, Op, Type, tuple[Value, ...], Imm], Value | None]

_FLOAT_FORMATS = {16: ("<e", "<H"), 32: ("<f", "<I"), 64: ("<d", "<Q")}


class _Literal(NamedTuple):
    """A constant that has no type yet."""

    token: Token
    value: int | float | tuple[int | float, ...]


@dataclass(slots=True)
class Parsed:
    """A function as it was read, with the names that its text gives to values."""

    function: Function
    names: dict[str, Value]
    line: int
    end_line: int


@dataclass(slots=True)
class Module:
    """What one text holds: the layout, functions in order, and comments with their lines."""

    layout: Layout | None
    functions: list[Parsed] = field(default_factory=list)
    comments: list[tuple[int, str]] = field(default_factory=list)


def parse_function(text: str, layout: Layout | None = None, simplify: Simplify | None = None) -> Function:
    """The one function of a text. Raises TextError."""
    module = parse_module(text, layout, simplify)
    if len(module.functions) != 1:
        raise TextError(1, 1, f"one function is expected here, not {len(module.functions)}")
    return module.functions[0].function


def parse_module(text: str, layout: Layout | None = None, simplify: Simplify | None = None) -> Module:
    """Everything in a text. Functions get `simplify`, so that a text can be folded while it is read."""
    return _Parser(text, simplify).module(layout)


def parse_value(text: str, parsed: Parsed) -> Value:
    """An expression over the names of a function, e.g. ``and x, 0xff``, or a name or constant alone (typed)."""
    parser = _Parser(text, None)
    parser.function, parser.names = parsed.function, dict(parsed.names)
    token = parser.peek()
    if token.kind == "name" and token.text in OPS and token.text not in parser.names and token.text != "base":
        value = parser.pure_application()
    else:
        operand = parser.operand()
        if isinstance(operand, _Literal):
            operand = parser.literal(operand, parsed.function.result)
        value = operand
    parser.expect("end", "")
    return value


def parse_constants(text: str, types: Sequence[Type]) -> list[Raw]:
    """Constants with commas between them, as raw values of the given types."""
    parser = _Parser(text, None)
    parser.function = Function("constants")
    values: list[Raw] = []
    for type in types:
        if values:
            parser.mark(",")
        operand = parser.operand()
        values.append((parser.literal(operand, type) if isinstance(operand, _Literal) else operand).imm)
    parser.expect("end", "")
    return values


class _Parser(Reader):
    """Builds what the words say."""

    function: Function
    block: Block | None

    def __init__(self, text: str, simplify: Simplify | None) -> None:
        super().__init__(text)
        self.simplify = simplify
        self.layout: Layout | None = None
        self.names: dict[str, Value] = {}
        self.locals: dict[str, int] = {}
        self.labels: dict[str, tuple[Block, Token]] = {}

    # --- declarations -------------------------------------------------------------------------------------------------
    def module(self, layout: Layout | None) -> Module:
        self.layout = layout
        module = Module(layout)
        while self.peek().kind != "end":
            if self.accept("layout"):
                self.layout = module.layout = self._layout()
            elif self.at("func"):
                module.functions.append(self._function())
            else:
                raise self.error(self.peek(), f"expected 'func' or 'layout', found {self.peek()}")
        module.comments = self.comments
        return module

    def _layout(self) -> Layout:
        layout = Layout(self.name("the layout's name"))
        self.mark("{")
        while not self.accept("}"):
            self.accept(",")
            name = self.name("a slot's name")
            self.mark(":")
            type, align = self.type(), 0
            if self.accept("at"):
                layout.size, align = self.integer("an offset"), 1
            layout.add(name, type, group=self.name("a group") if self.accept("in") else "", align=align)
            self.accept(",")
        return layout

    def _function(self) -> Parsed:
        line = self.next().line
        self.mark("@")
        name = self.name("the function's name")
        self.names, self.locals, self.labels, self.block = {}, {}, {}, None
        parameters: list[tuple[Token, Type]] = []
        self.mark("(")
        while not self.accept(")"):
            if parameters:
                self.mark(",")
            token = self.expect("name", "", "a parameter's name")
            self.mark(":")
            parameters.append((token, self.type()))
        result = self.type() if self.accept("->") else VOID
        types = [type for _, type in parameters]
        self.function = Function(name, self.layout, types, result, self.simplify)
        for number, (token, type) in enumerate(parameters):
            self._define(token, self.function.pure(OPS["arg"], type, (), number))
        self.mark("{")
        while not self.at("}"):
            self._line()
        end = self.next()
        if self.block is not None or not self.function.blocks:
            raise self.error(end, "the last block has no terminator (ret, next, goto, leave, jump, branch)")
        for label, (block, use) in self.labels.items():
            if block not in self.function.blocks:
                raise self.error(use, f"there is no block called {label}")
        return Parsed(self.function, self.names, line, end.line)

    def _define(self, token: Token, value: Value) -> None:
        if token.text in self.names:
            raise self.error(token, f"{token.text} is defined twice")
        if token.text == "base" or token.text.startswith("field."):
            raise self.error(token, f"{token.text} is an input of every function and cannot be defined")
        self.names[token.text] = value

    # --- statements ---------------------------------------------------------------------------------------------------
    def _line(self) -> None:
        token = self.peek()
        if token.kind == "name" and token.text == "local":
            self._local()
        elif token.kind == "name" and (self.at(":", 1) or (self.at("at", 1) and self.peek(2).kind == "number")):
            self._label()
        else:
            self._statement()

    def _local(self) -> None:
        self.next()
        token = self.expect("name", "", "the name of a local variable")
        self.mark(":")
        if token.text in self.locals:
            raise self.error(token, f"the local variable {token.text} is declared twice")
        self.locals[token.text] = len(self.function.locals)
        self.function.locals.append(self.type())

    def _label(self) -> None:
        token = self.next()
        block = self._block(token)
        if self.block is not None:
            raise self.error(token, f"block {self.block.name} has no terminator before this label")
        if block in self.function.blocks:
            raise self.error(token, f"the label {token.text} stands twice")
        self.function.blocks.append(block)
        self.block = block
        if self.accept("at"):
            offset = self.integer("an offset")
            self.expect("name", "count")
            block.origin = (offset, self.integer("a count of instructions"))
        self.mark(":")

    def _block(self, token: Token) -> Block:
        return self.labels.setdefault(token.text, (Block(token.text), token))[0]

    def _statement(self) -> None:
        token = self.next()
        if token.kind != "name":
            raise self.error(token, f"expected a statement, found {token}")
        if self.block is None:
            if self.function.blocks:
                raise self.error(token, "a terminator ends the block: what follows it needs a label")
            self.block = self._block(token._replace(text="b0"))
            self.function.blocks.append(self.block)
        if self.accept("="):
            operation = self.peek()
            value = self._application(self.next())
            if value is None or value.type is VOID:
                raise self.error(operation, f"{operation.text} gives no value")
            self._define(token, value)
        else:
            self._application(token)

    # --- applications -------------------------------------------------------------------------------------------------
    def pure_application(self) -> Value:
        """An op inside an expression."""
        token = self.next()
        value = self._application(token, nested=True)
        assert value is not None
        return value

    def _op(self, token: Token) -> Op:
        found = OPS.get(token.text) if token.kind == "name" else None
        if found is None:
            near = difflib.get_close_matches(token.text, OPS, 1)
            raise self.error(token, f"no op is called {token.text!r}" + (f"; did you mean {near[0]}?" if near else ""))
        return found

    def _application(self, token: Token, nested: bool = False) -> Value | None:
        """An op with its operands; None for a terminator, which is set."""
        op = self._op(token)
        if nested and not op.is_pure:
            raise self.error(token, f"{op.name} has effects, so it stands in a line of its own")
        if op.trait is Trait.TERMINATOR:
            self._terminator(op, token)
            return None
        takes_type = op.result == "R" or "T" in op.operands
        given = self.type() if takes_type and self.peek().kind == "type" else None
        imm: Imm = None
        more = False
        if op.immediate in ("offset", "local"):
            imm = self._place() if op.immediate == "offset" else self._local_number()
            more = True
        operands: list[Value | _Literal] = []
        for _ in op.operands:
            if more:
                self.mark(",")
            operands.append(self.operand())
            more = True
        if op.immediate and imm is None:
            imm = self._immediate(op, more)
        type, args = self._typed(op, token, given, operands, imm)
        wrong = mismatch(op, type, [arg.type for arg in args], imm)
        if wrong:
            raise self.error(token, wrong)
        if op.is_pure:
            return self.function.pure(op, type, args, imm)
        assert self.block is not None
        return self.function.effect(self.block, op, type, args, imm)

    def _terminator(self, op: Op, token: Token) -> None:
        assert self.block is not None
        words = op.operands
        if op.name == "ret":
            words = [] if self.function.result is VOID else [self.function.result.name]
        operands: list[Value | _Literal] = []
        for _ in words:
            if operands:
                self.mark(",")
            operands.append(self.operand())
        args = []
        for word, operand in zip(words, operands):
            value = self.literal(operand, parse_type(word)) if isinstance(operand, _Literal) else operand
            if value.type.name != word:
                raise self.error(token, f"{op.name} needs {word}, not {value.type}")
            args.append(value)
        targets: list[Block] = []
        for _ in range(TARGETS.get(op.name, 0)):
            if operands or targets:
                self.mark(",")
            targets.append(self._target())
        imm: Imm = None
        if op.name == "leave":
            self.mark(",")
            imm = self.name("a reason to leave")
        elif op.name == "goto":
            imm = self.name("jump, call, return, rarely or carefully") if self.accept(",") else "jump"
        wrong = op.name != "ret" and mismatch(op, VOID, [arg.type for arg in args], imm)
        if wrong:
            raise self.error(token, wrong)
        self.block.terminator = Terminator(op, tuple(args), tuple(targets), imm)
        self.block = None

    def _target(self) -> Block:
        return self._block(self.expect("name", "", "a block's label"))

    def _typed(
        self, op: Op, token: Token, given: Type | None, operands: list[Value | _Literal], imm: Imm
    ) -> tuple[Type, tuple[Value, ...]]:
        """The result's type, and the operands with every constant typed."""
        known = [operand.type if isinstance(operand, Value) else None for operand in operands]
        bound = next((type for word, type in zip(op.operands, known) if word == "T" and type), None)
        if bound is None:
            bound = self._declared(op, given, imm)
        args = []
        for word, operand in zip(op.operands, operands):
            if isinstance(operand, _Literal):
                type = self._operand_type(op, word, bound, given)
                if type is None:
                    raise self.error(operand.token, "nothing here tells this constant's type: write it, as in i32 5")
                operand = self.literal(operand, type)
            args.append(operand)
        type = result_type(op, bind(op, [arg.type for arg in args]), given)
        if type is None:
            raise self.error(token, f"{op.name} needs the type of its result: {op.name} i32 …")
        if op.result != "R" and given is not None and given is not bound:
            raise self.error(token, f"{op.name} is said to work on {given}, but its operand is {bound}")
        return type, tuple(args)

    def _declared(self, op: Op, given: Type | None, imm: Imm) -> Type | None:
        """What T stands for where no operand tells: written, or that of the slot or variable."""
        if given is not None:
            return None if op.result == "R" else given
        if op.immediate == "local":
            return self.function.locals[imm]
        slot = self.layout.find(imm) if op.immediate == "offset" and self.layout else None
        return slot.type if slot and slot.offset == imm else None

    def _operand_type(self, op: Op, word: str, bound: Type | None, given: Type | None) -> Type | None:
        match word:
            case "T":
                return bound
            case "B":
                return I1
            case "E":
                whole = bound or given
                return whole.element if whole else None
        return parse_type(word)

    # --- operands -----------------------------------------------------------------------------------------------------
    def operand(self) -> Value | _Literal:
        """A name, an input, a constant, or a nested expression."""
        token = self.peek()
        if self.accept("("):
            value = self.pure_application()
            self.mark(")")
            return value
        if token.kind == "type":
            type = self.type()
            constant = self.operand()
            if not isinstance(constant, _Literal):
                raise self.error(token, f"{type} is written before a constant only")
            return self.literal(constant, type)
        if token.kind in ("number", "float"):
            return _Literal(token, self._scalar())
        if self.accept("<"):
            lanes = [self._scalar()]
            while not self.accept(">"):
                self.mark(",")
                lanes.append(self._scalar())
            return _Literal(token, tuple(lanes))
        self.next()
        if token.kind != "name":
            raise self.error(token, f"expected an operand, found {token}")
        return self._named(token)

    def _named(self, token: Token) -> Value:
        found = self.names.get(token.text)
        if found is not None:
            return found
        if token.text == "base":
            return self.function.pure(OPS["base"], I64, ())
        if token.text.startswith("field."):
            type = self.type() if self.accept("as") else I64
            return self.function.pure(OPS["field"], type, (), token.text.removeprefix("field."))
        near = difflib.get_close_matches(token.text, self.names, 1)
        raise self.error(token, f"{token.text} is not defined here" + (f"; did you mean {near[0]}?" if near else ""))

    def _scalar(self) -> int | float:
        token = self.next()
        if token.kind == "float":
            return float(token.text)
        if token.kind != "number":
            raise self.error(token, f"expected a number, found {token}")
        return int(token.text, 0)

    def literal(self, literal: _Literal, type: Type) -> Value:
        """A constant as a value of `type`."""
        values = literal.value if isinstance(literal.value, tuple) else (literal.value,)
        if isinstance(literal.value, tuple) and (not type.is_vector or len(values) != type.lanes):
            raise self.error(literal.token, f"{len(values)} lanes are no value of {type}")
        lanes = tuple(self._bits(literal.token, value, type.element) for value in values)
        if type.is_vector and len(lanes) == 1:
            lanes *= type.lanes
        return self.function.const(type, lanes if type.is_vector else lanes[0])

    def _bits(self, token: Token, value: int | float, type: Type) -> int:
        if isinstance(value, float):
            formats = _FLOAT_FORMATS.get(type.bits) if type.is_float else None
            if formats is None:
                raise self.error(token, f"{value} is no constant of {type}: write its bits")
            bits: int = struct.unpack(formats[1], struct.pack(formats[0], value))[0]
            return bits
        if not -(1 << type.bits - 1) <= value <= type.mask:
            raise self.error(token, f"{value:#x} does not fit into {type}")
        return value & type.mask

    def _place(self) -> int:
        """A byte offset of the state: ``rax``, ``rax+1`` or ``[24]``."""
        if self.accept("["):
            offset = self.integer("a byte offset")
            self.mark("]")
            return offset
        token = self.expect("name", "", "a slot of the state, or [offset]")
        slot = self.layout.slots.get(token.text) if self.layout else None
        if slot is None:
            known = f"layout {self.layout.name}" if self.layout else "this text (which declares no layout)"
            raise self.error(token, f"{known} has no slot {token.text!r}")
        return slot.offset + (self.integer("a byte offset") if self.accept("+") else 0)

    def _local_number(self) -> int:
        token = self.expect("name", "", "a local variable")
        if token.text not in self.locals:
            raise self.error(token, f"no local variable is called {token.text}: declare it (local {token.text}: i32)")
        return self.locals[token.text]

    def _immediate(self, op: Op, more: bool) -> Imm:
        if more:
            self.mark(",")
        match op.immediate:
            case "lane" | "rounding" | "count" | "address":
                return self.integer(f"the {op.immediate} of {op.name}")
            case "operation" | "function":
                return self.name(f"the {op.immediate} of {op.name}")
            case "lanes":
                self.mark("[")
                lanes = [self.integer("a lane")]
                while not self.accept("]"):
                    self.mark(",")
                    lanes.append(self.integer("a lane"))
                return tuple(lanes)
        raise self.error(self.peek(), f"{op.name} is written in place, not as an op")
