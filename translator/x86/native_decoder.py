"""The native face of the x86 decoder: the walk of `decoder.decode`, as IR over the same tables.

See `metaphrase.ir.record` for the contract. It reads guest bytes one by one as it needs them, so that an
instruction at the end of a page never touches the next.
"""

from __future__ import annotations

from metaphrase.ir import record as r
from metaphrase.ir.graph import Function, Terminator, Value
from metaphrase.ir.ops import OPS
from metaphrase.ir.types import I8, I16, I32, I64, VOID, Type
from metaphrase.translator.emitter import Emitter, Local
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.decoder import (
    BASES_16,
    BY_FORM,
    BY_L,
    BY_PREFIX,
    BY_REG,
    BY_RM,
    BY_W,
    HAS_MODRM,
    INDEXES_16,
    LEVEL_TWO,
    Tables,
)  # fmt: skip
from metaphrase.translator.x86.modes import LONGEST, STATIC_BITS, Mode
from metaphrase.translator.x86.table import IMMEDIATES


class _Writer(Emitter):
    """The decoder of a mode under construction: 64-bit locals, guest bytes, table reads."""

    def __init__(self, function: Function, mode: Mode) -> None:
        super().__init__(function, s.LAYOUT)
        self.mode = mode
        self.start, self.record, self.table = (function.pure(OPS["arg"], I64, (), n) for n in range(3))
        self.cursor = self.variable(self.start)

    def variable(self, value: Value | int = 0) -> Local:
        local = self.local(I64)
        local.set(value)
        return local

    def fail(self) -> None:
        self._end(Terminator(OPS["ret"], (self.const(0, 64),)))

    def fetch(self, size: int, signed: bool = True) -> Value:
        """The next `size` bytes of the instruction, extended to 64 bits."""
        at = self.cursor.get()
        raw = self.load(at, {1: I8, 2: I16, 4: I32, 8: I64}[size])
        self.cursor.set(at + size)
        return raw.sext(64) if signed else raw.zext(64)

    def peek_table(self, offset: Value | int, type: Type) -> Value:
        return self.effect("peek", type, self.table + offset).zext(64)

    def poke_field(self, offset: int, value: Value, type: Type = I64) -> None:
        self.effect("poke", VOID, self.record + offset, value.trunc(type.bits))


