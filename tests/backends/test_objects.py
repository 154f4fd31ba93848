"""The object loader and the code cache: LLVM IR is compiled, linked, loaded and called through ctypes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from metaphrase.backends.llvm.codecache import LINE, CodeCache, CodeCacheError, CodeCacheFull
from metaphrase.backends.llvm.compile import compile_text
from metaphrase.backends.llvm.guarded import Place, form_of, guarded_load
from metaphrase.backends.llvm.objects import PAGE, Image, LinkError, link
from metaphrase.ir.types import I64

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
llvm.initialize_native_asmparser()


def compile_object(text: str, opt: int = 2, reloc: str = "pic") -> bytes:
    target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
    machine = target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=opt,
        reloc=reloc,
        codemodel="small",
    )
    return machine.emit_object(llvm.parse_assembly('target triple = "x86_64-unknown-linux-gnu"\n' + text))


@pytest.fixture
def cache() -> Iterator[CodeCache]:
    with CodeCache(1 << 20) as reservation:
        yield reservation


def call(cache: CodeCache, image: Image, name: str, *arguments: int) -> int:
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * len(arguments))
    return int(function(cache.add(image) + image.symbols[name])(*arguments))


TABLE = """
@table = private constant [4 x i64] [i64 1, i64 20, i64 300, i64 4000]
define i64 @look_up(i64 %x) nounwind {
  %slot = getelementptr [4 x i64], ptr @table, i64 0, i64 %x
  %value = load i64, ptr %slot
  ret i64 %value
}"""


def test_constant_table(cache: CodeCache) -> None:
    image = link([compile_object(TABLE)])
    assert list(image.symbols) == ["look_up"]
    assert [call(cache, image, "look_up", i) for i in range(4)] == [1, 20, 300, 4000]


def test_calls_between_objects_both_ways(cache: CodeCache) -> None:
    even = """declare i64 @odd(i64)
    define i64 @even(i64 %x) nounwind noinline {
      %zero = icmp eq i64 %x, 0
      br i1 %zero, label %yes, label %no
    yes: ret i64 1
    no:
      %less = sub i64 %x, 1
      %result = call i64 @odd(i64 %less)
      %not_tail = add i64 %result, 0
      ret i64 %result
    }"""
    odd = (
        even.replace("ret i64 1", "ret i64 0").replace("@odd", "@ODD").replace("@even", "@odd").replace("@ODD", "@even")
    )
    image = link([compile_object(even, 0), compile_object(odd, 0)])
    assert [call(cache, image, "even", i) for i in range(5)] == [1, 0, 1, 0, 1]


def test_tail_call_of_handlers(cache: CodeCache) -> None:
    first = """declare ghccc void @second(i64, ptr)
    define ghccc void @first(i64 %x, ptr %out) nounwind {
      %more = add i64 %x, 1
      musttail call ghccc void @second(i64 %more, ptr %out)
      ret void
    }
    define i64 @enter(i64 %x, ptr %out) nounwind {
      call ghccc void @first(i64 %x, ptr %out)
      %result = load i64, ptr %out
      ret i64 %result
    }"""
    second = "define ghccc void @second(i64 %x, ptr %out) nounwind { store i64 %x, ptr %out ret void }"
    out = ctypes.c_uint64()
    image = link([compile_object(first), compile_object(second)])
    assert call(cache, image, "enter", 41, ctypes.addressof(out)) == 42


@pytest.mark.parametrize("opt", [0, 2])
def test_address_of_a_function_needs_no_table(cache: CodeCache, opt: int) -> None:
    source = """declare i64 @callee(i64)
    define i64 @address() nounwind { ret i64 ptrtoint (ptr @callee to i64) }
    define i64 @indirect(i64 %x) nounwind {
      %target = select i1 true, ptr @callee, ptr null
      %result = call i64 %target(i64 %x)
      ret i64 %result
    }"""
    image = link([compile_object(source, opt), compile_object("define i64 @callee(i64 %x) { ret i64 %x }", opt)])
    base = cache.add(image)
    assert ctypes.CFUNCTYPE(ctypes.c_uint64)(base + image.symbols["address"])() == base + image.symbols["callee"]
    assert call(cache, image, "indirect", 7) == 7


@pytest.mark.parametrize("attributes", ["nounwind", "nounwind nonlazybind"])
def test_nonlazy_call_goes_direct(cache: CodeCache, attributes: str) -> None:
    source = f"""declare i64 @callee(i64) {attributes}
    define i64 @caller(i64 %x) nounwind {{ %r = call i64 @callee(i64 %x) %s = add i64 %r, 1 ret i64 %s }}
    define i64 @jumper(i64 %x) nounwind {{ %r = tail call i64 @callee(i64 %x) ret i64 %r }}"""
    image = link([compile_object(source), compile_object("define i64 @callee(i64 %x) { ret i64 %x }")])
    assert call(cache, image, "caller", 7) == 8
    assert call(cache, image, "jumper", 7) == 7


def test_jump_table(cache: CodeCache) -> None:
    arms = "\n".join(f'a{i}: call void asm sideeffect "nop", ""() br label %out' for i in range(12))
    source = f"""define i64 @pick(i64 %x) nounwind {{
      switch i64 %x, label %other [ {" ".join(f"i64 {i}, label %a{i}" for i in range(12))} ]
      {arms}
    other: ret i64 99
    out:
      %arm = phi i64 [ {" ], [ ".join(f"{i * i + 1}, %a{i}" for i in range(12))} ]
      %value = mul i64 %arm, %x
      ret i64 %value
    }}"""
    image = link([compile_object(source)])
    assert [call(cache, image, "pick", i) for i in (0, 1, 5, 11, 12)] == [0, 2, 130, 1342, 99]


def test_vector_constants_keep_their_alignment(cache: CodeCache) -> None:
    lanes = ", ".join(f"i32 {3 * i + 1}" for i in range(16))
    source = f"""define void @scale(ptr %in, ptr %out) nounwind "prefer-vector-width"="512" {{
      %vector = load <16 x i32>, ptr %in, align 4
      %product = mul <16 x i32> %vector, <{lanes}>
      store <16 x i32> %product, ptr %out, align 4
      ret void
    }}"""
    padding = "define i64 @pad() { ret i64 1 }"
    image = link([compile_object(padding), compile_object(source)])
    assert image.alignment >= 32
    data, out = (ctypes.c_uint32 * 16)(*range(16)), (ctypes.c_uint32 * 16)()
    call(cache, image, "scale", ctypes.addressof(data), ctypes.addressof(out))
    assert list(out) == [i * (3 * i + 1) for i in range(16)]


def test_the_table_of_faults(cache: CodeCache) -> None:
    """It says where each guarded access lies and where it goes on, at any address, and is found by any line of code."""
    load = guarded_load(form_of(I64, avx=False), I64, Place("%p"), "%v", "done", "fault")  # type: ignore[arg-type]
    padding = "\n".join(['call void asm sideeffect ".fill 3000, 1, 0x90", ""()'] * 3)
    image = link([compile_object(f"""
