"""Random instructions over random states, as a static program: each loads a state, runs one instruction, and dumps.

The program works on an array of records, one a case. It writes the array to its standard output when it is done, so
any emulator that runs riscv64 Linux programs gives results to compare.
"""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metaphrase.backends.reference.interpreter import Interpreter
from metaphrase.backends.reference.memory import PagedMemory
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function
from metaphrase.ir.record import FIELDS
from metaphrase.translator.emitter import Constants
from metaphrase.translator.engine.handler_code import lift_handler
from metaphrase.translator.guest import Decoded, Description
from metaphrase.translator.pattern import extract, field_mask, insert
from metaphrase.translator.pattern_table import ImmediateKind, TargetKind
from metaphrase.translator.record import pack
from metaphrase.translator.riscv import d, f, i, zicsr
from metaphrase.translator.riscv import state as s
from metaphrase.translator.riscv.guest import RiscvGuest
from tests.translator.riscv.words import random_code

RECORDS, TESTS, FIRST_CASE, CASE_SIZE = 0x1000_0000, 0x80_0000, 0x1000, 16
RECORD = struct.Struct("<32Q32QQQ48x64s")
"""x, f, FCSR, whether the branch was taken, and the memory that loads and stores use."""
ARENA = RECORD.size - 64
TAKEN = 8
"""Distance from a case's instruction to where its branch goes."""
GP, TP = 3, 4
"""The registers that the program itself needs."""

_LOADS_AND_STORES = {
    i.lb, i.lh, i.lw, i.ld, i.lbu, i.lhu, i.lwu, i.sb, i.sh, i.sw, i.sd, f.flw, f.fsw, d.fld, d.fsd,
}  # fmt: skip
_LEFT_OUT = {i.ecall, i.ebreak, zicsr._read_counter}
_ROUNDED_TO_NEAREST_AWAY = ("fcvt.w.", "fcvt.wu.", "fcvt.l.", "fcvt.lu.")


@dataclass(frozen=True)
class State:
    """What a case starts from, or ends in."""

    x: tuple[int, ...]
    f: tuple[int, ...]
    fcsr: int
    taken: int
    arena: bytes

    def pack(self) -> bytes:
        return RECORD.pack(*self.x, *self.f, self.fcsr, self.taken, self.arena)

    def differences(self, other: State) -> list[str]:
        """Descriptions of what differs, for a failure's message."""
        names = [*s.X_NAMES, *s.F_NAMES]
        pairs = zip(names, (*self.x, *self.f), (*other.x, *other.f), strict=True)
        found = [f"{name}: {here:#x} != {there:#x}" for name, here, there in pairs if here != there]
        for name in ("fcsr", "taken"):
            if getattr(self, name) != getattr(other, name):
                found.append(f"{name}: {getattr(self, name):#x} != {getattr(other, name):#x}")
        if self.arena != other.arena:
            found.append(f"arena: {self.arena.hex()} != {other.arena.hex()}")
        return found


def unpack_state(data: bytes) -> State:
    values = RECORD.unpack(data)
    return State(tuple(values[:32]), tuple(values[32:64]), values[64], values[65], values[66])


@dataclass(frozen=True)
class Case:
    """One instruction and the state before it. Its place in the program fixes its addresses."""

    number: int
    row: Description
    code: bytes
    before: State

    @property
    def pc(self) -> int:
        return TESTS + FIRST_CASE + self.number * CASE_SIZE + 4

    @property
    def arena(self) -> int:
        return RECORDS + self.number * RECORD.size + ARENA