def build(tables: Tables) -> Function:
    """The decoder as a function (pc, record, table) -> length, 0 if there is no such instruction."""
    function = Function(f"decode_{tables.mode.name}", s.LAYOUT, (I64, I64, I64), I64)
    m = _Writer(function, tables.mode)
    operand16, resized, lock, repeat, rex, wide = (m.variable() for _ in range(6))
    segment = m.variable(s.ZERO)
    opcode = m.variable()
    _prefixes(m, opcode, operand16, resized, lock, repeat, rex, segment)
    wide.set(rex.get().lshr(3) & 1)
    map_number, length_bit, vex_register = (m.variable() for _ in range(3))

    def escape() -> None:
        with m.if_(opcode.get().eq(0x0F)):
            opcode.set(m.fetch(1, signed=False))
            map_number.set(1)
            with m.if_((opcode.get() | 2).eq(0x3A)):
                map_number.set((opcode.get() & 2).lshr(1) + 2)
                opcode.set(m.fetch(1, signed=False))

    def vex() -> None:
        with m.if_((operand16.get() | lock.get() | repeat.get() | rex.get()).ne(0)):
            m.fail()
        _vex(m, opcode, map_number, rex, wide, vex_register, length_bit, operand16, repeat)

    is_vex = (opcode.get() | 1).eq(0xC5)
    if m.mode.is_long:
        m.if_else(is_vex, vex, escape)
    elif not m.mode.protected:
        escape()
    else:  # LES and LDS have the same opcodes, and operands in memory
        begins = m.variable()
        with m.if_(is_vex):
            begins.set(m.const(0xBF, 64).ult(m.load(m.cursor.get(), I8).zext(64)).zext(64))
        m.if_else(begins.get().ne(0), vex, escape)

    cell = m.variable(m.peek_table(((map_number.get() << 8) + opcode.get()) << 2, I32))
    with m.if_(cell.get().eq(0)):
        m.fail()
    modrm = m.variable()
    with m.if_((cell.get() & HAS_MODRM).ne(0)):
        modrm.set(m.fetch(1, signed=False))
    row = _select_row(m, cell.get(), operand16, repeat, modrm, wide, length_bit)
    with m.if_(row.eq(0)):
        m.fail()
    facts = m.variable(m.peek_table((row - 1 << 3) + tables.facts_offset, I64))

    narrow, short_address = (_is_smaller(m, prefix) for prefix in (operand16, resized))
    size = _operand_size(m, _fact(facts, 1), narrow, wide)
    wide_rex = (rex.get() & 4) << 1
    reg = m.variable((modrm.get().lshr(3) & 7) | wide_rex)
    with m.if_(_fact(facts, 5).ne(0)):
        reg.set((opcode.get() & 7) | (rex.get() & 1) << 3)
    m.poke_field(r.REGISTERS, _register_offset(m, _fact(facts, 3), reg.get(), rex), I16)

    with m.if_(_fact(facts, 7).eq(0) & vex_register.get().ne(0)):
        m.fail()
    m.poke_field(r.REGISTERS + 12, _register_offset(m, _fact(facts, 7), vex_register.get(), rex), I16)

    memory, base, index, displacement, relative = (m.variable() for _ in range(5))
    vector_index = (_fact(facts, 6) & 8).ne(0)
    scale = m.variable()
    base.set(s.ZERO)
    index.set(s.ZERO)
    with m.if_(_fact(facts, 0).ne(0)):
        rm = m.variable((modrm.get() & 7) | (rex.get() & 1) << 3)

        def address() -> None:
            _memory_operand(m, modrm, rex, vector_index, memory, base, index, scale, displacement, relative)

        def any_address() -> None:
            if m.mode.is_long:
                address()
            else:
                with m.if_(short_address & vector_index):
                    m.fail()
                m.if_else(
                    short_address,
                    lambda: _memory_operand_16(m, modrm, memory, base, index, displacement),
                    address,
                )

        m.if_else(
            modrm.get().ult(0xC0),
            any_address,
            lambda: m.poke_field(r.REGISTERS + 2, _register_offset(m, _fact(facts, 4), rm.get(), rex), I16),
        )
    with m.if_(vector_index):
        target, mask = ((local.get() << 4) + s.XMM[0] for local in (reg, vex_register))
        with m.if_(target.eq(mask) | index.get().eq(target) | index.get().eq(mask)):
            m.fail()
    _absolute_operand(m, facts, short_address, memory, displacement)
    with m.if_((_fact(facts, 6) & 4).ne(0)):
        memory.set(1)
    with m.if_(memory.get().ne(0)):
        if not m.mode.flat:
            with m.if_(segment.get().eq(s.ZERO)):
                on_stack = base.get().eq(s.GPR[4]) | base.get().eq(s.GPR[5])
                segment.set(on_stack.select(m.const(s.SS_BASE, 64), s.DS_BASE))
        with m.if_(segment.get().ne(s.ZERO)):
            memory.set(memory.get() + 2)
        with m.if_(resized.get().ne(0)):
            memory.set(5)
    with m.if_(lock.get().ne(0)):
        with m.if_((_fact(facts, 6) & 1).eq(0) | memory.get().eq(0)):
            m.fail()

    immediate = _immediate(m, facts, size, narrow)
    is_is4 = _fact(facts, 2).eq(IMMEDIATES["is4"])
    last_register = immediate.get().lshr(4) & (15 if m.mode.is_long else 7)
    m.poke_field(r.REGISTERS + 14, is_is4.select((last_register << 4) + s.XMM[0], 0), I16)
    following = m.cursor.get()
    length = following - m.start
    with m.if_(m.const(LONGEST, 64).ult(length)):
        m.fail()
    is_branch = (_fact(facts, 2) - 6).ult(2)
    m.poke_field(r.PC, m.start)
    target = immediate.get() + m.cursor.get()
    if m.mode.flat and not m.mode.is_long:
        target = target & narrow.select(m.const(0xFFFF, 64), 0xFFFF_FFFF)
    elif not m.mode.flat:
        target = target & 0xFFFF_FFFF
    m.poke_field(r.IMMEDIATE, is_branch.select(target, immediate.get()))
    m.poke_field(r.DISPLACEMENT, displacement.get() + relative.get().ne(0).select(m.cursor.get(), 0))
    for number, local in ((2, base), (3, index), (4, scale), (5, segment)):
        m.poke_field(r.REGISTERS + 2 * number, local.get(), I16)
    m.poke_field(r.NEXT_PC, m.cursor.get())
    repeated = (_fact(facts, 6) & 2).ne(0).select(repeat.get(), 0)
    statics = size.get() | memory.get() << 2 | lock.get() << 5 | repeated << 6
    m.poke_field(r.FORM, (row - 1 << STATIC_BITS) | statics, I32)
    m._end(Terminator(OPS["ret"], (m.cursor.get() - m.start,)))
    return function


