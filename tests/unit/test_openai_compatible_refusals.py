"""Error bodies as real servers send them, and what becomes of each."""

from __future__ import annotations

from typing import Any

import pytest

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot_plugins.openai_compatible.refusals import Place, refusal

PLACE = Place("generator", "http://gpu1:8000/v1", "llama", has_key=True, limit="max_prompt_tokens")
VLLM_LONG = (
    "This model's maximum context length is 6048 tokens. However, you requested 6616 tokens (568 in the messages, 6048 "
    "in the completion). Please reduce the length of the messages or completion."
)


def error(**fields: Any) -> dict[str, Any]:
    return {"error": fields}


BODIES: list[tuple[str, int, Any, str]] = [
    ("vLLM, old", 400, {"object": "error", "message": VLLM_LONG, "type": "BadRequestError", "code": 400}, "too_long"),
    ("vLLM", 400, error(message=VLLM_LONG, type="BadRequestError", code=400), "too_long"),
    ("vLLM model", 404, error(message="The model `llama` does not exist.", type="NotFoundError", code=404), "model"),
    ("vLLM key", 401, {"error": "Unauthorized"}, "key"),
    ("llama.cpp", 400, error(code=400, message="the request exceeds the available context size.",
                             type="exceed_context_size_error", n_prompt_tokens=1407, n_ctx=256), "too_long"),
    ("llama.cpp, old", 500, error(code=500, message="the request exceeds the available context size.",
                                  type="exceed_context_size_error"), "too_long"),
    ("llama.cpp key", 401, error(code=401, message="Invalid API Key", type="authentication_error"), "key"),
    ("llama.cpp loads", 503, error(code=503, message="Loading model", type="unavailable_error"), "unavailable"),
    ("Ollama model", 404, error(message="model 'llama' not found", type="not_found_error", code=None), "model"),
    ("TEI", 413, {"error": "Input validation error: `inputs` must have less than 512 tokens. Given: 534",
                  "error_type": "Validation"}, "too_long"),
    ("TEI in OpenAI's form", 413, {"message": "Input validation error: `inputs` must have less than 512 tokens.",
                                   "code": 413, "type": "Validation"}, "too_long"),
    ("TEI batch", 422, {"error": "batch size 50 > maximum allowed batch size 32", "error_type": "Validation"},
     "batch_size"),
    ("TEI busy", 429, {"error": "Model is overloaded", "error_type": "Overloaded"}, "busy"),
    ("TEI shape", 422, "Failed to deserialize the JSON body: missing field `texts` at line 1", "shape"),
    ("LiteLLM model", 400, error(message="/chat/completions: Invalid model name passed in model=llama", type="None",
                                 code="400"), "model"),
    ("LiteLLM long", 400, error(message="litellm.ContextWindowExceededError: prompt is too long: 210000 tokens",
                                type=None, code="400"), "too_long"),
    ("LiteLLM budget", 400, error(message="Budget has been exceeded! Current cost: 3", type="budget_exceeded",
                                  code="400"), "request"),
    ("OpenAI quota", 429, error(message="You exceeded your current quota", code="insufficient_quota"), "key"),
    ("OpenAI project", 403, error(message="Project `p` does not have access to model `llama`",
                                  code="model_not_found"), "model"),
    ("OpenAI rate", 429, error(message="Rate limit reached", type="tokens", code="rate_limit_exceeded"), "busy"),
    ("DeepSeek", 402, error(message="Insufficient Balance", type="unknown_error"), "key"),
    ("OpenRouter", 400, error(message="llama is not a valid model ID", code=400), "model"),
    ("Azure filter", 400, error(message="The response was filtered", code="content_filter",
                                innererror={"code": "ResponsibleAIPolicyViolation"}), "filtered"),
    ("Azure key", 401, error(code="401", message="Access denied due to invalid subscription key"), "key"),
    ("Azure gateway", 401, {"statusCode": 401, "message": "Unauthorized"}, "key"),
    ("Azure deployment", 404, error(code="DeploymentNotFound", message="The API deployment does not exist."), "model"),
    ("Azure version", 404, error(code="404", message="Resource not found"), "base_url"),
    ("FastAPI path", 404, {"detail": "Not Found"}, "base_url"),
    ("FastAPI body", 422, {"detail": [{"loc": ["body", "documents"], "msg": "Field required", "input": "PRIVATE"}]},
     "request"),
    ("no temperature", 400, error(message="This model does not support temperature"), "temperature"),
    ("no matryoshka", 400, error(message='Model "m" does not support matryoshka representation'), "dimensions"),
    ("no usage", 422, {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
     "ask_usage"),
    ("a proxy", 502, "<html><h1>502 Bad Gateway</h1></html>", "unavailable"),
    ("nothing", 500, "", "unavailable"),
    ("nonsense", 400, [1, None], "request"),
    ("more nonsense", 400, {"error": {"message": {"a": 1}, "code": {}}}, "request"),
    ("a redirect", 307, "", "base_url"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "means"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_bodies_of_real_servers_are_understood(status: int, body: Any, means: str) -> None:
    found = refusal(PLACE, status, body, path="/chat/completions", after=7.0)
    if means == "busy":
        assert isinstance(found, ModelBusy)
        assert found.after == 7.0
    elif means == "unavailable":
        assert type(found) is ModelUnavailable
    elif isinstance(found, ModelRefused) and found.why == means:
        assert means in ("filtered", "request") or "`generator.openai_compatible." in str(found)
    else:
        assert f"`generator.openai_compatible.{means}`" in str(found)
    assert len(str(found).splitlines()) == 1
    assert "PRIVATE" not in str(found)
    assert "<" not in str(found)


def test_what_a_server_says_is_short_and_harmless() -> None:
    words = "Bad \x1b[31mrequest\r\n with sk-abcdefghijklmnopqrstuv in it " + "and more " * 100
    found = str(refusal(PLACE, 400, error(message=words), path=""))
    assert "sk-abc" not in found
    assert "\x1b" not in found
    assert len(found) < 260
