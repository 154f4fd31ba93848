"""Real-address mode: a virtual machine of KVM that runs one snippet from a given state.

It is the host CPU that runs it, or where that cannot (in machines within machines), the kernel's own interpreter, which
does not know all instructions.

Segments begin with the bases and limits of 16-bit mode (`_segments.py`), as the processor lets them stay until they are
loaded; so the same cases serve. All other memory is HLT, which ends a snippet. An exception goes through the table at
address 0 to a HLT of its own, which tells of it.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import signal
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.oracle._segments import LOCAL
from tests.oracle.native import ARENA, ARENA_SIZE, CODE, CODE_SIZE, REGISTERS, Case, OracleError

LOW_SIZE: Final = 0x11_0000
"""The memory that segments can reach."""
HANDLERS: Final = 0xF000
"""The segment in which interrupt n goes to offset n."""
VECTORS: Final = b"".join(struct.pack("<HH", number, HANDLERS) for number in range(256))
"""The interrupt table, at address 0."""
_HLT: Final = b"\xf4"
_CREATE_VM, _VCPU_MMAP_SIZE, _CREATE_VCPU, _RUN = 0xAE01, 0xAE04, 0xAE41, 0xAE80
_SET_MEMORY, _GET_REGISTERS, _SET_REGISTERS = 0x4020_AE46, 0x8090_AE81, 0x4090_AE82
_GET_SYSTEM, _SET_SYSTEM, _SYSTEM_SIZE = 0x8138_AE83, 0x4138_AE84, 312
_EXIT_REASON, _EXIT_HLT = 8, 5
_ORDER: Final = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", *(f"r{n}" for n in range(8, 16)))
_SEGMENTS: Final = ("cs", "ds", "es", "fs", "gs", "ss")
_SEGMENT: Final = struct.Struct("<QIH10B")
_PRESENT_DATA: Final = (3, 1, 0, 0, 1, 0, 0, 0, 0, 0)
"""Type (accessed, writable), present, DPL, D, S, L, G, AVL, unusable, padding."""


def is_there() -> bool:
    """Whether this host lets its user have virtual machines."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and Path("/dev/kvm").is_char_device()


@dataclass(frozen=True, slots=True)
class Ended:
    """What a snippet left behind. `vector` is that of the interrupt or exception that ended it, None for none."""

    registers: dict[str, int]
    selectors: dict[str, int]
    bases: dict[str, int]
    pc: int
    """Linear."""
    flags: int
    arena: bytes
    vector: int | None
    frame: int
    """Where in the arena an exception was pushed, six bytes."""


class RealMode:
    """A virtual machine with one processor; close it."""

    def __init__(self) -> None:
        system = os.open("/dev/kvm", os.O_RDWR)
        self._machine = fcntl.ioctl(system, _CREATE_VM, 0)
        self._low, self._arena, self._code = (
            self._add(slot, address, size)
            for slot, (address, size) in enumerate(((0, LOW_SIZE), (ARENA, ARENA_SIZE), (CODE, CODE_SIZE)))
        )
        self._low[:] = (VECTORS + _HLT * LOW_SIZE)[:LOW_SIZE]
        self._code[:] = _HLT * CODE_SIZE
        self._cpu = fcntl.ioctl(self._machine, _CREATE_VCPU, 0)
        self._run = mmap.mmap(self._cpu, fcntl.ioctl(system, _VCPU_MMAP_SIZE, 0))
        os.close(system)
        self._system = bytearray(_SYSTEM_SIZE)
        fcntl.ioctl(self._cpu, _GET_SYSTEM, self._system)

    def _add(self, slot: int, address: int, size: int) -> mmap.mmap:
        memory = mmap.mmap(-1, size)
        host = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        fcntl.ioctl(self._machine, _SET_MEMORY, struct.pack("<IIQQQ", slot, 0, address, size, host))
        return memory

    def close(self) -> None:
        os.close(self._cpu)
        os.close(self._machine)

    def run(self, case: Case) -> Ended | None:
        """Run a case, in the code area, until it halts. None if the machine stopped, or cannot do it."""
        self._arena[:] = bytes(ARENA_SIZE)
        for address, data in case.memory.items():
            self._arena[address - ARENA : address - ARENA + len(data)] = data
        at = case.address - CODE
        self._code[at : at + len(case.code)] = case.code
        system = bytearray(self._system)
        selectors = dict(zip(("es", "cs", "ss", "ds", "fs", "gs"), case.selectors, strict=True))
        for number, name in enumerate(_SEGMENTS):
            chosen = selectors[name]
            base, limit = LOCAL[chosen >> 3].base, LOCAL[chosen >> 3].limit
            if name in ("fs", "gs"):
                base, limit = getattr(case.state, f"{name}_base"), 0xFFFF_FFFF
            granular = (*_PRESENT_DATA[:6], int(limit > 0xFFFFF), *_PRESENT_DATA[7:])
            _SEGMENT.pack_into(system, 24 * number, base, limit, chosen, *granular)
        fcntl.ioctl(self._cpu, _SET_SYSTEM, system)
        general = [case.state.registers.get(name, 0) for name in _ORDER]
        flags = case.state.rflags | 0x202
        fcntl.ioctl(self._cpu, _SET_REGISTERS, struct.pack("<18Q", *general, at, flags))
        self._enter()
        reason = int.from_bytes(self._run[_EXIT_REASON : _EXIT_REASON + 4], "little")
        self._code[:] = _HLT * CODE_SIZE  # for CS can be written
        return self._ended() if reason == _EXIT_HLT else None

    def _enter(self) -> None:
        """Run until the machine leaves by itself. Raises OracleError if it does not within a second."""
        before = signal.signal(signal.SIGALRM, lambda number, frame: None)
        signal.setitimer(signal.ITIMER_REAL, 1)
        try:
            fcntl.ioctl(self._cpu, _RUN, 0)
        except InterruptedError:
            raise OracleError("the snippet does not end") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _ended(self) -> Ended:
        data, system = bytearray(144), bytearray(_SYSTEM_SIZE)
        fcntl.ioctl(self._cpu, _GET_REGISTERS, data)
        fcntl.ioctl(self._cpu, _GET_SYSTEM, system)
        *general, pc, flags = struct.unpack("<18Q", data)
        registers = dict(zip(_ORDER, general, strict=True))
        loaded = {name: _SEGMENT.unpack_from(system, 24 * number) for number, name in enumerate(_SEGMENTS)}
        bases, selectors = ({name: values[at] for name, values in loaded.items()} for at in (0, 2))
        arena = bytes(self._arena)
        pc -= 1
        vector = pc if selectors["cs"] == HANDLERS and pc < 256 else None
        frame = bases["ss"] + (registers["rsp"] & 0xFFFF) - ARENA
        return Ended({name: registers[name] for name in REGISTERS}, selectors, bases, bases["cs"] + pc, flags, arena,
                     vector, frame)  # fmt: skip
