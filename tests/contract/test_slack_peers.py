"""The same conversations on two Slacks: our fake, and local-slack, an independent server that knows nothing of us.

local-slack is not true to Slack in everything; what rests on such a point runs on the fake alone, with its reason:
it drops the metadata of messages, by which an earlier answer is found; it has no streams, no assistant, no shortcuts,
no limits, no redelivery; and it takes any token.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")

from citebot.model import Citation, CitationAdded, Person, TextDelta, Turn
from citebot.ports import MemoryVault, PartContext, SourceStatus
from citebot.testing.contract_platform import sample_passage
from citebot.testing.scripted_desk import Finish, Pause, ScriptedDesk
from citebot.testing.slack import FakeSlack, Shown
from citebot.testing.slack.control import BOT_SCOPES
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from slack_peers import Fake, LocalSlack, Peer, until

SCRIPT = Path(__file__).parents[2] / "scripts" / "services" / "local_slack.sh"
GIVEN = "CITEBOT_TEST_LOCAL_SLACK"
PEERS = [
    pytest.param("fake", id="fake"),
    pytest.param("local-slack", id="local-slack", marks=[pytest.mark.local_slack]),
]
ONLY_FAKE = pytest.mark.parametrize("which", [PEERS[0]])
"""For what rests on a point where local-slack is not true to Slack; each test says which."""
pytestmark = pytest.mark.xdist_group("local-slack")

QUESTION = "Who books trains?"
ANSWER = "The office books trains [1]."
CITED = Citation(1, sample_passage())
HELP = "Mention me"


class Office:
    """A desk that answers in full, on one of the two Slacks."""

    def __init__(self, peer: Peer, vault: MemoryVault) -> None:
        self.peer = peer
        settings = SlackSettings.model_validate({**peer.settings, "language": "en"})
        self.platform = SlackPlatform(settings, PartContext(data_dir=Path(), vault=vault))
        sources = [SourceStatus("handbook", "files", documents=4, passages=9)]
        self.desk = ScriptedDesk(
            lambda inbound: [TextDelta("The office "), CitationAdded(CITED), Finish(ANSWER, citations=(CITED,))],
            platform=self.platform,
            sources=sources,
        )

    async def ask(self, text: str = QUESTION, *, where: str = "general", thread_ts: str = "") -> str:
        return await self.peer.say("alice", where, f"{self.peer.bot} {text}", thread_ts=thread_ts)

    async def replies(self, where: str = "general", *, seen_by: str = "") -> list[Shown]:
        """What the bot has written there."""
        return [shown for shown in await self.peer.messages(where, seen_by=seen_by) if shown.user == self.peer.bot_id]

    async def answers(self, where: str = "general", *, number: int = 1, seen_by: str = "") -> list[Shown]:
        """The complete answers, once there are so many; the last part of each has the buttons."""

        async def complete() -> list[Shown]:
            done = [s for s in await self.replies(where, seen_by=seen_by) if s.element("citebot_feedback")]
            return done if len(done) >= number else []

        return list(await until(complete))

    async def whisper(self, words: str) -> Shown:
        """A line that only alice sees."""

        async def whispered() -> list[Shown]:
            return [s for s in await self.replies(seen_by="alice") if s.only_for and words in s.text]

        return (await until(whispered))[0]

    async def quiet(self) -> None:
        """Whatever is under way has come to its end."""
        await asyncio.sleep(0.4)
        await self.desk.settle()


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where local-slack listens."""
    if given := os.environ.get(GIVEN):
        yield given
        return
    folder = f"/tmp/citebot-local-slack-{os.getpid()}"
    started = subprocess.run([SCRIPT, "start", folder, str(os.getpid())], capture_output=True, text=True)
    if started.returncode:
        why = f"no local-slack: {started.stderr.strip()[-300:]}"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    yield started.stdout.strip()
    subprocess.run([SCRIPT, "stop", folder], check=True)


