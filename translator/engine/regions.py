"""Lifting regions: from the blocks that were selected to one function of IR."""

from __future__ import annotations

from dataclasses import dataclass

from metaphrase.backends.llvm.region import direct_offset
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.ops import OPS
from metaphrase.ir.types import I1, I64, VOID
from metaphrase.translator.emitter import Constants
from metaphrase.translator.engine.block_table import GuestBlock
from metaphrase.translator.engine.selection import Blocks, Selection
from metaphrase.translator.guest import Guest
from metaphrase.translator.mechanisms import uses


@dataclass(slots=True)
class Region:
    """A lifted region, entered at guest address `origin`; `blocks` are all that it was made of."""

    origin: int
    function: Function
    blocks: list[GuestBlock]


class RegionBuilder:
    """Lifts a selection. An `exact` region has a checkpoint before every instruction (see `ir.passes.checkpoints`)."""

    def __init__(self, guest: Guest, source: Blocks, selection: Selection, *, exact: bool = False) -> None:
        self.guest, self.source, self.selection, self.exact = guest, source, selection, exact
        self.origin = selection.entry
        self.function = Function(f"region_{self.origin:x}", guest.layout, simplify=simplify)
        self.emitter = guest.make_emitter(self.function)
        self.emitter.defers = guest.layout.deferred is not None and uses("deferred-flags")
        self.entry = self.emitter.block
        self.heads: dict[int, Block] = {}
        self.cases: dict[Block, list[int]] = {}
        """By blocks that end in a jump by a table, where that often goes."""
        self.backward: dict[Block, int] = {}
        """Blocks that end in a jump or call to a lower address, and that."""

    def build(self) -> Region:
        """Lift all blocks and connect them."""
        for block in self.selection.blocks:
            self._lift(block)
        self.entry.terminator = Terminator(OPS["jump"], (), (self.heads[self.origin],))
        self._connect()
        self._poll_loops()
        return Region(self.origin, self.function, self.selection.blocks)

    def _lift(self, block: GuestBlock) -> None:
        head = self.function.block(f"at_{block.pc - self.origin:x}")
        head.origin = (block.pc - self.origin, len(block.instructions))
        head.runs = self.source.runs(block.pc)
        self.heads[block.pc] = head
        first = len(self.function.blocks) - 1
        m = self.emitter
        m.begin(head)
        m.effect("count", VOID, imm=len(block.instructions))
        for decoded in block.instructions:
            self.function.origin = decoded.pc - self.origin
            if self.exact:
                m.checkpoint = decoded.pc - self.origin
                m.resume_here()
            m.binding = Constants(self.function, decoded, self.origin)
            self.guest.emit(m, decoded.row, decoded.statics)
        if not m.ended:
            m.goto(Constants(self.function, block.instructions[-1], self.origin).next_pc())
        for made in [head, *self.function.blocks[first + 1 :]]:
            end = made.terminator
            if end is not None and end.op.name == "goto":
                offset = direct_offset(end.args[0])
                if offset is not None and self._address(offset) <= block.pc:
                    self.backward[made] = self._address(offset)
                elif offset is None and block.pc in self.selection.cases:
                    self.cases[made] = self.selection.cases[block.pc]

    def _address(self, offset: int) -> int:
        return (self.origin + offset) & (1 << 64) - 1

    def _connect(self) -> None:
        """Make jumps inside the region direct, and guess where its returns go."""
        for block in list(self.function.blocks):
            end = block.terminator
            if end is None or end.op.name != "goto":
                continue
            offset = direct_offset(end.args[0])
            if offset is not None:
                pc = self._address(offset)
                if pc in self.heads:
                    block.terminator = Terminator(OPS["jump"], (), (self.heads[pc],))
                elif end.imm == "jump" and not self.source.is_warm(pc):
                    block.terminator = Terminator(end.op, end.args, imm="rarely")
                elif block.runs is None:
                    block.runs = self.source.runs(pc)
            elif end.imm == "return" and uses("returns"):
                self._guess(block, end.args[0], self.selection.returns)
            elif block in self.cases:
                self._guess(block, end.args[0], self.cases[block])

    def _guess(self, block: Block, target: Value, likely: list[int]) -> None:
        """Compare an unknown target with blocks of the region before it is left."""
        base = self.function.pure(OPS["base"], target.type, ())
        leave = block.terminator
        for pc in (pc for pc in likely if pc in self.heads):
            missed = self.function.block()
            hit = target.eq(base + (pc - self.origin))
            block.terminator = Terminator(OPS["branch"], (hit,), (self.heads[pc], missed))
            block = missed
        block.terminator = leave

    def _poll_loops(self) -> None:
        """Put a poll on every edge that goes back: whoever wants to interrupt is seen there soon.

        Loops over several regions have jumps to lower addresses, or unknown ones, before which the runtime looks.
        On the edge and not at the loop's head, the values that only an interrupted turn would need (dead flags) stay
        inside the turn that computes them.
        """
        number = {block: index for index, block in enumerate(self.function.blocks)}
        heads = {head: pc for pc, head in self.heads.items()}
        for block in list(self.function.blocks):
            end = block.terminator
            if end is None:
                continue
            if end.op.name == "goto" and block in self.backward:
                self._poll_exit(block, self.backward[block])
            targets = []
            for target in end.targets:
                if number[target] <= number[block] and target in heads:
                    targets.append(self._latch(target, heads[target]))
                else:
                    targets.append(target)
            end.targets = tuple(targets)

    def _latch(self, head: Block, pc: int) -> Block:
        """A block that goes to a loop's head unless somebody wants to interrupt."""
        latch = self.function.block()
        self._poll(latch, pc, head)
        return latch

    def _poll_exit(self, block: Block, pc: int) -> None:
        """Let a block that leaves the region look first whether somebody wants to interrupt."""
        leave = self.function.block()
        leave.terminator = block.terminator
        self._poll(block, pc, leave)

    def _poll(self, block: Block, pc: int, otherwise: Block) -> None:
        interrupted = self.function.block()
        wanted = self.function.effect(block, OPS["poll"], I1, ())
        block.terminator = Terminator(OPS["branch"], (wanted,), (interrupted, otherwise))
        base = self.function.pure(OPS["base"], I64, ())
        interrupted.terminator = Terminator(OPS["leave"], (base + (pc - self.origin),), imm="interrupt")
