"""The engine: two tiers of native code behind one CPU object."""

from __future__ import annotations

from metaphrase.translator.engine.cpu import NativeCpu

__all__ = ["NativeCpu"]
