"""Settings of conversations, and how many questions of a budget are used up.

A setting may be made for one conversation, for all of a workspace or for all of a platform; the nearest one counts. A
budget counts the questions of the place for which it was set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import ValidationError
from sqlalchemy import delete, or_, select

from citebot.errors import WrongUse
from citebot.model import Conversation
from citebot.ports import Inbound
from citebot.settings import validated
from citebot.settings.conversations import ConversationSettings
from citebot.storage import budgets, clock
from citebot.storage.budgets import Amount, Counter
from citebot.storage.database import Transaction
from citebot.storage.tables import conversation_settings
from citebot.storage.upsert import insert

EVERYBODY = ""
BUDGETS = ("per_person", "per_day")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A conversation; without `conversation` all of a workspace, without `tenant` all of a platform."""

    platform: str
    tenant: str = ""
    conversation: str = ""

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """The place of a conversation, whichever its thread."""
        return cls(conversation.platform, conversation.tenant, conversation.id)

    @classmethod
    def read(cls, text: str) -> Self:
        """The place that `PLATFORM`, `PLATFORM:TENANT` or `PLATFORM:TENANT:CONVERSATION` names."""
        platform, _, rest = text.partition(":")
        tenant, _, conversation = rest.partition(":")
        if not platform or (conversation and not tenant):
            raise WrongUse(f"“{text}” is no place: write it as slack, slack:TEAM or slack:TEAM:CHANNEL.")
        return cls(platform, tenant, conversation)

    def __str__(self) -> str:
        return ":".join(filter(None, (self.platform, self.tenant, self.conversation)))

    @property
    def around(self) -> tuple[Place, ...]:
        """The places a setting may be made for, the widest first."""
        wider = [Place(self.platform)]
        if self.tenant:
            wider.append(Place(self.platform, self.tenant))
        return (*wider, self) if self.conversation else tuple(wider)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What counts in a place, and where each setting that somebody made was made."""

    settings: ConversationSettings
    origins: Mapping[str, Place]


def resolve(tx: Transaction, place: Place) -> Resolved:
    """What counts in a place."""
    found = dict(_rows(tx, place))
    merged: dict[str, Any] = {}
    origins: dict[str, Place] = {}
    for one in place.around:
        values = _known(found.get(one, {}))
        merged |= values
        origins |= dict.fromkeys(values, one)
    return Resolved(_checked(merged), origins)


def own(tx: Transaction, place: Place) -> dict[str, Any]:
    """What is set for exactly this place."""
    return next((values for row_place, values in _rows(tx, place) if row_place == place), {})


def every(tx: Transaction) -> list[tuple[Place, dict[str, Any]]]:
    """All places for which something is set."""
    table = conversation_settings
    rows = tx.execute(select(table).order_by(table.c.platform, table.c.tenant, table.c.conversation))
    return [(Place(row.platform, row.tenant, row.conversation), dict(row.body)) for row in rows]


def change(tx: Transaction, place: Place, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set some settings of a place, None takes one back; what was set there before and after. Refuses wrong values."""
    before = own(tx, place)
    after = {**before, **changes}
    after = {name: value for name, value in after.items() if value is not None}
    checked = validated(ConversationSettings, after, section="conversation")
    after = {name: value for name, value in checked.model_dump(mode="json").items() if name in after}
    table = conversation_settings
    here = {"platform": place.platform, "tenant": place.tenant, "conversation": place.conversation}
    tx.execute(delete(table).where(*(table.c[name] == value for name, value in here.items())))
    if after:
        tx.execute(insert(tx, table).values(**here, body=after, changed_at=clock.now(tx)))
    return before, after


def spend(tx: Transaction, inbound: Inbound) -> bool:
    """Count a question that was accepted just now; False when a budget is used up, and then nothing is counted."""
    resolved = resolve(tx, Place.of(inbound.conversation))
    limits = {}
    for name in BUDGETS:
        limit = getattr(resolved.settings, name)
        if limit:
            person = inbound.asker.id if name == "per_person" else EVERYBODY
            limits[Counter(name, str(resolved.origins[name]), person)] = Amount(questions=limit)
    return not limits or budgets.take(tx, Amount(questions=1), limits)


def _rows(tx: Transaction, place: Place) -> Sequence[tuple[Place, dict[str, Any]]]:
    table = conversation_settings
    query = select(table).where(
        table.c.platform == place.platform,
        or_(table.c.tenant == place.tenant, table.c.tenant == ""),
        or_(table.c.conversation == place.conversation, table.c.conversation == ""),
    )
    return [(Place(row.platform, row.tenant, row.conversation), dict(row.body)) for row in tx.execute(query)]


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what a newer Citebot has written."""
    return {name: value for name, value in values.items() if name in ConversationSettings.model_fields}


def _checked(values: Mapping[str, Any]) -> ConversationSettings:
    """What a newer Citebot means by a value may be unknown here; the default of that setting counts then."""
    try:
        return ConversationSettings.model_validate(values)
    except ValidationError as error:
        wrong = {problem["loc"][0] for problem in error.errors()}
        return ConversationSettings.model_validate({key: value for key, value in values.items() if key not in wrong})
