"""Place pure nodes in blocks: global code motion after Click (PLDI 1995).

A node may stand anywhere from the deepest block of its operands (early) down to the common dominator of its users
(late). It goes to the latest of those in the shallowest loop, so that values only a cold path needs are computed there.
"""

from __future__ import annotations

from collections.abc import Iterable

from metaphrase.ir.graph import Block, Function, Value, postorder


class Dominators:
    """Immediate dominators of the blocks reachable from the entry (Cooper, Harvey and Kennedy), and loop depths."""

    def __init__(self, function: Function) -> None:
        self.order = reverse_postorder(function)
        self.index = {block: i for i, block in enumerate(self.order)}
        self.predecessors: dict[Block, list[Block]] = {block: [] for block in self.order}
        for block in self.order:
            for successor in block.successors:
                self.predecessors[successor].append(block)
        self.idom: list[int] = self._solve()
        self._loop_depth: list[int] | None = None
        self.depth = [0] * len(self.order)
        for i in range(1, len(self.order)):
            self.depth[i] = self.depth[self.idom[i]] + 1

    def _solve(self) -> list[int]:
        idom = [-1] * len(self.order)
        idom[0] = 0
        changed = True
        while changed:
            changed = False
            for i in range(1, len(self.order)):
                new = -1
                for predecessor in self.predecessors[self.order[i]]:
                    p = self.index[predecessor]
                    if idom[p] >= 0:
                        new = p if new < 0 else _meet(idom, p, new)
                if new != idom[i]:
                    idom[i], changed = new, True
        return idom

    def dominates(self, a: int, b: int) -> bool:
        """Whether block number `a` dominates block number `b`."""
        while b > a:
            b = self.idom[b]
        return a == b

    def common(self, a: int, b: int) -> int:
        """The deepest block that dominates both."""
        return _meet(self.idom, a, b)

    @property
    def loop_depth(self) -> list[int]:
        """For each block's number, how many natural loops it lies in."""
        if self._loop_depth is None:  # (a cached_property has a lock, which the child of a fork may find taken)
            self._loop_depth = self._count_loops()
        return self._loop_depth

    def _count_loops(self) -> list[int]:
        depth = [0] * len(self.order)
        for i, block in enumerate(self.order):
            for successor in block.successors:
                header = self.index[successor]
                if self.dominates(header, i):
                    for member in self.natural_loop(header, i):
                        depth[member] += 1
        return depth

    def natural_loop(self, header: int, latch: int) -> set[int]:
        """The numbers of the blocks of the loop that the edge from `latch` back to `header` makes."""
        body, work = {header}, [latch]
        while work:
            block = work.pop()
            if block not in body:
                body.add(block)
                work.extend(self.index[p] for p in self.predecessors[self.order[block]])
        return body


def _meet(idom: list[int], a: int, b: int) -> int:
    while a != b:
        while a > b:
            a = idom[a]
        while b > a:
            b = idom[b]
    return a


def reverse_postorder(function: Function) -> list[Block]:
    """The blocks reachable from the entry; but for loops, every block behind its predecessors."""
    seen, order = {function.blocks[0]}, []
    stack: list[tuple[Block, int]] = [(function.blocks[0], 0)]
    while stack:
        block, index = stack.pop()
        if index < len(block.successors):
            stack.append((block, index + 1))
            successor = block.successors[index]
            if successor not in seen:
                seen.add(successor)
                stack.append((successor, 0))
        else:
            order.append(block)
    return order[::-1]


