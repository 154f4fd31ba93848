"""Tier-1 regions to LLVM: guest state lives in SSA values from entry to exit.

A region is entered through its entry record, and left through exit records, which follow that one. What the code needs
of them stands right before it, where no register is needed to find it: the guest address that it is relative to
(`%base`), the address of the entry record, and for each exit record the one it is chained to (see
`before_code`). Slots of the state that the region touches become stack cells that LLVM turns into SSA values (see
`cells`); those that may have changed are written back where the region is left, but for the carried registers of the
guest, which go on to the next region as arguments.
"""

from __future__ import annotations

import re

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.before_code import BASE, RECORDS, SLOTS, slot_of
from metaphrase.backends.llvm.cells import left_in_state
from metaphrase.backends.llvm.counts import LOOK, Counts
from metaphrase.backends.llvm.dirty import dirty_cells
from metaphrase.backends.llvm.lower import (
    CONVENTION,
    NOTHING,
    PRESERVES_NOTHING,
    SIGNATURE,
    FunctionLowering,
    ModuleWriter,
)
from metaphrase.backends.llvm.near_stack import NearStack
from metaphrase.backends.llvm.pairs import Pairs
from metaphrase.backends.llvm.profile import PROFILED, RARELY, branch_weights, is_rare
from metaphrase.backends.llvm.pure import Lines, llvm_type, operand
from metaphrase.ir import record
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.passes.checkpoints import register_slots
from metaphrase.ir.passes.dead_state import needs_present, visible_outside
from metaphrase.ir.schedule import Dominators
from metaphrase.ir.types import Type
from metaphrase.ir.window import SMALL, WINDOW_BITS, displaced, large_part
from metaphrase.translator.mechanisms import uses

