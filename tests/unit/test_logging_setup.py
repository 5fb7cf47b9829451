"""Logs go to stderr, in one form, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from citebot.logging_setup import configure_logging, redacted
from citebot.settings import LogSettings


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


SECRETS = [
    "xoxb-123456789012-abcdefABCDEF",
    "xapp-1-A111-222-abcdef",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "glpat-abcdefghij0123456789",
    "sk-proj-abcdefghijklmnop1234",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "MTA1MDUxNTA1MDUwNTA1MDUw.GABCDE.abcdefghijklmnopqrstuvwxyz12",
    "AKIAABCDEFGHIJKLMNOP",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_tokens_are_taken_out_of_any_text(secret: str) -> None:
    assert secret not in redacted(f"calling with {secret}, then more")
    assert redacted(f"calling with {secret}, then more").endswith(", then more")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:hunter2@db/x", "postgresql://u:[redacted]@db/x"),
        ("Authorization: Bearer abcdefghij", "Authorization: [redacted] [redacted]"),
        ("GET /x?token=abc&page=2", "GET /x?token=[redacted]&page=2"),
        ("password='hunter2'", "password='[redacted]'"),
        ('{"api_key": "hunter2"}', '{"api_key": "[redacted]"}'),
    ],
)
def test_values_of_telling_names_are_taken_out(text: str, expected: str) -> None:
    assert redacted(text) == expected


def test_ordinary_text_stays_as_it_is() -> None:
    text = "chunks of 350 tokens; the secretary has a token of esteem at 10:20, see https://wiki/a:b@c"
    assert redacted(text) == text


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_reaches_the_stream(stream: io.StringIO, as_json: bool) -> None:
    configure_logging(LogSettings(level="debug", json_lines=as_json), stream=stream)
    log = structlog.get_logger("citebot.test")
    log.info("one", token="hunter2", key=SecretStr("hunter2"), note=f"with {SECRETS[0]}", deep={"password": "hunter2"})
    logging.getLogger("library").error("url %s", "https://u:hunter2@h/")
    try:
        raise ValueError(f"password=hunter2 {SECRETS[1]}")
    except ValueError:
        log.exception("two")
    written = stream.getvalue()
    assert "hunter2" not in written
    assert SECRETS[0] not in written
    assert SECRETS[1] not in written
    assert "ValueError" in written


def test_json_lines_are_json(stream: io.StringIO) -> None:
    configure_logging(LogSettings(level="info", json_lines=True), stream=stream)
    structlog.get_logger("citebot.test").warning("park it", tokens=350)
    logging.getLogger("library").warning("hello")
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert (ours["event"], ours["level"], ours["logger"], ours["tokens"]) == ("park it", "warning", "citebot.test", 350)
    assert (theirs["event"], theirs["logger"]) == ("hello", "library")


def test_the_level_counts_for_us_and_for_libraries_and_chatty_ones_are_tamed(stream: io.StringIO) -> None:
    configure_logging(LogSettings(level="info"), stream=stream)
    structlog.get_logger("citebot.test").debug("hidden")
    logging.getLogger("library").debug("hidden")
    logging.getLogger("httpx").info("HTTP Request: GET https://h/?token=hidden")
    assert stream.getvalue() == ""


def test_a_second_call_replaces_the_first(stream: io.StringIO) -> None:
    configure_logging(LogSettings(level="info"), stream=io.StringIO())
    configure_logging(LogSettings(level="info"), stream=stream)
    structlog.get_logger("citebot.test").info("once")
    assert stream.getvalue().count("once") == 1
