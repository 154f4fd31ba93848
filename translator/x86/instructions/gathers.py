"""AVX2's gathers: loads of lanes from all over memory (SDM volume 2, 2.3.12 and VGATHER, VPGATHER)."""

from __future__ import annotations

from dataclasses import replace

from metaphrase.ir.types import integer
from metaphrase.translator.x86.emitter import Register, X86Emitter
from metaphrase.translator.x86.vectors import lanes
from metaphrase.translator.x86.vex import vex_forms


def gather(m: X86Emitter, lane: int, index_lane: int, target: Register, index: Register, mask: Register) -> None:
    """Load the lanes whose mask has its sign set, each from the base and its index; the mask becomes zero.

    A lane that faults leaves those below it loaded and their mask clear, so that the instruction goes on there.
    Until then target and mask are whole registers, even if the lanes are half as wide as the indices.
    """
    whole = max(target.width, index.width)
    target, mask = replace(target, width=whole), replace(mask, width=whole)
    indices = m.get(index, lanes(index, index_lane))
    result, chosen = (m.local(lanes(target, lane)) for _ in range(2))
    result.set(m.get(target, result.type))
    chosen.set(m.get(mask, result.type).ashr(lane - 1))
    m.put(mask, chosen.get())
    count = min(result.type.lanes, indices.type.lanes)
    for n in range(count):
        with m.if_(chosen.get().extract(n).slt(0)):
            value = m.load(m.indexed_address(indices.extract(n).sext(64)), integer(lane))
            result.set(result.get().insert(n, value))
            chosen.set(chosen.get().insert(n, m.const(0, lane)))
            m.put(target, result.get())
            m.put(mask, chosen.get())
    loaded = result.get()
    for n in range(count, loaded.type.lanes):
        loaded = loaded.insert(n, m.const(0, lane))
    m.put(target, loaded)
    m.put(mask, m.function.const(chosen.type, 0))


_BOTH = (("128", "avx2"), ("256", "avx2"))
for _lane, _index_lane, _integers, _floats, _operands in (
    (32, 32, "90", "92", "Vx, Tx, Hx"), (64, 32, "90", "92", "Vx, To, Hx"),
    (32, 64, "91", "93", "Vo, Tx, Ho"), (64, 64, "91", "93", "Vx, Tx, Hx"),
):  # fmt: skip
    _letter = {32: "d", 64: "q"}[_index_lane]
    for _name, _opcode in (
        (f"pgather{_letter}{'d' if _lane == 32 else 'q'}", _integers),
        (f"gather{_letter}p{'s' if _lane == 32 else 'd'}", _floats),
    ):
        vex_forms(_name, _BOTH, "66", f"{_opcode} /r vsib", _operands, gather, _lane, _index_lane, map="0F38",
                  w="W0" if _lane == 32 else "W1")  # fmt: skip
