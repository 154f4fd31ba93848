"""Check once before a loop what its accesses to guest memory would check in every turn.

An access that happens in every turn, at an address that moves by a few bytes a turn, can only leave the window through
the pages around it that are never mapped: from a turn that did not fault to the next, it stays near. So the check is
needed for the first turn alone. Conditions that no turn changes (and alignment, where steps are multiples of it) are
looked at before the loop too, if all they guard is a trap. If any of that fails, the loop's head is run the careful
way, by tier 0, which finds the exact place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd

from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import OPS, Trait
from metaphrase.ir.passes.dead_state import state_bytes
from metaphrase.ir.schedule import Dominators
from metaphrase.ir.types import I1, I64
from metaphrase.ir.window import SMALL, WINDOW_BITS, large_part

_GET, _PUT, _PUT_AT = OPS["get"], OPS["put"], OPS["put_at"]
_NEAR = {OPS["load"]: OPS["near_load"], OPS["store"]: OPS["near_store"]}
_MAX_STEP = SMALL // 8
_MAX_CONDITIONS = 12


@dataclass(frozen=True, slots=True)
class _Step:
    """How far a value is from what it was at the loop's head, at most, and what all its steps are multiples of."""

    bound: int = 0
    multiple: int = 0

    def __add__(self, other: _Step) -> _Step:
        return _Step(self.bound + other.bound, gcd(self.multiple, other.multiple))


_STILL = _Step()


@dataclass(slots=True)
class _Loop:
    """A natural loop."""

    header: Block
    members: set[Block] = field(default_factory=set)
    latches: list[Block] = field(default_factory=list)


def hoist_checks(function: Function) -> Function:
    """Mark loads and stores in loops as near (`near_load`), and drop branches to traps, for a check before the loop."""
    if function.layout is None or len(function.blocks) < 2:
        return function
    dominators = Dominators(function)
    loops = _loops(dominators)
    loops.sort(key=lambda loop: -len(loop.members))  # outer ones first
    innermost: dict[Block, _Loop] = {}
    for loop in loops:
        innermost.update(dict.fromkeys(loop.members, loop))
    for loop in loops:
        if loop.header.origin is not None:
            _Hoisting(function, function.layout, dominators, loop, innermost).run()
    return function


def _loops(dominators: Dominators) -> list[_Loop]:
    """The natural loops. Of those with one header, that which all the others contain is one of its own."""
    bodies: dict[int, list[tuple[Block, set[Block]]]] = {}
    for number, block in enumerate(dominators.order):
        for successor in block.successors:
            header = dominators.index[successor]
            if dominators.dominates(header, number):
                members = {dominators.order[each] for each in dominators.natural_loop(header, number)}
                bodies.setdefault(header, []).append((block, members))
    loops = []
    for header, found in bodies.items():
        found.sort(key=lambda body: len(body[1]))
        latch, smallest = found[0]
        whole = _Loop(dominators.order[header], set().union(*(members for _, members in found)))
        whole.latches = [each for each, _ in found]
        if len(found) > 1 and all(smallest - {latch} < members for _, members in found[1:]):
            loops.append(_Loop(whole.header, smallest, [latch]))
            whole.latches.remove(latch)
        loops.append(whole)
    return loops


