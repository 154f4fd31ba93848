"""Ops that hosts have instructions for: by those, and by what they stand for, they give what the reference gives."""

from __future__ import annotations

import ctypes
import random
from dataclasses import fields, replace

import pytest

from metaphrase.backends.llvm.codecache import CodeCache
from metaphrase.backends.llvm.compile import compile_text, host
from metaphrase.backends.llvm.host import Host
from metaphrase.backends.llvm.instructions import INSTRUCTIONS, is_there
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import link
from metaphrase.ir.evaluate import evaluate, from_bits, to_bits
from metaphrase.ir.graph import Function, Terminator
from metaphrase.ir.ops import OPS
from metaphrase.ir.types import I32, I64, VOID, Type, parse_type

BARE = replace(host(), **{field.name: False for field in fields(Host) if field.name not in ("avx", "fma")})
CASES = 12


def types_of(name: str) -> list[Type]:
    bound = OPS[name].bound
    return [parse_type(bound)] if bound else [I32, I64]


def on_memory(name: str, type: Type) -> Function:
    """The op on values in memory: (result, operands...), all addresses."""
    op = OPS[name]
    function = Function("f", None, [I64] * (1 + len(op.operands)), VOID)
    block = function.block()
    places = [function.pure(OPS["arg"], I64, (), number) for number in range(1 + len(op.operands))]
    values = tuple(function.effect(block, OPS["peek"], type, (place,)) for place in places[1:])
    function.effect(block, OPS["poke"], VOID, (places[0], function.pure(op, type, values)))
    block.terminator = Terminator(OPS["ret"], ())
    return function


@pytest.mark.parametrize("features", [host(), BARE], ids=["instructions", "expansions"])
@pytest.mark.parametrize("name", sorted(INSTRUCTIONS))
def test_native_code_agrees(name: str, features: Host) -> None:
    rng = random.Random(name)
    for type in types_of(name):
        module = ModuleWriter(features)
        module.function(on_memory(name, type), "f")
        text = module.text()
        assert ("llvm.x86" in text) == is_there(name, features)
        image = link([compile_text(text)])
        size, count = type.bytes, len(OPS[name].operands)
        memory = ctypes.create_string_buffer(size * (count + 1))
        start = ctypes.addressof(memory)
        with CodeCache(1 << 20) as cache:
            kinds = [ctypes.c_void_p, *[ctypes.c_uint64] * (count + 1)]
            call = ctypes.CFUNCTYPE(None, *kinds)(cache.add(image) + image.symbols["f"])
            for _ in range(CASES):
                operands = [from_bits(type, rng.getrandbits(type.bits)) for _ in range(count)]
                for number, operand in enumerate(operands, 1):
                    data = to_bits(type, operand).to_bytes(size, "little")
                    ctypes.memmove(start + number * size, data, size)
                call(None, *(start + number * size for number in range(count + 1)))
                expected = to_bits(type, evaluate(OPS[name], type, operands, [type] * count))
                assert int.from_bytes(memory.raw[:size], "little") == expected
