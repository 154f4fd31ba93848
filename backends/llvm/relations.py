"""What a function makes of each `fcompare`: the result is one of flags, of which most are never looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from metaphrase.backends.llvm.pure import Lines, relation_condition
from metaphrase.ir.graph import Function, Value

CONDITIONS: Final = {0x01: "c", 0x04: "p", 0x40: "z", 0x41: "be"}
"""The host's name for the condition that any bit of a mask is set in the flags, as far as there is one."""
COPY_FLAGS: Final = ".byte 0x9f"
"""LAHF, which the assembler does not believe every 64-bit processor to have."""
_FLAGS: Final = 0x45


@dataclass(slots=True)
class Uses:
    """How the result of one `fcompare` is used."""

    masks: set[int] = field(default_factory=set)
    whole: bool = False
    """Whether the result itself is used, and not only conditions."""
    first: int = 0
    """A mask that a branch goes by, if there is one."""
    alone: bool = False
    """Whether the flags are copied in any case, and nothing is the host's own condition."""

    @property
    def hot(self) -> int:
        """The mask that becomes the host's own condition; 0 if none does."""
        if self.alone:
            return 0
        wanted = self.first or (next(iter(self.masks)) if len(self.masks) == 1 else 0)
        return wanted if wanted in CONDITIONS else 0

    @property
    def condition(self) -> str:
        return CONDITIONS.get(self.hot, "")

    @property
    def copied(self) -> bool:
        """Whether the flags are needed beyond that condition."""
        return self.whole or bool(self.masks - {self.hot})


def relations(function: Function) -> dict[int, Uses]:
    """The uses of each `fcompare` of a function, by its number."""
    found = {e.id: Uses() for b in function.blocks for e in b.effects if e.op.name.startswith("fcompare")}
    if not found:
        return found
    asked: set[int] = set()
    for value in function.values():
        condition = relation_condition(value)
        if condition is not None:
            found[condition[0].id].masks.add(condition[1])
            asked.add(value.args[0].id)
    ends = [block.terminator for block in function.blocks if block.terminator is not None]
    for value in (*function.values(), *(e for b in function.blocks for e in b.effects)):
        if value.id in asked:
            continue  # a mask, of which only the condition is used (else it is looked at as any other value)
        for arg in value.args:
            if arg.id in found:
                found[arg.id].whole = True
            elif arg.id in asked and relation_condition(value) is None:
                found[arg.args[0].id].whole = True
    for end in ends:
        for arg in end.args:
            if arg.id in found:
                found[arg.id].whole = True
            condition = relation_condition(_positive(arg))
            if condition is not None and not found[condition[0].id].first:
                found[condition[0].id].first = condition[1]
    return found


def _positive(value: Value) -> Value:
    """What is negated, if that is what a value does."""
    return value.args[0] if value.op.name == "xor" and value.args[1].op.name == "const" else value


def name_conditions(uses: Uses, result: str, out: Lines) -> None:
    """Lines for %v.any<mask>, an i1 for each mask asked for, and the result, from %v.ax (AX after LAHF) and %v.now."""
    for mask in sorted(uses.masks):
        name = f"{result}.any{mask:x}"
        if mask == uses.hot:
            out.append(f"{name} = trunc i8 {result}.now to i1")
        else:
            out.append(f"{name}.ax = and i16 {result}.ax, {(mask & _FLAGS) << 8}")
            out.append(f"{name} = icmp ne i16 {name}.ax, 0")
    if uses.copied:
        out.append(f"{result}.high = lshr i16 {result}.ax, 8")
        out.append(f"{result}.ah = trunc i16 {result}.high to i8")
        out.append(f"{result} = and i8 {result}.ah, {_FLAGS}")
    else:
        out.append(f"{result} = add i8 0, 0")  # masked by what nothing asks for
