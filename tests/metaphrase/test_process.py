"""`metaphrase.load`: programs that are run, stepped and looked at in this process."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import metaphrase as mp
from metaphrase.registers import RegisterError
from tests.metaphrase.isolated import isolated
from tests.metaphrase.programs import steps_program

SUM = 31


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Let the guest write to a file: its standard output is this process's descriptor."""
    before = os.dup(1)
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(file)
        os.close(before)


@isolated
def test_a_program_is_run_to_its_end() -> None:
    with tempfile.TemporaryDirectory() as folder, mp.load(steps_program()) as process:
        assert process.guest.name == "x86_64"
        assert process.status is None
        assert "_start" in str(process)
        with output_to(Path(folder) / "out"):
            assert process.run() == SUM
        assert (Path(folder) / "out").read_text() == "sum\n"
        assert process.status == SUM
        assert process.next is None
        assert process.statistics.instructions > 40
        assert "ended with status 31" in str(process)
        with pytest.raises(mp.MetaphraseError, match="has ended, with status 31"):
            process.step()


@isolated
def test_single_steps_agree_with_the_native_tiers() -> None:
    """Every instruction by the interpreter, and stops of native runs on the way: registers and memory are the same."""
    seen: list[tuple[int, dict[str, int]]] = []
    with mp.load(steps_program(), tier="0") as process, output_to(Path(os.devnull)):
        while process.status is None:
            seen.append((process.pc, process.registers.as_dict()))
            process.step()
        assert process.status == SUM
        assert process.statistics.stepped_instructions == len(seen)
        assert process.statistics.instructions == 0
    in_loop = [index for index, (pc, _) in enumerate(seen) if [at for at, _ in seen].count(pc) == 8]
    assert len(in_loop) >= 8 * 3
    for tier in ("0", "1", "reference"):
        for index in (1, in_loop[0], len(seen) - 1):
            with mp.load(steps_program(), tier=tier) as process, output_to(Path(os.devnull)):
                pc, registers = seen[index]
                assert process.run(until=pc) is None
                assert process.registers.as_dict() == registers, (tier, hex(pc))
                assert process.run() == SUM


@isolated
def test_breakpoints_leave_no_trace() -> None:
    with mp.load(steps_program()) as process, output_to(Path(os.devnull)):
        at = process.symbols["sum"]
        before = process.memory.read(at, 16)
        assert process.run(until="sum") is None
        assert process.pc == at
        assert process.memory.read(at, 16) == before
        assert process.symbols.place(at + 1) == "sum+0x1"
        assert str(process.next) == str(process.instruction("sum"))
        back = process.memory.read_word(process.registers.rsp)
        assert process.run(until=back) is None
        assert process.registers.rax == SUM
        assert process.run(until="sum") == SUM, "it is not reached again, so the program ends"


@isolated
def test_registers_and_memory_are_read_and_written() -> None:
    with mp.load(steps_program()) as process, output_to(Path(os.devnull)):
        process.run(until="sum")
        registers, memory = process.registers, process.memory
        assert registers.rdi == registers["rdi"] == process.symbols["numbers"]
        assert memory[registers.rdi] == 3
        assert memory[registers.rdi : registers.rdi + 8] == bytes([3, 0, 0, 0, 1, 0, 0, 0])
        memory.write_word(registers.rdi, 13, size=4)
        registers.rsi = 2
        assert memory.read_string(process.symbols["text"]) == b"sum\n"
        memory[process.symbols["text"]] = ord("S")  # which the guest itself may not write
        assert memory.read_string(process.symbols["text"]) == b"Sum\n"
        assert process.run() == 14
        assert "rax" in dir(registers) and "zero_pc" not in registers.names
        assert "rip" in str(registers) and "text/html" in registers._repr_mimebundle_()
        with pytest.raises(RegisterError, match="no register 'rxx'"):
            _ = registers.rxx
        with pytest.raises(mp.MetaphraseError, match="not mapped"):
            memory.read(0, 1)
        with pytest.raises(mp.MetaphraseError, match="not mapped"):
            memory.write(0, b"x")
        with pytest.raises(mp.MetaphraseError, match="no symbol 'nothing'"):
            _ = process.symbols["nothing"]


@isolated
def test_code_is_shown() -> None:
    with mp.load(steps_program()) as process:
        block, region = process.block("sum"), process.region("sum")
        assert process.block().address == process.pc
        assert len(block.instructions) < len(region.instructions)
        assert "add" in str(region)
        assert len(region.ir.blocks) > len(block.ir.blocks) > 1
        assert region.stages[-1].name == "dead_state"
        assert "preserve_nonecc void @region" in region.optimised_llvm
        assert "gs:[" in str(region.assembly)
        areas = {area.access for area in process.memory.areas}
        assert {"r-x", "rw-"} <= areas
        assert "[stack]" in str(process.memory)
        assert process._repr_mimebundle_()["text/plain"] == str(process)
        with pytest.raises(mp.MetaphraseError, match="there is no code at 0x10"):
            _ = process.block(0x10).instructions


@isolated
def test_only_one_at_a_time() -> None:
    first = mp.load(steps_program())
    with pytest.raises(mp.MetaphraseError, match="one guest at a time"):
        mp.load(steps_program())
    first.close()
    first.close()
    with pytest.raises(mp.MetaphraseError, match="is closed"):
        first.run()
    with mp.load(steps_program()) as second, output_to(Path(os.devnull)):
        assert second.run() == SUM


@isolated
def test_closing_ends_the_compiling_thread() -> None:
    for _ in range(3):
        with mp.load("/bin/sh", "-c", "i=0; while [ $i -lt 300 ]; do i=$((i+1)); done", tier="auto") as process:
            assert process.run() == 0
        assert not [thread for thread in threading.enumerate() if "tier 1" in thread.name]


@isolated
def test_a_pause_gives_signals_and_folder_back() -> None:
    handler = signal.getsignal(signal.SIGINT)
    folder = os.getcwd()
    with mp.load("/bin/sh", "-c", "cd /; umask 077; trap 'exit 9' USR1; kill -USR1 $$; exit 8") as process:
        for _ in range(3):
            process.step(100)
            assert signal.getsignal(signal.SIGINT) is handler
            assert os.getcwd() == folder
        assert process.run() == 9
        assert os.getcwd() == folder
        mask = os.umask(0)
        os.umask(mask)
        assert mask != 0o077


@isolated
def test_children_of_a_stepped_guest_run_to_their_end() -> None:
    with mp.load("/bin/sh", "-c", "(exit 3); exit $(($? + 1))") as process:
        process.step(10)
        assert process.run() == 4


def test_a_program_that_cannot_be_loaded() -> None:
    with pytest.raises(mp.MetaphraseError, match="no such file"):
        mp.load("/nonexistent")
