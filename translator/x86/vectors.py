"""Helpers for descriptions of vector instructions: lane types, permutations and choices by an immediate.

An immediate is a constant in tier 1 and a field of the record in a tier-0 handler. The helpers here take either, so
that a description stays one text: a constant gives the static shuffle, a field gives selects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from metaphrase.ir.graph import Operand, Value
from metaphrase.ir.types import F32, F64, I8, I16, I32, I64, I128, Type, integer, vector
from metaphrase.translator.x86.addresses import Address
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter

LANES: Final = {8: vector(I8, 16), 16: vector(I16, 8), 32: vector(I32, 4), 64: vector(I64, 2)}
"""The 128-bit integer vector types by the width of a lane."""
WHOLE: Final = LANES[64]
"""The type of an XMM register's slot."""
SINGLES: Final = vector(F32, 4)
DOUBLES: Final = vector(F64, 2)


def lanes(operand: Register | Memory, lane: int) -> Type:
    """The vector of lanes of `lane` bits that fills an operand: an MMX, XMM or YMM register, or so much memory."""
    return vector(integer(lane), operand.width // lane)


def put_zero_extended(m: X86Emitter, target: Register, value: Value) -> None:
    """Write a scalar or a 64-bit vector to the bottom of an XMM register and zeroes above it."""
    if value.type.is_vector:
        value = value.bitcast(F64)
    m.put(target, m.function.const(vector(value.type, 128 // value.type.bits), 0).insert(0, value))


def halves(a: Value) -> list[Value]:
    """A vector's 128-bit parts, the low one first."""
    count = 128 // a.type.element.bits
    return [a.shuffle(a, range(at, at + count)) for at in range(0, a.type.lanes, count)]


def by_halves(meaning: Callable[..., Value], *vectors: Value) -> Value:
    """A meaning over 128-bit vectors, applied to each such part of longer ones, as VEX forms of 256 bits do."""
    if vectors[0].type.bits <= 128:
        return meaning(*vectors)
    return joined(*(meaning(*parts) for parts in zip(*(halves(vector) for vector in vectors), strict=True)))


def low_half(a: Value) -> Value:
    """The low half of a vector's lanes."""
    return a.shuffle(a, range(a.type.lanes // 2))


def joined(a: Value, b: Value) -> Value:
    """The lanes of `a`, then those of `b`."""
    return a.shuffle(b, range(2 * a.type.lanes))


def interleaved(a: Value, b: Value, high: bool) -> Value:
    """Lanes of the low (or high) halves of `a` and `b` in turn, as PUNPCK and UNPCK give them."""
    count = a.type.lanes
    first = count // 2 if high else 0
    return a.shuffle(b, [first + index // 2 + count * (index & 1) for index in range(count)])


def pick(lanes: Sequence[Value], index: Value) -> Value:
    """`lanes[index]`; there is a power of two of them, and higher bits of `index` do not count."""
    if index.is_const:
        return lanes[index.imm & len(lanes) - 1]
    bit, chosen = 0, list(lanes)
    while len(chosen) > 1:
        odd = (index & 1 << bit).ne(0)
        chosen = [odd.select(chosen[n + 1], chosen[n]) for n in range(0, len(chosen), 2)]
        bit += 1
    return chosen[0]


def permuted(a: Value, b: Value, choices: Sequence[tuple[int, int, Operand]]) -> Value:
    """Lane i is lane `first + index` of the lanes of `a` and then `b`, for `choices[i]` = (first, count, index).

    `index` counts modulo `count`, a power of two; it may be a Python number, a constant or a value.
    """
    static = [
        first + ((index if isinstance(index, int) else index.imm) & count - 1)
        for first, count, index in choices
        if isinstance(index, int) or index.is_const
    ]
    if len(static) == len(choices):
        return a.shuffle(b, static)
    sources = [v.extract(lane) for v in (a, b) for lane in range(a.type.lanes)]
    result = a
    for lane, (first, count, index) in enumerate(choices):
        candidates = sources[first : first + count]
        result = result.insert(lane, candidates[index] if isinstance(index, int) else pick(candidates, index))
    return result


def shuffled_by_halves(a: Value, b: Value, order: Sequence[int]) -> Value:
    """The same shuffle in every 128 bits: its lane i is lane `order[i]` of those of `a` and then those of `b`."""
    count, total = 128 // a.width, a.type.lanes
    places = [(index // count * total + index % count) for index in order]
    return a.shuffle(b, [first + place for first in range(0, total, count) for place in places])


def bit_lanes(bits: Value, type: Type) -> Value:
    """A mask with a lane for each of `type`: set where bit i of an integer (of 8 bits, or as wide as a lane) is."""
    count = type.lanes
    numbers = bits.function.const(vector(integer(bits.width), count), tuple(1 << lane for lane in range(count)))
    return (bits.splat(count) & numbers).ne(0)


def with_lane(a: Value, index: Value, value: Value) -> Value:
    """`a` with lane `index` (modulo the number of lanes) replaced."""
    count = a.type.lanes
    if index.is_const:
        return a.insert(index.imm & count - 1, value)
    numbers = a.function.const(vector(index.type, count), tuple(range(count)))
    return (index & count - 1).splat(count).eq(numbers).select(value.splat(count), a)


def chosen(m: X86Emitter, type: Type, index: Value, count: int, write: Callable[[int], Value]) -> Value:
    """`write(index)`, for an index modulo `count`: of a value's alternatives, only the chosen one's effects happen."""
    if index.is_const:
        return write(index.imm & count - 1)
    result = m.local(type)
    for number in range(count):
        with m.if_((index & count - 1).eq(number)):
            result.set(write(number))
    return result.get()


def store_chosen(m: X86Emitter, address: Address, values: Value, chosen: Value) -> None:
    """Store the lanes whose bit of `chosen` is set: all, or none if one faults. The other memory is not touched."""
    size = values.width // 8
    lanes = [(address + n * size, values.extract(n), chosen.extract(n)) for n in range(values.type.lanes)]
    end = address + (values.type.bits // 8 - 1)
    with m.if_(m.may_end_elsewhere(address, end)):  # a lane of the second page may fault behind one of the first
        for place, _, stored in lanes:
            with m.if_(stored):
                m.check_writable(place, *((place + (size - 1),) if size > 1 else ()))
    for place, value, stored in lanes:
        with m.if_(stored):
            m.store(place, value)


def bytes_moved(a: Value, count: Value, up: bool) -> Value:
    """A register's bytes moved up or down by `count` (i8) bytes, zeroes moving in; more than 15 give zero."""
    if count.is_const:
        by = min(count.imm, 16)
        source, zero = a.bitcast(LANES[8]), a.function.const(LANES[8], 0)
        return zero.shuffle(source, range(16 - by, 32 - by)) if up else source.shuffle(zero, range(by, by + 16))
    bits, distance = a.bitcast(I128), count.zext(128) << 3
    return (bits.shl(distance) if up else bits.lshr(distance)).bitcast(WHOLE)
