"""Who is asking: a token as Bearer or in a signed cookie, or on this machine anybody."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote

from citebot.model import Person
from citebot_connectors.platforms.console.settings import ConsoleSettings

COOKIE = "citebot_session"
KEEP_SECONDS = 30 * 24 * 3600


class Doorkeeper:
    """Turns the headers of a request into a person, or into nobody."""

    def __init__(self, settings: ConsoleSettings, *, clock: Callable[[], float]) -> None:
        self._secrets = settings.secrets
        self._people = settings.people
        self._default = settings.person
        self._clock = clock

    @property
    def closed(self) -> bool:
        """Whether a token is needed."""
        return bool(self._secrets)

    @property
    def default(self) -> Person:
        """Who asks when nobody said who."""
        if self._people and self._default not in self._people:
            return self._person(next(iter(self._people)))
        return self._person(self._default)

    def who(self, headers: Mapping[str, str]) -> Person | None:
        """The person a request comes from; None when it must sign in first."""
        if self.closed:
            return self._by_bearer(headers.get("authorization", "")) or self._by_cookie(headers.get("cookie", ""))
        chosen = unquote(headers.get("citebot-person", ""))
        return self._person(chosen) if chosen in self._people else self.default

    def by_token(self, token: str) -> Person | None:
        """The person who holds this token. Every secret is compared, each in constant time."""
        found = None
        for person, secret in self._secrets.items():
            if hmac.compare_digest(secret.encode(), token.encode("utf-8", "replace")):
                found = self._person(person)
        return found

    def cookie_for(self, person: Person) -> str:
        """A cookie value that outlives restarts and dies with the person's token."""
        until = int(self._clock()) + KEEP_SECONDS
        name = base64.urlsafe_b64encode(person.id.encode()).decode().rstrip("=")
        return f"{name}.{until}.{self._sign(person.id, until)}"

    def _by_bearer(self, header: str) -> Person | None:
        scheme, _, token = header.partition(" ")
        return self.by_token(token.strip()) if scheme.lower() == "bearer" else None

    def _by_cookie(self, header: str) -> Person | None:
        try:
            morsel = SimpleCookie(header).get(COOKIE)
        except CookieError:
            return None
        name, until, signature = _parts(morsel.value if morsel else "")
        if name not in self._secrets or until < self._clock():
            return None
        return self._person(name) if hmac.compare_digest(self._sign(name, until), signature) else None

    def _sign(self, person: str, until: int) -> str:
        message = f"citebot session\n{person}\n{until}".encode()
        return hmac.new(self._secrets[person].encode(), message, hashlib.sha256).hexdigest()

    def _person(self, person_id: str) -> Person:
        return Person(person_id, self._people.get(person_id, ""))


def _parts(value: str) -> tuple[str, int, str]:
    name, _, rest = value.partition(".")
    until, _, signature = rest.partition(".")
    try:
        padded = name + "=" * (-len(name) % 4)
        person = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        return person, int(until) if until.isascii() and until.isdigit() and len(until) < 16 else 0, _ascii(signature)
    except ValueError:
        return "", 0, ""


def _ascii(text: str) -> str:
    return text if text.isascii() else ""
