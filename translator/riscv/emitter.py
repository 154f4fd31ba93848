"""What the semantics functions of RISC-V write through: registers, memory, control, and the kinds of operands."""

from __future__ import annotations

from typing import Annotated

from metaphrase.ir.graph import Function, Value
from metaphrase.ir.types import I64, Type
from metaphrase.translator.emitter import Emitter, Offset
from metaphrase.translator.pattern_table import ImmediateKind, RegisterKind, StaticKind, TargetKind
from metaphrase.translator.riscv import state as s

X = Annotated[Offset, RegisterKind(s.X, s.WRITTEN_X)]
"""An integer register."""
F = Annotated[Offset, RegisterKind(s.F, s.F)]
"""A floating-point register."""
Imm = Annotated[Value, ImmediateKind()]
"""A sign-extended immediate."""
UImm = Annotated[Value, ImmediateKind(signed=False)]
"""A zero-extended immediate."""
Target = Annotated[Value, TargetKind()]
"""The target of a direct branch."""
Relative = Annotated[Value, TargetKind(relative=True)]
"""An address relative to the instruction's."""
Static = Annotated[int, StaticKind()]
"""A field that selects the form."""


class RiscvEmitter(Emitter):
    """The emitter of the base integer instructions; the F and D chapters' helpers are in `floating`."""

    def __init__(self, function: Function) -> None:
        super().__init__(function, s.LAYOUT)

    def get(self, register: Offset) -> Value:
        """The value of an integer register, or the bits of a floating-point one, i64."""
        if isinstance(register, int) and register == s.ZERO:
            return self.const(0, 64)
        return self.get_state(register, I64)

    def put(self, register: Offset, value: Value) -> None:
        """Write 64 bits to a register."""
        if not (isinstance(register, int) and register == s.SINK):
            self.put_state(register, value)

    def get_word(self, register: Offset) -> Value:
        """The low 32 bits of a register."""
        return self.get(register).trunc(32)

    def put_word(self, register: Offset, value: Value) -> None:
        """Write 32 bits, sign-extended, to a register."""
        self.put(register, value.sext(64))

    def put_bool(self, register: Offset, condition: Value) -> None:
        """Write 1 where `condition` (i1) is set, else 0."""
        self.put(register, condition.zext(64))

    def address(self, base: Offset, displacement: Value) -> Value:
        return self.get(base) + displacement

    def load_extended(self, register: Offset, address: Value, type: Type, signed: bool) -> None:
        """Load an integer of `type` into a register."""
        value = self.load(address, type)
        self.put(register, value.sext(64) if signed else value.zext(64))

    def align(self, address: Value, size: int) -> Value:
        """`address`, with a trap unless it is a multiple of `size`."""
        self.trap_if((address & (size - 1)).ne(0), "alignment")
        return address
