"""What executions of cases are compared with."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tests.oracle.native import Result
from tests.translator.x86 import host
from tests.translator.x86.batches import Agreement
from tests.translator.x86.execution import Execution
from tests.translator.x86.interpreted import Seen
from tests.translator.x86.observed import Observed, observe_hardware


class Expected:
    """What all executions of some cases are to leave behind, and what of that is not compared, case by case."""

    def __init__(self, observed: Sequence[Observed | None], undefined: Sequence[int]) -> None:
        self._observed, self.undefined = observed, undefined

    def observed(self, number: int) -> Observed | None:
        """What a case is to leave, None if nobody knows."""
        return self._observed[number]

    def agree(self, chosen: Sequence[int], seen: Sequence[Seen]) -> Collection[int]:
        """The numbers of cases, of those chosen, whose executions agree, as far as that is quickly seen."""
        return ()


class ExpectedOfHost(Expected):
    """The same as the host CPU has shown it; what can be compared as bytes is not decoded."""

    def __init__(self, runs: Sequence[Execution], results: Sequence[Result], undefined: Sequence[int]) -> None:
        self._runs, self._results, self.undefined = runs, results, undefined
        self._plain = [run.case.mode == 64 and not host.tells_otherwise(run) for run in runs]
        self._agreement = Agreement(results) if any(self._plain) else None
        self._known: dict[int, Observed | None] = {}

    def observed(self, number: int) -> Observed | None:
        if number not in self._known:
            self._known[number] = host.told(self._runs[number], observe_hardware(self._results[number]))
        return self._known[number]

    def agree(self, chosen: Sequence[int], seen: Sequence[Seen]) -> Collection[int]:
        if self._agreement is None:
            return ()
        holds = self._agreement.holds(chosen, seen, [self.undefined[number] for number in chosen])
        return {number for number, same in zip(chosen, holds, strict=True) if same and self._plain[number]}
