"""The code of a guest's runtime: the engine's own functions, with those that the guest describes."""

from __future__ import annotations

from metaphrase.backends.llvm import runtime
from metaphrase.backends.llvm.compile import RUNTIME_PASSES, compile_text, host
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import Image, link
from metaphrase.translator.guest import Guest


def compile_runtime(guest: Guest) -> Image:
    """The runtime with the guest's decoder, and what settles its deferred slots."""
    writer = ModuleWriter(host())
    writer.function(guest.decoder(), "decode")
    settler = guest.settler()
    if settler is not None:
        writer.function(settler, "settle")
    writer.add(runtime.source(guest.layout))
    return link([compile_text(writer.text(), RUNTIME_PASSES)])
