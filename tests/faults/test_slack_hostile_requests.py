"""P24: whatever is posted to our address, nothing unsigned is handled, nothing twice, and no answer is a 5xx."""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from citebot.ports import PartContext
from citebot.testing.scripted_desk import ScriptedDesk

pytest.importorskip("slack_bolt")

from citebot.testing.slack import FakeSlack
from citebot.testing.slack.http_mode import FORM, encode
from citebot_connectors.platforms.slack import http
from citebot_connectors.platforms.slack.front import LARGEST, WINDOW
from citebot_connectors.platforms.slack.manifest import PATH, SHORTCUT
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings

JSON = "application/json"
ODD: tuple[Any, ...] = (None, "", 0, -1, 1.5, True, [], {}, [[]], "x" * 3000, "\ud800", "\x00", "<@U1>", {"id": {}})
Made = tuple[bytes, dict[str, str]]


class Place:
    """An address, one genuine request of each kind, and those who do not mean well."""

    def __init__(self, slack: FakeSlack, chance: random.Random) -> None:
        self.slack, self.chance = slack, chance
        self.app = slack.add_app("citebot", commands=["/ask"], shortcuts=[SHORTCUT])
        self.alice = slack.add_user("alice")
        self.general = slack.add_channel("general", [self.alice, self.app])
        settings = {"mode": "http", "port": 0, "catch_up": 0, "base_url": slack.api_url}
        settings |= {"bot_token": self.app.bot_token, "signing_secret": self.app.signing_secret}
        self.platform = SlackPlatform(SlackSettings.model_validate(settings), PartContext(data_dir=Path()))
        self.desk = ScriptedDesk(platform=self.platform, plays=False)
        self.kinds = [self.noise, self.unsigned, self.forged, self.late, self.replayed, self.mistyped, self.deep]
        self.kinds += [self.odd, self.odd, self.odd, self.garbled]
        self.known: Made = b"", {}
        """A request that was taken already."""

    async def record(self) -> None:
        """Collect genuine payloads by doing things."""
        slack, alice = self.slack, self.alice
        said = await slack.say(alice, self.general, f"{self.app.mention} where are the keys?")
        await slack.say(alice, self.app, "and the doors?")
        await slack.edit(alice, said, f"{self.app.mention} where are the cars?")
        await slack.delete(alice, said)
        await slack.command(alice, self.general, "/ask where are the keys?")
        await slack.open_home(alice, self.app)
        await slack.shortcut(alice, SHORTCUT, await slack.say(alice, self.general, "keys are on the shelf"))
        if view := slack.modal(alice):
            await slack.submit(alice, view, {"question": "where?"})
        await slack.settled()
        self.genuine = [(d.kind, d.body) for d in slack.deliveries if d.acked]

    def signed(self, body: bytes, kind: str = JSON, *, at: float = 0.0) -> Made:
        stamp = str(int(at or time.time()))
        return body, {"Content-Type": kind, **self.slack.poster.sign(self.app, body, timestamp=stamp)}

    def one(self) -> tuple[str, bytes]:
        return encode(*self.chance.choice(self.genuine))

    def noise(self) -> Made:
        return self.chance.randbytes(self.chance.randrange(2000)), {"Content-Type": JSON}

    def unsigned(self) -> Made:
        kind, body = self.one()
        return body, {"Content-Type": kind}

    def forged(self) -> Made:
        kind, body = self.one()
        _, headers = self.signed(body, kind)
        wrong = self.chance.choice(
            ["v0=", "v1=" + "0" * 64, "v0=" + "0" * 64, "", "\u00e9", headers["X-Slack-Signature"][:-1]]
        )
        changed = self.chance.choice([body + b" ", body])
        broken = {"X-Slack-Request-Timestamp": self.chance.choice(["", "soon", "1e9", "9" * 400, "-1", "\u0661"])}
        return self.chance.choice([
            (body, headers | {"X-Slack-Signature": wrong}), (body + b" ", headers), (changed, headers | broken),
        ])  # fmt: skip

    def late(self) -> Made:
        kind, body = self.one()
        return self.signed(body, kind, at=time.time() + self.chance.choice([-1, 1]) * (WINDOW + 5))

    def replayed(self) -> Made:
        return self.known

    def mistyped(self) -> Made:
        body, headers = self.signed(self.one()[1])
        kinds = ["text/plain", "multipart/form-data; boundary=x", "", "application/xml", FORM, "application/json, x"]
        return body, headers | {"Content-Type": self.chance.choice(kinds)}

    def deep(self) -> Made:
        times = self.chance.choice([1_000, 100_000])
        return self.signed(
            self.chance.choice([b"[" * times, b'{"a":' * times, b"1" * 10_000, b'{"type":' + b"9" * 5_000 + b"}"])
        )

    def garbled(self) -> Made:
        form = b"payload=" + self.chance.choice([b"%ff%fe", b"%00", b"{", b"[]", b"%7B%22type%22%3A%5B%5D%7D"])
        texts = [b"", b"null", b"[]", b"1", b'"x"', b"\xff\xfe{}", b'{"a":"\\ud800"}', b"{}", b'{"a":\x00}', b"NaN"]
        return self.signed(
            *self.chance.choice([(form, FORM), (self.chance.choice(texts), JSON), (b"a=1&" * 200, FORM)])
        )

    def odd(self) -> Made:
        """Signed, and something in it missing or of another kind."""
        kind, body = self.chance.choice(self.genuine)
        body = copy.deepcopy(body)
        places = [*places_in(body)]
        for holder, key in self.chance.sample(places, min(len(places), self.chance.randint(1, 3))):
            if self.chance.random() < 0.5:
                holder[key] = self.chance.choice(ODD)
            elif isinstance(holder, dict):
                holder.pop(key, None)
        if kind == "slash_commands":
            text = {name: value if isinstance(value, str) else "" for name, value in body.items()}
            body = {name: value.encode(errors="replace").decode() for name, value in text.items()}
        content, made = encode(kind, body)
        return self.signed(made, content)


