"""Guest memory accesses with a way out: where one faults, the host goes on at a block of the same function.

Each is a piece of inline assembly with two ways on, of which LLVM takes the second for possible: everything that the
block there wants is somewhere at that moment, and costs nothing else. The table of faults, a section of its own, pairs
the address of each such access with that of its block, both relative to where they stand; the signal handler looks
there (`native/signal.ll`) and changes nothing but the program counter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from metaphrase.backends.llvm.objects import FAULT_SECTION
from metaphrase.backends.llvm.pure import Lines, llvm_type
from metaphrase.ir.types import Type


@dataclass(frozen=True, slots=True)
class Form:
    """How a type is moved: as which type of LLVM, by which instructions, in which registers."""

    type: str
    load: str
    store: str
    inputs: str
    """Constraint of what is stored."""
    outputs: str = "=r"
    loaded: str = ""
    """What a load gives, if it is not `type`: zero-extended."""


_GENERAL: Final = {
    8: Form("i8", "movzbl", "movb", "qi", loaded="range(i32 0, 256) i32"),
    16: Form("i16", "movzwl", "movw", "ri", loaded="range(i32 0, 65536) i32"),
    32: Form("i32", "movl", "movl", "ri"),
    64: Form("i64", "movq", "movq", "re"),
}
_VECTOR: Final = {
    "float": Form("float", "movss", "movss", "x", "=x"),
    "double": Form("double", "movsd", "movsd", "x", "=x"),
    "128": Form("<2 x i64>", "movups", "movups", "x", "=x"),
}
_VEX: Final = {
    key: Form(form.type, "v" + form.load, "v" + form.store, form.inputs, form.outputs)
    for key, form in {
        **_VECTOR,
        "256": Form("<4 x i64>", "movups", "movups", "x", "=x"),
    }.items()
}


class Place(NamedTuple):
    """Where an access goes: displaced from an i64 in a register, or, without that, wherever a pointer leads."""

    value: str
    displacement: int | None = None

    def constraint(self) -> str:
        return "*m" if self.displacement is None else "r"

    def argument(self, form: Form) -> str:
        return f"ptr elementtype({form.type}) {self.value}" if self.displacement is None else f"i64 {self.value}"

    def text(self, number: int) -> str:
        """The operand in the text of an instruction, if it is the one with that number."""
        return f"%gs:${number}" if self.displacement is None else f"%gs:{self.displacement}(${number})"


def form_of(type: Type, *, avx: bool) -> Form | None:
    """How to move a type, None if there is no instruction for it."""
    vectors = _VEX if avx else _VECTOR
    if type.is_float and not type.is_vector:
        return vectors.get(llvm_type(type))
    if type.bits == 1:
        return None
    return _GENERAL.get(type.bits) or vectors.get(str(type.bits))


def guarded_load(form: Form, type: Type, place: Place, result: str, done: str, fault: str) -> Lines:
    """Lines that load; they end with the label `done`."""
    text, loaded = llvm_type(type), form.loaded or form.type
    raw = result if loaded == text else f"{result}.raw"
    instruction = _entry(f"{form.load} {place.text(1)}, $0", 2)
    call = f'callbr {loaded} asm sideeffect "{instruction}", "{form.outputs},{place.constraint()},!i,~{{memory}}"'
    out = [f"{raw} = {call}({place.argument(form)}) to label %{done} [label %{fault}], !prof !0", f"{done}:"]
    if raw != result:
        narrow = raw
        if form.loaded:
            narrow = result if form.type == text else f"{result}.narrow"
            out.append(f"{narrow} = trunc i32 {raw} to {form.type}")
        if form.type != text:
            out.append(f"{result} = bitcast {form.type} {narrow} to {text}")
    return out


def guarded_store(form: Form, type: Type, place: Place, source: str, name: str, done: str, fault: str) -> Lines:
    """Lines that store; they end with the label `done`."""
    out: Lines = []
    text = llvm_type(type)
    if form.type != text:
        out.append(f"{name}.cast = bitcast {text} {source} to {form.type}")
        source = f"{name}.cast"
    instruction = _entry(f"{form.store} $1, {place.text(0)}", 2)
    call = f'callbr void asm sideeffect "{instruction}", "{place.constraint()},{form.inputs},!i,~{{memory}}"'
    arguments = f"({place.argument(form)}, {form.type} {source})"
    return [*out, f"{call}{arguments} to label %{done} [label %{fault}], !prof !0", f"{done}:"]


def _entry(instruction: str, label: int) -> str:
    """An instruction with its entry in the table of faults."""
    table = f".pushsection {FAULT_SECTION},\\22a\\22\\0A.long 1b - ., ${{{label}:l}} - .\\0A.popsection"
    return f"1: {instruction}\\0A{table}"
