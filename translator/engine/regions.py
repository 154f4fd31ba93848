"""Selecting and lifting regions: from the records of hot blocks to one function of IR."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from metaphrase.backends.llvm.region import direct_offset
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.ops import OPS
from metaphrase.ir.schedule import Dominators, reverse_postorder
from metaphrase.ir.types import I1, I64, VOID
from metaphrase.translator.emitter import Constants
from metaphrase.translator.guest import Decoded, Guest

MAX_BLOCKS = 48
MAX_INSTRUCTIONS = 400
MAX_GUESSES = 3
"""Blocks of the region that a return's target is compared with before the region is left."""
MAX_LEAF = 24
"""Instructions of a function that is taken into the regions of its callers: one that calls nothing itself."""
MAX_HEADS = 6
"""Roots that are tried for the entry."""


@dataclass(slots=True)
class GuestBlock:
    """A translated block as tier 0 sees it: its instructions, and where control goes on behind the last of them."""

    pc: int
    header: int
    instructions: list[Decoded]
    end: int
    ends_illegal: bool = False


@dataclass(slots=True)
class Region:
    """A lifted region, entered at guest address `entry`; `blocks` are all that it was made of."""

    origin: int
    function: Function
    entry: int
    blocks: list[GuestBlock]


class Blocks(Protocol):
    """Where a builder finds the translated blocks."""

    leaves: dict[int, bool]
    """Functions by address: whether they are small and call nothing, as far as was asked."""

    def block(self, pc: int, *, first: bool) -> GuestBlock | None:
        """The block that starts at a guest address, if it is translated and warm (or `first`)."""

    def is_warm(self, pc: int) -> bool:
        """Whether there is a block at a guest address that has been run often enough to matter."""