# --- generation -------------------------------------------------------------------------------------------------------
_INTEGERS = (0, 1, 2, 31, 32, 63, 64, 0x7F, 0x80, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 63, (1 << 63) - 1)
_SINGLES = (
    0, 1, 0x7F_FFFF, 0x80_0000, 0x3F80_0000, 0x3F00_0000, 0x3EFF_FFFF, 0x3FC0_0000, 0x4020_0000, 0x4B00_0000,
    0x4EFF_FFFF, 0x4F00_0000, 0x4F7F_FFFF, 0x4F80_0000, 0x5EFF_FFFF, 0x5F00_0000, 0x5F7F_FFFF, 0x5F80_0000,
    0x7F7F_FFFF, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001, 0x7FFF_FFFF, 0x3380_0000, 0x0D80_0000, 0x7E00_0000,
)  # fmt: skip
_DOUBLES = (
    0, 1, 0x000F_FFFF_FFFF_FFFF, 0x0010_0000_0000_0000, 0x3FF0_0000_0000_0000, 0x3FE0_0000_0000_0000,
    0x3FDF_FFFF_FFFF_FFFF, 0x3FF8_0000_0000_0000, 0x4004_0000_0000_0000, 0x432F_FFFF_FFFF_FFFF, 0x41DF_FFFF_FFC0_0000,
    0x41DF_FFFF_FFE0_0000, 0x41E0_0000_0000_0000, 0x41EF_FFFF_FFE0_0000, 0x41EF_FFFF_FFF0_0000, 0x41F0_0000_0000_0000,
    0x43DF_FFFF_FFFF_FFFF, 0x43E0_0000_0000_0000, 0x43EF_FFFF_FFFF_FFFF, 0x43F0_0000_0000_0000, 0x7FEF_FFFF_FFFF_FFFF,
    0x7FF0_0000_0000_0000, 0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0001, 0x7FFF_FFFF_FFFF_FFFF, 0x47EF_FFFF_E000_0000,
    0x47EF_FFFF_F000_0000, 0x3810_0000_0000_0000, 0x380F_FFFF_F000_0000, 0x36A0_0000_0000_0000, 0x3690_0000_0000_0000,
    0x3CA0_0000_0000_0000, 0x0008_0000_0000_0000, 0x7FC0_0000_0000_0000, 0x3FF0_0000_1000_0000, 0x3FF0_0000_3000_0000,
)  # fmt: skip
"""Around zero, one, halves, the limits of integers, and of what rounds to a finite or normal single."""


def random_integer(rng: random.Random) -> int:
    """A doubleword near an edge, or anything."""
    value = rng.choice(_INTEGERS) + rng.randrange(-2, 3) if rng.random() < 0.6 else rng.getrandbits(64)
    return (-value if rng.random() < 0.3 else value) & (1 << 64) - 1


def random_float(rng: random.Random, singles: float) -> int:
    """The bits of an f register: with probability `singles` a boxed single, else a double; edges are frequent."""
    sign, edge = rng.getrandbits(1), rng.random() < 0.6
    if rng.random() < singles:
        return 0xFFFF_FFFF << 32 | sign << 31 | (rng.choice(_SINGLES) if edge else rng.getrandbits(31))
    return sign << 63 | (rng.choice(_DOUBLES) if edge else rng.getrandbits(63))


def random_floats(rng: random.Random, singles: float) -> tuple[int, ...]:
    """All f registers: anything, or zeroes, infinities and NaNs, or numbers that are close so that sums cancel."""
    values = [random_float(rng, singles) for _ in range(32)]
    kind = rng.random()
    if kind < 0.2:
        special = (0, 0x7F80_0000, 0x7FC0_0000, 0x7F80_0001), (0, 0x7FF << 52, 0xFFF << 51, (0x7FF << 52) + 1)
        single = rng.random() < singles
        values = [rng.choice(special[not single]) | (0xFFFF_FFFF << 32 if single else 0) for _ in range(32)]
    elif kind < 0.6:
        first, low = values[0], (1 << (32 if values[0] >> 32 == 0xFFFF_FFFF else 54)) - 1

        def near() -> int:
            return first ^ rng.getrandbits(64) & rng.getrandbits(64) & rng.getrandbits(64) & low

        values = [near() if rng.random() < 0.7 else value for value in values]
    return tuple(values)


def generate(guest: RiscvGuest, rng: random.Random, each: int) -> list[Case]:
    """`each` cases of every row that can be tested alone."""
    cases: list[Case] = []
    for row in guest.rows:
        if row.semantics in _LEFT_OUT:
            continue
        for _ in range(each):
            cases.append(_random_case(guest, row, rng, len(cases)))
    return cases


