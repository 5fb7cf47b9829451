"""What people type, click and fill in: who may, what is said, and that a platform only has to draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from citebot.conversing import ENGLISH, GERMAN
from citebot.conversing.asking import Alone, Asking
from citebot.conversing.buttons import Buttons
from citebot.conversing.chat import Said
from citebot.conversing.forms import Form, settings_changed, settings_form, why_form
from citebot.conversing.orders import Order, Orders
from citebot.conversing.people import Place
from citebot.conversing.reception import Reception
from citebot.errors import NotAllowed, StorageError
from citebot.model import Conversation, Helper, Inquiry, Person
from citebot.ports import Actor, Inbound, SourceStatus
from citebot.settings.conversations import ConversationSettings
from citebot.testing.scripted_chat import ScriptedChat
from citebot.testing.scripted_desk import Finish, ScriptedDesk

ANN = Person("ann@example.com", "Ann")
REFUSED = "Only an admin can do that."


class Managed:
    """Ann looks after it."""

    def __init__(self) -> None:
        self.changes: list[Mapping[str, object]] = []

    def _check(self, actor: Actor) -> None:
        if actor.account != "ann":
            raise NotAllowed(REFUSED)

    async def status(self, actor: Actor) -> tuple[Sequence[SourceStatus], Sequence[str]]:
        self._check(actor)
        return [SourceStatus("wiki*", "jsonl", 3, 9, failure="gone", waiting=2)], ["No index."]

    async def sync(self, actor: Actor, name: str) -> Mapping[str, int]:
        self._check(actor)
        return {"listed": 5, "saved": 2}

    async def pause(self, actor: Actor, name: str, *, paused: bool) -> None:
        self._check(actor)

    async def settings(self, actor: Actor) -> tuple[ConversationSettings, Sequence[str]]:
        self._check(actor)
        return ConversationSettings(sources=("wiki",)), ["wiki", "files"]

    async def change(self, actor: Actor, changes: Mapping[str, object]) -> ConversationSettings:
        self._check(actor)
        self.changes.append(changes)
        return ConversationSettings()


class Helped:
    """Ben was asked in the thread `1`."""

    def __init__(self) -> None:
        self.saved: list[str] = []

    async def ask(self, answer_id: str, asker: Person) -> bool:
        if asker.id != ANN.id:
            raise NotAllowed("There is no such answer, or it was not shown to you.")
        return True

    async def open_inquiry(self, conversation: Conversation) -> Inquiry | None:
        ben = Helper("ben", Person("ben@example.com"))
        return Inquiry("a", "How much?", ANN, (ben,)) if conversation.thread == "1" else None

    async def save(self, answer_id: str, author: Person, text: str, *, message_id: str, url: str) -> bool:
        self.saved.append(f"{text} {url}")
        return True

    async def forget(self, conversation: Conversation, message_id: str) -> int:
        return 0


class AtWork(ScriptedDesk):
    """With something to manage, and people to ask."""

    manage, people = Managed(), Helped()


class Corner:
    """Ann and Ben in a channel with us."""

    def __init__(self) -> None:
        self.chat = ScriptedChat({"general": ["ann", "ben"]}, {"gone": Place("public")})
        self.desk = AtWork(plays=False)
        self.at: Reception = self.chat.reception(self.desk)
        self.told: list[str] = []
        self.forms: list[Form] = []

    async def tell(self, text: str) -> None:
        self.told.append(text)

    async def show(self, form: Form, texts: Any) -> None:
        self.forms.append(form)

    async def order(self, text: str, account: str = "ann") -> str | None:
        said = await Orders(self.at).obeyed(Order(text, account, "general", self.show, self.tell))
        await self.chat.settle()
        return said

    def alone(self, account: str = "ann") -> Alone:
        return Alone(account, "alone:ann", "q1", "d1", self.tell)


@pytest.fixture
def place() -> Corner:
    AtWork.manage, AtWork.people = Managed(), Helped()
    return Corner()


async def test_the_state_of_things_is_told_in_the_platforms_markup(place: Corner) -> None:
    said = await place.order("admin status") or ""
    assert "• **wiki\\***: 3 documents, not read yet" in said
    assert f"**{ENGLISH.admin_problems}**\n• No index.\n• wiki\\*: gone" in said
    assert "2 waiting" in said


async def test_orders_are_obeyed_for_those_who_may_and_refused_in_the_language_of_others(place: Corner) -> None:
    assert await place.order("ADMIN mute") == ENGLISH.admin_muted.format(command="/ask")
    assert AtWork.manage.changes == [{"muted": True}]
    place.chat.locale = "de-DE"
    assert await place.order("admin pause wiki", "ben") == GERMAN.admins_only
    assert await place.order("admins and owners, who are they?") is None


async def test_reading_a_source_is_told_when_it_is_done(place: Corner) -> None:
    assert await place.order("admin sync wiki") == ENGLISH.admin_reading.format(name="wiki")
    assert place.told == [ENGLISH.admin_read.format(name="wiki", listed=5, saved=2, removed=0, failed=0)]


async def test_of_the_settings_only_what_was_changed_is_set(place: Corner) -> None:
    assert await place.order("settings") == ""
    (form,) = place.forms
    assert form.values["sources"] == ["wiki"]
    filled = form.values | {"tone": "brief", "per_day": "", "per_person": "3"}
    assert await Orders(place.at).change("ann", "general", filled, form.values, tell=place.tell) == ""
    assert AtWork.manage.changes == [{"tone": "brief", "per_person": 3}]
    assert await Orders(place.at).change("ben", "general", filled, form.values, tell=place.tell) == REFUSED
    await place.chat.settle()
    assert place.told == [ENGLISH.settings_saved]


def test_forms_have_a_field_for_each_setting_and_no_choice_without_words() -> None:
    form = settings_form(GERMAN, ConversationSettings(), ["wiki"])
    assert {*form.values} == {*ConversationSettings.model_fields} - {"muted"}
    assert all(words for field in form.fields for _, words in field.choices)
    assert not settings_changed(form.values, form.values)
    assert "sources" not in settings_form(GERMAN, ConversationSettings(), []).values


async def test_a_command_is_stored_before_it_is_acknowledged_and_help_is_given(place: Corner) -> None:
    asking = Asking(place.at)
    assert await asking.ask(place.alone(), "How *much*?") == ENGLISH.ask_looking.format(question="How \\*much\\*?")
    (inbound,) = place.desk.accepted
    assert (inbound.conversation.visibility, inbound.delivery_id, inbound.asker) == ("dm", "d1", ANN)
    assert "help" not in await asking.ask(place.alone(), "") or place.desk.accepted == [inbound]
    assert await asking.ask(place.alone(), "help") == ENGLISH.help.format(bot="@citebot", command="/ask")
    place.desk.problem = StorageError("Down.")
    assert await asking.ask(place.alone(), "Again?") == ENGLISH.not_saved


async def test_a_message_is_asked_about_or_asks_itself(place: Corner) -> None:
    asking = Asking(place.at)
    assert await asking.ask_about(place.alone(), "", "") == ENGLISH.no_question
    assert await asking.ask_about(place.alone(), "It is 40.", "Why?") == ""
    await place.chat.settle()
    assert [turn.text for turn in place.desk.accepted[0].history] == ["It is 40."]
    assert place.told == [ENGLISH.ask_looking.format(question="Why?")]


def answered(place: Corner) -> str:
    inbound = Inbound("d", "q", Conversation("scripted", "general", "team", "q", "public"), ANN, "How much?")
    place.desk.accepted.append(inbound)
    return place.desk.keep(inbound, Finish("Forty.")).id


async def test_what_is_shared_is_asked_again_for_all_and_only_once(place: Corner) -> None:
    asking, answer_id = Asking(place.at), answered(place)
    for _ in range(2):
        await asking.share("ann", answer_id, "general", place.tell)
    shared = place.desk.accepted[-1]
    assert (len(place.desk.accepted), shared.conversation.visibility) == (2, "public")
    assert place.chat.messages[-1].text == ENGLISH.asked_by.format(user="@ann", question="How much?")
    await asking.share("ben", answer_id, "gone", place.tell)
    await asking.share("ann", answer_id, "nowhere", place.tell)
    assert place.told == [ENGLISH.shared, ENGLISH.gone, ENGLISH.not_here]


async def test_an_answer_taken_for_oneself_knows_what_was_said_before(place: Corner) -> None:
    inbound = Inbound("d", "2", Conversation("scripted", "general", "team", "1", "public"), ANN, "And a year?")
    place.chat.say("ann", "How much?")
    place.chat.say("ann", "And a year?", thread="1")
    place.desk.accepted.append(inbound)
    answer_id = place.desk.keep(inbound, Finish("I don't know.", answered=False)).id
    await Asking(place.at).take(place.alone(), answer_id, "2")
    assert [turn.text for turn in place.desk.accepted[-1].history] == ["How much?"]


async def test_an_opinion_counts_from_those_who_saw_the_answer(place: Corner) -> None:
    buttons, answer_id = Buttons(place.at), answered(place)
    assert await buttons.rate("ann", answer_id, "helpful") == ENGLISH.thanks
    assert await buttons.rate("ann", answer_id, "not_helpful") == why_form(ENGLISH)
    assert await buttons.rate("ben", answer_id, "helpful") == ENGLISH.only_asker
    assert await buttons.rate("ann", answer_id, "great") == ""
    assert await buttons.explain("ann", answer_id, "Too old.") == ""
    assert [one.verdict for one in place.desk.feedback] == ["helpful", "not_helpful", "not_helpful"]


async def test_only_the_asker_deletes_and_asks_again(place: Corner) -> None:
    buttons, answer_id = Buttons(place.at), answered(place)
    assert await buttons.refuse_deletion("ann", answer_id) == ""
    assert await buttons.refuse_deletion("ben", answer_id) == ENGLISH.only_asker
    assert await buttons.retry("ben", "answer:scripted:d", anew=True) == (False, ENGLISH.only_asker)


async def test_who_was_asked_is_offered_to_save_what_they_wrote(place: Corner) -> None:
    buttons = Buttons(place.at)
    assert await buttons.ask_people("ann", "a") == ENGLISH.people_called
    assert await buttons.ask_people("ben", "a") == ENGLISH.not_yours
    wrote = Said("general", "2", 2.0, "ben", "It is 40.", thread="1")
    found = await buttons.open_inquiry(wrote)
    assert found is not None
    assert found[2] == ENGLISH.answer_offer.format(question="How much?")
    assert await buttons.open_inquiry(Said("general", "3", 3.0, "ann", "Thanks.", thread="1")) is None

    async def written() -> Said:
        return wrote

    async def link() -> str:
        return "https://example.com/2"

    assert await buttons.save("ben", "a", written, link) == ENGLISH.answer_saved
    assert await buttons.save("ann", "a", written, link) == ENGLISH.gone
    assert AtWork.people.saved == ["It is 40. https://example.com/2"]
