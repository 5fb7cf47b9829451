"""Many people ask at once, and Slack's limits hold: everybody is answered whole, nobody reads of a limit.

The time of the fake is the real one, and it refuses what Slack would refuse: methods by their tiers, a channel more
than about a message a second.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from slack_office import add_app, office

from citebot.testing.fake_models import QuotingGenerator
from citebot.testing.slack import FakeSlack
from citebot.testing.slack.core import Sent

PARKING = {
    "id": "parking",
    "title": "Parking",
    "text": "The parking permit costs 40 euros a month.",
    "url": "https://wiki.example.com/parking",
    "readers": ["everyone"],
}
IN_A_CHANNEL = 10
LINKED = "<https://wiki.example.com/parking|Parking>"
NEW = ("chat.postMessage", "chat.startStream")


def refused(sent: list[Sent]) -> Counter[str]:
    """How often which method was called too often."""
    return Counter(one.method for one in sent if one.result.get("error") == "ratelimited")


def fastest(sent: list[Sent], channel: str, *, steps: int = 5) -> float:
    """Seconds that so many messages in a row took at least, in one channel."""
    times = [one.at for one in sent if one.method in NEW and one.args["channel"] == channel and one.result["ok"]]
    return min((late - early for early, late in zip(times, times[steps:], strict=False)), default=float(steps))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_many_askers_at_once_are_all_answered_within_the_limits(
    tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    askers = count(60, 200)
    async with FakeSlack() as slack:
        people = [slack.add_user(f"u{number}") for number in range(askers)]
        app = add_app(slack)
        groups = [people[start : start + IN_A_CHANNEL] for start in range(0, askers, IN_A_CHANNEL)]
        channels = [slack.add_channel(f"c{number}", [*group, app]) for number, group in enumerate(groups)]
        async with office(slack, app, tmp_path, [PARKING], QuotingGenerator()) as at_work:
            asked = [
                at_work.ask(user, channel, "What does the parking permit cost?")
                for group, channel in zip(groups, channels, strict=True)
                for user in group
            ]
            questions = await asyncio.gather(*asked)
            await asyncio.gather(*(at_work.answer(question, timeout=300) for question in questions))
            await asyncio.sleep(3)  # whatever would come twice has come
            answers = [at_work.complete(question) for question in questions]
        calls = len(slack.sent)
        shown = [
            message
            for channel in channels
            for root in list(channel.messages)
            for message in thread(slack, channel, root)
        ]
        figures = {"calls a question": calls / askers, "refused": dict(refused(slack.sent))}
        print(askers, figures, Counter(one.method for one in slack.sent))

        assert [len(some) for some in answers] == [1] * askers
        assert all("40 euros" in one.text and LINKED in one.text for (one,) in answers)
        assert len([text for text in shown if "euros" not in text]) == 0
        assert min(fastest(slack.sent, channel.id) for channel in channels) >= 4.0
        assert refused(slack.sent)["chat.postMessage"] == 0
        assert refused(slack.sent).total() <= 2 * askers
        assert calls <= 15 * askers


def thread(slack: FakeSlack, channel: object, root: str) -> list[str]:
    """What stands in a thread below its question."""
    return [shown.text for shown in slack.messages(channel, root)[1:]]  # type: ignore[arg-type]
