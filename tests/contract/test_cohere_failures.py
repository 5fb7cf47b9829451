"""Every way in which Cohere can fail is told as what it is, in a line for the admin, without secrets."""

from __future__ import annotations

import asyncio
import builtins
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

pytest.importorskip("cohere")

from pydantic import ValidationError

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable, SettingsError
from citebot.ports import GenerationRequest, PartContext
from citebot.settings.checking import validated
from citebot.testing.contract_generator import passages
from citebot.testing.local_server import Sent, local_server
from citebot.testing.models.cohere import KEY, FakeCohere
from citebot.testing.models.cohere_chat import Reply
from citebot.testing.models.faults import Fault
from citebot.testing.models.server import Rate
from citebot_plugins.cohere import CohereEmbedder, CohereGenerator, CohereReranker

PARTS: dict[str, Any] = {"generator": CohereGenerator, "embedder": CohereEmbedder, "reranker": CohereReranker}
Call = Callable[[], Any]


def made(kind: str, url: str, **settings: Any) -> Any:
    given = {"api_key": KEY, "base_url": url, **settings}
    return PARTS[kind](PARTS[kind].Settings.model_validate(given), PartContext(Path()))


async def use(part: Any) -> object:
    if isinstance(part, CohereGenerator):
        return [one async for one in part.generate(GenerationRequest("annual leave", "annual leave", passages()))]
    if isinstance(part, CohereEmbedder):
        return await part.embed_query("annual leave")
    return await part.rerank("annual leave", passages())


@pytest.fixture
def server() -> Iterator[FakeCohere]:
    with FakeCohere() as server:
        yield server


@pytest.fixture(params=list(PARTS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture
async def part(server: FakeCohere, kind: str) -> AsyncIterator[Any]:
    part = made(kind, server.url, read_seconds=0.5)
    await part.open()
    yield part
    await part.close()


@pytest.mark.parametrize(
    ("status", "code", "why", "named"),
    [
        (401, "", "key", "api_key"),
        (401, "expired", "key", "has expired"),
        (402, "", "key", "paid"),
        (403, "", "key", "api_key"),
        (498, "", "key", "api_key"),
        (404, "", "model", ".model"),
        (404, "removed", "model", "was removed"),
        (400, "no_rag", "model", ".model"),
        (400, "too_long", "too_long", "lower"),
        (413, "", "too_long", "lower"),
        (400, "filtered", "filtered", "harmful"),
        (400, "", "request", "(400)"),
        (422, "", "request", "(422)"),
        (405, "", "request", "(405)"),
        (302, "", "request", "base_url"),
    ],
)
async def test_refusals(server: FakeCohere, part: Any, kind: str, status: int, code: str, why: str, named: str) -> None:
    server.faults.add(Fault(status=status, code=code))
    with pytest.raises(ModelRefused) as caught:
        await use(part)
    assert caught.value.why == why
    assert named in str(caught.value)
    assert why in {"filtered", "request"} or f"{kind}.cohere." in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [408, 409, 499, 500, 501, 502, 503, 504, 529])
async def test_failures_that_pass(server: FakeCohere, part: Any, status: int) -> None:
    server.faults.add(Fault(status=status))
    with pytest.raises(ModelUnavailable, match=str(status)) as caught:
        await use(part)
    assert type(caught.value) is ModelUnavailable
    await use(part)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        (" 0 ", 0, 0),
        (timedelta(seconds=600), 500, 600),
        (timedelta(seconds=-600), 0, 0),
    ],
    ids=["seconds", "at once", "a date to come", "a date that has been"],
)
async def test_a_busy_server_says_for_how_long(
    server: FakeCohere, part: Any, header: str | timedelta, least: int, most: int
) -> None:
    if isinstance(header, timedelta):
        header = format_datetime(datetime.now(UTC) + header, usegmt=True)
    server.faults.add(Fault(status=429, retry_after=header))
    began = time.monotonic()
    with pytest.raises(ModelBusy) as caught:
        await use(part)
    assert caught.value.after is not None
    assert least <= caught.value.after <= most
    assert time.monotonic() - began < 5
    assert len(server.received) == 1


@pytest.mark.parametrize("header", ["", "soon", "-5", "1e9", "Mon, 99 Foo 2026", "9" * 400])
async def test_a_busy_server_that_says_nonsense(server: FakeCohere, part: Any, header: str) -> None:
    server.faults.add(Fault(status=429, retry_after=header))
    with pytest.raises(ModelBusy) as caught:
        await use(part)
    assert caught.value.after is None