def _fact(facts: Local, number: int) -> Value:
    return facts.get().lshr(8 * number) & 0xFF


def _prefixes(m: _Writer, opcode: Local, operand16: Local, resized: Local, lock: Local, repeat: Local, rex: Local,
              segment: Local) -> None:  # fmt: skip
    """Prefixes in any order and number; `opcode` becomes the first byte behind them."""
    more = m.variable(1)
    with m.while_(lambda: more.get().ne(0)):
        byte = m.fetch(1, signed=False)
        opcode.set(byte)
        more.set(0)

        def prefix(condition: Value, local: Local | None, value: Value | int) -> None:
            with m.if_(condition):
                if local is not None:
                    local.set(value)
                more.set(1)

        with m.if_(byte.eq(0x66)):
            operand16.set(1)
            more.set(1)
        prefix(byte.eq(0x67), resized, 1)
        prefix(byte.eq(0xF0), lock, 1)
        prefix(byte.eq(0xF3), repeat, 2)
        prefix(byte.eq(0xF2), repeat, 3)
        named = s.ZERO if m.mode.flat else (byte.lshr(3) & 3) * 8 + s.SEGMENT_BASES[0]
        prefix((byte & 0xE7).eq(0x26), None if m.mode.is_long else segment, named)
        prefix(byte.eq(0x64), segment, s.FS_BASE)
        prefix(byte.eq(0x65), segment, s.GS_BASE)
        if m.mode.is_long:
            with m.if_(more.get().ne(0)):
                rex.set(0)  # counts only right before the opcode
            prefix((byte & 0xF0).eq(0x40), rex, byte)
        with m.if_((m.cursor.get() - m.start).eq(LONGEST)):
            more.set(0)


def _vex(m: _Writer, opcode: Local, map_number: Local, rex: Local, wide: Local, register: Local, length: Local,
         operand16: Local, repeat: Local) -> None:  # fmt: skip
    """The rest of a VEX prefix, see decoder._vex; `opcode` becomes the first byte behind it."""
    last = m.variable(m.fetch(1, signed=False))
    map_number.set(4)
    rex.set((~last.get()).lshr(5) & 4 | 0x40)
    with m.if_(opcode.get().eq(0xC4)):
        number = last.get() & 31
        with m.if_(m.const(2, 64).ult(number - 1)):
            m.fail()
        map_number.set(number + 3)
        rex.set((~last.get()).lshr(5) & 7 | 0x40)
        last.set(m.fetch(1, signed=False))
        rex.set(rex.get() | last.get().lshr(4) & 8)
    register.set((~last.get()).lshr(3) & (15 if m.mode.is_long else 7))
    wide.set(rex.get().lshr(3) & 1)
    if not m.mode.is_long:
        rex.set(0)
    length.set(last.get().lshr(2) & 1)
    prefix = last.get() & 3
    operand16.set(prefix.eq(1).zext(64))
    repeat.set(m.const(1, 64).ult(prefix).select(prefix, 0))
    opcode.set(m.fetch(1, signed=False))