def schedule(function: Function, *, repeat: bool = False) -> list[tuple[Block, list[Value]]]:
    """Every reachable block, entry first, with its values (pure and effects) in an order that can be executed.

    Constants and other leaves without operands are not listed: whoever reads the schedule writes them in place. With
    `repeat`, some nodes stand in more than one block, instead of once above them all, where ways that do not need them
    would pay for them: what only blocks without successors need, and nodes of nothing but leaves, such as a guest
    address made of the region's base, which would be kept in memory until it is needed.
    """
    if len(function.blocks) == 1:
        block = function.blocks[0]
        return [(block, _exit(block, set()))]
    dominators = Dominators(function)
    order = dominators.order
    position: dict[int, int] = {}
    for i, block in enumerate(order):
        for effect in block.effects:
            position[effect.id] = i
    exits = {i for i, block in enumerate(order) if repeat and not block.successors}
    shared = _needed(block for i, block in enumerate(order) if i not in exits)
    if repeat:
        shared = {value.id for value in function.values() if value.id in shared and not _is_made_of_leaves(value)}
    nodes = [value for value in function.values() if value.op.is_pure and value.args and value.id in shared]
    early: dict[int, int] = {}
    for node in nodes:
        best = 0
        for arg in node.args:
            at = early.get(arg.id) if arg.op.is_pure else position.get(arg.id)
            if at is not None and dominators.depth[at] > dominators.depth[best]:
                best = at
        early[node.id] = best
    late: dict[int, int] = {}

    def used(value: Value, at: int) -> None:
        if value.op.is_pure and value.args:
            late[value.id] = at if value.id not in late else dominators.common(late[value.id], at)

    listed: dict[int, list[Value]] = {}
    for i, block in enumerate(order):
        if i in exits:
            listed[i] = _exit(block, shared)
        for value in listed.get(i, block.effects):
            for arg in value.args:
                if arg.id in shared:
                    used(arg, i)
        if block.terminator:
            for arg in block.terminator.args:
                if arg.id in shared:
                    used(arg, i)
    chosen: dict[int, int] = {}
    for node in reversed(nodes):
        if node.id not in late:
            continue  # only dead blocks used it
        at = best = late[node.id]
        while at != early[node.id]:
            at = dominators.idom[at]
            if dominators.loop_depth[at] < dominators.loop_depth[best]:
                best = at
        chosen[node.id] = best
        for arg in node.args:
            used(arg, best)
    members: list[list[Value]] = [[] for _ in order]
    for node in nodes:
        if node.id in chosen:
            members[chosen[node.id]].append(node)
    return [
        (block, listed[i] if i in exits else _ordered(block, members[i], shared)) for i, block in enumerate(order)
    ]


def _is_made_of_leaves(value: Value) -> bool:
    return value.op.is_pure and bool(value.args) and all(arg.op.is_pure and not arg.args for arg in value.args)


def _needed(blocks: Iterable[Block]) -> set[int]:
    """Ids of all that the blocks' effects and terminators are made of."""
    needed: set[int] = set()
    for block in blocks:
        for root in (*block.effects, *(block.terminator.args if block.terminator else ())):
            for _ in postorder(root, needed):
                pass
    return needed


def _exit(block: Block, shared: set[int]) -> list[Value]:
    """A block without successors: its effects, and before each the nodes it needs that are not `shared`."""
    placed = set(shared)
    out: list[Value] = []

    def place(root: Value) -> None:
        out.extend(value for value in postorder(root, placed) if value.op.is_pure and value.args)

    for effect in block.effects:
        for arg in effect.args:
            place(arg)
        placed.add(effect.id)
        out.append(effect)
    if block.terminator:
        for arg in block.terminator.args:
            place(arg)
    return out


def _ordered(block: Block, members: list[Value], shared: set[int]) -> list[Value]:
    """The block's effects with the pure `members` chosen for it, each before the first effect here that needs it.

    What is not `shared` is computed in every block that needs it.
    """
    waiting = {value.id for value in members}
    placed = set(shared)
    out: list[Value] = []

    def place(root: Value) -> None:
        stack = [(root, 0)]
        while stack:
            value, index = stack.pop()
            if value.id not in waiting and (value.id in placed or not value.args):
                continue
            if index < len(value.args):
                stack.append((value, index + 1))
                stack.append((value.args[index], 0))
            else:
                waiting.discard(value.id)
                placed.add(value.id)
                out.append(value)

    for effect in block.effects:
        for arg in effect.args:
            place(arg)
        out.append(effect)
    for value in members:  # the terminator's, and those whose users stand in blocks that this one dominates
        place(value)
    if block.terminator:
        for arg in block.terminator.args:
            place(arg)
    return out