async def test_a_trial_key_at_its_limit_is_named(kind: str) -> None:
    with FakeCohere(rate=Rate(1, clock=lambda: 0.0)) as server:
        part = made(kind, server.url)
        await part.open()
        await use(part)
        with pytest.raises(ModelBusy, match=rf"{kind}\.cohere\.api_key is a trial key") as caught:
            await use(part)
        await part.close()
    assert caught.value.after == 61


BROKEN = [b"[", b"null", b"[]", b'"text"', b"{}", b"<html>502</html>", b"\xff\xfe", b"[" * 100_000, b'{"a":1}']


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:9]))
async def test_a_body_that_cannot_be_read(server: FakeCohere, part: Any, kind: str, body: bytes) -> None:
    sent = body if kind != "generator" else b"data: " + body + b"\n\n"
    server.faults.add(Fault(malformed=sent))
    with pytest.raises(ModelUnavailable) as caught:
        await use(part)
    assert type(caught.value) is ModelUnavailable


@pytest.mark.parametrize("stall", ["headers", "first_event", "mid_stream"])
async def test_silence(server: FakeCohere, kind: str, stall: Any) -> None:
    if kind != "generator" and stall != "headers":
        return
    part = made(kind, server.url, read_seconds=0.2)
    await part.open()
    server.faults.add(Fault(stall=stall))
    with pytest.raises(ModelUnavailable, match=r"has said nothing for 0\.2 s"):
        await use(part)
    await part.close()


async def test_a_connection_that_breaks(server: FakeCohere, part: Any, kind: str) -> None:
    for cut in (0, 1, 5) if kind == "generator" else (1,):
        server.faults.add(Fault(cut_after=cut))
        with pytest.raises(ModelUnavailable, match="broke the connection off"):
            await use(part)
    await use(part)


async def test_a_server_that_is_not_there(kind: str) -> None:
    with FakeCohere() as gone:
        url = gone.url
    part = made(kind, url)
    await part.open()
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:\d+ cannot be reached"):
        await use(part)
    await part.close()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply("Half a sen", finish="ERROR", error="inference failed"), "inference failed"),
        (Reply("Half a sen", finish="TIMEOUT"), "TIMEOUT"),
        (Reply("Half a sen", finish=""), "no reason"),
        (Reply("Half a sen", finish="TOOL_CALL"), "TOOL_CALL"),
        (Reply("Half a sen", finish="ERROR_TOXIC"), "toxic"),
    ],
)
async def test_an_answer_that_ends_badly(server: FakeCohere, reply: Reply, why: str) -> None:
    generator = made("generator", server.url)
    await generator.open()
    server.script = lambda body: reply
    with pytest.raises(ModelUnavailable, match=why) as caught:
        await use(generator)
    assert (getattr(caught.value, "why", "") == "filtered") == ("TOXIC" in reply.finish)
    await generator.close()


async def test_an_unknown_model_and_a_wrong_key_are_told_by_the_server_itself(server: FakeCohere, kind: str) -> None:
    for settings, why in (
        ({"model": "xyz"}, "model"),
        ({"api_key": "wrong-key-123456"}, "key"),
        ({"api_key": ""}, "key"),
    ):
        part = made(kind, server.url, **settings)
        await part.open()
        with pytest.raises(ModelRefused) as caught:
            await use(part)
        assert caught.value.why == why
        await part.close()


async def test_a_redirect_takes_the_key_nowhere(server: FakeCohere, kind: str) -> None:
    with local_server(lambda received: Sent(status=307, headers={"location": server.url + received.path})) as moved:
        part = made(kind, moved.url)
        await part.open()
        with pytest.raises(ModelRefused, match="redirects"):
            await use(part)
        await part.close()
    assert server.received == []


async def test_closing_ends_a_call_that_waits(server: FakeCohere, kind: str) -> None:
    part = made(kind, server.url)
    await part.open()
    server.faults.add(Fault(stall="headers"))
    call = asyncio.create_task(use(part))
    while not server.received:
        await asyncio.sleep(0.005)
    await part.close()
    with pytest.raises(ModelUnavailable):
        await asyncio.wait_for(call, 5)


async def test_without_a_key_nothing_is_sent(kind: str) -> None:
    part = PARTS[kind](PARTS[kind].Settings(), PartContext(Path()))
    with pytest.raises(ModelRefused, match=rf"{kind}\.cohere\.api_key is not set"):
        await part.open()
    with pytest.raises(ModelUnavailable):
        await use(part)
    await part.close()


