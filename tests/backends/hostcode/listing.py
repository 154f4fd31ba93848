"""Host code as the goldens show it: made for one CPU whatever the host is, with names in place of offsets.

Arguments come in these registers: R12 is the record, R13 the state pointer. They and their copies are followed through
the code, and what they point to goes by name. Below the state is `context`, in it are the guest's slots, behind it is
the jump cache. Behind a region's entry record (`record`) are its exit records (`record[1]` and on), behind a handler's
is that of the next instruction; `target` is the record that one of them is chained to. Before a region's code stand its
guest address (`base`), the address of its entry record (`records`), and what its exit records are chained to
(`chain[1]` and on).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import capstone
from capstone import x86

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.compile import HANDLER_PASSES, REGION_LEVEL, REGION_PASSES, compile_text
from metaphrase.backends.llvm.exact import ExactRegionLowering
from metaphrase.backends.llvm.host import Host
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import Image, link
from metaphrase.backends.llvm.region import RegionLowering
from metaphrase.hostcode import HostCode
from metaphrase.ir import passes, record
from metaphrase.snippet import Snippet
from metaphrase.translator.engine.regions import RegionBuilder
from metaphrase.translator.engine.selection import select
from metaphrase.translator.guest import Guest

CPU: Final = "x86-64-v3"
HOST: Final = Host(avx=True, fma=True)
EXTENSIONS: Final = (
    "+sse3,+ssse3,+sse4.1,+sse4.2,+crc32,+popcnt,+cx16,+avx,+avx2,+bmi,+bmi2,+lzcnt,+movbe,+fma,+f16c,-slow-3ops-lea"
)
"""What that level of the psABI (AMD64, table 3.1) has beyond the baseline, as far as the engine asks hosts for it."""

_ROLES: Final = frozenset({("r12", "record"), ("r13", "state")})
_KEPT: Final = {"rbx", "rbp", "rsp", "r12", "r13", "r14", "r15"}
"""What C functions preserve (psABI, figure 3.4)."""
_CONTEXT: Final = {
    offset: name.lower()
    for name, offset in vars(context).items()
    if name.isupper() and isinstance(offset, int) and -context.SIZE <= offset < 0
}
_JUMP_CACHE: Final = {0: "pc", context.JUMP_CODE: "code"}
_FIELDS: Final = {
    record.HANDLER: "handler", **{offset: name for name, (offset, _) in record.FIELDS.items()},
}  # fmt: skip
_CHAINED: Final = {record.HANDLER: "handler", context.CODE: "code"}
_MEMORY = re.compile(r"\[.*\]")
_REASON = re.compile(r"(?<=\[context\.exit_reason\], )(0x[0-9a-f]+|\d+)$")
_WHOLE: Final = {
    **{part: f"r{x}x" for x in "abcd" for part in (f"e{x}x", f"{x}x", f"{x}l", f"{x}h")},
    **{part: f"r{x}" for x in ("si", "di", "bp", "sp") for part in (f"e{x}", x, f"{x}l")},
    **{f"r{n}{size}": f"r{n}" for n in range(8, 16) for size in "dwb"},
}
"""By the name of a register's part, the register."""

Roles = frozenset[tuple[str, str]]
"""Registers and places on the stack, and what the pointers in them are to: "state", "record", or "target"."""


@dataclass(frozen=True)
class Listing:
    """One function of host code; nops, which only align it, are left out everywhere."""

    lines: tuple[str, ...]
    size: int
    """In bytes."""

    @property
    def summary(self) -> str:
        return f"{len(self.lines)} instructions, {self.size} bytes"


def region_listing(snippet: Snippet, *, exact: bool = False) -> Listing:
    """The region at the start of a snippet, made as tier 1 makes it."""
    guest = snippet.guest
    selection = select(guest, snippet, [snippet.address], snippet.address)
    assert selection is not None, "the snippet begins with what is no instruction"
    function = passes.run(RegionBuilder(guest, snippet, selection, exact=exact).build().function, check=True)
    writer = ModuleWriter(HOST, context.Reasons.table(guest.reasons))
    writer.add((ExactRegionLowering if exact else RegionLowering)(writer, function, "region").text())
    image = link([compile_text(writer.text(), REGION_PASSES, REGION_LEVEL, EXTENSIONS)])
    return _Lister(guest, image, "region").listing()


