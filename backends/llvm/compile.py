"""LLVM text to object code, through llvmlite, which is imported when there is something to compile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaphrase.ir.errors import MetaphraseError

if TYPE_CHECKING:
    from metaphrase.backends.llvm.host import Host

_lock = threading.Lock()
"""Held around every use of LLVM, and across forks: a child must not inherit LLVM in the middle of something."""
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


_loading_seconds = 0.0
"""What importing LLVM took; 0 as long as it is not."""


class CompileError(MetaphraseError):
    """LLVM rejected what the lowering wrote: a defect of the translator."""


@cache
def host_flags() -> frozenset[str]:
    """The feature flags of the host's CPU as the kernel names them."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()


@cache
def host() -> Host:
    """What the lowering may use of this host."""
    from metaphrase.backends.llvm.host import Host  # what lowers has imported it

    flags = host_flags()
    return Host(
        avx="avx" in flags, fma="fma" in flags, f16c="f16c" in flags, ssse3="ssse3" in flags,
        crc32="sse4_2" in flags, bmi2="bmi2" in flags, aes="aes" in flags,
        pclmulqdq="pclmulqdq" in flags, sha="sha_ni" in flags, gfni="gfni" in flags,
    )  # fmt: skip


_TUNING = ("-slow-3ops-lea",)
"""LLVM takes LEA with three operands for slow, as processors of ten years ago were, and writes two instructions."""


@cache
def features() -> str:
    """LLVM's feature string: what the host has of the extensions that pay (256-bit vectors at most)."""
    names = {
        "sse3": "pni", "ssse3": "ssse3", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "crc32": "sse4_2", "popcnt": "popcnt",
        "avx": "avx", "avx2": "avx2", "bmi": "bmi1", "bmi2": "bmi2", "lzcnt": "abm", "movbe": "movbe", "cx16": "cx16",
        "fma": "fma", "f16c": "f16c", "adx": "adx", "aes": "aes", "pclmul": "pclmulqdq", "sha": "sha_ni",
        "gfni": "gfni",
    }  # fmt: skip
    flags = host_flags()
    has = [f"+{llvm_name}" for llvm_name, flag in names.items() if flag in flags]
    return ",".join([*has, *_TUNING])


@cache
def _binding() -> Any:
    global _loading_seconds
    begin = time.perf_counter()
    import llvmlite.binding as llvm  # slow to import: not needed while everything comes from the cache

    # LLVM would turn a conditional move from memory into a branch around the load, which then could not fault.
    llvm.set_option("metaphrase", "-x86-cmov-converter-force-mem-operand=0")
    # It would keep a variable per loop for each value that only an exit computes from the others.
    llvm.set_option("metaphrase", "-disable-lsr")
    # Of functions with a profile, what is seldom run becomes a section of its own.
    llvm.set_option("metaphrase", "-enable-split-machine-functions")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()
    _loading_seconds = time.perf_counter() - begin
    return llvm


def load() -> None:
    """Import LLVM and set it up, if that is not done yet: it takes as long as compiling several regions."""
    with _lock:
        _binding()


def is_loaded() -> bool:
    """Whether LLVM has been needed in this process."""
    return _loading_seconds > 0


def loading_seconds() -> float:
    """What importing LLVM and setting it up took in this process; 0 if nothing has had to be compiled."""
    return _loading_seconds


@cache
def _target_machine(level: int, extensions: str) -> Any:
    llvm = _binding()
    target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
    return target.create_target_machine(cpu="x86-64", features=extensions, opt=level, reloc="pic", codemodel="small")


@contextmanager
def parsed(text: str) -> Iterator[Any]:
    """The verified LLVM module of `text`. Raises CompileError with LLVM's words.

    It has an LLVM context of its own, which would keep every constant that is ever met otherwise. Both are closed here
    and not left to the collector: LLVM is entered under the lock only, or a fork could find it busy.
    """
    llvm = _binding()
    with closing(llvm.create_context()) as context:
        try:
            module = llvm.parse_assembly(text, context)
            module.triple = "x86_64-unknown-linux-gnu"
            module.verify()
        except RuntimeError as error:
            raise CompileError(f"LLVM rejects generated code: {error}\n{_lines_of(text, str(error))}") from error
        with closing(module):
            yield module


def _lines_of(text: str, message: str) -> str:
    """The lines around the one that LLVM complains of."""
    for word in message.replace(":", " ").split():
        if word.isdigit() and 0 < int(word) <= text.count("\n") + 1:
            number = int(word)
            lines = text.splitlines()[max(0, number - 3) : number + 1]
            return "\n".join(lines)
    return ""


@cache
def _pass_manager(passes: tuple[str, ...], level: int, extensions: str) -> tuple[Any, Any]:
    """What runs some passes. Made once: llvmlite 0.50 never frees a part of each (`tests/backends/test_compile.py`)."""
    llvm = _binding()
    machine = _target_machine(level, extensions)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=level))
    manager = llvm.create_new_function_pass_manager()
    for name in passes:
        getattr(manager, f"add_{name}_pass")()
    return manager, builder


def optimise(module: Any, passes: tuple[str, ...], level: int = 2, extensions: str | None = None) -> None:
    """Run named passes (of llvmlite's new pass manager, without `add_` and `_pass`) over every function."""
    manager, builder = _pass_manager(passes, level, features() if extensions is None else extensions)
    for function in module.functions:
        if not function.is_declaration:
            manager.run(function, builder)


HANDLER_PASSES = ("instruction_combine", "simplify_cfg")
RUNTIME_PASSES = ("sroa", "instruction_combine", "simplify_cfg", "new_gvn", "simplify_cfg")
REGION_PASSES = ("sroa", "instruction_combine", "simplify_cfg", "sinking")
"""The IR comes with common subexpressions merged: numbering values again (GVN) would cost more than it finds."""

REGION_LEVEL = 1
"""The code generator's level for regions: 2 compiles more slowly, and its code is no faster."""


def compile_text(text: str, passes: tuple[str, ...] = (), level: int = 2, extensions: str | None = None) -> bytes:
    """An object file for LLVM text, after `passes`; `level` is that of the code generator. Safe from any thread.

    `extensions` are those that code may use, as LLVM's feature string; the host's (`features`) if none is given.
    """
    extensions = features() if extensions is None else extensions
    with _lock, parsed(text) as module:
        if passes:
            optimise(module, passes, level, extensions)
        return bytes(_target_machine(level, extensions).emit_object(module))


def assembly(text: str, passes: tuple[str, ...] = (), level: int = 2) -> str:
    """Host assembly of LLVM text, for people."""
    with _lock, parsed(text) as module:
        if passes:
            optimise(module, passes, level)
        return str(_target_machine(level, features()).emit_assembly(module))


def optimised(text: str, passes: tuple[str, ...], level: int = 2) -> str:
    """The LLVM text after `passes`, for people."""
    with _lock, parsed(text) as module:
        optimise(module, passes, level)
        return str(module)