_BASE_NAME = re.compile(r"%base\b(?!\.)")
_WHOLE = "<4 x i64>"
"""The type of a cell that holds both halves of a register."""
_REASON = 2
"""What a way out does that is seldom taken: as `RARELY` has it, or (this and above) leave for a reason."""


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

    exact = False
    """Whether the state is exact where an access faults (see `exact`)."""

    def __init__(self, module: ModuleWriter, function: Function, name: str) -> None:
        super().__init__(module, function, name, repeat=True)
        self._exit_numbers: dict[int, int] = {}
        self.rare_exits: list[tuple[str, int, int, int]] = []
        """Ways out that share one place: (label of the block, what to do, number of the exit record, instructions)."""
        assert function.layout is not None
        self.carried = {slot.offset: number for number, slot in enumerate(function.layout.carried)}
        """The number of each carried register, by its offset."""
        self.dominators = Dominators(function)
        self.counts = Counts(self.dominators, by_blocks=self.exact)
        self.counted = 0
        """Instructions that were executed before this place (see `Counts`)."""
        possible = register_slots(function)
        self.left = left_in_state(function, possible, self.carried, self.counts.loops)
        self.cells = possible if self.exact else {at: slot for at, slot in possible.items() if at not in self.left}
        for effect in (effect for block in function.blocks for effect in block.effects):
            if effect.op.name in ("get", "put") and effect.imm in self.carried.keys() - self.cells.keys():
                raise MetaphraseError(f"{name}: a carried register is accessed in part: {effect!r}")
        self.pairs = Pairs(function, self.cells)
        self.dirty_before, self.written_at_end = dirty_cells(function, self.cells)
        self.visible = visible_outside(function)
        self.dirty = dict(self.written_at_end)
        for block, visible in self.visible.items():
            self.dirty[block] = frozenset(offset for offset in self.dirty[block] if visible >> offset & 1)
        rare = [b for b in function.blocks if b.terminator is not None and is_rare(b.terminator)]
        self.rare_dirty = frozenset[int]().union(*(self.dirty[block] for block in rare))
        self.block: Block = function.blocks[0]
        self.stack = NearStack(function, self.dominators)
        self.checked: set[Value] = set()
        """Large parts of addresses that are known to lie in the window here, or near it."""
        self.checked_at: dict[Block, set[Value]] = {}

    @property
    def exits(self) -> list[int]:
        """Offsets of the guest addresses that the exit records go to, in their order."""
        return list(self._exit_numbers)

    def signature(self) -> str:
        words = 2 + len(self._exit_numbers)
        before = f"prefix [{words + words % 2} x i64] zeroinitializer"  # an even number: the code is to be aligned
        profile = f" {PROFILED}" if uses("seldom-apart") else ""
        attributes = f"nounwind {PRESERVES_NOTHING} {before}{profile}"
        return f"define dso_local {CONVENTION} void @{self.name}{SIGNATURE} {attributes}"

    def entry(self) -> Lines:
        out: Lines = ["%counted = alloca i64", "store i64 0, ptr %counted"]
        together = {*self.pairs.halves, *self.pairs.halves.values()}
        for slot in self.cells.values():  # LLVM makes values of those in the first block
            if slot.offset not in together:
                out.append(f"%cell{slot.offset} = alloca {llvm_type(slot.type)}")
        for low, high in self.pairs.halves.items():
            out += [f"%whole{low} = alloca {_WHOLE}", f"%cell{low} = getelementptr i8, ptr %whole{low}, i64 0"]
            out.append(f"%cell{high} = getelementptr i8, ptr %whole{low}, i64 16")
        if needs_present(self.ir):
            self._settle(out)
        for slot in self.cells.values():
            text = llvm_type(slot.type)
            out.append(f"%slot{slot.offset} = getelementptr i8, ptr %state, i64 {slot.offset}")
            first = f"%first{slot.offset}"
            if slot.offset in self.carried:
                first = f"%g{self.carried[slot.offset]}"
            else:
                out.append(f"{first} = load {text}, ptr %slot{slot.offset}, align 1")
            out.append(f"store {text} {first}, ptr %cell{slot.offset}")
        return out

    def _settle(self, out: Lines) -> None:
        """Bring deferred slots up to date before they are read."""
        assert self.ir.layout is not None and self.ir.layout.deferred is not None
        kind = self.pointer("%late.p", self.ir.layout.deferred.kind.offset, out)
        out += [f"%late.kind = load i8, ptr {kind}", "%late = icmp ne i8 %late.kind, 0"]
        out += ["br i1 %late, label %settle, label %settled, !prof !2", "settle:"]
        settle = self.load_context(context.SETTLE, out)
        out += [f"call void {settle}(ptr %state)", "br label %settled", "settled:"]

    def begin_block(self, block: Block, out: Lines) -> None:
        self.block = block
        self.counted = self.counts.before[block]
        above = self.dominators.idom[self.dominators.index[block]]
        self.checked = set(self.checked_at.get(self.dominators.order[above], self.stack.reads))
        self.checked_at[block] = self.checked

    def terminate(self, terminator: Terminator, out: Lines) -> None:
        """End a block, with blocks between that and those which have another count."""
        if not terminator.targets:
            super().terminate(terminator, out)
            return
        more = {target: self.counts.more(self.block, target) for target in terminator.targets}
        if len(terminator.targets) == 1:
            self._count_more(more[terminator.targets[0]], out)
            super().terminate(terminator, out)
            return
        labels = dict(self.labels)
        between: Lines = []
        for target, number in more.items():
            if number:
                label = self.fresh("more")[1:]
                between.append(f"{label}:")
                self._count_more(number, between)
                between.append(f"br label %{labels[target]}")
                self.labels[target] = label
        if self.polls_turns():
            self._next_turn(terminator, out)
        else:
            super().terminate(terminator, out)
        self.labels = labels
        out += between

    def _count_more(self, number: int, out: Lines) -> None:
        if number:
            before, after = self.fresh("n"), self.fresh("n")
            pointer = self.pointer(self.fresh("c"), context.REGION_INSTRUCTIONS, out)
            out.append(f"{before} = load i64, ptr {pointer}")
            out += [f"{after} = add i64 {before}, {number}", f"store i64 {after}, ptr {pointer}"]

    def weights(self, terminator: Terminator) -> str:
        return branch_weights(terminator) if uses("branch-weights") else ""

    def end_block(self, lines: Lines) -> Lines:
        """Each block reads the base by itself, where it needs it: a register is not kept for that."""
        if not any(_BASE_NAME.search(line) for line in lines):
            return lines
        name = self.fresh("base")
        read = f"{name} = load i64, ptr {self._before(BASE)}, !invariant.load !1"
        first = 1 + next(i for i, line in enumerate(lines[1:]) if " = phi " not in line)
        return [*lines[:first], read, *(_BASE_NAME.sub(name, line) for line in lines[first:])]

    def _before(self, offset: int) -> str:
        """A pointer to a word that stands before the code."""
        return f"getelementptr (i8, ptr @{self.name}, i64 {offset})"

    def state_pointer(self, offset: int, type: Type, result: str, out: Lines) -> str:
        if offset in self.cells:
            return f"%cell{offset}"
        return super().state_pointer(offset, type, result, out)

    def lower(self, value: Value, out: Lines) -> None:
        name = value.op.name
        if name == "count" and self.block not in self.counts.by_themselves:
            self.counted += int(value.imm)
        elif name == "count":
            before, after = self.fresh("n"), self.fresh("n")
            out.append(f"{before} = load i64, ptr %counted")
            out.append(f"{after} = add i64 {before}, {value.imm}")
            out.append(f"store i64 {after}, ptr %counted")
        elif value.id in self.pairs.reads:
            whole = f"%v{self.pairs.reads[value.id].id}.whole"
            out.append(f"%v{value.id} = bitcast {_WHOLE} {whole} to {llvm_type(value.type)}")
        elif value.id in self.pairs.writes:
            written, low = self.pairs.writes[value.id], self.pairs.low_half(value.imm)
            whole = self.fresh("w")
            out.append(f"{whole} = bitcast {llvm_type(written.type)} {operand(written)} to {_WHOLE}")
            out.append(f"store {_WHOLE} {whole}, ptr %whole{low}, align 16")
        elif name == "poll":
            if not self.polls_turns():
                self._look(f"%v{value.id}", out)
        else:
            super().lower(value, out)
            if value.id in self.pairs.read_at:
                low = value.imm if value.imm in self.pairs.halves else self.pairs.low_half(value.imm)
                out.append(f"%v{value.id}.whole = load {_WHOLE}, ptr %whole{low}, align 16")

    def guest_pointer(self, value: Value, address: str, result: str, write: bool, out: Lines) -> str:
        """A pointer into the window, checked unless it is near an address that was checked on every way here, near the
        region's own code, or near the stack."""
        root = large_part(value.args[0])
        known = root is None or root in self.checked or self._is_near_code(root)
        if known or value.op.name in ("near_load", "near_store"):
            return self.unchecked_pointer(address, result, out)
        assert root is not None
        self.checked.add(root)
        near = displaced(value.args[0])
        checked = (address, 0) if near is None else (operand(near[0]), near[1])
        return self.checked_pointer(value, address, result, write, out, checked)

    def _is_near_code(self, address: Value) -> bool:
        """Whether an address lies near code of the region, which lies in the window."""
        offset = direct_offset(address)
        if offset is None:
            return False
        return any(abs(offset - block.origin[0]) < SMALL for block in self.ir.blocks if block.origin is not None)

    def last_blocks(self) -> Lines:
        faults = self.fault_blocks()
        at = faults.index("fault:") if faults else 0
        return [*self._rare_block(), *faults[:at], *self.end_block(faults[at:])]

    def fault_blocks(self) -> Lines:
        """The block "fault", where checks that fail go on, last, and those that are only about it."""
        out: Lines = []
        if self.faults:
            self.fault_phis(out)
            offsets = ", ".join(f"[{fault.pc}, %{fault.label}]" for fault in self.faults)
            out.insert(1, f"%fault.offset = phi i64 {offsets}")
            out.append("%fault.pc = add i64 %base, %fault.offset")
            self.store_context(context.FAULT_ADDRESS, "%fault.address", out)
            self.store_context(context.FAULT_WRITE, "%fault.write", out)
            self.store_context(context.FAULT_HOST_PC, "0", out)
            self.exit_to("%fault.pc", context.Reasons.FAULT, out)
        return out

    # --- leaving ---------------------------------------------------------------------------------------------------
    def commit(self, dirty: frozenset[int], out: Lines, counted: str) -> None:
        """Write back what may have changed, but for carried registers, and count instructions."""
        for offset in sorted(dirty - self.carried.keys()):
            text = llvm_type(self.cells[offset].type)
            value = self.fresh("w")
            out.append(f"{value} = load {text}, ptr %cell{offset}")
            out.append(f"store {text} {value}, ptr %slot{offset}, align 1")
        self.count("%counted", out, counted)

    def count(self, cell: str, out: Lines, more: str = "0") -> str:
        """Add what a cell holds, and some more, to the number of instructions that regions have executed; gives it."""
        held, counted, total = self.fresh("n"), self.fresh("n"), self.fresh("n")
        pointer = self.pointer(self.fresh("c"), context.REGION_INSTRUCTIONS, out)
        before = self.fresh("n")
        out += [f"{held} = load i64, ptr {cell}", f"{counted} = add i64 {held}, {more}"]
        out.append(f"{before} = load i64, ptr {pointer}")
        out.append(f"{total} = add i64 {before}, {counted}")
        out.append(f"store i64 {total}, ptr {pointer}")
        return counted

    def _carried(self, out: Lines) -> str:
        """The arguments that hand over the carried registers; those that the region does not touch pass through it."""
        arguments = []
        for offset, number in self.carried.items():
            value = f"%g{number}"
            if offset in self.cells:
                value = self.fresh("w")
                out.append(f"{value} = load i64, ptr %cell{offset}")
            arguments.append(f", i64 {value}")
        return "".join(arguments) + NOTHING[len(", i64 poison") * len(self.carried) :]

    def records(self, out: Lines) -> str:
        """The address of the entry record."""
        name = self.fresh("records")
        out.append(f"{name} = load ptr, ptr {self._before(RECORDS)}, !invariant.load !1")
        return name

    def _chain_to(self, slot: str, out: Lines) -> None:
        """Go to the record that an exit record is chained to: itself, as long as it was not resolved."""
        target, code_slot, code = self.fresh("t"), self.fresh("s"), self.fresh("h")
        out.append(f"{target} = load ptr, ptr {slot}")
        out.append(f"{code_slot} = getelementptr i8, ptr {target}, i64 {context.CODE}")
        out.append(f"{code} = load ptr, ptr {code_slot}")
        self.tail_to(code, target, out, self._carried(out))

    def _dispatch(self, pc: str, out: Lines) -> None:
        """Go on at a guest pc by the jump cache: every such place has a jump of its own for the host to predict.

        Whoever wants to interrupt is served by the runtime's `region_dispatch`, as are guest pcs met first.
        """
        assert self.ir.layout is not None
        carried = self._carried(out)
        if not uses("jump-cache"):
            self.tail_to_pc(self.load_context(context.REGION_DISPATCH, out), pc, out, carried)
            return
        n = self.fresh("j")
        # with two to an entry, which is what LLVM's addresses scale by, less is left to compute
        out.append(f"{n}.twice = add i64 {pc}, {pc}")
        out.append(f"{n}.index = and i64 {n}.twice, {(2 << context.JUMP_CACHE_BITS) - 2}")
        out.append(f"{n}.cache = getelementptr i8, ptr %state, i64 {context.jump_cache(self.ir.layout)}")
        out += [f"{n} = getelementptr i64, ptr {n}.cache, i64 {n}.index", f"{n}.key = load i64, ptr {n}"]
        flag = self.pointer(f"{n}.flag", context.INTERRUPT, out)
        out += [f"{n}.wanted = load volatile i64, ptr {flag}", f"{n}.other = xor i64 {n}.key, {pc}"]
        out += [f"{n}.any = or i64 {n}.other, {n}.wanted", f"{n}.hit = icmp eq i64 {n}.any, 0"]
        label = n[1:]
        out += [f"br i1 {n}.hit, label %{label}.known, label %{label}.unknown, !prof !0", f"{label}.known:"]
        out.append(f"{n}.code.p = getelementptr i8, ptr {n}, i64 {context.JUMP_CODE}")
        out.append(f"{n}.code = load ptr, ptr {n}.code.p")
        self.tail_to_pc(f"{n}.code", pc, out, carried)
        out.append(f"{label}.unknown:")
        self.tail_to_pc(self.load_context(context.REGION_DISPATCH, out), pc, out, carried)

    def _leave(self, pc: str, reason: str, out: Lines) -> None:
        self.store_pc(pc, out)
        self.store_context(context.EXIT_REASON, reason, out)
        self.tail_to(self.load_context(context.REGION_LEAVE, out), "null", out, self._carried(out))

    def _check_stack(self, pc: str, out: Lines) -> None:
        """Leave, and let tier 0 go on, unless the stack pointer is near the window, as regions rely on."""
        n = self.fresh("sp")
        out += [f"{n} = load i64, ptr %cell{self.stack.offset}", f"{n}.in = icmp ult i64 {n}, {1 << WINDOW_BITS}"]
        label = n[1:]
        out += [f"br i1 {n}.in, label %{label}.near, label %{label}.far, !prof !0", f"{label}.far:"]
        self._leave(pc, str(context.Reasons.INTERRUPT), out)
        out.append(f"{label}.near:")

    def polls_turns(self) -> bool:
        """Whether the block ends with a poll before a loop's next turn, which need not look at the flag each time."""
        end = self.block.terminator
        if end is None or end.op.name != "branch" or end.args[0].op.name != "poll":
            return False
        here = self.dominators.index[self.block]
        return any(self.dominators.index[target] <= here for target in end.targets)

    def _next_turn(self, terminator: Terminator, out: Lines) -> None:
        """Go on with a loop; look whether somebody wants to interrupt only when the count says so (see `counts`)."""
        interrupted, head = (self.labels[target] for target in terminator.targets)
        n = self.fresh("i")
        out += [f"{n} = load i64, ptr %counted", f"{n}.due = icmp sge i64 {n}, {LOOK}"]
        out += [f"br i1 {n}.due, label %{n[1:]}.look, label %{head}, !prof !2", f"{n[1:]}.look:"]
        self.count("%counted", out)
        out.append("store i64 0, ptr %counted")
        self._look(f"{n}.wanted", out)
        out.append(f"br i1 {n}.wanted, label %{interrupted}, label %{head}, !prof !2")

    def _look(self, result: str, out: Lines) -> None:
        """Whether somebody wants to interrupt."""
        word = self.fresh("i")
        flag = self.pointer(self.fresh("c"), context.INTERRUPT, out)
        out += [f"{word} = load volatile i64, ptr {flag}", f"{result} = icmp ne i64 {word}, 0"]

    def exit_number(self, offset: int) -> int:
        """The number of the exit record for a guest address; number 0 is the entry record."""
        return self._exit_numbers.setdefault(offset, 1 + len(self._exit_numbers))

    def leave_guest(self, name: str, terminator: Terminator, out: Lines) -> None:
        target = terminator.args[0]
        offset = direct_offset(target)
        near = self.stack.behind[self.block]
        if offset is not None and is_rare(terminator):
            way = RARELY.get("carefully" if terminator.imm == "rarely" and not near else terminator.imm)
            if way is None:
                way = _REASON + self.module.reasons[terminator.imm]
            for cell in sorted(self.rare_dirty - self.dirty[self.block]):
                text = llvm_type(self.cells[cell].type)
                if not self.visible[self.block] >> cell & 1:
                    out.append(f"store {text} poison, ptr %cell{cell}")
                elif self.cells[cell].group:  # read it here, and not at the entry for whom it may concern
                    value = self.fresh("w")
                    out.append(f"{value} = load {text}, ptr %slot{cell}, align 1")
                    out.append(f"store {text} {value}, ptr %cell{cell}")
            self.rare_exits.append((self.current, way, self.exit_number(offset), self.counted))
            out.append("br label %rare")
            return
        self.commit(self.dirty[self.block], out, str(self.counted))
        if name != "leave" and not near:
            self._check_stack(operand(target), out)
        if name == "leave":
            self._leave(operand(target), str(self.module.reasons[terminator.imm]), out)
        elif offset is not None and uses("chaining"):
            self._chain_to(self._before(slot_of(self.exit_number(offset))), out)
        else:
            self._dispatch(operand(target), out)

    def _rare_block(self) -> Lines:
        """The one place where all ways out that are seldom taken write back the state."""
        if not self.rare_exits:
            return []
        ways = ", ".join(f"[{way}, %{label}]" for label, way, _, _ in self.rare_exits)
        numbers = ", ".join(f"[{number}, %{label}]" for label, _, number, _ in self.rare_exits)
        counts = ", ".join(f"[{counted}, %{label}]" for label, _, _, counted in self.rare_exits)
        out = ["rare:", f"%rare.way = phi i64 {ways}", f"%rare.number = phi i64 {numbers}"]
        out.append(f"%rare.counted = phi i64 {counts}")
        self.commit(self.rare_dirty, out, "%rare.counted")
        cases = f"i64 {RARELY['rarely']}, label %rare.chain i64 {RARELY['carefully']}, label %rare.careful"
        out += [f"switch i64 %rare.way, label %rare.leave [{cases}]", "rare.chain:"]
        out.append("%rare.down = sub i64 0, %rare.number")
        out.append(f"%rare.slot = getelementptr i64, ptr {self._before(SLOTS)}, i64 %rare.down")
        self._chain_to("%rare.slot", out)
        for label in ("careful", "leave"):
            out.append(f"rare.{label}:")
            out.append(f"%{label}.offset = mul i64 %rare.number, {record.SIZE}")
            out.append(f"%{label}.record = getelementptr i8, ptr {self.records(out)}, i64 %{label}.offset")
            if label == "careful":
                careful = self.load_context(context.REGION_CAREFUL, out)
                self.tail_to(careful, f"%{label}.record", out, self._carried(out))
        out.append(f"%rare.reason = sub i64 %rare.way, {_REASON}")
        out.append(f"%rare.pc.p = getelementptr i8, ptr %leave.record, i64 {record.PC}")
        out.append("%rare.pc = load i64, ptr %rare.pc.p")
        self._leave("%rare.pc", "%rare.reason", out)
        return out
