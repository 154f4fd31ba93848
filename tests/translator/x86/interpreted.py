"""Cases run by the reference interpreter, over constants or over the fields of the decoded record."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from metaphrase.backends.reference import Interpreter, Outcome
from metaphrase.backends.reference.memory import MemoryFault, PagedMemory
from metaphrase.ir.graph import Function
from metaphrase.ir.layout import Layout
from metaphrase.translator.guest import Decoded
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.descriptors import NULL, Descriptor
from metaphrase.translator.x86.guest import X86Guest
from tests.oracle._arena import Patches, changes_between, patched
from tests.oracle._segments import LOCAL
from tests.oracle.native import ARENA, ARENA_SIZE, CODE, CODE_SIZE, FLAGS, REGISTERS, Case
from tests.oracle.real_mode import VECTORS
from tests.translator.x86.differential import guest_of
from tests.translator.x86.forms import lift_form
from tests.translator.x86.observed import Observed

LAYOUT: Layout = s.LAYOUT
PAGE = 4096
TABLES: Final = 0x3000_0000
"""Where the descriptor tables of 16-bit mode lie, a page of them, which the host's kernel keeps to itself."""
_FLAT, _LOCAL_AT = 0x00CF_F300_0000_FFFF, 0x800
DESCRIPTORS: Final = {
    s.USER_CS_32 >> 3: _FLAT | 8 << 40, s.USER_DS >> 3: _FLAT, s.USER_CS_64 >> 3: _FLAT ^ 0x60_0800_0000_0000,
    s.TLS_FIRST: _FLAT,
}  # fmt: skip
"""What user mode finds in Linux's global table, but for the processor's number."""