def places_in(value: Any) -> Any:
    """Every place in a payload."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_in(value[key])


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with FakeSlack(speed=60, rates=False) as slack:
        made = Place(slack, random.Random(24))
        running = asyncio.create_task(made.platform.run(made.desk))
        await asyncio.wait_for(made.platform.connected.wait(), 30)
        made.app.request_url = made.platform.address + PATH
        await made.record()
        yield made
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.desk.close()


@pytest.mark.timeout(900)
async def test_hostile_requests_meet_no_5xx_and_no_handler(
    place: Place, count: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: Counter[str] = Counter()
    given = http.given
    current = {"kind": ""}

    async def watched(*args: Any) -> Any:
        handled[current["kind"]] += 1
        return await given(*args)

    monkeypatch.setattr(http, "given", watched)
    statuses: dict[str, Counter[int]] = {kind.__name__: Counter() for kind in place.kinds}
    kind, body = encode(*place.genuine[0])
    place.known = place.signed(body, kind, at=time.time() + 9)
    async with aiohttp.ClientSession() as session:
        address = place.platform.address + PATH
        async with session.post(address, data=place.known[0], headers=place.known[1]) as answer:
            assert (answer.status, handled[""]) == (200, 1)
        for number in range(count(600, 10_000)):
            make = place.kinds[number % len(place.kinds)]
            current["kind"] = make.__name__
            body, headers = make()
            async with session.post(address, data=body, headers=headers) as answer:
                statuses[make.__name__][answer.status] += 1
                assert answer.status < 500, (make.__name__, body[:2000], headers)
    print({name: dict(found) for name, found in statuses.items()}, dict(handled))
    assert {*handled} <= {"", "odd", "garbled", "mistyped"}
    assert handled["odd"] > 0
    assert not [
        status for name in ("noise", "unsigned", "forged", "late") for status in statuses[name] if status != 401
    ]
    assert {*statuses["replayed"]} == {200}  # and not handled


async def test_raw_bytes_and_huge_bodies_meet_no_5xx(place: Place, count: Callable[[int, int], int]) -> None:
    host, port = place.platform.address.removeprefix("http://").split(":")
    before = len(place.desk.deliveries)
    start = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n".encode()
    huge = b"x" * (LARGEST + 1)
    raw = [
        start + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n{}",
        start + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        start + b"X-Slack-Signature: v0=a\r\n\tb\r\nX-Slack-Signature: v0=c\r\nContent-Length: 2\r\n\r\n{}",
        start + b"X-Slack-Request-Timestamp: 1\x00\r\nContent-Length: 2\r\n\r\n{}",
        start + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        start + b"Content-Length: -1\r\n\r\n",
        start + b"Content-Length: 100\r\n\r\n{}",
        start + f"Content-Length: {len(huge)}\r\n\r\n".encode() + huge,
        b"\x16\x03\x01" * 50 + b"\r\n\r\n",
        b"POST " + PATH.encode() + b"\r\n\r\n",
        b"BREW " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"",
    ]
    for number in range(count(24, 600)):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw[number % len(raw)])
        try:
            await writer.drain()
            writer.write_eof()
            said = await asyncio.wait_for(reader.read(4096), 10)
        except ConnectionError:
            said = b""
        writer.close()
        assert not said.startswith(b"HTTP/1.1 5"), raw[number % len(raw)][:200]
        assert not said.startswith(b"HTTP/1.1 2"), raw[number % len(raw)][:200]
    assert len(place.desk.deliveries) == before


async def test_an_address_that_is_too_long_for_a_modal_ends_in_a_refusal(place: Place) -> None:
    body = next(copy.deepcopy(body) for _, body in place.genuine if body.get("type") == "message_action")
    kind, made = encode("interactive", body | {"response_url": "x" * 3000, "action_ts": "2"})
    content, headers = place.signed(made, kind)
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(place.platform.address + PATH, data=content, headers=headers) as answer,
    ):
        assert answer.status == 400
