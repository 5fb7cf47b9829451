"""Who may see what in Slack: shared channels, strangers, big channels, missing rights; and how fast we write."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from citebot.conversing.people import ANYBODY, FEW
from citebot.errors import CannotShow, Retry
from citebot.model import Conversation, Person
from citebot.ports import Message, Outbound
from citebot_connectors.platforms.slack.people import member_of, visibility_of

PARKING = "What does the parking permit cost?"


def place(team: Any, channel: Any, visibility: str = "private") -> Conversation:
    return Conversation("slack", channel.id, team.slack.workspace.id, visibility=visibility)  # type: ignore[arg-type]


async def readers(team: Any, channel: Any, visibility: str = "private") -> set[str] | None:
    seen_by = await team.platform.seen_by(place(team, channel, visibility), Person("alice@example.com", "alice"))
    return None if seen_by is None else {person.id for person in seen_by}


async def test_item_23_a_shared_channel_sees_nothing_of_the_team(team: Any) -> None:
    other = team.slack.add_workspace("Partner")
    partner = team.slack.add_user("pat", workspace=other)
    shared = team.slack.add_channel("joint", [team.alice, partner, team.app], shared_with=[other])
    answer = await team.answer(await team.ask(team.alice, shared, PARKING))

    assert "40 euros" not in answer.text


async def test_item_23_a_stranger_is_not_who_their_address_says(team: Any) -> None:
    body = {"id": "U9", "team_id": "T-OTHER", "profile": {"email": "carol@example.com", "display_name": "Carol"}}
    stranger = member_of(body, team=team.slack.workspace.id, called="mail")

    assert stranger.person == Person("U9", "Carol", guest=True)


async def test_item_21_a_public_channel_is_read_by_anybody_in_the_team(team: Any) -> None:
    general = await team.platform.seen_by(place(team, team.general, "public"), Person("alice@example.com", "alice"))

    assert ANYBODY in general
    assert {person.id for person in general} == {"", "alice@example.com", "bob@example.com"}


async def test_item_21_a_private_channel_is_read_by_its_people_and_not_by_bots(team: Any) -> None:
    assert await readers(team, team.board) == {"alice@example.com", "carol@example.com"}


async def test_item_21_a_channel_that_became_public_counts_as_public_at_once(team: Any) -> None:
    assert "" not in (await readers(team, team.board) or set())
    team.board.kind = "public"
    team.platform._parts.people.forget_channel(team.board.id)

    assert "" in (await readers(team, team.board) or set())


async def test_item_21_many_people_are_asked_for_by_the_list_of_the_workspace(team: Any) -> None:
    crowd = [team.slack.add_user(f"p{number}") for number in range(2 * FEW)]
    hall = team.slack.add_channel("hall", [team.alice, *crowd, team.app], private=True)
    found = await readers(team, hall)

    assert len(found or ()) == 2 * FEW + 1
    assert len(team.slack.calls("users.info")) < FEW


@pytest.mark.parametrize("method", ["conversations.info", "conversations.members", "users.info"])
async def test_item_21_a_missing_right_shows_nothing(method: str, team: Any) -> None:
    team.slack.faults.error(method, "missing_scope", times=99)

    assert await readers(team, team.board) is None


@pytest.mark.parametrize("method", ["conversations.info", "conversations.members", "users.info"])
async def test_item_21_what_cannot_be_known_now_is_tried_again(method: str, team: Any) -> None:
    team.slack.faults.fail(method, status=503, times=99)

    with pytest.raises(Retry):
        await readers(team, team.board)


async def test_item_21_other_workspaces_and_platforms_are_nobodys(team: Any) -> None:
    alice = Person("alice@example.com")

    assert await team.platform.seen_by(Conversation("slack", team.board.id, "T-OTHER"), alice) is None
    assert await team.platform.seen_by(Conversation("discord", team.board.id), alice) is None


async def test_people_are_called_by_their_slack_id_where_the_address_is_not_given() -> None:
    body = {"id": "U1", "team_id": "T1", "profile": {"display_name": "Ann"}}

    assert member_of(body, team="T1", called="mail").person == Person("U1", "Ann")
    assert member_of(body | {"profile": {"email": "a@b.example"}}, team="T1", called="id").person.id == "U1"
    assert member_of(body | {"is_ultra_restricted": True}, team="T1", called="id").person.guest


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"is_channel": True, "is_ext_shared": True}, "shared"),
        ({"is_group": True, "is_pending_ext_shared": True}, "shared"),
        ({"is_channel": True, "is_private": True}, "private"),
        ({"is_mpim": True}, "private"),
        ({"is_im": True}, "dm"),
        ({"is_channel": True}, "public"),
        ({}, "private"),
    ],
)
def test_the_kind_of_a_place_is_never_taken_for_a_wider_one(body: dict[str, bool], kind: str) -> None:
    assert visibility_of(body) == kind


async def test_item_19_a_channel_gets_one_message_a_second_in_order(team: Any) -> None:
    question = await team.slack.say(team.alice, team.board, "hello")
    to = Outbound(place(team, team.board), question.ts, "k")
    began = time.monotonic()
    texts = [f"line {number}" for number in range(3)]
    await asyncio.gather(*(team.platform.post(to, Message(text), key=text) for text in texts))

    assert time.monotonic() - began >= 2.0
    assert [shown.text for shown in team.replies(question)] == texts


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("not_in_channel", "/invite"),
        ("is_archived", "archived"),
        ("token_revoked", "install the Slack app again"),
        ("account_inactive", "install it again"),
        ("missing_scope", "lacks the scope"),
    ],
)
async def test_what_will_never_work_is_said_in_one_line(code: str, words: str, team: Any) -> None:
    question = await team.slack.say(team.alice, team.board, "hello")
    team.slack.faults.error("chat.postMessage", code)
    to = Outbound(place(team, team.board), question.ts, "k")

    with pytest.raises(CannotShow, match=words):
        await team.platform.post(to, Message("x"), key="k-0")


async def test_item_19_slack_says_how_long_to_wait(team: Any) -> None:
    question = await team.slack.say(team.alice, team.board, "hello")
    team.slack.faults.storm("chat.postMessage", retry_after=7)
    to = Outbound(place(team, team.board), question.ts, "k")

    with pytest.raises(Retry) as caught:
        await team.platform.post(to, Message("x"), key="k-0")
    assert caught.value.after == 7.0


async def test_item_18_a_message_of_unknown_fate_is_found_by_its_mark(team: Any) -> None:
    question = await team.slack.say(team.alice, team.board, "hello")
    to = Outbound(place(team, team.board), question.ts, "k")
    sent = await team.platform.post(to, Message("x"), key="k-0")

    assert await team.platform.find(to, key="k-0") == sent
    assert await team.platform.find(to, key="k-1") is None


async def test_item_18_a_stream_of_unknown_fate_is_found_while_it_is_open(team: Any) -> None:
    question = await team.slack.say(team.alice, team.board, "hello")
    to = Outbound(place(team, team.board), question.ts, "k")
    dropped = team.slack.faults.drop_response("chat.startStream")
    with pytest.raises(Retry):
        await team.platform.begin_stream(to, key="k-0")

    assert dropped.met == 1
    assert [shown.ts for shown in team.replies(question)] == [await team.platform.find(to, key="k-0")]