def descriptor_tables() -> bytes:
    """The page at TABLES."""
    page = bytearray(PAGE)
    local = enumerate((segment.descriptor() for segment in LOCAL), _LOCAL_AT // 8)
    for index, descriptor in (*DESCRIPTORS.items(), *local):
        page[8 * index : 8 * index + 8] = descriptor.to_bytes(8, "little")
    return bytes(page)


_TABLES: Final = descriptor_tables()


_starts: dict[int, tuple[Case, bytes]] = {}
_MOST_STARTS: Final = 1024


def start_of(case: Case) -> bytes:
    """The state's bytes that a case begins with; made once, for all executions of the case."""
    known = _starts.get(id(case))
    if known is None or known[0] is not case:
        keep_starts([case], [bytes(pack_state(case))])
        known = _starts[id(case)]
    return known[1]


def keep_starts(cases: Sequence[Case], starts: Sequence[bytes]) -> None:
    """Have `start_of` find these."""
    if len(_starts) + len(cases) > _MOST_STARTS:
        _starts.clear()
    _starts.update((id(case), (case, start)) for case, start in zip(cases, starts, strict=True))


class ArenaMemory:
    """The memory that snippets find: the arena, and the code area, which is only readable."""

    def __init__(self, case: Case) -> None:
        self.arena = patched(_BACKGROUND, case.memory.items())
        self.case, self._is_written = case, False

    def _check(self, address: int, size: int, write: bool) -> bool:
        """Whether the access lies in the arena. Raises MemoryFault at the first page that does not allow it."""
        if address >= ARENA and address + size <= ARENA + ARENA_SIZE:
            return True
        if address >= CODE and address + size <= CODE + CODE_SIZE and not write:
            return False
        tables = address >= TABLES and address + size <= TABLES + PAGE and self.case.segmented
        if not write and (tables or (self.case.guest == "i8086" and address + size <= len(VECTORS))):
            return False
        kind = "write" if write else "read"
        for at in (address, (address + size - 1) // PAGE * PAGE):
            inside = ARENA <= at < ARENA + ARENA_SIZE or (CODE <= at < CODE + CODE_SIZE and not write)
            if not inside:
                raise MemoryFault(at, kind)
        raise AssertionError(f"an access of {size} bytes at {address:#x} touches two areas")

    def read(self, address: int, size: int, /) -> bytes:
        if self._check(address, size, False):
            return bytes(self.arena[address - ARENA : address - ARENA + size])
        if address >= TABLES:
            return _TABLES[address - TABLES : address - TABLES + size]
        if address < len(VECTORS):
            return VECTORS[address : address + size]
        code = bytearray((b"\xf4" if self.case.guest == "i8086" else b"\xcc") * CODE_SIZE)
        at = self.case.address - CODE
        code[at : at + len(self.case.code)] = self.case.code
        return bytes(code[address - CODE : address - CODE + size])

    def write(self, address: int, data: bytes, /) -> None:
        self._check(address, len(data), True)
        self._is_written = True
        self.arena[address - ARENA : address - ARENA + len(data)] = data


    def changes(self) -> Patches:
        """What is not as the case has it, as the oracle tells it."""
        if not self._is_written:
            return ()
        return changes_between(patched(_BACKGROUND, self.case.memory.items()), self.arena)


_BACKGROUND: Final = bytes(ARENA_SIZE)


def pack_state(case: Case) -> bytearray:
    """The guest state of a case as the layout's bytes."""
    state = case.state
    values: dict[str, int] = dict(s.RESET)
    if case.mode != 64:
        values |= dict(zip(s.SEGMENT_NAMES, case.selectors, strict=True))
        values |= {"tls0": s.TLS_PRESENT}
    if case.segmented:
        values |= _segment_slots(case.selectors)
    if case.guest == "i8086":
        values |= _REAL_MODE
    values |= {"rsp": ARENA + ARENA_SIZE // 2, **state.registers, "rip": case.address}
    values |= {"fs_base": state.fs_base, "gs_base": state.gs_base, "fenv": state.mxcsr}
    values |= s.flag_slots(state.rflags & FLAGS | 0x202)
    values |= {f"xmm{number}": value for number, value in enumerate(state.xmm)}
    values |= {f"ymm{number}h": value for number, value in enumerate(state.ymm_high)}
    values |= x87_slots(state.x87)
    return pack_slots(values)


def _segment_slots(selectors: tuple[int, ...]) -> dict[str, int]:
    """What the segment registers hold besides selectors, and where the tables are."""
    values = {"gdt_base": TABLES, "gdt_limit": _LOCAL_AT - 1}
    values |= {"ldt_base": TABLES + _LOCAL_AT, "ldt_limit": 8 * len(LOCAL) - 1}
    for name, chosen in zip(s.SEGMENT_NAMES, selectors, strict=True):
        at = (_LOCAL_AT if chosen & 4 else 0) + (chosen & ~7)
        found = Descriptor(int.from_bytes(_TABLES[at : at + 8], "little"))
        bounds = found.bounds() if chosen & ~3 else NULL
        parts = zip(("base", *s.LIMITS), (found.base, *bounds), strict=True)
        values |= {f"{name}_{part}": value & (1 << 64) - 1 for part, value in parts}
        if name == "cs":
            values["code_limit"] = found.limit
    return values


_REAL_MODE: Final = {"cs_writable": 0xFFFF} | {
    f"{name}_{limit}": 0xFFFF_FFFF for name in ("fs", "gs") for limit in ("readable", "writable")
}
"""What is different in real-address mode: all segments can be written; and FS and GS are large, as elsewhere."""


def pack_slots(values: dict[str, int]) -> bytearray:
    """The layout's bytes with these values of slots, and zeroes."""
    data = bytearray(LAYOUT.size)
    for name, value in values.items():
        if value:
            start, end = _PLACES[name]
            data[start:end] = value.to_bytes(end - start, "little")
    return data


_LETTERS: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


def _format() -> str:
    """The layout in the notation of `struct`; values that it has no integers for are bytes."""
    text, at = "<", 0
    for slot in LAYOUT:
        text += f"{slot.offset - at}x" + _LETTERS.get(slot.type.bytes, f"{slot.type.bytes}s")
        at = slot.end
    return text + f"{LAYOUT.size - at}x"


_PACKED: Final = struct.Struct(_format())
_PLACES: Final = {slot.name: (slot.offset, slot.offset + slot.type.bytes) for slot in LAYOUT}


def unpack_state(data: bytes) -> dict[str, int]:
    """The values of all slots."""
    return {
        slot.name: value if isinstance(value, int) else int.from_bytes(value, "little")
        for slot, value in zip(LAYOUT, _PACKED.unpack(data), strict=True)
    }


def x87_slots(image: bytes) -> dict[str, int]:
    """The x87 slots for an FXSAVE image (SDM volume 1, 10.5.1)."""
    control, status, tags = struct.unpack_from("<HHB", image)
    top = status >> 11 & 7
    slots = {"fcw": control, "fsw": status & ~0x3800, "ftw": tags, "top": top}
    for number in range(8):
        slots[f"st_physical{(number + top) % 8}"] = int.from_bytes(image[32 + 16 * number :][:10], "little")
    return slots


def x87_image(read: dict[str, int]) -> bytes:
    """The FXSAVE image of the x87 slots; the inverse of `x87_slots`."""
    status = read["fsw"] & ~0xB880 | read["top"] << 11
    if status & ~read["fcw"] & 0x3F:
        status |= 0x8080  # an unmasked exception is pending
    image = bytearray(struct.pack("<HHB", read["fcw"], status, read["ftw"] & 0xFF).ljust(160, b"\0"))
    for number in range(8):
        at = 32 + 16 * number
        image[at : at + 10] = read[f"st_physical{(number + read['top']) % 8}"].to_bytes(10, "little")
    return bytes(image)


@dataclass(slots=True)
class Seen:
    """What an execution left behind, as it is found: the state's bytes, changes of memory, and how it ended."""

    case: Case
    data: bytes
    changes: Patches
    mxcsr: int
    event: str
    address: int | None
    rip: int

    @property
    def observed(self) -> Observed:
        """The same for comparison, name by name."""
        arena = bytes(patched(_BACKGROUND, self.case.memory.items(), self.changes))
        return observe(self.data, arena, self.mxcsr, self.event, self.address, self.rip, self.case.mode)


def observe(
    data: bytes, arena: bytes, mxcsr: int, event: str, address: int | None, rip: int, mode: int
) -> Observed:
    """The guest state and memory behind a run, for comparison."""
    read = unpack_state(data)
    assert read["zero"] == read["zero_pc"] == 0, "a hidden slot was written"
    ymm = tuple(read[f"xmm{n}"] | read[f"ymm{n}h"] << 128 for n in range(16))
    return Observed(
        {name: read[name] for name in REGISTERS}, rip, s.rflags(read) & FLAGS, (read["fs_base"], read["gs_base"]),
        ymm, mxcsr, x87_image(read), arena, event, address,
        tuple(read[name] for name in s.SEGMENT_NAMES) if mode != 64 else (),
    )  # fmt: skip


@lru_cache(maxsize=64)
def lift(code: bytes, pc: int, by: X86Guest) -> Interpreter:
    """The IR of the instruction that the code begins with, its operands constants."""
    decoded = by.decode(code, pc)
    return _interpreter(lift_form(decoded.row, decoded.statics, decoded, by))


@cache
def lifted_form(row: int, statics: int, by: X86Guest) -> Interpreter:
    """The IR of a form, its operands the fields of a record."""
    return _interpreter(lift_form(row, statics, by=by))


def _interpreter(function: Function) -> Interpreter:
    """One that is given state and memory before each run."""
    return Interpreter(function, state=bytearray(), memory=PagedMemory())


class _Slots:
    """The guest's state and memory, as the services of a CPU see them."""

    def __init__(self, data: bytearray, memory: ArenaMemory) -> None:
        self.data, self.memory = data, memory

    def get_slot(self, name: str) -> int:
        slot = LAYOUT[name]
        return int.from_bytes(self.data[slot.offset : slot.end], "little")

    def set_slot(self, name: str, value: int) -> None:
        slot = LAYOUT[name]
        self.data[slot.offset : slot.end] = (value & slot.type.mask).to_bytes(slot.type.bytes, "little")


def run_constants(case: Case, decoded: Decoded) -> Seen:
    """By the interpreter, over the IR that tier 1 would compile."""

    def bind(decoded: Decoded) -> tuple[Interpreter, dict[str, int]]:
        return lift(case.code[decoded.pc - case.address :], decoded.pc, guest_of(case)), {}

    return _run(case, decoded, bind)


def run_parameters(case: Case, decoded: Decoded) -> Seen:
    """By the interpreter, over the IR of the tier-0 handler."""

    def bind(decoded: Decoded) -> tuple[Interpreter, dict[str, int]]:
        fields = {"pc": decoded.pc, "next_pc": decoded.next_pc, "immediate": decoded.immediate}
        fields |= {"displacement": decoded.displacement}
        fields |= {f"r{number}": value for number, value in enumerate(decoded.registers)}
        return lifted_form(decoded.row, decoded.statics, guest_of(case)), fields

    return _run(case, decoded, bind)


def _run(case: Case, decoded: Decoded, bind: Callable[[Decoded], tuple[Interpreter, dict[str, int]]]) -> Seen:
    """Instruction by instruction, until one of them does not go on within the case's code."""
    data, memory = bytearray(start_of(case)), ArenaMemory(case)
    environment = case.state.mxcsr
    while True:
        run, fields = bind(decoded)
        run.state, run.memory, run.base, run.fields = data, memory, decoded.pc, fields
        run.fenv, run.f80_flags = environment, 0
        fcw, fsw = LAYOUT["fcw"].offset, LAYOUT["fsw"].offset
        run.f80_control = int.from_bytes(data[fcw : fcw + 2], "little")
        outcome = run.run()
        environment = run.fenv
        data[fsw] |= run.f80_flags
        service = guest_of(case).services.get(outcome.reason or "")
        if service:
            service(_Slots(data, memory))
            outcome = Outcome("goto", pc=outcome.pc)
        event, rip = _event(outcome, decoded)
        if event or not case.address <= rip < case.address + len(case.code):
            return Seen(case, bytes(data), memory.changes(), environment, event, outcome.address, rip)
        decoded = guest_of(case).decode(case.code[rip - case.address :], rip)


def _event(outcome: Outcome, decoded: Decoded) -> tuple[str, int]:
    match outcome.kind:
        case "next":
            return "", decoded.next_pc
        case "goto":
            assert outcome.pc is not None
            return "", outcome.pc
        case "fault":
            return "memory", decoded.pc
        case "exception":
            return "simd_exception", decoded.pc
    assert outcome.pc is not None
    return outcome.reason or outcome.kind, outcome.pc + (outcome.reason == "breakpoint")


RUNNERS = (("the interpreter over constants", run_constants), ("the interpreter over a record", run_parameters))