def handler_listing(snippet: Snippet) -> Listing:
    """The tier-0 handler of a snippet's first instruction."""
    guest = snippet.guest
    writer = ModuleWriter(HOST, context.Reasons.table(guest.reasons))
    writer.handler(snippet.instructions[0].handler.ir, "handler")
    image = link([compile_text(writer.text(), HANDLER_PASSES, extensions=EXTENSIONS)])
    return _Lister(guest, image, "handler").listing()


class _Lister:
    """Writes one function of an image down."""

    def __init__(self, guest: Guest, image: Image, symbol: str) -> None:
        self.guest, self.image = guest, image
        self.start = image.symbols[symbol]
        disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        disassembler.detail = True
        self.instructions = list(disassembler.disasm(HostCode(image.code, self.start).code, self.start))
        self.by_address = {each.address: each for each in self.instructions}
        reasons = context.Reasons.table(guest.reasons)
        self.reasons = {number: name for name, number in reasons.items()} | {context.Reasons.FAULT: "fault"}

    def listing(self) -> Listing:
        shown = [each for each in self.instructions if each.mnemonic not in ("nop", "int3")]
        after = {each.address: each.address for each in shown}
        for here, following in reversed(list(zip(self.instructions, self.instructions[1:]))):
            after.setdefault(here.address, after.get(following.address, here.address))  # a nop's label is behind it
        targets = {self.target(each) for each in shown} - {None}
        places = sorted({after[target] for target in targets if target is not None})
        labels = {place: f"L{number}" for number, place in enumerate(places, 1)}
        roles = self._roles()
        lines = []
        for each in shown:
            target = self.target(each)
            text = self._operands(each, dict(roles.get(each.address, ())))
            if target is not None:
                text = labels[after[target]]
            label = f"{labels[each.address]}:" if each.address in labels else ""
            lines.append(f"{label:5}{each.mnemonic} {text}".rstrip())
        return Listing(tuple(lines), sum(each.size for each in shown))

    def target(self, instruction: capstone.CsInsn) -> int | None:
        """Where a jump inside the function goes."""
        if not instruction.group(capstone.CS_GRP_JUMP) or instruction.operands[0].type != x86.X86_OP_IMM:
            return None
        target: int = instruction.operands[0].imm
        return target if target in self.by_address else None

    def _roles(self) -> dict[int, Roles]:
        """By address, what holds on every way there."""
        known: dict[int, Roles] = {}
        work = [(self.instructions[0].address, _ROLES)]
        while work:
            address, roles = work.pop()
            before = known.get(address)
            known[address] = roles if before is None else roles & before
            if known[address] != before:
                instruction = self.by_address[address]
                after = self._after(instruction, known[address])
                work += [(successor, after) for successor in self._successors(instruction)]
        return known

    def _after(self, instruction: capstone.CsInsn, roles: Roles) -> Roles:
        """What holds behind an instruction, given what does before it."""
        before = dict(roles)
        written = {self._register(number) for number in instruction.regs_access()[1]}
        if instruction.mnemonic == "call":
            written = {place for place in before if not place.startswith("[")} - _KEPT
        elif "rsp" in written:
            written |= {place for place in before if place.startswith("[")}
        copied = None
        places = [self._place(operand) for operand in instruction.operands]
        if places and places[0].startswith("["):
            written.add(places[0])
        if instruction.mnemonic == "mov" and instruction.operands[0].size == 8:
            memory = instruction.operands[1].mem if instruction.operands[1].type == x86.X86_OP_MEM else None
            copied = before.get(places[1])
            if memory is not None and not memory.index and memory.disp % record.SIZE == record.DISPLACEMENT:
                copied = "target" if before.get(self._register(memory.base)) == "record" else copied
            word = self._before_code(instruction, instruction.operands[1])
            if word:
                copied = {"base": None, "records": "record"}.get(word, "target")
        kept = {place: role for place, role in before.items() if place not in written}
        if copied is not None and places[0]:
            kept[places[0]] = copied
        return frozenset(kept.items())

    def _place(self, operand: x86.X86Op) -> str:
        """A register, or where one is kept on the stack; "" for anything else."""
        if operand.type == x86.X86_OP_REG:
            return self._register(operand.reg)
        on_stack = (
            operand.type == x86.X86_OP_MEM and self._register(operand.mem.base) == "rsp" and not operand.mem.index
        )
        return f"[{operand.mem.disp}]" if on_stack else ""

    def _register(self, number: int) -> str:
        """The whole of a register; "" for none."""
        name: str = self.instructions[0].reg_name(number) or ""
        return _WHOLE.get(name, name)

    def _successors(self, instruction: capstone.CsInsn) -> Iterator[int]:
        target = self.target(instruction)
        if target is not None:
            yield target
        following = instruction.address + instruction.size
        if instruction.mnemonic not in ("jmp", "ret", "ud2") and following in self.by_address:
            yield following

    def _operands(self, instruction: capstone.CsInsn, roles: dict[str, str]) -> str:
        text: str = instruction.op_str
        for operand in instruction.operands:
            if operand.type == x86.X86_OP_MEM:
                place = self._memory(instruction, operand, roles)
                if place is not None:
                    text = _MEMORY.sub(f"[{place}]", text)
        return _REASON.sub(lambda match: self.reasons.get(int(match[0], 0), match[0]), text)

    def _memory(self, instruction: capstone.CsInsn, operand: x86.X86Op, roles: dict[str, str]) -> str | None:
        """A name for what a memory operand is, if it has one."""
        base, index = (instruction.reg_name(number) or "" for number in (operand.mem.base, operand.mem.index))
        scale, offset = operand.mem.scale, operand.mem.disp
        if base == "rip":
            word = self._before_code(instruction, operand)
            if word:
                return word
            return self._constant(instruction, instruction.address + instruction.size + offset, operand.size)
        if index in roles and scale == 1:
            base, index = index, base
        match roles.get(base):
            case "state":
                name = "state" if index and not offset else self._in_state(offset)
            case "record":
                name = self._in_record(offset)
            case "target":
                name = _CHAINED.get(offset) and f"target.{_CHAINED[offset]}"
            case _:
                return None
        if name and instruction.mnemonic == "lea":
            name = name.removesuffix(f".{_FIELDS[0]}")
        more = f" + {index}{f'*{scale}' if scale > 1 else ''}" if index else ""
        return name and name + more

    def _before_code(self, instruction: capstone.CsInsn, operand: x86.X86Op) -> str:
        """The name of a word that stands before a region's code; "" for anything else."""
        if operand.type != x86.X86_OP_MEM or instruction.reg_name(operand.mem.base) != "rip":
            return ""
        number = (self.start - instruction.address - instruction.size - operand.mem.disp) // 8
        names = {1: "base", 2: "records"}
        return names.get(number, f"chain[{number - 2}]" if number > 0 else "")

    def _constant(self, instruction: capstone.CsInsn, offset: int, size: int) -> str:
        if instruction.mnemonic == "lea":
            return "constants"  # a table, read elsewhere
        return f"constant {int.from_bytes(self.image.code[offset : offset + size], 'little'):#x}"

    def _in_state(self, offset: int) -> str | None:
        if offset < 0:
            word = offset & -8
            return _CONTEXT.get(word) and f"context.{_CONTEXT[word]}{_plus(offset - word)}"
        cache = offset - context.jump_cache(self.guest.layout)
        if cache in _JUMP_CACHE:
            return f"jump_cache.{_JUMP_CACHE[cache]}"
        slot = self.guest.layout.find(offset)
        return f"state.{slot.name}{_plus(offset - slot.offset)}" if slot is not None else None

    def _in_record(self, offset: int) -> str | None:
        number, field = divmod(offset, record.SIZE)
        return _FIELDS.get(field) and f"record{f'[{number}]' if number else ''}.{_FIELDS[field]}"


def _plus(offset: int) -> str:
    return f" + {offset}" if offset else ""
