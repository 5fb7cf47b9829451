"""Events of Cohere are read for what they say, whatever is missing in them and however they are cut."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from citebot_plugins.cohere.streaming import Cited, Finish, Reading, events


def delta(text: str, index: int | None = 0) -> dict[str, Any]:
    return {"type": "content-delta", "index": index, "delta": {"message": {"content": {"text": text}}}}


def citation(**fields: Any) -> dict[str, Any]:
    cited = {"start": 0, "end": 3, "text": "one", "sources": [{"type": "document", "id": "1"}], **fields}
    return {"type": "citation-start", "index": 0, "delta": {"message": {"citations": cited}}}


async def lines(*pieces: bytes) -> list[Any]:
    async def body() -> Any:
        for piece in pieces:
            yield piece

    return [event async for event in events(httpx.Response(200, content=body()))]


@pytest.mark.parametrize(("index", "start"), [(0, 0), (2, 4), (None, 4), (7, 4)])
def test_places_count_from_the_beginning_of_their_block(index: int | None, start: int) -> None:
    reading = Reading()
    assert [reading.read(delta("one ")), reading.read(delta("two", 2))] == ["one ", "two"]
    assert reading.read(citation(content_index=index)) == Cited(start, start + 3, "one", ("1",))


@pytest.mark.parametrize("kind", ["PLAN", "THINKING_CONTENT", "new"])
def test_what_is_cited_in_no_text_is_left_out(kind: str) -> None:
    assert Reading().read(citation(type=kind)) is None
    assert Reading().read(citation(type="TEXT_CONTENT")) == Cited(0, 3, "one", ("1",))


@pytest.mark.parametrize("sources", [None, "1", [], [None, 5, "x"], [{"type": "tool"}], [{"id": 5}]])
def test_sources_that_are_none_are_left_out(sources: Any) -> None:
    cited = Reading().read(citation(sources=sources))
    assert cited is None or (isinstance(cited, Cited) and cited.documents == ())


@pytest.mark.parametrize("fields", [{"start": None}, {"end": "3"}, {"start": 1.5}, {"start": {}}])
def test_a_citation_without_a_place_is_left_out(fields: dict[str, Any]) -> None:
    assert Reading().read(citation(**fields)) is None


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": None},
        {"type": "error", "message": "overloaded"},
        {"message": "overloaded"},
        {"type": "content-delta", "delta": "text"},
        {"type": "content-delta", "delta": {"message": ["text"]}},
        {"type": "content-delta", "delta": {"message": {"content": {"text": 5}}}},
        {"type": "message-end", "delta": "COMPLETE"},
        {"type": "message-end", "delta": {"usage": {"billed_units": "many"}}},
    ],
)
def test_what_is_no_event_is_no_answer(event: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        Reading().read(event)


@pytest.mark.parametrize(
    "kind", ["message-start", "tool-plan-delta", "citation-end", "content-end", "debug", "new-one"]
)
def test_what_says_nothing_to_us_is_passed_over(kind: str) -> None:
    assert Reading().read({"type": kind, "delta": {"message": {"tool_plan": "x"}}}) is None


@pytest.mark.parametrize(
    ("units", "found"),
    [
        ({"billed_units": {"input_tokens": 34.0, "output_tokens": 14}, "tokens": {"input_tokens": 721}}, (34, 14)),
        ({"tokens": {"input_tokens": 721, "output_tokens": 59}}, (721, 59)),
        ({"billed_units": {"input_tokens": -1, "output_tokens": float("nan")}}, (None, None)),
        ({"billed_units": {"input_tokens": "34", "output_tokens": True}}, (None, None)),
        ({}, (None, None)),
        (None, (None, None)),
    ],
)
def test_what_is_billed(units: Any, found: tuple[int | None, int | None]) -> None:
    finish = Reading().read({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": units}})
    assert finish == Finish("COMPLETE", "", *found)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_events_may_be_cut_anywhere(size: int, end: str) -> None:
    sent = [delta("Grüße 🙂 \u2028\x85 aus"), delta(" \\n Köln")]
    text = "".join(
        f"event: x{end}data: {json.dumps(event, ensure_ascii=False)}{end}{end}: still here{end}{end}" for event in sent
    )
    wire = (text + f"data: [DONE]{end}").encode()
    assert await lines(*(wire[at : at + size] for at in range(0, len(wire), size))) == sent


async def test_the_last_event_may_end_without_a_line_end() -> None:
    assert await lines(b'data: {"type": "x"}') == [{"type": "x"}]


async def test_a_line_without_an_end_is_given_up() -> None:
    with pytest.raises(ValueError, match="without an end"):
        await lines(*[b"x" * 100_000] * 12)
