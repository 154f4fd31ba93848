"""The native face of a PatternTable: the same tables as one blob, and the IR function that decodes with it.

The blob holds the buckets of each width (u16 first entry, u16 behind the last), the entries (u32 mask, u32 match, u16
row + 1, or 0 to skip, u16 how many entries to go on by), one plan of 32 bytes a row, maps from register number to
state offset (u16), and the segments of immediates (u8 from, u8 to, u16 nothing, u32 mask).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from metaphrase.ir import record
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import OPS
from metaphrase.ir.types import I8, I16, I32, I64, VOID, Type
from metaphrase.translator.emitter import Emitter, Local
from metaphrase.translator.pattern import Segment
from metaphrase.translator.pattern_table import PatternTable, Plan

_ENTRY = struct.Struct("<IIHH")
_SEGMENT = struct.Struct("<BBHI")
_REGISTER = struct.Struct("<BBH")
_PLAN = struct.Struct("<BBBBHBx")
"""Shift and mask of the static field, shift that extends the sign, place, offset and number of segments."""
_PLAN_REGISTERS = 8
_PLAN_SIZE = 32
_REGISTERS = 4
"""Register operands that a plan has room for."""
_IMMEDIATE, _TARGET, _RELATIVE = 0, 1, 2

Fetch = Callable[["DecoderEmitter", Value, Local, Local], None]
"""Writes the code that reads the instruction at an address into two locals: its word, and its length in bytes."""


class Blob(NamedTuple):
    """The tables in memory, and where their parts start."""

    data: bytes
    buckets: dict[int, int]
    entries: int
    plans: int


def make_blob(table: PatternTable) -> Blob:
    """Lay the tables out."""
    entries = bytearray()
    counts: dict[int, bytes] = {}
    for width, decisions in table.tables.items():
        spans = bytearray()
        for bucket in decisions.buckets:
            first = len(entries) // _ENTRY.size
            for mask, match, row, step in bucket:
                entries += _ENTRY.pack(mask, match, row + 1, step)
            spans += struct.pack("<HH", first, len(entries) // _ENTRY.size)
        counts[width] = bytes(spans)
    data = bytearray()
    buckets: dict[int, int] = {}
    for width, spans_of_width in counts.items():
        buckets[width] = len(data)
        data += spans_of_width
    first_entry = len(data)
    data += entries
    first_plan = len(data) + -len(data) % 8
    data += bytes(first_plan - len(data) + len(table.plans) * _PLAN_SIZE)
    pool = _Pool(data)
    for index, plan in enumerate(table.plans):
        _write_plan(plan, pool, first_plan + index * _PLAN_SIZE)
    return Blob(bytes(data), buckets, first_entry, first_plan)


class _Pool:
    """Appends byte strings to a blob, equal ones once."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.known: dict[bytes, int] = {}

    def add(self, item: bytes) -> int:
        if item not in self.known:
            self.known[item] = len(self.data)
            self.data += item
        return self.known[item]


def _write_plan(plan: Plan, pool: _Pool, at: int) -> None:
    assert len(plan.registers) <= _REGISTERS
    place = _TARGET if plan.target else _RELATIVE if plan.relative else _IMMEDIATE
    segments = pool.add(
        b"".join(_SEGMENT.pack(segment.from_lsb, segment.to_lsb, 0, segment.mask) for segment in plan.segments)
    )
    _PLAN.pack_into(pool.data, at, *plan.static, 64 - plan.width, place, segments, len(plan.segments))
    unused = pool.add(bytes(8))  # operands that a row lacks have the offset 0
    for number in range(_REGISTERS):
        shift, mask, offset = 0, 0, unused
        if number < len(plan.registers):
            shift, mask, offsets = plan.registers[number]
            offset = pool.add(struct.pack(f"<{len(offsets)}H", *offsets))
        _REGISTER.pack_into(pool.data, at + _PLAN_REGISTERS + number * _REGISTER.size, shift, mask, offset)


class DecoderEmitter(Emitter):
    """Writes a decoder: an emitter that reads tables, fills a record, and returns."""

    def __init__(self, function: Function, layout: Layout) -> None:
        super().__init__(function, layout)
        self.address, self.record, self.table = (self.pure("arg", I64, imm=number) for number in range(3))

    def peek(self, address: Value, type: Type) -> Value:
        """An entry of a table, as an i64."""
        return self.effect("peek", type, address).zext(64)

    def poke(self, field: int, value: Value) -> None:
        """Write a field of the record."""
        self.effect("poke", VOID, self.record + field, value)

    def variable(self, value: Value | int) -> Local:
        """A local i64 that starts as `value`."""
        local = self.local(I64)
        local.set(value)
        return local

    def ret(self, value: Value) -> None:
        self._end(Terminator(OPS["ret"], (value,)))