def _select_row(m: _Writer, cell: Value, operand16: Local, repeat: Local, modrm: Local, wide: Local,
                length: Local) -> Value:  # fmt: skip
    """Index level two by the fields that the cell says select; gives row + 1, or 0."""
    index = m.variable()
    prefix = repeat.get().ne(0).select(repeat.get(), operand16.get())
    byte = modrm.get()
    form = m.const(0xBF, 64).ult(byte).zext(64)
    for flag, bits, field in (
        (BY_PREFIX, 2, prefix),
        (BY_REG, 3, byte.lshr(3) & 7),
        (BY_FORM, 1, form),
        (BY_RM, 3, byte & 7),
        (BY_W, 1, wide.get()),
        (BY_L, 1, length.get()),
    ):
        with m.if_((cell & flag).ne(0)):
            index.set((index.get() << bits) + field)
    return m.peek_table((cell.lshr(8) + index.get() << 1) + LEVEL_TWO, I16)


def _is_smaller(m: _Writer, prefix: Local) -> Value:
    """Whether operands or addresses are of the smaller of two sizes: behind the prefix, or in 16-bit code without."""
    return prefix.get().eq(0) if m.mode.size == 16 else prefix.get().ne(0)


def _operand_size(m: _Writer, rule: Value, narrow: Value, w: Local) -> Local:
    """The static operand size: 0 none, 1 16 bits, 2 32 bits, 3 64 bits."""
    wide = w.get().ne(0)
    three, two, one = (m.const(n, 64) for n in (3, 2, 1))
    if not m.mode.is_long:
        none = rule.eq(0) | rule.eq(5) if m.mode.flat else rule.eq(0)
        return m.variable(none.select(m.const(0, 64), (rule.ne(4) & narrow).select(one, two)))
    by_rule = rule.eq(1).select(wide.select(three, narrow.select(one, two)), 0)
    by_rule = rule.eq(2).select(wide.select(three, narrow.select(one, three)), by_rule)
    by_rule = rule.eq(3).select(three, by_rule)
    return m.variable(rule.eq(4).select(wide.select(three, two), by_rule))


def _register_offset(m: _Writer, register_class: Value, number: Value, rex: Local) -> Value:
    """State offset of a register; see decoder.register_offset."""
    general = (number << 3) + s.GPR[0]
    high = rex.get().eq(0) & (number - 4).ult(4)
    byte = high.select(general - 31, general)
    vector = (number << 4) + s.XMM[0]
    offset = register_class.eq(1).select(general, number)
    offset = register_class.eq(2).select(byte, offset)
    offset = register_class.eq(4).select(((number & 7) << 4) + s.X87[0], offset)
    return register_class.eq(3).select(vector, offset)


