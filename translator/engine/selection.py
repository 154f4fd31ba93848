"""Selecting regions: which blocks around a hot one are compiled together, and where they are entered.

Nothing is lifted for that but the last instruction of each block, once, which tells where it goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from metaphrase.backends.llvm.region import direct_offset
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Block, Function, Terminator
from metaphrase.ir.ops import OPS
from metaphrase.ir.schedule import Dominators, reverse_postorder
from metaphrase.translator.emitter import Constants
from metaphrase.translator.engine.block_table import GuestBlock
from metaphrase.translator.engine.jump_tables import jump_table
from metaphrase.translator.guest import Guest
from metaphrase.translator.mechanisms import uses

MAX_BLOCKS = 48
MAX_INSTRUCTIONS = 400
MAX_GUESSES = 3
"""Blocks of the region that a return's target is compared with before the region is left."""
MAX_CASES = 8
"""Blocks that the target of a jump by a table is compared with."""
SELDOM = 16
"""One of so many jumps at least goes to each of them."""
FROM_ELSEWHERE = 3
"""How often the targets of a table are run, at most, for each jump by it: with more, they have other ways to them."""
MAX_LEAF = 24
"""Instructions of a function that is taken into the regions of its callers, with those that it calls itself."""
MAX_STUB = 3
"""Instructions of a stub, which is taken into the regions of its callers: all that it does is jump."""
MAX_HEADS = 6
"""Roots that are tried for the entry."""


class Way(NamedTuple):
    """One way on from a block: a jump, call or return (see the op `goto`), and where to, if that is known."""

    transfer: str
    target: int | None


@dataclass(slots=True)
class Facts:
    """What builders have found out of code, as far as they wanted to know, by the addresses of blocks."""

    leaves: dict[int, bool] = field(default_factory=dict)
    """Whether functions are small and call nothing."""
    ways: dict[int, list[Way]] = field(default_factory=dict)
    """Where blocks go on."""
    tables: dict[int, list[int]] = field(default_factory=dict)
    """Where jumps by a table may lead; nowhere known, if there is none."""

    def clear(self) -> None:
        """Forget it all: code has changed."""
        for known in (self.leaves, self.ways, self.tables):
            known.clear()


class Blocks(Protocol):
    """Where a builder finds the translated blocks."""

    facts: Facts

    def block(self, pc: int, *, first: bool) -> GuestBlock | None:
        """The block that starts at a guest address, if it is translated and warm (or `first`)."""

    def runs(self, pc: int) -> int | None:
        """How often the block at a guest address has been run, as far as that is known."""

    def is_warm(self, pc: int) -> bool:
        """Whether there is a block at a guest address that has been run often enough to matter."""

    def is_entry(self, pc: int) -> bool:
        """Whether a region begins at a guest address."""

    def read(self, address: int, length: int) -> bytes:
        """Guest memory; less of it, or nothing, where not so much can be read."""


@dataclass(slots=True)
class Selection:
    """The blocks of a region, the entry first, and those among them that its returns are guessed to go to.

    Those that jumps by tables are guessed to go to are known for each jump, by the address of its block.
    """

    blocks: list[GuestBlock]
    returns: list[int]
    cases: dict[int, list[int]]

    @property
    def entry(self) -> int:
        return self.blocks[0].pc


def select(guest: Guest, source: Blocks, roots: Sequence[int], hot: int) -> Selection | None:
    """What is reached by direct jumps from the entry, as far as it is warm and the limits allow; None if nothing is.

    The roots are blocks that became hot, the latest first (`hot` is the one that did just now). Calls end a region,
    but for small functions that call none but such, and those that are roots themselves.

    A region is entered at one place, the root from which its loops have one head each: code that may be entered in the
    middle of it would be worth little. Whoever comes to another block of it goes on in tier 0, or, if that happens
    often, in a region that begins there.
    """
    selector = _Selector(guest, source, roots, MAX_INSTRUCTIONS)
    selector.collect(hot)
    return selector.selection(hot) if hot in selector.found else None


