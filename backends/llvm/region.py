"""Tier-1 regions to LLVM: guest state lives in SSA values from entry to exit.

A region is entered through one of its entry records (which tells the number of the block to begin with) and left
through exit records of its own, chained like those of tier 0. Every slot of the state that the region touches becomes a
stack cell that LLVM turns into SSA values; cells that may have changed are written back where the region is left.

The region's code holds no guest address: the descriptor, its first exit record, tells where it lies (`%base`).
"""

from __future__ import annotations

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.lower import SIGNATURE, FunctionLowering, ModuleWriter
from metaphrase.backends.llvm.pure import Lines, llvm_type, operand
from metaphrase.ir import record
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.layout import Slot
from metaphrase.ir.schedule import Dominators
from metaphrase.ir.types import Type
from metaphrase.ir.window import large_part

_RARELY = {"rarely": 0, "carefully": 1}
_REASON = 2
"""What a way out does that is seldom taken: go on as any does, or carefully, or (and above) leave for a reason."""
INDEXED = "indexed"
"""Group of slots that are reached by computed offsets, and so stay in memory."""


def direct_offset(target: Value) -> int | None:
    """The offset from the region's base, if a target is known that way."""
    if target.op.name == "base":
        return 0
    if target.op.name == "add" and target.args[0].op.name == "base" and target.args[1].op.name == "const":
        offset = int(target.args[1].imm)
        return offset - (1 << 64) if offset >> 63 else offset
    return None