def _random_case(guest: RiscvGuest, row: Description, rng: random.Random, number: int) -> Case:
    forbidden = {s.X[GP], s.X[TP]}
    while True:
        code = _aimed(row, random_code(row, rng))
        decoded = guest.decode(code, 0)
        actual = guest.rows[decoded.row]
        registers = _operands(actual, decoded)
        if forbidden & set(registers.values()) or (actual is not row and actual.semantics in _LEFT_OUT):
            continue
        if decoded.statics == s.RMM and not actual.name.startswith(_ROUNDED_TO_NEAREST_AWAY):
            continue
        state = State(
            (0, *(random_integer(rng) for _ in range(31))),
            random_floats(rng, 0.9 if row.extension == "F" or row.name == "fcvt.d.s" else 0.1),
            rng.randrange(4) << 5 | (rng.getrandbits(5) if rng.random() < 0.3 else 0),
            0,
            rng.randbytes(64),
        )
        case = Case(number, actual, code, state)
        base = _required_base(case, decoded, rng)
        if base is None:
            return case
        register = s.X.index(registers["rs1"])
        if register:
            x = list(state.x)
            x[register] = base & (1 << 64) - 1
            return replace(case, before=replace(state, x=tuple(x)))


def _aimed(row: Description, code: bytes) -> bytes:
    """The instruction with its direct branch, if it is one, made to go to the place for taken branches."""
    pattern = row.detail.pattern
    for operand in row.operands:
        if isinstance(operand.kind, TargetKind) and not operand.kind.relative:
            segments = pattern.fields[operand.field]
            word = int.from_bytes(code, "little") & ~field_mask(segments) | insert(segments, TAKEN)
            assert extract(segments, word) == TAKEN
            return word.to_bytes(len(code), "little")
    return code


def _operands(row: Description, decoded: Decoded) -> dict[str, int]:
    """State offsets of the register operands by name."""
    return {
        operand.name: decoded.registers[operand.slot]
        for operand in row.operands
        if not isinstance(operand.kind, TargetKind | ImmediateKind) and operand.name.startswith("r")
        if operand.name != "rm"
    }


def _required_base(case: Case, decoded: Decoded, rng: random.Random) -> int | None:
    """What rs1 must hold for the access to hit the arena, or the jump its target; None if anything will do."""
    row = case.row
    if row.extension == "A":
        return case.arena + 8 * rng.randrange(8)
    if row.semantics in _LOADS_AND_STORES:
        return case.arena + rng.randrange(57) - decoded.immediate
    if row.name in ("jalr", "c.jalr", "c.jr"):
        return case.pc + TAKEN - decoded.immediate
    return None


