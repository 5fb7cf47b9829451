"""Logs: one stream on stderr for us and for the libraries, with secrets taken out last of all."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

import structlog
from structlog.typing import Processor

from citebot.settings import LogSettings
from citebot.settings.checking import looks_secret

MASK = "[redacted]"

_SECRETS = (
    re.compile(r"\b(?P<keep>(?:Bearer|Basic|Bot|Token)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{6,}|\bxapp-[A-Za-z0-9-]{6,}"),  # Slack
    re.compile(r"\b(?:gh[opsur]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,})"),
    re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"),
    re.compile(r"\b[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}"),  # Discord
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),  # JSON web tokens
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"(?P<keep>://[^/\s:@'\"]*:)[^/\s@'\"]+(?=@)"),  # a password in an address
    re.compile(
        r"(?P<keep>\b[\w-]*(?:token|secret|password|passwd|api[_-]?key|signature|authorization)['\"]?\s*[=:]\s*['\"]?)"
        r"(?!\[redacted\]|\*{4,})[^\s'\"&;,)}\]]+",
        re.IGNORECASE,
    ),
)

_CHATTY = {
    # At INFO, httpx writes every address it calls, query and all.
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "apscheduler": logging.WARNING,
    "alembic": logging.WARNING,
    "pypdf": logging.ERROR,
    "asyncio": logging.WARNING,
}


_known: tuple[str, ...] = ()
SHORTEST = 6
"""Characters of a secret that is looked for; what is shorter would be found in ordinary words."""


def hide(secret: str) -> None:
    """From now on, keep a secret that was opened out of every log and message, as it is and as part of an address."""
    global _known  # replaced as a whole: other threads may be going through it
    forms = {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    known = {*_known, *(form for form in forms if len(secret) >= SHORTEST)}
    _known = tuple(sorted(known, key=len, reverse=True))


def without_secrets(text: str) -> str:
    """The text with `***` in the place of every secret that was opened."""
    for secret in _known:
        text = text.replace(secret, "***")
    return text


def redacted(text: str) -> str:
    """The text without opened secrets, and without whatever looks like a token or a password."""
    text = without_secrets(text)
    for pattern in _SECRETS:
        text = pattern.sub(_masked, text)
    return text


def configure_logging(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's logs to stderr; may be called again."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secret_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    stream = stream or sys.stderr
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(as_json=settings.json_lines, colours=stream.isatty()),
                _redact_line,
            ],
        )
    )
    _install(handler, level)


def _rendering(*, as_json: bool, colours: bool) -> Iterator[Processor]:
    yield structlog.processors.format_exc_info
    if as_json:
        yield structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    else:
        yield structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, exception_formatter=_plain_traceback)


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second call finds the handler of the first."""


def _install(handler: _Handler, level: int) -> None:
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(max(level, least))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _without_secret_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        # Numbers are counts: `tokens=350`.
        if value and looks_secret(key) and not isinstance(value, int | float):
            event[key] = MASK
    return event


def _redact_line(_logger: Any, _method: str, line: Any) -> str:
    return redacted(str(line))


def _masked(match: re.Match[str]) -> str:
    return (match.groupdict().get("keep") or "") + MASK


def _plain_traceback(stream: TextIO, exc_info: Any) -> None:
    structlog.dev.plain_traceback(stream, exc_info)
