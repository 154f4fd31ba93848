"""What the engine tells of compiling."""

from __future__ import annotations

import os
import time

import metaphrase as mp
from metaphrase.translator.engine.statistics import STAGES, StageClock
from tests.metaphrase.isolated import isolated

LOOP = "mov ecx, 100000; again: add eax, ecx; dec ecx; jnz again"


def test_stages_are_in_processor_time() -> None:
    clock = StageClock()
    time.sleep(0.2)
    assert clock.lap() < 0.1
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    assert clock.lap() >= 0.05 and clock.lap() < 0.05


@isolated
def test_every_stage_of_a_region_is_told() -> None:
    os.environ["METAPHRASE_CACHE"] = "off"
    code = mp.code("x86_64", asm=LOOP)
    code.run(tier="1")
    told = code.statistics
    assert told.regions == 1 and told.compiled_instructions == 3 and told.llvm_load_seconds > 0
    assert all(told[stage] > 0 for stage in STAGES)
    assert sum(told[stage] for stage in STAGES) <= told.region_seconds


@isolated
def test_tier_0_compiles_no_region() -> None:
    code = mp.code("x86_64", asm=LOOP)
    code.run(tier="0")
    assert code.statistics.compiled_instructions == 0
    assert not any(code.statistics[stage] for stage in STAGES)
