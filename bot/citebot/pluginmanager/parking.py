"""Failures of moment hooks are counted; what fails too often is parked until the next start."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger("citebot.plugins")

FAILURES = 5
WINDOW = 600.0


@dataclass(frozen=True, slots=True)
class Parked:
    """A hook of one plugin that is not called any more."""

    plugin: str
    distribution: str
    hook: str
    why: str
    """The last failure."""

    def __str__(self) -> str:
        return f"{self.hook} of plugin “{self.plugin}” ({self.distribution}) failed {FAILURES} times: {self.why}"


class Parking:
    """Counts failures per plugin and hook. Hooks run on several threads, so everything is under one lock."""

    def __init__(self, *, clock: Callable[[], float], on_parked: Callable[[Parked], None] | None) -> None:
        self._clock = clock
        self._on_parked = on_parked
        self._lock = threading.Lock()
        self._failures: dict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=FAILURES))
        self._parked: dict[tuple[str, str], Parked] = {}

    def is_parked(self, plugin: str, hook: str) -> bool:
        """Whether a hook of a plugin must not be called."""
        return (plugin, hook) in self._parked

    def of(self, plugin: str) -> tuple[Parked, ...]:
        """What is parked of one plugin."""
        return tuple(parked for (owner, _), parked in sorted(self._parked.items()) if owner == plugin)

    def failed(self, plugin: str, distribution: str, hook: str, why: str) -> None:
        """Note a failure; the fifth within ten minutes parks the hook and tells."""
        log.warning("plugin hook failed", plugin=plugin, distribution=distribution, hook=hook, why=why)
        parked = Parked(plugin, distribution, hook, why)
        with self._lock:
            now = self._clock()
            times = self._failures[plugin, hook]
            times.append(now)
            if (plugin, hook) in self._parked or len(times) < FAILURES or now - times[0] > WINDOW:
                return
            self._parked[plugin, hook] = parked
        log.error("plugin hook parked", plugin=plugin, distribution=distribution, hook=hook, why=why)
        if self._on_parked is not None:
            self._on_parked(parked)