# --- the program ------------------------------------------------------------------------------------------------------
def source(cases: Sequence[Case]) -> str:
    """The program in assembly."""
    saved = [n for n in range(1, 32) if n not in (GP, TP)]
    lines = [".option norvc", '.section .tests, "ax"', "load:", "ld t0, 512(tp)", "fscsr t0"]
    lines += [f"fld f{n}, {256 + 8 * n}(tp)" for n in range(32)]
    lines += [f"ld x{n}, {8 * n}(tp)" for n in saved]
    # A case calls `save`, and returns behind the call of `save_taken`, or it was taken and calls that.
    lines += ["jr gp", "save:", "sd t6, 248(tp)", "addi t6, gp, 4", "j store"]
    lines += ["save_taken:", "sd t6, 248(tp)", "li t6, 1", "sd t6, 520(tp)", "mv t6, gp", "store:"]
    lines += [f"sd x{n}, {8 * n}(tp)" for n in saved if n != 31]
    lines += [f"fsd f{n}, {256 + 8 * n}(tp)" for n in range(32)]
    lines += ["frcsr t0", "sd t0, 512(tp)", f"addi tp, tp, {RECORD.size}", "jr t6"]
    lines += [".globl _start", "_start:", f"li tp, {RECORDS}", "j cases"]
    lines += [f".org {FIRST_CASE}", "cases:"]
    for case in cases:
        lines.append("jal gp, load")
        word = int.from_bytes(case.code, "little")
        lines.append(f".4byte {word:#x}" if len(case.code) == 4 else f".2byte {word:#x}, 1")
        lines += ["jal gp, save", "jal gp, save_taken"]
    lines += [
        f"li s1, {RECORDS}", f"li s2, {RECORDS + len(cases) * RECORD.size}",
        "again:", "li a0, 1", "mv a1, s1", "sub a2, s2, s1", "li a7, 64", "ecall", "blez a0, done",
        "add s1, s1, a0", "bltu s1, s2, again", "done:", "li a0, 0", "li a7, 93", "ecall",
        '.section .records, "aw"', '.incbin "records.bin"',
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def build(cases: Sequence[Case], folder: Path) -> Path:
    """Assemble and link the program with the cross compiler."""
    (folder / "records.bin").write_bytes(b"".join(case.before.pack() for case in cases))
    (folder / "cases.s").write_text(source(cases))
    command = [
        "riscv64-linux-gnu-gcc", "-nostdlib", "-static", "-no-pie", "-march=rv64gc", "-o", "cases", "cases.s",
        f"-Wl,--section-start=.tests={TESTS:#x},--section-start=.records={RECORDS:#x},--no-relax,--build-id=none",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True)
    return folder / "cases"


def run_program(command: Sequence[str], count: int) -> list[State]:
    """The states after each case, as an emulator that is run by `command` computes them."""
    output = subprocess.run(command, check=True, capture_output=True, timeout=120).stdout
    assert len(output) == count * RECORD.size, f"{len(output)} bytes of {count * RECORD.size}"
    return [unpack_state(output[at : at + RECORD.size]) for at in range(0, len(output), RECORD.size)]


# --- the reference interpreter ----------------------------------------------------------------------------------------
def run_reference(guest: RiscvGuest, cases: Iterable[Case], *, parameters: bool) -> list[State]:
    """The states after each case by the reference interpreter, with operands as constants or as a record's fields."""
    functions: dict[tuple[int, int], Function] = {}
    return [_run_case(guest, case, functions if parameters else None) for case in cases]


def _run_case(guest: RiscvGuest, case: Case, handlers: dict[tuple[int, int], Function] | None) -> State:
    decoded = guest.decode(case.code, case.pc)
    if handlers is None:
        function = lift(guest, decoded)
    else:
        form = decoded.row, decoded.statics
        function = handlers.get(form) or handlers.setdefault(form, lift_handler(guest, *form))
    before = case.before
    state = bytearray(s.LAYOUT.size)
    for offset, value in zip((*s.X, *s.F), (*before.x, *before.f), strict=True):
        state[offset : offset + 8] = value.to_bytes(8, "little")
    slots = s.fcsr_slots(before.fcsr)
    state[s.FRM : s.FRM + 4] = slots["frm"].to_bytes(4, "little")
    state[s.RESERVATION : s.RESERVATION + 8] = s.NO_RESERVATION.to_bytes(8, "little")
    memory = PagedMemory()
    memory.map(case.arena, before.arena)
    run = Interpreter(function, state=state, memory=memory, base=case.pc, fields=record_fields(guest, decoded))
    run.fenv = slots["fenv"]
    outcome = run.run()
    following = outcome.pc if outcome.kind in ("goto", "leave") else decoded.next_pc
    assert outcome.kind != "fault" and following in (decoded.next_pc, case.pc + TAKEN), f"{case}: {outcome}"
    values = [int.from_bytes(state[offset : offset + 8], "little") for offset in (*s.X, *s.F)]
    frm = int.from_bytes(state[s.FRM : s.FRM + 4], "little")
    after = memory.read(case.arena, 64)
    return State(
        tuple(values[:32]), tuple(values[32:]), s.fcsr(frm, run.fenv), int(following == case.pc + TAKEN), after
    )


def lift(guest: RiscvGuest, decoded: Decoded) -> Function:
    """The IR of one instruction, with its operands as constants."""
    function = Function("lifted", guest.layout, simplify=simplify)
    emitter = guest.make_emitter(function)
    emitter.binding = Constants(function, decoded, decoded.pc)
    guest.emit(emitter, decoded.row, decoded.statics)
    if not emitter.ended:
        emitter.next()
    return function


def record_fields(guest: RiscvGuest, decoded: Decoded) -> dict[str, int]:
    """What the op `field` gives in a handler of the instruction."""
    data = pack(decoded, guest.static_bits)
    return {name: int.from_bytes(data[at : at + size], "little") for name, (at, size) in FIELDS.items()}
