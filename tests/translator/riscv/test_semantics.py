"""RISC-V instructions that one random instruction cannot show: pairs, traps, transfers of control, the decoder's x0."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from metaphrase.backends.reference import Interpreter, Outcome
from metaphrase.backends.reference.memory import PagedMemory
from metaphrase.translator.engine.handler_code import lift_handler
from metaphrase.translator.riscv import services
from metaphrase.translator.riscv import state as s
from metaphrase.translator.riscv.guest import RiscvGuest
from tests.translator.riscv.differential import lift, record_fields

PC, DATA = 0x1_0000, 0x2_0000


@dataclass
class Thread:
    """A hart that runs one instruction at a time, in either binding."""

    guest: RiscvGuest
    parameters: bool

    def __post_init__(self) -> None:
        self.state = bytearray(s.LAYOUT.size)
        self.memory = PagedMemory()
        self.memory.map(DATA, 4096)
        self["reservation"] = s.NO_RESERVATION
        self.fenv = 0x1F80

    def __getitem__(self, name: str) -> int:
        slot = s.LAYOUT[s.ALIASES.get(name, name)]
        return int.from_bytes(self.state[slot.offset : slot.end], "little")

    def __setitem__(self, name: str, value: int) -> None:
        slot = s.LAYOUT[s.ALIASES.get(name, name)]
        self.state[slot.offset : slot.end] = (value & slot.type.mask).to_bytes(slot.type.bytes, "little")

    def run(self, word: int) -> Outcome:
        decoded = self.guest.decode(word.to_bytes(4, "little"), PC)
        if self.parameters:
            function = lift_handler(self.guest, decoded.row, decoded.statics)
        else:
            function = lift(self.guest, decoded)
        fields = record_fields(self.guest, decoded)
        run = Interpreter(function, state=self.state, memory=self.memory, base=PC, fields=fields)
        run.fenv = self.fenv
        outcome = run.run()
        self.fenv = run.fenv
        return outcome


@pytest.fixture(scope="module")
def guest() -> RiscvGuest:
    return RiscvGuest()


@pytest.fixture(params=[False, True], ids=["constants", "fields"])
def hart(request: pytest.FixtureRequest, guest: RiscvGuest) -> Thread:
    return Thread(guest, request.param)


def encode(hart: Thread, name: str, **fields: int) -> int:
    """The word of the first row of that name."""
    row = next(row for row in hart.guest.rows if row.name == name)
    word = row.detail.pattern.encode(**fields)
    assert isinstance(word, int)
    return word


A0, A1, A2 = 10, 11, 12


def test_x0_is_never_written(hart: Thread) -> None:
    hart["a0"] = 5
    hart.run(encode(hart, "addi", rd=0, rs1=A0, imm=1))
    assert hart["zero"] == 0
    hart.run(encode(hart, "add", rd=A1, rs1=0, rs2=A0))
    assert hart["a1"] == 5


@pytest.mark.parametrize(("size", "value"), [("w", 0xFFFF_FFFF_8000_0000), ("d", 0x8123_4567_89AB_CDEF)])
def test_reservation(hart: Thread, size: str, value: int) -> None:
    bytes_of_it = {"w": 4, "d": 8}[size]
    hart["a0"], hart["a2"] = DATA, 77
    hart.memory.write(DATA, value.to_bytes(8, "little")[:bytes_of_it])
    load, store = encode(hart, f"lr.{size}", rd=A1, rs1=A0), encode(hart, f"sc.{size}", rd=A1, rs1=A0, rs2=A2)
    hart.run(load)
    assert hart["a1"] == value
    hart.run(store)
    assert hart["a1"] == 0 and hart.memory.read(DATA, bytes_of_it) == (77).to_bytes(bytes_of_it, "little")
    hart.run(store)
    assert hart["a1"] == 1, "the reservation is used up"
    hart.run(load)
    hart.memory.write(DATA, (78).to_bytes(bytes_of_it, "little"))
    hart.run(store)
    assert hart["a1"] == 1 and hart.memory.read(DATA, 1) == b"\x4e", "somebody else stored"
    hart.run(load)
    hart["a0"] += 8
    hart.run(store)
    assert hart["a1"] == 1, "another address"


@pytest.mark.parametrize("name", ["lr.w", "sc.d", "amoadd.w", "amomaxu.d"])
def test_misaligned_atomic_traps(hart: Thread, name: str) -> None:
    hart["a0"], hart["a1"] = DATA + 2, 9
    outcome = hart.run(encode(hart, name, rd=A1, rs1=A0))
    assert (outcome.kind, outcome.reason, outcome.pc) == ("leave", "alignment", PC)
    assert hart["a1"] == 9


@pytest.mark.parametrize("name", ["ld", "sd", "flw", "fsd", "amoadd.d", "lr.w"])
def test_fault_commits_nothing(hart: Thread, name: str) -> None:
    hart["a0"], hart["a1"] = 0x9_0000, 9
    before = bytes(hart.state)
    outcome = hart.run(encode(hart, name, rs1=A0, **({} if name in ("sd", "fsd") else {"rd": A0})))
    assert (outcome.kind, outcome.address) == ("fault", 0x9_0000)
    assert hart.state == before


@pytest.mark.parametrize(
    ("name", "fields", "transfer"),
    [
        ("jal", {"rd": 0}, "jump"), ("jal", {"rd": 1}, "call"), ("jal", {"rd": 5}, "call"), ("jal", {"rd": 6}, "jump"),
        ("jalr", {"rd": 0, "rs1": A0}, "jump"), ("jalr", {"rd": 0, "rs1": 1}, "return"),
        ("jalr", {"rd": 6, "rs1": 5}, "return"), ("jalr", {"rd": 1, "rs1": A0}, "call"),
        ("jalr", {"rd": 1, "rs1": 1}, "call"), ("jalr", {"rd": 1, "rs1": 5}, "call"),
    ],
)  # fmt: skip
def test_return_address_hints(hart: Thread, name: str, fields: dict[str, int], transfer: str) -> None:
    """Table 2.1 of the manual, but that a call from a link register to another is a call only."""
    for register in ("ra", "t0", "a0"):
        hart[register] = 0x5001
    outcome = hart.run(encode(hart, name, imm=0x100, **fields))
    target = PC + 0x100 if name == "jal" else 0x5100
    assert (outcome.kind, outcome.pc, outcome.transfer) == ("goto", target, transfer)
    if fields["rd"]:
        assert hart[f"x{fields['rd']}"] == PC + 4


@pytest.mark.parametrize(
    ("name", "reason", "pc"),
    [
        ("ecall", "syscall", PC + 4), ("ebreak", "breakpoint", PC), ("c.ebreak", "breakpoint", PC),
        ("fence.i", "flush_code", PC + 4),
    ],
)  # fmt: skip
def test_environment(hart: Thread, name: str, reason: str, pc: int) -> None:
    outcome = hart.run(encode(hart, name))
    assert (outcome.kind, outcome.reason, outcome.pc) == ("leave", reason, pc)


def test_auipc_and_lui(hart: Thread) -> None:
    hart.run(encode(hart, "auipc", rd=A0, imm=0x8000_0000))
    assert hart["a0"] == (PC - 0x8000_0000) & (1 << 64) - 1
    hart.run(encode(hart, "lui", rd=A0, imm=0x8000_0000))
    assert hart["a0"] == 0xFFFF_FFFF_8000_0000


def test_counters_count(hart: Thread) -> None:
    word = encode(hart, "csrrs", rd=A0) & 0xFFFFF | 0xC00 << 20
    assert hart.guest.disassemble(word.to_bytes(4, "little")) == "csrrs a0, cycle, zero"
    hart.run(word)
    first = hart["a0"]
    hart.run(word)
    assert hart["a0"] > first > 0


def test_fcsr_and_the_environment() -> None:
    for value in range(256):
        slots = s.fcsr_slots(value)
        assert s.fcsr(slots["frm"], slots["fenv"]) == value


class Slots(dict[str, int]):
    """A CPU of nothing but slots."""

    def get_slot(self, name: str) -> int:
        return self.get(name, 0)

    def set_slot(self, name: str, value: int) -> None:
        self[name] = value


def test_registers_by_name_and_in_a_signal_frame() -> None:
    cpu = Slots()
    for name, value in (("sp", 7), ("fp", 8), ("ft11", 9), ("zero", 10), ("fcsr", 0x71)):
        services.REGISTERS[name][1](cpu, value)
    assert (cpu["x2"], cpu["x8"], cpu["f31"], cpu.get("x0"), cpu["frm"]) == (7, 8, 9, None, 3)
    assert [services.REGISTERS[name][0](cpu) for name in ("sp", "s0", "zero", "fcsr")] == [7, 8, 0, 0x71]
    image = services.save_fp(cpu)
    assert len(image) == 32 * 8 + 4
    other = Slots()
    services.load_fp(other, image)
    assert services.save_fp(other) == image and other["f31"] == 9
