"""Promise P8: however many replicas there are, whatever their clocks say, each due run happens once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from citebot.scheduling import due_before
from citebot.storage import Database, slots

REPLICAS = 5
SLOTS = 1_000
DISTANCE = timedelta(seconds=60)
SKEW = 2.0
PAUSED = 0.15
"""How often a replica stands still when a slot is due, and comes to it later."""
JOB = "sync wiki"
START = due_before(datetime(2026, 3, 1, tzinfo=UTC), DISTANCE, JOB)


def moments(rng: random.Random, skews: list[float]) -> Iterator[list[tuple[int, datetime]]]:
    """For each slot, the replicas awake at that time with what their clocks say, in any order; then the late ones."""
    late: list[tuple[int, datetime]] = []
    for number in range(SLOTS):
        due = START + number * DISTANCE
        awake = [(replica, due + timedelta(seconds=max(0.0, skews[replica]))) for replica in range(REPLICAS)]
        asleep = [at for at in awake[1:] if rng.random() < PAUSED]  # somebody is always awake
        now = [at for at in awake if at not in asleep]
        rng.shuffle(now)
        yield [*now, *late]
        late = asleep


@pytest.mark.timeout(300)
def test_a_thousand_slots_are_each_run_once(database: Database) -> None:
    rng = random.Random(8)
    skews = [rng.uniform(-SKEW, SKEW) for _ in range(REPLICAS)]
    runs: Counter[datetime] = Counter()

    def take(replica: int, clock: datetime) -> datetime | None:
        # As the scheduler does: the due time is what counts, not what the clock on the wall says.
        due = due_before(clock, DISTANCE, JOB)
        with database.write() as tx:
            return due if slots.take(tx, job=JOB, due=due, holder=str(replica)) else None

    with ThreadPoolExecutor(REPLICAS) as replicas:
        for attempts in moments(rng, skews):
            runs.update(due for due in replicas.map(lambda at: take(*at), attempts) if due is not None)

    assert runs == Counter(START + number * DISTANCE for number in range(SLOTS))
