"""ELF headers: against pyelftools on real files, and what is said of broken ones."""

from __future__ import annotations

import os
import shutil
from errno import EACCES, ELOOP, ENOENT, ENOEXEC
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from metaphrase.machines.linux import LoadError, elf, host, identify
from metaphrase.machines.linux.loader import find
from metaphrase.machines.linux.paths import Paths
from tests.machines.elf_files import elf_bytes, write_elf


def parse(path: str) -> elf.ElfFile:
    descriptor = elf.open_program(path)
    try:
        return elf.parse(descriptor, path)
    finally:
        host.close_private(descriptor)


@pytest.mark.parametrize("name", ["busybox", "ls", "python3", "bash", "gcc", "perl", "ld-linux.so.2"])
def test_headers_agree_with_pyelftools(name: str) -> None:
    """Of 64-bit programs, and of the loader of those of i386, which libc6-i386 brings."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/lib")
    if path is None:
        pytest.skip(f"{name} is not installed")
    path = os.path.realpath(path)
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            pytest.skip(f"{name} is a script here")
        theirs = ELFFile(file)
        ours = parse(path)
        assert ours.guest == ("i386" if theirs.elfclass == 32 else "x86_64")
        assert ours.header_size == theirs["e_phentsize"]
        assert ours.entry == theirs["e_entry"]
        assert ours.header_offset == theirs["e_phoff"]
        expected = []
        interpreter = None
        for segment in theirs.iter_segments():
            header = segment.header
            expected.append((header.p_flags, header.p_offset, header.p_vaddr, header.p_filesz, header.p_memsz))
            if header.p_type == "PT_INTERP":
                interpreter = segment.get_interp_name()  # type: ignore[attr-defined]
        assert [(s.flags, s.offset, s.address, s.file_size, s.memory_size) for s in ours.segments] == expected
        assert ours.interpreter == interpreter


def broken(tmp_path: Path, content: bytes, mode: int = 0o755) -> str:
    path = tmp_path / "broken"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def refusal(path: str) -> LoadError:
    with pytest.raises(LoadError) as caught:
        identify(path)
    assert path in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello", "neither"),
        (elf_bytes()[:10], "truncated"),
        (elf_bytes()[:40], "truncated"),
        (elf_bytes()[:100], "truncated"),
        (elf_bytes()[:0x800], "truncated"),
        (elf_bytes(guest="aarch64"), "AArch64"),
        (elf_bytes(guest="ppc64", big_endian=True), "PowerPC64 .*big-endian"),
        (elf_bytes(kind=1), "relocatable"),
        (elf_bytes(kind=4), "core"),
        (elf_bytes()[:56] + b"\0\0" + elf_bytes()[58:], "program headers"),
        (elf_bytes(interpreter=b"/lib/ld.so"), "interpreter is malformed"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: bytes, words: str) -> None:
    error = refusal(broken(tmp_path, content))
    assert error.errno == ENOEXEC and error.exit_status == 126
    with pytest.raises(LoadError, match=words):
        raise error


def test_no_byte_of_a_header_brings_it_down(tmp_path: Path) -> None:
    good = elf_bytes(interpreter=b"/lib64/ld-linux-x86-64.so.2\0")
    path = tmp_path / "mutated"
    for position in range(16, 64 + 4 * 56):
        for value in (0x00, 0x7F, 0xFF):
            content = bytearray(good)
            content[position] = value
            path.write_bytes(content)
            path.chmod(0o755)
            try:
                find(os.fsencode(path), [], Paths()).close()
            except LoadError as error:
                assert str(path) in str(error)


def test_not_found_and_not_executable(tmp_path: Path) -> None:
    missing = refusal(str(tmp_path / "missing"))
    assert (missing.errno, missing.exit_status) == (ENOENT, 127)
    directory = refusal(str(tmp_path))
    assert (directory.errno, directory.exit_status) == (EACCES, 126) and "directory" in str(directory)
    plain = refusal(broken(tmp_path, elf_bytes(), 0o644))
    assert (plain.errno, plain.exit_status) == (EACCES, 126) and "not executable" in str(plain)
    with pytest.raises(LoadError, match="PATH") as nowhere:
        identify("no-such-program-anywhere")
    assert nowhere.value.exit_status == 127


def test_missing_interpreter(tmp_path: Path) -> None:
    error = refusal(broken(tmp_path, elf_bytes(interpreter=b"/lib/nowhere.so\0")))
    assert "/lib/nowhere.so" in str(error) and "-L" in str(error)
    assert (error.errno, error.exit_status) == (ENOENT, 127)


def test_the_sysroot_is_searched_first(tmp_path: Path) -> None:
    program = write_elf(tmp_path / "program", guest="riscv64", interpreter=b"/lib/ld-riscv.so\0")
    with pytest.raises(LoadError):
        identify(str(program))
    (tmp_path / "root/lib").mkdir(parents=True)
    write_elf(tmp_path / "root/lib/ld-riscv.so", guest="riscv64", kind=3)
    assert identify(str(program), str(tmp_path / "root")) == "riscv64"
    write_elf(tmp_path / "root/lib/ld-riscv.so", guest="x86_64", kind=3)
    with pytest.raises(LoadError, match="x86_64, not riscv64"):
        identify(str(program), str(tmp_path / "root"))


def test_scripts_are_followed(tmp_path: Path) -> None:
    write_elf(tmp_path / "interpreter")

    def script(name: str, line: str) -> bytes:
        path = tmp_path / name
        path.write_text(line + "\nrest\n")
        path.chmod(0o755)
        return os.fsencode(path)

    interpreter = os.fsencode(tmp_path / "interpreter")
    inner = script("inner", f"#! {tmp_path}/interpreter  -a b ")
    program = find(inner, [b"ignored", b"1"], Paths())
    assert program.argv == [interpreter, b"-a b", inner, b"1"] and program.name == inner
    program.close()
    outer = script("outer", f"#!{tmp_path}/inner -x")
    program = find(outer, [b"outer", b"2"], Paths())
    assert program.argv == [interpreter, b"-a b", inner, b"-x", outer, b"2"]
    program.close()
    circular = script("circular", f"#!{tmp_path}/circular")
    with pytest.raises(LoadError) as caught:
        find(circular, [], Paths())
    assert caught.value.errno == ELOOP
    with pytest.raises(LoadError, match="names no interpreter"):
        find(script("empty", "#!"), [], Paths())
    with pytest.raises(LoadError, match="/nowhere"):
        find(script("dangling", "#!/nowhere"), [], Paths())
    assert not host.PRIVATE & set(map(int, os.listdir("/proc/self/fd"))), "every file is closed again"
