"""The reference backend: the IR executed in Python, the yardstick of every other backend."""

from __future__ import annotations

from metaphrase.backends.reference.interpreter import Interpreter
from metaphrase.backends.reference.memory import Memory, MemoryFault, PagedMemory
from metaphrase.backends.reference.outcome import InterpreterError, Outcome

__all__ = ["Interpreter", "InterpreterError", "Memory", "MemoryFault", "Outcome", "PagedMemory"]