class _Hoisting:
    """The work on one loop."""

    def __init__(
        self, function: Function, layout: Layout, dominators: Dominators, loop: _Loop, innermost: dict[Block, _Loop]
    ) -> None:
        self.function, self.layout, self.dominators = function, layout, dominators
        self.loop, self.innermost = loop, innermost
        self.inside = {effect.id for block in loop.members for effect in block.effects}
        self.varying = 0
        """Bytes of the state that change in other ways than by steps."""
        self.cells: dict[int, _Step] = {}
        """Slots that change by steps, by offset."""
        self.steps: dict[int, _Step | None] = {}
        self.before = Block(f"{loop.header.name}_before")
        self.outside: dict[int, Value] = {}
        """What values of the loop are before it."""
        self.conditions: list[Value] = []
        self.checked: set[Value] = set()

    def run(self) -> None:
        if not self._find_cells():
            return
        members = [block for block in self.dominators.order if block in self.loop.members]
        index = self.dominators.index
        latches = [index[latch] for latch in self.loop.latches]
        for block in members:
            if all(self.dominators.dominates(index[block], latch) for latch in latches):  # it is run in every turn
                self._accesses(block)
                self._trap(block)
        if self.conditions:
            self._insert()

    # --- what the loop does to the state ---------------------------------------------------------------------------
    def _find_cells(self) -> bool:
        """Sort the slots that the loop writes; whether that can be told at all."""
        puts: dict[int, list[Value]] = {}
        nested: set[int] = set()
        for block in self.loop.members:
            for effect in block.effects:
                if effect.op is _PUT_AT:
                    return False
                if effect.op is _PUT:
                    puts.setdefault(effect.imm, []).append(effect)
                    if self.innermost[block] is not self.loop:
                        nested.add(effect.imm)
        for offset, writes in puts.items():
            slot = self.layout.find(offset)
            whole = slot is not None and slot.offset == offset and all(w.args[0].type is slot.type for w in writes)
            steps = [self._step_of_write(offset, write.args[0]) for write in writes]
            if whole and offset not in nested and None not in steps:
                distances = [step for step in steps if step is not None]
                self.cells[offset] = _Step(sum(map(abs, distances)), gcd(*distances))
            else:
                for write in writes:
                    self.varying |= state_bytes(offset, write.args[0].type.bytes)
        return True

    def _step_of_write(self, offset: int, value: Value) -> int | None:
        """By how much a write changes the slot at an offset, if by a constant."""
        step = 0
        while value.op.name == "add" and value.args[1].is_const:
            step += _signed(value.args[1])
            value = value.args[0]
        same = value.op is _GET and value.imm == offset and value.type is I64 and value.id in self.inside
        return step if same else None

    def _step(self, value: Value) -> _Step | None:
        """How a value differs from turn to turn; None if in ways that are not known."""
        if value.id not in self.steps:
            self.steps[value.id] = self._find_step(value)
        return self.steps[value.id]

    def _find_step(self, value: Value) -> _Step | None:
        if value.op is _GET:
            if value.id not in self.inside:
                return _STILL
            known = self.cells.get(value.imm)
            if known is not None and value.type is I64:
                return known
            written = self.varying
            for offset in self.cells:
                written |= state_bytes(offset, 8)
            return None if written & state_bytes(value.imm, value.type.bytes) else _STILL
        if value.op.trait is not Trait.PURE:
            return None if value.id in self.inside else _STILL
        steps = [self._step(arg) for arg in value.args]
        known_steps = [step for step in steps if step is not None]
        if len(known_steps) != len(steps):
            return None
        if all(step == _STILL for step in known_steps):
            return _STILL
        if value.type is I64 and value.op.name in ("add", "sub"):
            return known_steps[0] + known_steps[1]
        if value.type is I64 and value.op.name == "shl" and value.args[1].is_const and value.args[1].imm < 8:
            by = int(value.args[1].imm)
            return _Step(known_steps[0].bound << by, known_steps[0].multiple << by)
        return None

    # --- what is checked before it ---------------------------------------------------------------------------------
    def _accesses(self, block: Block) -> None:
        """Mark the accesses of a block whose addresses stay near."""
        for effect in block.effects:
            near = _NEAR.get(effect.op)
            if near is None:
                continue
            large = large_part(effect.args[0])
            if large is None or self._check_address(large):
                effect.op = near

    def _check_address(self, large: Value) -> bool:
        """Have the large part of an address checked before the loop; whether that can be done, and is enough."""
        if large not in self.checked:
            step = self._step(large)
            if step is None or step.bound > _MAX_STEP or len(self.conditions) >= _MAX_CONDITIONS:
                return False
            self.checked.add(large)
            self.conditions.append(self._before(large).ult(1 << WINDOW_BITS))
        return True

    def _trap(self, block: Block) -> None:
        """Drop a branch to a trap whose condition is the same in every turn."""
        end = block.terminator
        if end is None or end.op.name != "branch" or len(self.conditions) >= _MAX_CONDITIONS:
            return
        condition, trap = end.args[0], end.targets[0]
        if trap.terminator is None or trap.terminator.op.name != "leave" or trap in self.loop.members:
            return
        if condition.is_const or not (self._step(condition) == _STILL or self._is_alignment(condition)):
            return
        never = self._before(condition).eq(0)
        if never not in self.conditions:
            self.conditions.append(never)
        block.terminator = Terminator(end.op, (self.function.const(I1, 0),), end.targets)

    def _is_alignment(self, condition: Value) -> bool:
        """Whether a condition says that an address is not aligned which moves by multiples of the alignment."""
        if condition.op.name != "ne" or not condition.args[1].is_const or condition.args[1].imm != 0:
            return False
        low = condition.args[0]
        if low.op.name != "and" or not low.args[1].is_const or low.type is not I64:
            return False
        mask = int(low.args[1].imm)
        step = self._step(low.args[0])
        return mask & (mask + 1) == 0 and step is not None and step.multiple % (mask + 1) == 0

    def _before(self, value: Value) -> Value:
        """What a value is before the loop's first turn (as far as it depends on the state at the loop's head)."""
        found = self.outside.get(value.id)
        if found is None:
            if value.op is _GET and value.id in self.inside:
                found = self.function.effect(self.before, _GET, value.type, (), value.imm)
            elif value.op.trait is Trait.PURE and value.args:
                args = tuple(self._before(arg) for arg in value.args)
                found = self.function.pure(value.op, value.type, args, value.imm)
            else:
                found = value
            self.outside[value.id] = found
        return found

    def _insert(self) -> None:
        """Put the checks on every edge into the loop."""
        function, header = self.function, self.loop.header
        assert header.origin is not None
        for block in function.blocks:
            end = block.terminator
            if end is not None and header in end.targets and block not in self.loop.members:
                targets = tuple(self.before if target is header else target for target in end.targets)
                block.terminator = Terminator(end.op, end.args, targets, end.imm)
        careful = Block(f"{header.name}_careful")
        target = function.pure(OPS["base"], I64, ()) + header.origin[0]
        careful.terminator = Terminator(OPS["goto"], (target,), imm="carefully")
        good = self.conditions[0]
        for condition in self.conditions[1:]:
            good = good & condition
        self.before.terminator = Terminator(OPS["branch"], (good,), (header, careful))
        function.blocks += [self.before, careful]


def _signed(constant: Value) -> int:
    number = int(constant.imm)
    return number - (1 << 64) if number >> 63 else number