class _Selector:
    """The work on one region."""

    def __init__(self, guest: Guest, source: Blocks, roots: Sequence[int], limit: int) -> None:
        self.guest, self.source, self.roots, self.limit = guest, source, roots, limit
        self.found: dict[int, GuestBlock] = {}
        self.targets: dict[int, list[int]] = {}
        """Where the direct ways on from each block go."""
        self.instructions = 0
        self.return_points: dict[int, int | None] = {}
        """Where calls return to, and what they call where that is known."""
        self.cases: dict[int, list[int]] = {}
        """By blocks that end in a jump by a table, where they often go."""
        self.is_leaf = True
        self.ends_at_entries = False

    def collect(self, hot: int) -> bool:
        """Find what the hot block leads to, then the roots that lead there; whether all of the first was taken in.

        If that is too much, the region ends where others begin. Otherwise it would end where nobody else comes to, and
        what begins there would end at yet another place: many regions would have the same code.
        """
        complete = self.reach(hot)
        if not complete and self.limit == MAX_INSTRUCTIONS and uses("ends-at-entries"):
            self.found.clear()
            self.targets.clear()
            self.return_points.clear()
            self.instructions = 0
            self.ends_at_entries = True
            self.reach(hot)
        for root in self.roots:
            before = dict(self.found)
            self.reach(root)
            made = [pc for pc in self.found if pc not in before]
            if not any(target in before for pc in made for target in self.targets[pc]):
                for pc in made:
                    self.instructions -= len(self.found.pop(pc).instructions)
                    del self.targets[pc]
        return complete

    def reach(self, root: int) -> bool:
        """Find what can be reached from a root; whether all of it could be taken in."""
        queue = deque([root])
        complete = True
        while queue:
            pc = queue.popleft()
            if pc in self.found or (self.ends_at_entries and pc not in self.roots and self.source.is_entry(pc)):
                continue
            block = self.source.block(pc, first=pc in self.roots)
            if block is None:
                continue
            if len(self.found) >= MAX_BLOCKS or self.instructions + len(block.instructions) > self.limit:
                complete = False
                continue
            self.found[pc] = block
            self.instructions += len(block.instructions)
            self.targets[pc] = self.direct(block)
            queue.extend(self.targets[pc])
        return complete

    def direct(self, block: GuestBlock) -> list[int]:
        """Where the ways on from a block go that may stay in the region."""
        targets = []
        for transfer, target in ways(self.guest, self.source, block):
            if transfer == "call":
                self.return_points[block.end] = target
                small = target is not None and self.small_leaf(target)
                self.is_leaf = self.is_leaf and small
                if target is not None and (small or target in self.roots):
                    targets += [target, block.end]
                elif target is not None and self.is_stub(target):
                    targets.append(target)
                    del self.return_points[block.end]  # what is called lies elsewhere
            elif target is not None:
                targets.append(target)
            elif transfer == "jump":
                self.is_leaf = False
                self.cases[block.pc] = self.likely(block)
                targets += self.cases[block.pc]
        return targets

    def likely(self, block: GuestBlock) -> list[int]:
        """Where the jump at the end of a block often goes, by the table that it takes its targets from; the most
        frequent first. Nowhere, if others jump there by far more often, as where each operation of an interpreter ends
        in a jump to the next."""
        if not uses("jump-tables"):
            return []
        targets = self.source.facts.tables.get(block.pc)
        if targets is None:
            table = jump_table(self.guest, block.instructions)
            targets = [] if table is None else table.targets(self.source.read)
            self.source.facts.tables[block.pc] = targets
        runs = {target: count for target in targets if (count := self.source.runs(target))}
        here = self.source.runs(block.pc) or 0
        if sum(runs.values()) > here * FROM_ELSEWHERE:
            return []
        often = [target for target, count in runs.items() if count * SELDOM >= here]
        return sorted(often, key=lambda target: -runs[target])[:MAX_CASES]

    def is_stub(self, target: int) -> bool:
        """Whether the block at a guest address does no more than jump on to where a table says, as those of a procedure
        linkage table do."""
        if not uses("stubs"):
            return False
        block = self.source.block(target, first=False)
        if block is None or len(block.instructions) > MAX_STUB:
            return False
        return ways(self.guest, self.source, block) == [Way("jump", None)]

    def small_leaf(self, target: int) -> bool:
        """Whether the function at a guest address is small, has run, calls none but such, and jumps nowhere unknown."""
        known = self.source.facts.leaves.get(target) if uses("leaves") else False
        if known is None:
            self.source.facts.leaves[target] = False  # until it is known: a function may call itself
            trial = _Selector(self.guest, self.source, [target], MAX_LEAF)
            known = trial.collect(target) and trial.is_leaf and bool(trial.found)
            self.source.facts.leaves[target] = known
        return known

    def selection(self, hot: int) -> Selection:
        """The blocks that the entry leads to: the root from which hot is reached, and loops have their shape."""
        returns = [
            pc for pc, callee in self.return_points.items()
            if pc in self.found and (callee is None or callee in self.found)
        ][:MAX_GUESSES]  # fmt: skip
        function = Function("shape")
        blocks = {pc: function.block(f"at_{pc:x}") for pc in self.found}
        for pc, block in blocks.items():
            ends = ways(self.guest, self.source, self.found[pc])
            guessed = returns if any(way.transfer == "return" for way in ends) else []
            onward = [blocks[target] for target in (*self.targets[pc], *guessed) if target in blocks]
            block.terminator = Terminator(OPS["jump"], (), tuple(onward))
        order: list[Block] = []
        fewest = -1
        for pc in [*[root for root in self.roots if root in blocks][:MAX_HEADS], hot]:
            function.blocks.remove(blocks[pc])
            function.blocks.insert(0, blocks[pc])
            reached = reverse_postorder(function)
            if blocks[hot] in reached:
                edges = irregular_edges(function)
                if fewest < 0 or edges < fewest:
                    order, fewest = reached, edges
        at = {block: pc for pc, block in blocks.items()}
        return Selection([self.found[at[block]] for block in order], returns, self.cases)


def ways(guest: Guest, source: Blocks, block: GuestBlock) -> list[Way]:
    """Where a block goes on: its last instruction is lifted for that, once."""
    known = source.facts.ways.get(block.pc)
    if known is None:
        last = block.instructions[-1]
        function = Function("end", guest.layout, simplify=simplify)
        emitter = guest.make_emitter(function)
        emitter.binding = Constants(function, last, block.pc)
        guest.emit(emitter, last.row, last.statics)
        known = [] if emitter.ended else [Way("jump", block.end)]
        for made in function.blocks:
            end = made.terminator
            if end is not None and end.op.name == "goto":
                offset = direct_offset(end.args[0])
                target = None if offset is None else (block.pc + offset) & (1 << 64) - 1
                known.append(Way(str(end.imm), target))
        source.facts.ways[block.pc] = known
    return known


def irregular_edges(function: Function) -> int:
    """How many edges lead back to a block that does not dominate where they begin: loops with several heads."""
    dominators = Dominators(function)
    count = 0
    for number, block in enumerate(dominators.order):
        for successor in block.successors:
            target = dominators.index[successor]
            count += target <= number and not dominators.dominates(target, number)
    return count
