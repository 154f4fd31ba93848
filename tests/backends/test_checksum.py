"""CRC32C on hosts without an instruction for it."""

from __future__ import annotations

import ctypes
import random
from dataclasses import replace

import pytest

from metaphrase.backends.llvm.codecache import CodeCache
from metaphrase.backends.llvm.compile import compile_text, host
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import link
from metaphrase.ir.evaluate import evaluate
from metaphrase.ir.ops import OPS
from metaphrase.ir.parse import parse_module
from metaphrase.ir.types import I32, parse_type


@pytest.mark.parametrize("type", ["i8", "i16", "i32", "i64"])
def test_bit_by_bit(type: str) -> None:
    [parsed] = parse_module(f"func @f(crc: i32, data: {type}) -> i32 {{\n  ret (crc32c crc, data)\n}}").functions
    module = ModuleWriter(replace(host(), crc32=False))
    module.function(parsed.function, "f")
    text = module.text()
    assert "sse42" not in text
    image = link([compile_text(text)])
    cache = CodeCache(1 << 20)
    call = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64)(
        cache.add(image) + image.symbols["f"]
    )
    choose, data_type = random.Random(type), parse_type(type)
    for _ in range(50):
        crc, data = choose.getrandbits(32), choose.getrandbits(data_type.bits)
        assert call(None, crc, data) == evaluate(OPS["crc32c"], I32, [crc, data], [I32, data_type])
