"""Secrets on the command line: as they are, or from a file or a variable, which no list of processes shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from citebot.errors import WrongUse
from citebot.settings.environment import process_environment

SECRET_HELP = "Secret; @FILE or env:NAME says where it is."  # noqa: S105 - a text that explains secrets
FILE, VARIABLE = "@", "env:"


def is_secret(annotation: Any) -> bool:
    """Whether a field is a secret, maybe an optional one or a list of them."""
    inner = [each for each in get_args(annotation) if each not in (type(None), ...)]
    return annotation is SecretStr or inner == [SecretStr]


def secret_value(text: str, option: str) -> str:
    """The secret that an option's text stands for; raises `WrongUse` when there is none."""
    if text.startswith(FILE):
        found = _content(text.removeprefix(FILE), option)
    elif text.startswith(VARIABLE):
        name = text.removeprefix(VARIABLE)
        found = process_environment().get(name, "")
    else:
        return text
    if not found:
        # What was written is not repeated: it may be a secret that happens to begin like this.
        raise WrongUse(f"{option} names a file or a variable that holds nothing. ({FILE}FILE also takes any secret.)")
    return found


def _content(name: str, option: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WrongUse(f"{option} names a file that cannot be read: {why}. (@ before a secret names a file.)") from None
