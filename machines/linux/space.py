"""How a process's address space is laid out: program, heap, mappings, stack."""

from __future__ import annotations

import os
import resource
from errno import EEXIST, ENOMEM

from metaphrase.machines.linux.host import PROT_EXEC, PROT_READ, PROT_WRITE
from metaphrase.machines.linux.memory import PAGE_SIZE, Window, page_up

#: No mapping lies below this (vm.mmap_min_addr), so that null pointers with small offsets fault.
LOWEST_ADDRESS = 0x10000
STACK_NAME = "[stack]"
"""What the region of the first thread's stack is called."""
_STACK_GUARD = 1 << 20
_SMALLEST_STACK_AREA = 128 << 20
_SMALLEST_STACK = 256 << 10
_DEFAULT_STACK = 8 << 20
_LARGEST_STACK = 1 << 30


class AddressSpace:
    """Places for things in a window, from the top: stack, mappings growing down, heap growing up from the program.

    Addresses are the same in every run unless `randomize` is set: debugging and caching like it so.
    """

    def __init__(self, window: Window, *, randomize: bool = False) -> None:
        self.window = window
        #: No mapping reaches beyond this: as under Linux, the last page stays free.
        self.end = window.size - PAGE_SIZE
        self._randomizes = randomize
        self.reset()

    def reset(self, stack_limit: int | None = None) -> None:
        """An empty address space, as execve leaves it; the host's limit bounds the stack unless another is given."""
        if stack_limit is None:
            stack_limit, _ = resource.getrlimit(resource.RLIMIT_STACK)
        if not 0 <= stack_limit < 1 << 63:
            stack_limit = _DEFAULT_STACK
        self.stack_size = page_up(min(max(stack_limit, _SMALLEST_STACK), _LARGEST_STACK))
        self.stack_top = self.end - self._slide(22)
        area = max(self.stack_size + _STACK_GUARD, min(_SMALLEST_STACK_AREA, self.window.size >> 4))
        self.mapping_top = self.stack_top - area - self._slide(28)
        # Two thirds up, or one where mappings would be short of room.
        thirds = 2 if self.window.size > 1 << 32 else 1
        self.program_base = (self.window.size // 3 * thirds & -(2 << 20)) + self._slide(28)
        self.break_start = self.break_end = 0
        #: Segments of System V's shared memory by where they are mapped: their lengths.
        self.segments: dict[int, int] = {}

    def _slide(self, pages_bits: int) -> int:
        if not self._randomizes or self.window.size < 1 << 46:
            return 0
        return (int.from_bytes(os.urandom(8), "little") & (1 << pages_bits) - 1) * PAGE_SIZE

    def random_bytes(self) -> bytes:
        """What AT_RANDOM points to."""
        return os.urandom(16) if self._randomizes else bytes(range(0x4D, 0x5D))

    def map_stack(self, executable: bool) -> int:
        """Map the initial stack: its top."""
        protection = PROT_READ | PROT_WRITE | (PROT_EXEC if executable else 0)
        self.window.map_anonymous(self.stack_top - self.stack_size, self.stack_size, protection, name=STACK_NAME)
        return self.stack_top

    def start_break(self, end_of_program: int) -> None:
        """The heap starts behind the program."""
        self.break_start = self.break_end = page_up(end_of_program) + self._slide(13)

    def set_break(self, value: int) -> int:
        """brk(2): the new end of the heap, or the old one when that cannot be had."""
        if value < self.break_start:
            return self.break_end
        old, new = page_up(self.break_end), page_up(value)
        try:
            if new > old:
                if new > self.end or self.window.regions.overlapping(old, new + PAGE_SIZE):
                    return self.break_end
                self.window.map_anonymous(old, new - old, PROT_READ | PROT_WRITE, name="[heap]")
            elif new < old:
                self.window.unmap(new, old - new)
        except OSError:
            return self.break_end
        self.break_end = value
        return value

    def place(self, hint: int, length: int, *, low: bool = False) -> int:
        """A free place for a mapping: at the hint if that is free, else the highest one; `low`: below 2 GiB."""
        regions = self.window.regions
        hint = page_up(hint)
        if (
            hint >= LOWEST_ADDRESS
            and hint + length <= self.end
            and not regions.overlapping(hint, hint + length)
        ):
            return hint
        if low:
            start = regions.gap_above(0x4000_0000, length, 0x8000_0000)
        else:
            start = regions.gap_below(self.mapping_top, length, LOWEST_ADDRESS)
        if start is None:
            raise OSError(ENOMEM, "no free range of that size")
        return start

    def place_fixed(self, start: int, length: int, *, replace: bool) -> int:
        """Check a place that the guest insists on."""
        if start < LOWEST_ADDRESS or start + length > self.end:
            raise OSError(ENOMEM, "outside the address space")
        if not replace and self.window.regions.overlapping(start, start + length):
            raise OSError(EEXIST, "something is mapped there")
        return start
