"""What happened to one question: stages, figures and times. Never any text of a document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from citebot.ports import Usage, Used, unmetered


@dataclass(slots=True)
class Trace:
    """Filled while the path runs; `to_json` is what gets stored."""

    stages: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    begun: float = field(default_factory=perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what is put into the yielded dict is kept with it."""
        entry: dict[str, Any] = {"stage": name}
        self.stages.append(entry)
        begun = perf_counter()
        try:
            yield entry
        finally:
            entry["ms"] = round((perf_counter() - begun) * 1000, 2)

    def counted(self, what: str, used: Used = unmetered) -> Used:
        """The same, and count the calls of models under this name in the fact `calls`, and by model in `models`."""

        def count(usage: Usage) -> None:
            used(usage)
            for fact, name in (("calls", what), ("models", usage.model)):
                counts = self.facts.setdefault(fact, {})
                counts[name] = counts.get(name, 0) + usage.calls

        return count

    def elapsed_ms(self) -> float:
        """Since the question came in."""
        return (perf_counter() - self.begun) * 1000

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"stages": self.stages, **self.facts, "total_ms": round(self.elapsed_ms(), 2)}
