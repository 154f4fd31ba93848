"""What a run was made of, as numbers by name that show themselves."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from metaphrase.machines.linux.cpu import Cpu
from metaphrase.reference import ReferenceCpu
from metaphrase.translator.engine import NativeCpu


class Statistics(Mapping[str, float]):
    """Counts and seconds by name, also as attributes: `statistics.instructions`.

    The names are those of the engine's own statistics (`translator.engine.statistics.Statistics`).
    """

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __getattr__(self, name: str) -> float:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"no statistic is called {name!r}; there are {', '.join(self)}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def instructions_per_second(self) -> float:
        """Guest instructions in a second of running; 0 if nothing ran."""
        seconds = self._values.get("run_seconds", 0.0)
        return self._values.get("instructions", 0) / seconds if seconds else 0.0

    def rows(self) -> list[tuple[str, str]]:
        """Names and numbers as people read them."""
        return [(name.replace("_", " "), _shown(value)) for name, value in self._values.items()]

    def __str__(self) -> str:
        rows = self.rows()
        width, digits = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
        return "\n".join(f"{name:>{width}}  {value:>{digits}}" for name, value in rows)

    def __repr__(self) -> str:
        return f"Statistics({', '.join(f'{name}={value:g}' for name, value in self._values.items())})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left">{html.escape(name)}</td><td style="text-align:right">{value}</td></tr>'
            for name, value in self.rows()
        )
        return f"<table>{rows}</table>"

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(str(self))  # type: ignore[attr-defined]


def _shown(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def statistics_of(cpu: Cpu) -> Statistics:
    """What a CPU has done so far."""
    if isinstance(cpu, NativeCpu):
        return Statistics(asdict(cpu.update_statistics()))
    if isinstance(cpu, ReferenceCpu):
        return Statistics({"instructions": cpu.instructions})
    return Statistics({})
