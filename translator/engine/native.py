"""What the process has once: executable memory, the signal handler, each guest's compiled runtime."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterable
from functools import cache

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.codecache import CodeCache
from metaphrase.backends.llvm.objects import Image
from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.engine.cache import Cache
from metaphrase.translator.engine.host_memory import HostBlock
from metaphrase.translator.guest import Guest

_MAX_THREADS = (context.ROOT_LEADER - context.ROOT_ENTRIES) // 16
_MARKS = 2
"""Functions of the runtime that know the roots' address."""
_SA_SIGINFO, _SA_ONSTACK, _SA_RESTORER = 4, 0x08000000, 0x04000000


class _Sigaction(ctypes.Structure):
    """glibc's struct sigaction."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


class Roots:
    """The only addresses that compiled code holds: which thread runs which guest, and whose signals are others'."""

    def __init__(self) -> None:
        self.block = HostBlock(context.ROOTS_SIZE)
        self.lock = threading.Lock()
        self.states: list[int] = []
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.pthread_self.restype = ctypes.c_void_p
        self.installed = False
        self.installed_for_floats = False

    def attach(self, state: int) -> None:
        """Say that this thread runs the guest whose state lies at `state`, and no other that it ran before."""
        thread = int(self._libc.pthread_self() or 0)
        with self.lock:
            entries = context.ROOT_ENTRIES
            count = self.block.u64(context.ROOT_THREADS)
            for index in range(count):  # one entry a thread, changed by one store: handlers of others read the table
                if self.block.u64(entries + 16 * index) == thread:
                    self.block.put_u64(entries + 16 * index + 8, state)
                    return
            for index in range(count):
                if self.block.u64(entries + 16 * index + 8) in (state, 0):
                    self.block.put_u64(entries + 16 * index + 8, state)
                    self.block.put_u64(entries + 16 * index, thread)
                    return
            if count == _MAX_THREADS:
                raise MetaphraseError(f"{count} guest CPUs exist in this process already; close some")
            self.block.put_u64(entries + 16 * count, thread)
            self.block.put_u64(entries + 16 * count + 8, state)
            self.block.put_u64(context.ROOT_THREADS, count + 1)

    def detach(self, state: int) -> None:
        """Forget a state, which its thread runs no more. No entry is moved: a handler may be looking for its own."""
        with self.lock:
            entries = context.ROOT_ENTRIES
            for index in range(self.block.u64(context.ROOT_THREADS)):
                if self.block.u64(entries + 16 * index + 8) == state:
                    self.block.put_u64(entries + 16 * index, 0)
                    self.block.put_u64(entries + 16 * index + 8, 0)
            if self.block.u64(context.ROOT_LEADER) == state:
                self.lead(0)

    def after_fork(self, state: int) -> None:
        """In the child of a fork, whose only thread runs the guest at `state`."""
        self.lock = threading.Lock()
        self.block.put_u64(context.ROOT_THREADS, 0)
        self.attach(state)
        self.lead(state)

    def lead(self, state: int) -> None:
        """Say which CPU is to leave guest code when a signal has come from outside."""
        self.block.put_u64(context.ROOT_LEADER, state)

    def install(self, handler: int) -> None:
        """Make `handler` the action of SIGSEGV and SIGBUS, remembering the one before."""
        if not self.installed:
            self.installed = True
            self._install(handler, (signal.SIGSEGV, signal.SIGBUS))

    def install_for_floats(self, handler: int) -> None:
        """Make `handler` the action of SIGFPE too: some guest has unmasked floating-point exceptions."""
        if not self.installed_for_floats:
            self.installed_for_floats = True
            self._install(handler, (signal.SIGFPE,))

    def _install(self, handler: int, numbers: Iterable[signal.Signals]) -> None:
        for number in numbers:
            new, old = _Sigaction(), _Sigaction()
            new.handler, new.flags = handler, _SA_SIGINFO | _SA_ONSTACK
            if self._libc.sigaction(int(number), ctypes.byref(new), ctypes.byref(old)):
                raise MetaphraseError(f"cannot handle {number.name}: errno {ctypes.get_errno()}")
            if number == signal.SIGSEGV:
                self.block.put_u64(context.ROOT_PREVIOUS, old.handler or 0)


class Runtime:
    """A guest's compiled runtime: entry points by name, as host addresses."""

    def __init__(self, guest: Guest, code: CodeCache, cache: Cache) -> None:
        image = cache.load_image("runtime")
        if image is None:
            from metaphrase.translator.engine.runtime_code import compile_runtime  # slow to import, and seldom missing

            image = compile_runtime(guest)
            cache.store_image("runtime", image)
        mark = context.ROOTS_MARK.to_bytes(8, "little")
        if image.code.count(mark) != _MARKS:
            raise MetaphraseError(f"the native runtime does not hold the mark of its roots exactly {_MARKS} times")
        placed = image.code.replace(mark, roots().block.address.to_bytes(8, "little"))
        self.base = code.add(Image(placed, image.symbols, image.alignment))
        self.size = len(placed)
        self.symbols = {name: self.base + offset for name, offset in image.symbols.items()}
        self.enter = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)(self.symbols["enter"])
        self.link_block = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(self.symbols["link_block"])
        forget = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)
        self.forget = forget(self.symbols["forget"])
        exchange = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
        self.compare_exchange = exchange(self.symbols["compare_exchange"])
        call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, *[ctypes.c_uint64] * 7)
        self.interruptible_call = call(self.symbols["interruptible_call"])

    def contains(self, address: int) -> bool:
        return self.base <= address < self.base + self.size


@cache
def roots() -> Roots:
    """The process's roots."""
    return Roots()


@cache
def code_cache() -> CodeCache:
    """The process's executable memory."""
    return CodeCache()