@pytest.mark.parametrize("key", ["two words", "línea", "line\nbreak", "tab\tbed"])
def test_what_is_no_key_is_refused_without_repeating_it(kind: str, key: str) -> None:
    with pytest.raises(SettingsError, match="api_key") as caught:
        validated(PARTS[kind].Settings, {"api_key": key}, section=f"{kind}.cohere")
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "api.cohere.com", "ftp://x", "https://u:p@x", "https://", "https://x/?a=b"])
def test_what_is_no_address_is_refused(kind: str, url: str) -> None:
    with pytest.raises(ValidationError):
        made(kind, url)


@pytest.mark.parametrize("wrong", [{"proxy": "no proxy"}, {"ca_file": "/nowhere", "base_url": "https://127.0.0.1:9"}])
async def test_what_cannot_be_used_is_named(kind: str, wrong: dict[str, str]) -> None:
    part = made(kind, "http://127.0.0.1:9", **wrong)
    with pytest.raises(ModelRefused, match=rf"{kind}\.cohere\.proxy cannot be used") as caught:
        await part.open()
    assert "no proxy" not in str(caught.value)


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v2", "/v2/"])
async def test_an_address_may_end_as_it_does_in_the_documentation(server: FakeCohere, kind: str, tail: str) -> None:
    part = made(kind, server.url + tail)
    await part.open()
    await use(part)
    await part.close()


async def test_no_message_and_no_log_repeats_the_key_or_what_was_sent(
    server: FakeCohere, part: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.WARNING)  # as `configure_logging` has it
    for fault in (
        Fault(status=401, code=f"invalid api token {KEY} in Bearer {KEY}"),
        Fault(status=400, code=f"{KEY}\n\x1b[31m" + "long " * 500),
        Fault(status=500, code=KEY),
        Fault(malformed=b'data: {"type": "content-delta", "secret-text' + KEY.encode() + b"\n\n"),
    ):
        server.faults.add(fault)
        with pytest.raises(ModelUnavailable) as caught:
            await use(part)
        assert KEY not in str(caught.value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600
        assert caught.value.__cause__ is None
    assert KEY not in caplog.text
    assert "secret-text" not in caplog.text


async def test_what_the_sdk_lacks_is_named(server: FakeCohere, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "cohere":
            raise ModuleNotFoundError("No module named 'cohere'", name="cohere")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    part = made(kind, server.url)
    with pytest.raises(ModelUnavailable, match=r"pip install 'citebot\[cohere\]'"):
        await part.open()
    [finding] = [one async for one in part.examine()]
    assert finding.fix == "pip install 'citebot[cohere]'"
    await part.close()


def test_the_plugin_loads_without_the_sdk() -> None:
    code = "import sys, citebot_plugins.cohere; sys.exit('cohere' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


async def test_doctor_finds_all_well(server: FakeCohere, kind: str) -> None:
    found = [one async for one in made(kind, server.url).examine()]
    assert [one.ok for one in found] == [True]
    assert [one.path.rpartition("/")[0] for one in server.received] == ["/v1/models"]


@pytest.mark.parametrize(
    ("settings", "words", "fix"),
    [
        ({"api_key": "wrong-key-123456"}, "does not accept the key", "__COHERE__API_KEY"),
        ({"api_key": ""}, "is not set", "__COHERE__API_KEY"),
        ({"model": "xyz"}, "does not know the model", ".model"),
        ({"model": "parse-it"}, "is for parse, not", "another model"),
        ({"model": "old"}, "switched off", "Choose"),
        ({"base_url": "http://127.0.0.1:9"}, "cannot be reached", "base_url"),
    ],
)
async def test_doctor_says_what_to_mend(
    server: FakeCohere, kind: str, settings: dict[str, str], words: str, fix: str
) -> None:
    from citebot.testing.models.cohere_rules import FakeModel

    able = {"generator": "chat", "embedder": "embed", "reranker": "rerank"}[kind]
    server.models |= {"old": FakeModel((able,), 128_000, deprecated=True), "parse-it": FakeModel(("parse",), 128_000)}
    found = [one async for one in made(kind, server.url, **settings).examine()]
    [wrong] = [one for one in found if not one.ok]
    assert words in wrong.what
    assert fix in wrong.fix
    assert all("wrong-key" not in one.what + one.fix for one in found)


async def test_doctor_compares_the_limits_with_the_model(server: FakeCohere) -> None:
    found = [one async for one in made("generator", server.url, max_prompt_tokens=900_000).examine()]
    assert "256,000 tokens" in found[-1].what