class RegionBuilder:
    """Lifts what is reachable by direct jumps from the roots, as far as it is warm and the limits allow.

    The roots are blocks that became hot, the latest first (`hot` is the one that did just now). Calls end a region,
    but for small functions that call nothing, and those that are roots themselves.

    A region is entered at one place, the root from which its loops have one head each: code that may be entered in the
    middle of it would be worth little. Whoever comes to another block of it goes on in tier 0, or, if that happens
    often, in a region that begins there.

    An `exact` region has a checkpoint before every instruction (see `ir.passes.checkpoints`).
    """

    def __init__(
        self, guest: Guest, blocks: Blocks, roots: Sequence[int], *, hot: int = 0, exact: bool = False,
        limit: int = MAX_INSTRUCTIONS,
    ) -> None:  # fmt: skip
        self.guest, self.source, self.origin, self.roots, self.limit = guest, blocks, roots[0], roots, limit
        self.hot, self.exact = hot or self.origin, exact
        self.function = Function(f"region_{self.origin:x}", guest.layout, simplify=simplify)
        self.entry = self.function.block("enter")
        self.emitter = guest.make_emitter(self.function)
        self.emitter.defers = guest.layout.deferred is not None
        self.function.blocks.remove(self.emitter.block)
        self.heads: dict[int, Block] = {}
        self.lifted: dict[int, GuestBlock] = {}
        self.instructions = 0
        self.return_points: dict[int, int | None] = {}
        """Where calls return to, and what they call where that is known."""
        self.targets: dict[int, list[int]] = {}
        """Where the direct exits of each block go."""
        self.backward: dict[Block, int] = {}
        """Blocks that end in a jump or call to a lower address, and that."""
        self.is_leaf = True

    def build(self) -> Region:
        """Select and lift."""
        self._collect()
        self._connect()
        entry = self._entry()
        self._begin_at(entry)
        reached = set(reverse_postorder(self.function))
        blocks = [block for pc, block in self.lifted.items() if self.heads[pc] in reached]
        self._poll_loops()
        return Region(self.origin, self.function, entry, blocks)

    def _begin_at(self, pc: int) -> None:
        self.entry.terminator = Terminator(OPS["jump"], (), (self.heads[pc],))

    def _entry(self) -> int:
        """Where the region begins: at the root that leads to the hot block and leaves the fewest irregular edges."""
        irregular = {}
        for pc in [pc for pc in self.roots if pc in self.lifted][:MAX_HEADS]:
            self._begin_at(pc)
            if self.heads[self.hot] in reverse_postorder(self.function):
                irregular[pc] = irregular_edges(self.function)
        return min(irregular, key=irregular.__getitem__, default=self.hot)

    def _collect(self) -> bool:
        """Lift from the hot block on, then from the other roots; whether all that was reached could be taken in.

        A root stays only if it leads to what is there already.
        """
        complete = self._reach(self.hot)
        for root in self.roots:
            before = dict(self.lifted)
            self._reach(root)
            made = [pc for pc in self.lifted if pc not in before]
            leads = any(target in before for pc in made for target in self.targets[pc])
            if not leads:
                for pc in made:
                    self.instructions -= len(self.lifted.pop(pc).instructions)
                    del self.targets[pc], self.heads[pc]
        return complete

    def _reach(self, root: int) -> bool:
        """Lift what can be reached from a root; whether all of it could be taken in."""
        queue = deque([root])
        complete = True
        while queue:
            pc = queue.popleft()
            if pc in self.lifted:
                continue
            block = self.source.block(pc, first=pc in self.roots)
            if block is None:
                continue
            if len(self.lifted) >= MAX_BLOCKS or self.instructions + len(block.instructions) > self.limit:
                complete = False
                continue
            self.lifted[pc] = block
            self.instructions += len(block.instructions)
            self.targets[pc] = self._lift(block)
            queue.extend(self.targets[pc])
        return complete

    def _small_leaf(self, target: int) -> bool:
        """Whether the function at a guest address is small, has run, and calls and jumps nowhere unknown."""
        known = self.source.leaves.get(target)
        if known is None:
            if self.limit < MAX_INSTRUCTIONS:
                return False  # this is such a trial itself
            trial = RegionBuilder(self.guest, self.source, [target], limit=MAX_LEAF)
            known = trial._collect() and trial.is_leaf and bool(trial.lifted)
            self.source.leaves[target] = known
        return known

    def _lift(self, block: GuestBlock) -> list[int]:
        """Lift one block; gives the addresses that its direct exits go to."""
        head = self.function.block(f"at_{block.pc - self.origin:x}")
        head.origin = (block.pc - self.origin, len(block.instructions))
        self.heads[block.pc] = head
        first = len(self.function.blocks) - 1
        m = self.emitter
        m.begin(head)
        m.effect("count", VOID, imm=len(block.instructions))
        for decoded in block.instructions:
            self.function.origin = decoded.pc - self.origin
            if self.exact:
                m.effect("checkpoint", VOID, imm=decoded.pc - self.origin)
            m.binding = Constants(self.function, decoded, self.origin)
            self.guest.emit(m, decoded.row, decoded.statics)
        if not m.ended:
            m.goto(Constants(self.function, block.instructions[-1], self.origin).next_pc())
        targets = []
        for made in [head, *self.function.blocks[first + 1 :]]:
            end = made.terminator
            if end is not None and end.op.name == "goto":
                offset = direct_offset(end.args[0])
                target = None if offset is None else (self.origin + offset) & (1 << 64) - 1
                if target is not None and target <= block.pc:
                    self.backward[made] = target
                if end.imm == "call":
                    self.is_leaf = False
                    self.return_points[block.end] = target
                    if target is not None and (target in self.roots or self._small_leaf(target)):
                        targets += [target, block.end]
                elif target is not None:
                    targets.append(target)
                elif end.imm == "jump":
                    self.is_leaf = False
        return targets

    def _connect(self) -> None:
        """Make jumps inside the region direct, and guess where its returns go."""
        returns = [
            pc for pc, callee in self.return_points.items()
            if pc in self.lifted and (callee is None or callee in self.lifted)
        ]  # fmt: skip
        for block in list(self.function.blocks):
            end = block.terminator
            if end is None or end.op.name != "goto":
                continue
            offset = direct_offset(end.args[0])
            if offset is not None:
                pc = (self.origin + offset) & (1 << 64) - 1
                if pc in self.heads:
                    block.terminator = Terminator(OPS["jump"], (), (self.heads[pc],))
                elif end.imm == "jump" and not self.source.is_warm(pc):
                    block.terminator = Terminator(end.op, end.args, imm="rarely")
            elif end.imm == "return":
                self._guess(block, end.args[0], returns[:MAX_GUESSES])

    def _guess(self, block: Block, target: Value, likely: list[int]) -> None:
        """Compare an unknown target with blocks of the region before it is left."""
        base = self.function.pure(OPS["base"], target.type, ())
        leave = block.terminator
        for pc in likely:
            missed = self.function.block()
            hit = target.eq(base + (pc - self.origin))
            block.terminator = Terminator(OPS["branch"], (hit,), (self.heads[pc], missed))
            block = missed
        block.terminator = leave

    def _poll_loops(self) -> None:
        """Put a poll on every edge that goes back: whoever wants to interrupt is seen once a turn of each loop.

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


def irregular_edges(function: Function) -> int:
    """How many edges lead back to a block that does not dominate where they begin: loops with several heads."""
    dominators = Dominators(function)
    count = 0
    for number, block in enumerate(dominators.order):
        for successor in block.successors:
            target = dominators.index[successor]
            count += target <= number and not dominators.dominates(target, number)
    return count