class RegionLowering(FunctionLowering):
    """Lowers a region; afterwards `exits` lists the offsets of the guest addresses that its exit records go to."""

    def __init__(self, module: ModuleWriter, function: Function, name: str) -> None:
        super().__init__(module, function, name, repeat_in_exits=True)
        self._exit_numbers: dict[int, int] = {}
        self.rare_exits: list[tuple[str, int, int]] = []
        """Ways out that share one place: (label of the block, what to do, number of the exit record)."""
        self.cells = _cells(function)
        self.dirty = _dirty(function, self.cells)
        rare = [b for b in function.blocks if b.terminator is not None and _is_rare(b.terminator)]
        self.rare_dirty = frozenset[int]().union(*(self.dirty[block] for block in rare))
        self.block: Block = function.blocks[0]
        self.dominators = Dominators(function)
        self.checked: set[Value] = set()
        """Large parts of addresses that are known to lie in the window here, or near it."""
        self.checked_at: dict[Block, set[Value]] = {}
        module.declare("declare void @llvm.experimental.stackmap(i64, i32, ...)")

    @property
    def exits(self) -> list[int]:
        """Offsets of the guest addresses that the exit records go to, in their order."""
        return list(self._exit_numbers)

    def signature(self) -> str:
        return f"define ghccc void @{self.name}{SIGNATURE} nounwind"

    def entry(self) -> Lines:
        out: Lines = ["%counted = alloca i64", "store i64 0, ptr %counted"]
        self.store_context(context.EXIT_RECORD, "null", out, "ptr")  # a fault from here on is not one of a record's
        out.append(f"%descriptor.p = getelementptr i8, ptr %op, i64 {context.ENTRY_DESCRIPTOR}")
        out.append("%descriptor = load ptr, ptr %descriptor.p")
        out.append(f"%base.p = getelementptr i8, ptr %descriptor, i64 {record.PC}")
        out.append("%base = load i64, ptr %base.p")
        for slot in self.cells.values():
            text = llvm_type(slot.type)
            out.append(f"%cell{slot.offset} = alloca {text}")
            out.append(f"%slot{slot.offset} = getelementptr i8, ptr %state, i64 {slot.offset}")
            out.append(f"%first{slot.offset} = load {text}, ptr %slot{slot.offset}, align 1")
            out.append(f"store {text} %first{slot.offset}, ptr %cell{slot.offset}")
        return out

    def begin_block(self, block: Block, out: Lines) -> None:
        self.block = block
        above = self.dominators.idom[self.dominators.index[block]]
        self.checked = set(self.checked_at.get(self.dominators.order[above], ()))
        self.checked_at[block] = self.checked

    def state_pointer(self, offset: int, type: Type, result: str, out: Lines) -> str:
        if offset in self.cells:
            return f"%cell{offset}"
        return super().state_pointer(offset, type, result, out)

    def lower(self, value: Value, out: Lines) -> None:
        name = value.op.name
        if name == "count":
            before, after = self.fresh("n"), self.fresh("n")
            out.append(f"{before} = load i64, ptr %counted")
            out.append(f"{after} = add i64 {before}, {value.imm}")
            out.append(f"store i64 {after}, ptr %counted")
        elif name == "poll":
            self._poll(value, out)
        else:
            super().lower(value, out)

    def guest_pointer(self, value: Value, address: str, result: str, write: bool, out: Lines) -> str:
        pointer = self._pointer(value, address, result, write, out)
        out.append(f"call void (i64, i32, ...) @llvm.experimental.stackmap(i64 {value.origin & (1 << 64) - 1}, i32 0)")
        return pointer

    def _pointer(self, value: Value, address: str, result: str, write: bool, out: Lines) -> str:
        """A pointer into the window, checked unless it is near an address that was checked on every way here."""
        root = large_part(value.args[0])
        if root is None or root in self.checked or value.op.name in ("near_load", "near_store"):
            return self.unchecked_pointer(address, result, out)
        self.checked.add(root)
        return self.checked_pointer(value, address, result, write, out)

    def last_blocks(self) -> Lines:
        return [*self._rare_block(), *self._fault_block()]

    def _fault_block(self) -> Lines:
        out: Lines = []
        if self.faults:
            self.fault_phis(out)
            offsets = ", ".join(f"[{offset}, %{label}]" for label, _, _, offset in self.faults)
            out.insert(1, f"%fault.offset = phi i64 {offsets}")
            out.append("%fault.pc = add i64 %base, %fault.offset")
            self.store_context(context.FAULT_ADDRESS, "%fault.address", out)
            self.store_context(context.FAULT_WRITE, "%fault.write", out)
            self.store_context(context.FAULT_HOST_PC, "0", out)
            self.exit_to("%fault.pc", context.Reasons.FAULT, out)
        return out

    # --- leaving ---------------------------------------------------------------------------------------------------
    def _commit(self, dirty: frozenset[int], out: Lines) -> None:
        """Write back what may have changed, and the count of instructions."""
        for offset in sorted(dirty):
            text = llvm_type(self.cells[offset].type)
            value = self.fresh("w")
            out.append(f"{value} = load {text}, ptr %cell{offset}")
            out.append(f"store {text} {value}, ptr %slot{offset}, align 1")
        counted, total = self.fresh("n"), self.fresh("n")
        pointer = self.pointer(self.fresh("c"), context.REGION_INSTRUCTIONS, out)
        before = self.fresh("n")
        out.append(f"{counted} = load i64, ptr %counted")
        out.append(f"{before} = load i64, ptr {pointer}")
        out.append(f"{total} = add i64 {before}, {counted}")
        out.append(f"store i64 {total}, ptr {pointer}")

    def _poll(self, value: Value, out: Lines) -> None:
        flag = self.pointer(self.fresh("c"), context.INTERRUPT, out)
        wanted = self.fresh("i")
        out.append(f"{wanted} = load volatile i64, ptr {flag}")
        out.append(f"%v{value.id} = icmp ne i64 {wanted}, 0")

    def _exit_number(self, offset: int) -> int:
        """The number of the exit record for a guest address; the descriptor itself is number 0."""
        return self._exit_numbers.setdefault(offset, 1 + len(self._exit_numbers))

    def _exit_record(self, offset: int, out: Lines) -> str:
        """A pointer to the exit record for a guest address."""
        name = self.fresh("exit")
        out.append(f"{name} = getelementptr i8, ptr %descriptor, i64 {record.SIZE * self._exit_number(offset)}")
        return name

    def leave_guest(self, name: str, terminator: Terminator, out: Lines) -> None:
        if name == "enter":
            number = self.fresh("e")
            out.append(f"{number}.p = getelementptr i8, ptr %op, i64 {record.EXTRA}")
            out.append(f"{number} = load i32, ptr {number}.p")
            first, *others = [self.labels[t] for t in terminator.targets]
            cases = " ".join(f"i32 {i + 1}, label %{label}" for i, label in enumerate(others))
            out.append(f"switch i32 {number}, label %{first} [{cases}]")
            return
        target = terminator.args[0]
        offset = direct_offset(target)
        if offset is not None and _is_rare(terminator):
            way = _RARELY.get(terminator.imm)
            if way is None:
                way = _REASON + self.module.reasons[terminator.imm]
            for cell in sorted(self.rare_dirty - self.dirty[self.block]):
                if self.cells[cell].group:  # read it here, and not at the entry for whom it may concern
                    text, value = llvm_type(self.cells[cell].type), self.fresh("w")
                    out.append(f"{value} = load {text}, ptr %slot{cell}, align 1")
                    out.append(f"store {text} {value}, ptr %cell{cell}")
            self.rare_exits.append((self.current, way, self._exit_number(offset)))
            out.append("br label %rare")
            return
        self._commit(self.dirty[self.block], out)
        if name == "leave":
            self.store_context(context.EXIT_RECORD, "%op", out, "ptr")
            self.exit_to(operand(target), self.module.reasons[terminator.imm], out)
        elif offset is not None:
            self.chain_to(self._exit_record(offset, out), out)
        else:
            dispatch = self.load_context(context.DISPATCH, out)
            self.tail_to(dispatch, "%op", operand(target), out)

    def _rare_block(self) -> Lines:
        """The one place where all ways out that are seldom taken write back the state."""
        if not self.rare_exits:
            return []
        ways = ", ".join(f"[{way}, %{label}]" for label, way, _ in self.rare_exits)
        records = ", ".join(f"[{record.SIZE * number}, %{label}]" for label, _, number in self.rare_exits)
        out = ["rare:", f"%rare.way = phi i64 {ways}", f"%rare.at = phi i64 {records}"]
        self._commit(self.rare_dirty, out)
        out.append("%rare.record = getelementptr i8, ptr %descriptor, i64 %rare.at")
        cases = f"i64 {_RARELY['rarely']}, label %rare.chain i64 {_RARELY['carefully']}, label %rare.careful"
        out += [f"switch i64 %rare.way, label %rare.leave [{cases}]", "rare.chain:"]
        self.chain_to("%rare.record", out)
        out.append("rare.careful:")
        self.tail_to(self.load_context(context.CAREFUL, out), "%rare.record", "poison", out)
        out += ["rare.leave:", f"%rare.reason = sub i64 %rare.way, {_REASON}"]
        out.append(f"%rare.pc.p = getelementptr i8, ptr %rare.record, i64 {record.PC}")
        out.append("%rare.pc = load i64, ptr %rare.pc.p")
        self.store_context(context.EXIT_RECORD, "%op", out, "ptr")
        self.exit_to("%rare.pc", "%rare.reason", out)
        return out


