"""The reference backend: the IR executed by a plain interpreter, the yardstick of every other backend."""

from __future__ import annotations

from metaphrase.backends.reference.interpreter import Interpreter, InterpreterError, Outcome
from metaphrase.backends.reference.memory import Memory, MemoryFault, PagedMemory

__all__ = ["Interpreter", "InterpreterError", "Memory", "MemoryFault", "Outcome", "PagedMemory"]
