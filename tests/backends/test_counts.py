"""Counting instructions along paths: every path adds up to what its blocks have."""

from __future__ import annotations

import random

from metaphrase.backends.llvm.counts import Counts
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.ops import OPS
from metaphrase.ir.schedule import Dominators
from metaphrase.ir.types import I1, VOID


def _condition(function: Function) -> Value:
    return function.pure(OPS["const"], I1, (), imm=1)


def _random_graph(rng: random.Random) -> tuple[Function, dict[Block, int]]:
    """A function whose blocks go to one or two others, mostly forward, and what each of them counts."""
    function = Function("f")
    blocks = [function.block(f"b{n}") for n in range(rng.randint(2, 12))]
    own = {}
    for number, block in enumerate(blocks):
        own[block] = rng.randint(0, 9)
        function.effect(block, OPS["count"], VOID, (), imm=own[block])
        first = rng.randrange(len(blocks)) if rng.random() < 0.15 else number + 1
        targets = [blocks[t] for t in {first, rng.randint(number + 1, len(blocks))} if 0 < t < len(blocks)]
        if len(targets) == 2:
            block.terminator = Terminator(OPS["branch"], (_condition(function),), tuple(targets))
        elif targets:
            block.terminator = Terminator(OPS["jump"], (), tuple(targets))
        else:
            block.terminator = Terminator(OPS["ret"], ())
    return function, own


def test_every_path_adds_up() -> None:
    rng = random.Random(3)
    walked = looped = 0
    for _ in range(400):
        function, own = _random_graph(rng)
        counts = Counts(Dominators(function))
        for _ in range(8):
            block, counter, executed = function.blocks[0], 0, own[function.blocks[0]]
            for _ in range(60):
                if block in counts.loops:
                    counter += own[block]
                    looped += 1
                if not block.successors:
                    break
                following = rng.choice(block.successors)
                counter += counts.more(block, following)
                executed += own[following]
                block = following
            else:
                continue
            assert counter + counts.behind[block] == executed, function
            walked += 1
    assert walked > 2000 and looped > 1000


def test_only_the_longer_of_two_ways_adds() -> None:
    function = Function("f")
    entry, short, long, end = (function.block(name) for name in ("entry", "short", "long", "end"))
    for block, number in ((entry, 3), (short, 2), (long, 7), (end, 1)):
        function.effect(block, OPS["count"], VOID, (), imm=number)
    entry.terminator = Terminator(OPS["branch"], (_condition(function),), (short, long))
    short.terminator = long.terminator = Terminator(OPS["jump"], (), (end,))
    end.terminator = Terminator(OPS["ret"], ())
    counts = Counts(Dominators(function))
    assert (counts.more(short, end), counts.more(long, end), counts.behind[end]) == (0, 5, 6)