def _is_rare(terminator: Terminator) -> bool:
    """Whether a way out of a region is one that is seldom taken."""
    return terminator.op.name == "leave" or (terminator.op.name == "goto" and terminator.imm in _RARELY)


def _cells(function: Function) -> dict[int, Slot]:
    """The slots that can live in SSA values: touched, always as a whole, and never by a computed offset."""
    assert function.layout is not None
    cells: dict[int, Slot] = {}
    shared: set[int] = set()
    for block in function.blocks:
        for effect in block.effects:
            if effect.op.name in ("get", "put"):
                type = effect.type if effect.op.name == "get" else effect.args[0].type
                slot = function.layout.find(effect.imm)
                if slot is not None and slot.offset == effect.imm and slot.type is type and slot.group != INDEXED:
                    cells[slot.offset] = slot
                else:
                    for byte in range(effect.imm, effect.imm + type.bytes):
                        touched = function.layout.find(byte)
                        if touched is not None:
                            shared.add(touched.offset)
    return {offset: slot for offset, slot in sorted(cells.items()) if offset not in shared}


def _dirty(function: Function, cells: dict[int, Slot]) -> dict[Block, frozenset[int]]:
    """The cells that may have been written by the end of each block."""
    own = {
        block: frozenset(e.imm for e in block.effects if e.op.name == "put" and e.imm in cells)
        for block in function.blocks
    }
    out = dict(own)
    work = list(function.blocks)
    while work:
        block = work.pop()
        for successor in block.successors:
            more = out[successor] | out[block]
            if more != out[successor]:
                out[successor] = more
                work.append(successor)
    return out