def make_decoder(
    name: str, layout: Layout, table: PatternTable, blob: Blob, static_bits: int, fetch: Fetch
) -> Function:
    """The decoder as an IR function (pc, record, table) -> length; see `record` for the contract."""
    function = Function(name, layout, (I64, I64, I64), I64, simplify)
    m = DecoderEmitter(function, layout)
    word, length = m.variable(0), m.variable(0)
    fetch(m, m.address, word, length)
    row = _find(m, table, blob, word, length)
    with m.if_(row.get().eq(0)):
        m.ret(m.const(0, 64))
    plan = m.variable(m.table + (row.get() * _PLAN_SIZE + (blob.plans - _PLAN_SIZE)))
    _fill_registers(m, plan, word)
    _fill_immediate(m, plan, word)
    statics = _extracted(m, plan.get(), word)
    form = (row.get() - 1 << static_bits) | statics
    m.poke(record.FORM, form.trunc(32))
    m.poke(record.PC, m.address)
    m.poke(record.NEXT_PC, m.address + length.get())
    m.ret(length.get())
    return function


def _find(m: DecoderEmitter, table: PatternTable, blob: Blob, word: Local, length: Local) -> Local:
    """The search of `DecisionTable.find`: a local with row + 1, or 0."""
    span = m.variable(0)
    for width, decisions in table.tables.items():
        with m.if_(length.get().eq(width // 8)):
            key = _gathered(word.get(), decisions.key)
            span.set(m.peek(m.table + blob.buckets[width] + key * 4, I32))
    row = m.variable(0)
    entry = m.variable(_entry(m, blob, span.get() & 0xFFFF))
    end = m.variable(_entry(m, blob, span.get().lshr(16)))

    def unfinished() -> Value:
        return entry.get().ult(end.get()) & row.get().eq(0)

    with m.while_(unfinished):
        here = entry.get()
        hit = (word.get() & m.peek(here, I32)).eq(m.peek(here + 4, I32))
        action = m.peek(here + 8, I32)
        row.set(hit.select(action & 0xFFFF, 0))
        entry.set(here + hit.select(action.lshr(16), 1) * _ENTRY.size)
    return row


def _entry(m: DecoderEmitter, blob: Blob, index: Value) -> Value:
    return m.table + (index * _ENTRY.size + blob.entries)


def _gathered(word: Value, key: tuple[Segment, ...]) -> Value:
    """`pattern.extract` in IR, for segments known now."""
    value = word.function.const(I64, 0)
    for segment in key:
        value = value | (word.lshr(segment.from_lsb) & segment.mask) << segment.to_lsb
    return value


def _extracted(m: DecoderEmitter, at: Value, word: Local) -> Value:
    """`word >> shift & mask`, with the shift and the mask in two bytes of a table."""
    return word.get().lshr(m.peek(at, I8)) & m.peek(at + 1, I8)


def _fill_registers(m: DecoderEmitter, plan: Local, word: Local) -> None:
    for number in range(_REGISTERS):
        at = plan.get() + (_PLAN_REGISTERS + number * _REGISTER.size)
        offset = m.peek(at + 2, I16) + _extracted(m, at, word) * 2
        m.poke(record.REGISTERS + 2 * number, m.peek(m.table + offset, I16).trunc(16))
    m.poke(record.REGISTERS + 2 * _REGISTERS, m.const(0, 64))


def _fill_immediate(m: DecoderEmitter, plan: Local, word: Local) -> None:
    segment = m.variable(m.table + m.peek(plan.get() + 4, I16))
    left = m.variable(m.peek(plan.get() + 6, I8))
    gathered = m.variable(0)
    with m.while_(lambda: left.get().ne(0)):
        at = segment.get()
        bits = word.get().lshr(m.peek(at, I8)) & m.peek(at + 4, I32)
        gathered.set(gathered.get() | bits.shl(m.peek(at + 1, I8)))
        segment.set(at + _SEGMENT.size)
        left.set(left.get() - 1)
    sign, place = m.peek(plan.get() + 2, I8), m.peek(plan.get() + 3, I8)
    value = gathered.get().shl(sign).ashr(sign)
    value = value + place.eq(_IMMEDIATE).select(m.const(0, 64), m.address)
    m.poke(record.IMMEDIATE, place.eq(_RELATIVE).select(m.const(0, 64), value))
    m.poke(record.DISPLACEMENT, place.eq(_RELATIVE).select(value, 0))
