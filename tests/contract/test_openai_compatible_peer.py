"""The same calls to aimock, a server of this interface that somebody else wrote and that knows nothing of us.

It counts tokens in its own way, has no limits of length, and ranks below /v2 only, where it finds nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.ports import Draft, GenerationRequest, PartContext, Usage
from citebot.testing.contract_generator import passages
from citebot_plugins.openai_compatible.embedder import OpenAICompatibleEmbedder
from citebot_plugins.openai_compatible.generator import OpenAICompatibleGenerator
from citebot_plugins.openai_compatible.reranker import OpenAICompatibleReranker

SCRIPT = Path(__file__).parents[2] / "scripts" / "services" / "aimock.sh"
GIVEN = "CITEBOT_TEST_AIMOCK"
KEY = "sk-peer-1234567890"
SAYS = [
    ("leave", {"content": "Employees get 26 days of leave [1].", "reasoning": "The passages say so."}),
    ("length", {"content": "Employees get", "finishReason": "length"}),
    ("filter", {"content": "No.", "finishReason": "content_filter"}),
    ("busy", {"error": {"message": "Slow down", "type": "requests", "code": "rate_limit_exceeded"}, "status": 429}),
    ("broken", {"error": {"message": "Oh no", "type": "server_error", "code": None}, "status": 500}),
    ("long", {"error": {"message": "This model's maximum context length is 8 tokens.", "type": "invalid_request_error",
                        "code": "context_length_exceeded"}, "status": 400}),
]  # fmt: skip
pytestmark = pytest.mark.aimock


@pytest.fixture(scope="module")
def program() -> str:
    if given := os.environ.get(GIVEN):
        return given
    found = subprocess.run([SCRIPT], capture_output=True, text=True)
    if found.returncode:
        why = f"no aimock: {found.stderr.strip()[-300:]}"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    return found.stdout.strip()


@pytest.fixture(scope="module")
def peer(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where aimock listens."""
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    said = [{"match": {"userMessage": f"Question: {word}"}, "response": response} for word, response in SAYS]
    fixtures.write_text(json.dumps({"fixtures": said}), "utf-8")
    command = [program, "--port", "0", "--fixtures", str(fixtures), "--latency", "5"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "AIMOCK_API_KEYS": KEY}
    ) as server:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "")
        yield next(line.split()[-1] for line in lines if "listening on" in line)
        server.terminate()


def generator(base_url: str, **more: Any) -> OpenAICompatibleGenerator:
    given = {"base_url": base_url, "api_key": KEY, "model": "gpt-4o", **more}
    return OpenAICompatibleGenerator(OpenAICompatibleGenerator.Settings.model_validate(given), PartContext(Path()))


async def pieces(part: OpenAICompatibleGenerator, question: str, used: list[Usage] | None = None) -> list[Draft]:
    note = (lambda usage: None) if used is None else used.append
    request = GenerationRequest(question=question, original=question, passages=passages(), used=note)
    await part.open()
    try:
        return [piece async for piece in part.generate(request) if isinstance(piece, Draft)]
    finally:
        await part.close()


async def test_an_answer_is_streamed_without_its_thoughts_and_counted(peer: str) -> None:
    used: list[Usage] = []
    found = await pieces(generator(f"{peer}/v1", price_input=1.0), "leave", used)
    assert len(found) > 1
    assert "".join(piece.text for piece in found) == "Employees get 26 days of leave [1]."
    assert used[0].input_tokens == used[0].cost > 100
    assert used[0].output_tokens > 5


async def test_the_same_on_azure(peer: str) -> None:
    azure = generator(f"{peer}/openai/deployments/gpt-4o", key_header="api-key", api_version="2024-10-21")
    assert await pieces(azure, "leave")


async def test_an_end_at_the_limit_is_told(peer: str) -> None:
    assert (await pieces(generator(f"{peer}/v1"), "length"))[-1].cut_off


@pytest.mark.parametrize(
    ("question", "given", "kind", "why"),
    [
        ("leave", {"api_key": "sk-wrong-1234567890"}, ModelRefused, "key"),
        ("filter", {}, ModelRefused, "filtered"),
        ("long", {}, ModelRefused, "too_long"),
        ("busy", {}, ModelBusy, None),
        ("broken", {}, ModelUnavailable, None),
    ],
)
async def test_its_errors_are_classified(
    peer: str, question: str, given: dict[str, Any], kind: type[ModelUnavailable], why: str | None
) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        await pieces(generator(f"{peer}/v1", **given), question)
    assert type(caught.value) is kind
    assert getattr(caught.value, "why", None) == why
    assert getattr(caught.value, "after", 1.0) == 1.0


async def test_the_doctor_finds_nothing_wrong_or_what_is(peer: str) -> None:
    [wrong] = [finding async for finding in generator(f"{peer}/v1", api_key="sk-wrong-1234567890").examine()]
    assert not wrong.ok
    assert "generator.openai_compatible.api_key" in wrong.what


async def test_texts_are_embedded_and_a_ranking_without_results_is_none(peer: str) -> None:
    given = {"api_key": KEY, "model": "any"}
    embedder = OpenAICompatibleEmbedder(
        OpenAICompatibleEmbedder.Settings.model_validate({**given, "base_url": f"{peer}/v1", "dimensions": 8}),
        PartContext(Path()),
    )
    reranker = OpenAICompatibleReranker(
        OpenAICompatibleReranker.Settings.model_validate({**given, "base_url": f"{peer}/v2"}), PartContext(Path())
    )
    await embedder.open()
    await reranker.open()
    try:
        rows = await embedder.embed_passages(["one", "two"])
        assert [(row.windows, row.dimensions) for row in rows] == [(1, 8), (1, 8)]
        with pytest.raises(ModelUnavailable, match="ranked 0 of 3"):
            await reranker.rerank("one", passages())
    finally:
        await embedder.close()
        await reranker.close()