define i64 @guarded(ptr %p) nounwind {{
{padding}
{chr(10).join(load)}
  ret i64 %v
fault:
  ret i64 77
}}
!0 = !{{!"branch_weights", i32 100000, i32 1}}""")])
    [to_access, to_resume, end] = struct.unpack_from("<iii", image.code, image.faults)
    access, resume = image.faults + to_access, image.faults + 4 + to_resume
    assert image.code[access] == 0x65, "a GS prefix"
    assert image.code[resume : resume + 5] == b"\xb8\x4d\0\0\0", "mov eax, 77"
    assert end == 0 and len(image.code) == image.faults + 12
    base = cache.add(image)
    first, lines = (base - cache.base) // LINE, len(image.code) // LINE + 1
    words = (ctypes.c_uint64 * (first + lines + 1)).from_address(cache.faults)
    assert list(words[first:]) == [base + image.faults] * lines + [0]
    cache.release(base)
    assert not any(words)


def test_weak_functions_merge() -> None:
    weak = compile_object(
        """define linkonce_odr i64 @f() { ret i64 1 }
        define i64 @address() { ret i64 ptrtoint (ptr @f to i64) }"""
    )
    weak_too = compile_object("define weak i64 @f() { ret i64 2 }")
    strong = compile_object("define i64 @f() { ret i64 3 }")
    assert link([weak, weak_too]).symbols["f"] == link([weak]).symbols["f"]
    assert link([weak, strong]).symbols == {**link([weak]).symbols, "f": link([weak, strong]).symbols["f"]}
    with pytest.raises(LinkError, match="symbol f is defined by two"):
        link([strong, strong])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("declare i64 @gone(i64)\ndefine i64 @f() { %r = call i64 @gone(i64 1) ret i64 %r }", "symbol gone is not"),
        ("@cell = global i64 5\ndefine i64 @f() { %r = load i64, ptr @cell ret i64 %r }", r"\.data is writable"),
        ("@cell = global i64 0\ndefine i64 @f() { %r = load i64, ptr @cell ret i64 %r }", r"\.bss is writable"),
        ("define i64 @f() { ret i64 5 }\n@pointers = constant [1 x ptr] [ptr @f]", r"\.data\.rel\.ro is writable"),
        ("define i64 @f(i128 %x, i128 %y) { %q = udiv i128 %x, %y %r = trunc i128 %q to i64 ret i64 %r }", "__udivti3"),
    ],
)
def test_what_cannot_be_linked(text: str, message: str) -> None:
    with pytest.raises(LinkError, match=message):
        link([compile_object(text)])


def test_absolute_relocations_are_named() -> None:
    text = "define i64 @f() { ret i64 5 }\n@pointers = constant [1 x ptr] [ptr @f]"
    with pytest.raises(LinkError, match=r"refers to f by R_X86_64_64"):
        link([compile_object(text, reloc="static")])


def test_damaged_objects_are_errors() -> None:
    good = compile_object(TABLE)
    for size in range(0, len(good) - 1, 7):
        with pytest.raises(LinkError):
            link([good[:size]])
    random_bytes = random.Random(5)
    for _ in range(2000):
        flipped = bytearray(good)
        flipped[random_bytes.randrange(len(good))] ^= 1 << random_bytes.randrange(8)
        with contextlib.suppress(LinkError):
            link([bytes(flipped)])
    with pytest.raises(LinkError, match="not a relocatable"):
        link([b"\x7fELF\x01" + good[5:]])


def test_linking_is_fast() -> None:
    body = "\n".join(
        f"define i64 @f{i}(i64 %x) nounwind {{ %y = call i64 @f{i * 7 % 400}(i64 %x) %z = add i64 %y, {i} ret i64 %z }}"
        for i in range(400)
    )
    data = compile_object(body)
    best = min(_seconds(lambda: link([data])) for _ in range(20))
    assert best * 20_000 / len(data) < 2e-3  # a loose bound, for a loaded machine; 0.3 ms is the aim


def _seconds(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


# --- the code cache ---------------------------------------------------------------------------------------------------


def _image(pages: int, fill: int = 0xC3) -> Image:
    return Image(bytes([fill]) * (PAGE * pages - 8), {})


def test_free_stretches_merge_and_are_reused(cache: CodeCache) -> None:
    a, b, c, d = (cache.add(_image(n)) for n in (1, 2, 3, 250))
    assert (a, b, c, d) == (cache.base, cache.base + PAGE, cache.base + 3 * PAGE, cache.base + 6 * PAGE)
    assert cache.used == cache.capacity
    with pytest.raises(CodeCacheFull, match="4096 contiguous bytes"):
        cache.add(_image(1))
    cache.release(a)
    cache.release(c)
    assert cache.used == 252 * PAGE
    assert cache.add(_image(2)) == c
    cache.release(c)
    cache.release(b)  # joins both neighbours
    assert cache.add(_image(6)) == a
    with pytest.raises(CodeCacheError, match="not an image"):
        cache.release(b)
    assert cache.contains(a) and cache.contains(d + 5) and not cache.contains(cache.base + cache.capacity)


def test_images_lie_close_together(cache: CodeCache) -> None:
    """Were each on a page of its own, their first lines would all have the same few places in the host's caches."""
    small = Image(bytes([0xC3]) * 100, {})
    first, second, third = (cache.add(small) for _ in range(3))
    assert (second - first, third - second, cache.used) == (128, 128, 384)
    cache.release(second)
    assert ctypes.CFUNCTYPE(None)(first)() is None
    assert ctypes.CFUNCTYPE(None)(third)() is None
    aligned = cache.add(Image(b"\xc3", {}, 256))
    assert aligned % 256 == 0
    assert cache.add(small) == second