@pytest.fixture(params=PEERS)
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def peer(which: str, request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    if which == "fake":
        async with FakeSlack(speed=3) as slack:  # more would leave too little time for an ack
            scopes = {*BOT_SCOPES, "users:read.email"}
            yield Fake(slack, slack.add_app("citebot", commands=["/ask"], scopes=scopes))
        return
    local = LocalSlack(request.getfixturevalue("address"))
    await local.reset()
    yield local
    await local.close()


@pytest.fixture
async def posting(address: str) -> AsyncIterator[LocalSlack]:
    """local-slack, for an app that it posts to."""
    local = LocalSlack(address)
    await local.reset()
    yield local
    await local.close()


@asynccontextmanager
async def open_office(peer: Peer, vault: MemoryVault) -> AsyncIterator[Office]:
    office = Office(peer, vault)
    running = asyncio.create_task(office.platform.run(office.desk))
    await until(lambda: asyncio.sleep(0, running.done() or not office.platform.trouble))
    yield office
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await office.desk.close()


@pytest.fixture
async def office(peer: Peer) -> AsyncIterator[Office]:
    async with open_office(peer, MemoryVault()) as office:
        yield office


async def test_a_mention_is_answered_once_in_its_thread_with_its_source(office: Office) -> None:
    question = await office.ask()
    await office.answers()
    await office.quiet()
    (answer,) = await office.replies()  # though a mention comes as two events
    assert answer.thread_ts == question
    assert "The office books trains" in answer.text
    assert "https://wiki.example.com/page-1" in answer.text
    assert "Page 1" in answer.text
    assert answer.fallback


async def test_what_arrives_is_the_question_and_who_asked_it_where(office: Office) -> None:
    question = await office.ask("Who books trains & planes?")
    await office.answers()
    (inbound,) = office.desk.accepted
    assert inbound.text == "Who books trains & planes?"
    assert (inbound.message_id, inbound.conversation.visibility) == (question, "public")
    assert inbound.asker.id == "alice@example.com"


async def test_who_sees_a_channel_is_who_is_in_it(office: Office) -> None:
    await office.ask()
    await office.answers()
    (inbound,) = office.desk.accepted
    readers = await office.platform.seen_by(inbound.conversation, inbound.asker)
    assert readers is not None
    named = {person.id for person in readers} - {""}  # anybody may join a public channel
    assert named == {"alice@example.com", "bob@example.com"}


async def test_talk_that_is_not_for_the_bot_is_left_alone(office: Office) -> None:
    await office.peer.say("alice", "general", "Good morning!")
    await office.peer.say("bob", "general", "Who books trains?")
    await office.peer.say("bob", "elsewhere", f"{office.peer.bot} who books trains?")
    await office.quiet()
    assert (office.desk.accepted, await office.replies()) == ([], [])


async def test_the_asker_follows_up_in_the_thread_without_a_mention_and_with_what_was_said(office: Office) -> None:
    question = await office.ask()
    await office.answers()
    await office.peer.say("alice", "general", "And planes?", thread_ts=question)
    answers = await office.answers(number=2)
    assert {answer.thread_ts for answer in answers} == {question}
    first, second = office.desk.accepted[-1].history
    assert first == Turn("user", QUESTION)
    assert (second.role, "The office books trains" in second.text) == ("assistant", True)


async def test_others_talk_in_the_thread_among_themselves(office: Office) -> None:
    question = await office.ask()
    await office.answers()
    await office.peer.say("bob", "general", "I never knew.", thread_ts=question)
    await office.quiet()
    assert len(office.desk.accepted) == 1


async def test_a_direct_message_is_a_question(office: Office) -> None:
    await office.peer.say("alice", "direct", QUESTION)
    (answer,) = await office.answers("direct")
    assert "The office books trains" in answer.text
    (inbound,) = office.desk.accepted
    readers = await office.platform.seen_by(inbound.conversation, inbound.asker)
    assert (inbound.conversation.visibility, readers) == ("dm", frozenset({inbound.asker}))


async def test_a_thread_in_a_direct_message_goes_on(office: Office) -> None:
    question = await office.peer.say("alice", "direct", QUESTION)
    await office.answers("direct")
    await office.peer.say("alice", "direct", "And planes?", thread_ts=question)
    answers = await office.answers("direct", number=2)
    assert answers[-1].thread_ts == question
    assert [turn.role for turn in office.desk.accepted[-1].history] == ["user", "assistant"]


async def test_a_mention_alone_shows_the_asker_how_to_ask(office: Office) -> None:
    await office.ask("")
    assert (await office.whisper(f"<@{office.peer.bot_id}>")).only_for
    assert office.desk.accepted == []


async def test_a_long_answer_comes_in_several_messages_in_order(office: Office) -> None:
    long = "\n\n".join(f"Paragraph {number}. {'All of it is to be read. ' * 20}" for number in range(40))
    office.desk.script = lambda inbound: [Finish(long)]
    await office.ask()
    await office.answers()
    said = "\n".join(shown.text for shown in await office.replies())
    places = [said.find(f"Paragraph {number}. ") for number in range(40)]
    assert (-1 not in places, places) == (True, sorted(places))


async def test_nothing_in_an_answer_calls_or_leads_anywhere(office: Office) -> None:
    office.desk.script = lambda inbound: [Finish("<!channel> <@U01BOB> <https://evil.example.com|here> & so on")]
    await office.ask()
    (answer,) = await office.answers()
    assert "<!channel>" not in str(answer.blocks) + answer.fallback
    assert "<@U01BOB>" not in str(answer.blocks) + answer.fallback
    assert "<https://evil" not in str(answer.blocks) + answer.fallback


async def test_an_edited_question_is_answered_anew(office: Office) -> None:
    question = await office.ask()
    await office.answers()
    await office.peer.edit("alice", "general", question, f"{office.peer.bot} Who books planes?")
    await until(lambda: asyncio.sleep(0, len(office.desk.accepted) == 2))
    await office.quiet()
    assert office.desk.accepted[-1].text == "Who books planes?"


@ONLY_FAKE  # local-slack drops the metadata that says which message answers which question
async def test_a_deleted_question_takes_its_answer_along(office: Office) -> None:
    question = await office.ask()
    await office.answers()
    await office.peer.delete("alice", "general", question)

    async def gone() -> bool:
        return await office.replies() == []

    await until(gone)


async def test_a_deleted_question_that_is_being_answered_is_stopped(office: Office) -> None:
    pause = Pause()
    office.desk.script = lambda inbound: [pause, Finish(ANSWER)]
    question = await office.ask()
    await asyncio.wait_for(pause.reached.wait(), 10)
    await office.peer.delete("alice", "general", question)
    await until(lambda: asyncio.sleep(0, office.desk.stopped))
    pause.gate.set()
    await asyncio.sleep(1.5)
    assert not any("office" in shown.text for shown in await office.replies())


async def test_a_reaction_is_no_question(office: Office) -> None:
    question = await office.ask()
    (answer,) = await office.answers()
    await office.peer.react("alice", "general", answer.ts, "thumbsup")
    await office.peer.react("alice", "general", question, "eyes")
    await office.quiet()
    assert (len(office.desk.accepted), len(await office.replies())) == (1, 1)


async def test_the_command_is_answered_to_the_asker_alone(office: Office) -> None:
    await office.peer.command("alice", "general", f"/ask {QUESTION}")
    (answer,) = await office.answers(seen_by="alice")
    assert "The office books trains" in answer.text
    assert (await office.whisper("Looking for an answer")).only_for
    assert await office.replies(seen_by="bob") == []


async def test_the_command_without_a_question_explains_itself(office: Office) -> None:
    await office.peer.command("alice", "general", "/ask")
    assert "/ask" in (await office.whisper("/ask")).text
    assert office.desk.accepted == []


async def test_a_private_answer_is_shared_by_asking_again_in_the_channel(office: Office) -> None:
    await office.peer.command("alice", "general", f"/ask {QUESTION}")
    (answer,) = await office.answers(seen_by="alice")
    await office.peer.click("alice", answer, "citebot_share")
    (shared,) = await office.answers(seen_by="bob")
    assert "The office books trains" in shared.text
    assert [inbound.conversation.visibility for inbound in office.desk.accepted] == ["dm", "public"]


async def test_that_it_helped_is_kept_and_thanked_for(office: Office) -> None:
    await office.ask()
    (answer,) = await office.answers()
    await office.peer.click("alice", answer, "citebot_feedback", "positive")
    await office.whisper("Thank")
    (given,) = office.desk.feedback
    assert (given.verdict, given.person) == ("helpful", Person("alice@example.com", given.person.name))


async def test_that_it_did_not_help_opens_a_modal_that_asks_why(office: Office) -> None:
    await office.ask()
    (answer,) = await office.answers()
    await office.peer.click("alice", answer, "citebot_feedback", "negative")
    await until(lambda: office.peer.modal("alice"))
    await office.peer.submit("alice", {"reason": "It is the secretary."})
    await until(lambda: asyncio.sleep(0, len(office.desk.feedback) == 2))
    assert office.desk.feedback[-1].reason == "It is the secretary."


async def test_the_asker_deletes_the_answer_and_nobody_else(office: Office) -> None:
    await office.ask()
    (answer,) = await office.answers()
    await office.peer.click("bob", answer, "citebot_delete")
    await office.quiet()
    assert len(await office.replies()) == 1
    await office.peer.click("alice", answer, "citebot_delete")

    async def gone() -> bool:
        return await office.replies() == []

    await until(gone)


async def test_the_home_tab_names_the_sources_and_how_to_ask(office: Office) -> None:
    await office.peer.open_home("alice")
    home = await until(lambda: office.peer.home("alice"))
    assert "handbook" in home
    assert "/ask" in home


async def test_an_attached_file_does_not_hide_the_question(office: Office) -> None:
    text = f"{office.peer.bot} {QUESTION}"
    await office.peer.attach("alice", "general", text, name="notes.txt", content=b"Trains leave at noon.")
    await office.answers()
    (inbound,) = office.desk.accepted
    assert inbound.text.startswith(QUESTION)


async def test_what_was_asked_while_nobody_listened_is_answered_and_talk_is_not(peer: Peer) -> None:
    vault = MemoryVault()
    async with open_office(peer, vault):
        await until(lambda: vault.get(f"heard-{peer.team}"))
    await peer.say("alice", "general", "Good morning!")
    await peer.say("alice", "general", f"{peer.bot} {QUESTION}")
    async with open_office(peer, vault) as office:
        await office.answers()
        await office.quiet()
        assert [inbound.text for inbound in office.desk.accepted] == [QUESTION]


@pytest.mark.local_slack
async def test_the_same_over_http_is_signed_by_somebody_else_and_answered(posting: LocalSlack) -> None:
    posting.over_http("http-signing-secret")
    async with open_office(posting, MemoryVault()) as office:
        question = await office.ask(where="http")
        (answer,) = await office.answers("http")
        assert (answer.thread_ts, "The office books trains" in answer.text) == (question, True)


@pytest.mark.local_slack
async def test_what_is_signed_with_another_secret_is_not_heard(posting: LocalSlack) -> None:
    posting.over_http("another-secret")
    async with open_office(posting, MemoryVault()) as office:
        await office.ask(where="http")
        await office.quiet()
        assert office.desk.accepted == []
