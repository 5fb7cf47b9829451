"""What is used up of the budgets of a day, in questions, money and tokens, and what unfinished answers hold of them.

What is held is counted as used up until it is settled, so a limit cannot be passed. Every transaction locks its
reservations first and then its counters in one order: none waits in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, func, or_, select, true, update
from sqlalchemy.sql.elements import ColumnElement

from citebot.storage import clock
from citebot.storage.database import Transaction
from citebot.storage.tables import reservation, spending
from citebot.storage.upsert import insert

ORDER = ("per_person", "per_day", "person", "conversation", "workspace", "everybody", "model")
"""Every kind of counter. The one that all share is locked late, and so for the shortest time."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much, of each kind."""

    questions: int = 0
    cost: int = 0
    """Millionths."""
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.questions + other.questions, self.cost + other.cost, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.questions - other.questions, self.cost - other.cost, self.tokens - other.tokens)

    def fits(self, limit: Amount) -> bool:
        """Whether it is within a limit, of which 0 is none."""
        pairs = ((self.questions, limit.questions), (self.cost, limit.cost), (self.tokens, limit.tokens))
        return all(not most or value <= most for value, most in pairs)


NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class Counter:
    """Something that is counted every day anew: a budget where it was set, or a model."""

    budget: str
    place: str = ""
    person: str = ""

    @property
    def turn(self) -> tuple[int, str, str]:
        """When it is locked."""
        return ORDER.index(self.budget), self.place, self.person


@dataclass(frozen=True, slots=True)
class Hold:
    """What one answer holds."""

    id: str
    day: str
    counters: tuple[Counter, ...]
    amount: Amount


@dataclass(frozen=True, slots=True)
class Spent:
    """What is counted of one day."""

    counter: Counter
    amount: Amount


def take(tx: Transaction, amount: Amount, limits: Mapping[Counter, Amount], *, day: str = "") -> bool:
    """Take from all of the counters or, where a limit does not allow it, from none."""
    day = day or clock.today(tx)
    with tx.begin_nested() as together:
        taken = all(_take(tx, counter, day, amount, limits[counter]) for counter in _in_turn(limits))
        if not taken:
            together.rollback()
    return taken


def add(tx: Transaction, amounts: Mapping[Counter, Amount], *, day: str = "") -> None:
    """Count what was used, or with negative amounts what was not, whatever the limits."""
    day = day or clock.today(tx)
    for counter in _in_turn(amounts):
        if amounts[counter] != NOTHING:
            _take(tx, counter, day, amounts[counter], NOTHING)


def reserve(
    tx: Transaction, id: str, amount: Amount, limits: Mapping[Counter, Amount], *, question: str, seconds: float
) -> Hold | None:
    """Hold an amount for an answer, None when there is no room for it."""
    now = clock.now(tx)
    hold = Hold(id, now.date().isoformat(), tuple(limits), amount)
    if not take(tx, amount, limits, day=hold.day):
        return None
    row = {
        "id": id,
        "question": question,
        "day": hold.day,
        "counters": [[counter.budget, counter.place, counter.person] for counter in limits],
        **{"cost": amount.cost, "tokens": amount.tokens, "risked_cost": 0, "risked_tokens": 0},
        "expires_at": now + timedelta(seconds=seconds),
    }
    tx.execute(insert(tx, reservation).values(row))
    return hold


def risk(tx: Transaction, hold: Hold, amount: Amount, *, seconds: float) -> bool:
    """Note what an answer may have used once its next call has begun; False when it holds nothing any more."""
    values = {"risked_cost": amount.cost, "risked_tokens": amount.tokens}
    until = clock.now(tx) + timedelta(seconds=seconds)
    mine = update(reservation).where(reservation.c.id == hold.id).values(**values, expires_at=until)
    return bool(tx.execute(mine).rowcount)


def settle(
    tx: Transaction, hold: Hold, used: Amount, *, risked: Amount, models: Mapping[Counter, Amount] | None = None
) -> None:
    """Count what was used instead of what was held, or of what was risked where it was healed before."""
    gone = delete(reservation).where(reservation.c.id == hold.id)
    counted = hold.amount if tx.execute(gone).rowcount else risked
    add(tx, {**dict.fromkeys(hold.counters, used - counted), **(models or {})}, day=hold.day)


def to_heal(tx: Transaction, question: str = "") -> bool:
    """Whether there is something to heal."""
    return tx.execute(select(reservation.c.id).where(_left(tx, question)).limit(1)).scalar() is not None


def heal(tx: Transaction, question: str = "") -> int:
    """Close what killed answers have left, and what an earlier attempt at the same question has.

    What their calls may have used stays counted, also when nobody knows whether it was; the rest is given back.
    """
    # Whoever settles one at this moment needs no healing.
    query = select(reservation).where(_left(tx, question)).with_for_update(skip_locked=True)
    rows = tx.execute(query).all()
    tx.execute(delete(reservation).where(reservation.c.id.in_([row.id for row in rows])))
    for day in sorted({row.day for row in rows}):
        add(tx, _returned(row for row in rows if row.day == day), day=day)
    return len(rows)


def spent(tx: Transaction, *, day: str = "") -> list[Spent]:
    """All counters of a day."""
    table = spending
    rows = tx.execute(select(table).where(table.c.day == (day or clock.today(tx))))
    found = [
        Spent(Counter(row.budget, row.place, row.person), Amount(row.questions, row.cost, row.tokens)) for row in rows
    ]
    return sorted(found, key=lambda one: (ORDER.index(one.counter.budget), -one.amount.cost, -one.amount.tokens))


def held(tx: Transaction) -> int:
    """How many answers hold something."""
    return tx.execute(select(func.count()).select_from(reservation)).scalar_one()


def forget(tx: Transaction, before: datetime) -> int:
    """Delete the counters of days long over."""
    return tx.execute(delete(spending).where(spending.c.day < before.date().isoformat())).rowcount


def _take(tx: Transaction, counter: Counter, day: str, amount: Amount, limit: Amount) -> bool:
    """In one statement: of many at once exactly as many get through as there is room for."""
    if not amount.fits(limit):
        return False  # a new row has no condition
    table = spending
    row = {"place": counter.place, "budget": counter.budget, "person": counter.person, "day": day}
    values = {"questions": amount.questions, "cost": amount.cost, "tokens": amount.tokens}
    most = {"questions": limit.questions, "cost": limit.cost, "tokens": limit.tokens}
    statement = insert(tx, table).values({**row, **values})
    taken = statement.on_conflict_do_update(
        index_elements=[table.c.place, table.c.budget, table.c.person, table.c.day],
        set_={name: table.c[name] + value for name, value in values.items()},
        where=and_(true(), *(table.c[name] + values[name] <= value for name, value in most.items() if value)),
    )
    return tx.execute(taken.returning(table.c.questions)).scalar() is not None


def _in_turn(counters: Iterable[Counter]) -> Sequence[Counter]:
    return sorted(counters, key=lambda counter: counter.turn)


def _left(tx: Transaction, question: str) -> ColumnElement[bool]:
    over = reservation.c.expires_at <= clock.now(tx)
    return or_(over, reservation.c.question == question) if question else over


def _returned(rows: Iterable[Row[Any]]) -> dict[Counter, Amount]:
    total: dict[Counter, Amount] = {}
    for row in rows:
        back = Amount(0, row.risked_cost, row.risked_tokens) - Amount(0, row.cost, row.tokens)
        for names in row.counters:
            counter = Counter(*names)
            total[counter] = total.get(counter, NOTHING) + back
    return total
