"""Who reads in a channel, by what a platform tells; what it does not tell opens nothing."""

from __future__ import annotations

import asyncio

import pytest

from citebot.conversing.known import FRESH, Known, Lately
from citebot.conversing.people import ANYBODY, FEW, People, Place
from citebot.conversing.threads import Threads, read_thread
from citebot.errors import CannotShow, Retry
from citebot.model import Conversation, Person
from citebot.testing.scripted_chat import US, ScriptedChat

ANN = Person("ann@example.com", "Ann")


def people_of(chat: ScriptedChat) -> People:
    return People(chat, clock=lambda: 0.0)


def where(channel: str, visibility: str = "public") -> Conversation:
    return Conversation("scripted", channel, "team", visibility=visibility)  # type: ignore[arg-type]


async def test_everybody_in_a_channel_reads_but_robots_and_in_public_whoever_may_join() -> None:
    chat = ScriptedChat({"open": ["ann", "robot"], "shut": ["ann", "guest1"]}, {"shut": Place("private")})
    people = people_of(chat)
    assert await people.readers(where("open"), ANN) == frozenset({ANN, ANYBODY})
    guest = Person("guest1@example.com", "Guest1", guest=True)
    assert await people.readers(where("shut", "private"), ANN) == frozenset({ANN, guest})
    assert await people.readers(where("x", "dm"), ANN) == frozenset({ANN})


async def test_a_channel_that_is_not_told_of_or_was_shared_since_has_no_known_readers() -> None:
    chat = ScriptedChat({"out": ["ann"]}, {"out": Place("shared")})
    assert await people_of(chat).readers(where("nowhere"), ANN) is None
    assert await people_of(chat).readers(where("out", "public"), ANN) is None
    assert await people_of(chat).readers(where("out", "shared"), ANN) == frozenset({ANN})


async def test_many_are_asked_for_at_once_and_strangers_stay_guests() -> None:
    inside = [f"person{number}" for number in range(FEW + 1)]
    chat = ScriptedChat({"out": [*inside, "ann"]}, {"out": Place("shared")})
    members = await people_of(chat).members("out")
    assert len(members) == FEW + 2
    assert chat.looked_up == ["everybody"]


async def test_who_is_not_known_is_a_guest_where_that_is_allowed() -> None:
    people = people_of(ScriptedChat({"general": ["ann"]}))
    with pytest.raises(CannotShow):
        await people.member("nobody")
    assert (await people.member_or_guest("nobody")).person == Person("nobody", guest=True)
    assert not (await people.member_or_guest("ann")).person.guest


async def test_a_directory_that_wants_fewer_questions_is_read_whole() -> None:
    class Busy(ScriptedChat):
        async def member(self, account: str) -> object:  # type: ignore[override]
            raise Retry("Fewer, please.", after=1.0)

    people = people_of(Busy({"general": ["ann"]}))
    assert (await people.member("ann")).name == "Ann"
    with pytest.raises(Retry):
        await people.member("nobody")


async def test_what_is_known_counts_for_a_quarter_of_an_hour_and_until_it_changes() -> None:
    time, asked = [0.0], []

    async def ask() -> int:
        asked.append(time[0])
        await asyncio.sleep(0)
        return len(asked)

    known: Known[str, int] = Known(lambda: time[0])
    assert await asyncio.gather(*(known.fetch("a", ask) for _ in range(5))) == [1] * 5
    time[0] = FRESH - 1
    assert await known.fetch("a", ask) == 1
    time[0] = FRESH
    assert await known.fetch("a", ask) == 2
    known.drop("a")
    assert await known.fetch("a", ask) == 3


async def test_what_changed_while_it_was_asked_for_is_asked_again() -> None:
    known: Known[str, int] = Known(lambda: 0.0)
    asked = []

    async def ask() -> int:
        asked.append(1)
        if len(asked) == 1:
            known.drop("a")
        return len(asked)

    assert await known.fetch("a", ask) == 2


def test_the_oldest_is_forgotten_first() -> None:
    lately: Lately[str, int] = Lately(2)
    for number, key in enumerate("abac"):
        lately[key] = number
    assert lately == {"a": 2, "c": 3}


async def test_the_partner_in_a_thread_is_whoever_talked_with_us_last() -> None:
    chat = ScriptedChat({"general": ["ann", "ben"]})
    root = chat.say("ann", "Hello?", calls_us=True)
    chat.say(US, "Yes?", thread=root.id)
    read = await chat.thread("general", root.id)
    assert (read_thread(read).partner, read_thread(read).answers) == ("ann", 1)
    chat.say("robot", "Beep.", thread=root.id, machine=True)
    assert (await Threads(chat.thread).known("general", root.id)).partner == "ann"
    chat.say("ben", "Who is that?", thread=root.id)
    assert (await Threads(chat.thread).known("general", root.id)).partner == ""


async def test_authors_and_named_people_help_if_they_are_there_and_are_no_guests() -> None:
    people = people_of(ScriptedChat({"general": ["ann", "ben", "guest1", "robot"], "away": ["carl"]}))
    found = await people.helpers("general", authors=["ben@example.com"], named=["ann", "guest1", "robot", "carl"])
    assert [helper.account for helper in found] == ["ben", "ann"]