_SELDOM = """
define i64 @f(i64 %x) nounwind !prof !1 {
  %likely = icmp ult i64 %x, 1000
  br i1 %likely, label %yes, label %no, !prof !0
yes:
  %sum = phi i64 [%x, %0], [%less, %no]
  %more = add i64 %sum, 7
  ret i64 %more
no:
  %less = call i64 @g(i64 %x)
  br label %yes
}
define internal i64 @g(i64 %x) noinline nounwind {
  %half = lshr i64 %x, 1
  ret i64 %half
}
!0 = !{!"branch_weights", i32 100000, i32 1}
!1 = !{!"function_entry_count", i64 1000}
"""


def test_what_is_seldom_run_lies_apart(cache: CodeCache) -> None:
    image = link([compile_text(_SELDOM)])
    assert image.cold % 64 == 0 and 0 < image.cold < len(image.code) and len(image.crossings) >= 2
    first, second = cache.add(image), cache.add(image)
    assert second - first < len(image.code), "the seldom part is not between them"
    for base in (first, second):
        function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(base + image.symbols["f"])
        assert [function(x) for x in (0, 999, 1000, 5000)] == [7, 1006, 507, 2507]
    end = cache.base + cache.capacity
    assert cache.image_at(first + 1) == first and cache.image_at(end - 1) == first
    assert cache.image_at(end - 65) == second and cache.image_at(cache.base + cache.capacity // 2) is None
    used = cache.used
    assert cache.release(first) == used // 2 == cache.used
    assert cache.image_at(end - 1) is None
    assert cache.add(image) == first
    cache.release(first)
    cache.release(second)
    assert cache.used == 0


def test_the_table_of_faults_of_code_in_two_parts(cache: CodeCache) -> None:
    """An access that is run often goes on, if it faults, where code lies apart that is seldom run."""
    load = guarded_load(form_of(I64, avx=False), I64, Place("%p", 8), "%v", "done", "fault")  # type: ignore[arg-type]
    image = link([compile_text(f"""
define i64 @guarded(i64 %p) nounwind !prof !1 {{
{chr(10).join(load)}
  ret i64 %v
fault:
  ret i64 77
}}
!0 = !{{!"branch_weights", i32 100000, i32 1}}
!1 = !{{!"function_entry_count", i64 1000}}""")])
    assert 0 < image.cold < image.faults
    cache.add(image)
    base = cache.add(image)
    lines = (ctypes.c_uint64 * (cache.capacity // LINE)).from_address(cache.faults)
    table = lines[(base - cache.base) // LINE]
    assert table in range(cache.base + cache.capacity // 2, cache.base + cache.capacity)
    assert lines[(table - cache.base) // LINE] == table, "that part has it too"
    to_access, to_resume, end = struct.unpack("<iii", ctypes.string_at(table, 12))
    assert ctypes.string_at(table + to_access, 5) == b"\x65\x48\x8b\x47\x08" and end == 0, "mov rax, gs:[rdi + 8]"
    assert base <= table + to_access < base + image.cold
    assert ctypes.string_at(table + 4 + to_resume, 5) == b"\xb8\x4d\0\0\0", "mov eax, 77"
    cache.release(base)
    assert not lines[(table - cache.base) // LINE]


def test_a_part_that_finds_no_room_leaves_nothing(cache: CodeCache) -> None:
    image = link([compile_text(_SELDOM)])
    free = cache.capacity - PAGE
    cache.add(_image(free // PAGE))
    small = Image(bytes([0xC3]) * 64, {})
    for _ in range(PAGE // 64 - 1):
        cache.add(small)
    used = cache.used
    with pytest.raises(CodeCacheFull):
        cache.add(image)
    assert cache.used == used


def test_what_is_not_used_cannot_be_touched(cache: CodeCache) -> None:
    used, freed = cache.add(_image(2)), cache.add(_image(1))
    cache.release(freed)
    permissions = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, _, rest = line.partition("-")
        if cache.contains(int(start, 16)):
            permissions[int(start, 16)] = rest.split()[1]
    assert permissions == {used: "rwxp", freed: "---p"}


def test_a_file_is_mapped_and_run(cache: CodeCache, tmp_path: Path) -> None:
    image = link([compile_object(TABLE)])
    path = tmp_path / "image"
    path.write_bytes(b"header".ljust(PAGE, b"\0") + image.code)
    base = cache.map_file(path, PAGE, len(image.code))
    assert ctypes.string_at(base, len(image.code)) == image.code
    assert ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(base + image.symbols["look_up"])(2) == 300
    cache.release(base)
    assert cache.used == 0
    with pytest.raises(CodeCacheError, match="wanted, but the file has"):
        cache.map_file(path, PAGE, len(image.code) + 1)
    with pytest.raises(CodeCacheError, match="pad it to a page"):
        cache.map_file(path, 8, 8)
    assert cache.used == 0


def test_a_child_adds_without_the_parent_seeing_it(cache: CodeCache) -> None:
    cache.add(_image(1))
    child = os.fork()
    if child == 0:
        ok = False
        try:
            address = cache.add(link([compile_object("define i64 @f() { ret i64 77 }")]))
            ok = ctypes.CFUNCTYPE(ctypes.c_uint64)(address)() == 77
        finally:
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    address = cache.add(link([compile_object("define i64 @f() { ret i64 55 }")]))
    assert ctypes.CFUNCTYPE(ctypes.c_uint64)(address)() == 55


def test_threads_share_a_cache_and_forks_find_it_whole(cache: CodeCache) -> None:
    stop = threading.Event()

    def churn(fill: int) -> None:
        while not stop.is_set():
            address = cache.add(_image(1 + fill % 3, fill))
            assert ctypes.string_at(address, 1)[0] == fill
            cache.release(address)

    threads = [threading.Thread(target=churn, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            child = os.fork()
            if child == 0:
                os._exit(0 if cache.contains(cache.add(_image(5))) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert cache.used == 0