def _memory_operand(m: _Writer, modrm: Local, rex: Local, vector_index: Value, memory: Local, base: Local,
                    index: Local, scale: Local, displacement: Local, relative: Local) -> None:  # fmt: skip
    """SDM volume 2, 2.1.5 and 2.2.1.6."""
    mod = m.variable(modrm.get().lshr(6))
    rm = m.variable(modrm.get() & 7)
    has_base = m.variable(1)
    memory.set(1)
    with m.if_(vector_index & rm.get().ne(4)):
        m.fail()
    with m.if_(rm.get().eq(4)):
        sib = m.variable(m.fetch(1, signed=False))
        number = (sib.get().lshr(3) & 7) | (rex.get() & 2) << 2
        with m.if_(vector_index):
            index.set((number << 4) + s.XMM[0])
            scale.set(sib.get().lshr(6))
        with m.if_(~vector_index & number.ne(4)):
            index.set((number << 3) + s.GPR[0])
            scale.set(sib.get().lshr(6))
            memory.set(2)
        rm.set(sib.get() & 7)
        with m.if_(rm.get().eq(5) & mod.get().eq(0)):
            has_base.set(0)
            mod.set(2)
    with m.if_(has_base.get().ne(0) & (modrm.get() & 0xC7).eq(5)):
        has_base.set(0)
        if m.mode.is_long:
            relative.set(1)
            base.set(s.ZERO_PC)
        mod.set(2)
    with m.if_(has_base.get().ne(0)):
        base.set(((rm.get() | (rex.get() & 1) << 3) << 3) + s.GPR[0])
    with m.if_(mod.get().eq(1)):
        displacement.set(m.fetch(1))
    with m.if_(mod.get().eq(2)):
        displacement.set(m.fetch(4))


def _memory_operand_16(
    m: _Writer, modrm: Local, memory: Local, base: Local, index: Local, displacement: Local
) -> None:
    """A 16-bit address; see decoder._memory_operand_16."""
    mod, rm = m.variable(modrm.get().lshr(6)), modrm.get() & 7
    memory.set(1)
    absolute = rm.eq(6) & mod.get().eq(0)
    for number, (first, second) in enumerate(zip(BASES_16, INDEXES_16, strict=True)):
        with m.if_(rm.eq(number) & ~absolute):
            base.set(s.GPR[first])
            if second is not None:
                index.set(s.GPR[second])
                memory.set(2)
    with m.if_(absolute):
        mod.set(2)
    with m.if_(mod.get().eq(1)):
        displacement.set(m.fetch(1))
    with m.if_(mod.get().eq(2)):
        displacement.set(m.fetch(2))


def _absolute_operand(m: _Writer, facts: Local, short: Value, memory: Local, displacement: Local) -> None:
    """An address of the address size, which is the smaller of two if it is `short`."""
    small, large = (4, 8) if m.mode.is_long else (2, 4)
    with m.if_(_fact(facts, 2).eq(8)):
        m.if_else(
            short,
            lambda: displacement.set(m.fetch(small, signed=False)),
            lambda: displacement.set(m.fetch(large, signed=large == 8)),
        )
        memory.set(1)


def _immediate(m: _Writer, facts: Local, size: Local, narrow: Value) -> Local:
    """The immediate by its kind (table.IMMEDIATES); an iz, iv or ip by the operand size."""
    kind = m.variable(_fact(facts, 2))
    value = m.variable()
    with m.if_(kind.get().ne(0)):
        far = kind.get().eq(15)
        if not m.mode.is_long:
            with m.if_(kind.get().eq(7) & narrow):
                kind.set(13)
            with m.if_(far):
                kind.set(5)
        with m.if_(kind.get().eq(4)):
            kind.set(size.get().eq(1).select(m.const(13, 64), 7))
        with m.if_(kind.get().eq(5)):
            kind.set(size.get() + 9)
        for kinds, width, signed in (
            ((1, 6), 1, True),
            ((2, 14), 1, False),
            ((3, 9, 10), 2, False),
            ((7,), 4, True),
            ((11,), 4, False),
            ((12,), 8, False),
            ((13,), 2, True),
        ):
            matches = kind.get().eq(kinds[0])
            for other in kinds[1:]:
                matches = matches | kind.get().eq(other)
            with m.if_(matches):
                value.set(m.fetch(width, signed))
        with m.if_(kind.get().eq(9)):
            value.set(value.get() | m.fetch(1, signed=False) << 16)
        if not m.mode.is_long:
            with m.if_(far):
                value.set(value.get() | m.fetch(2, signed=False) << 32)
    return value
