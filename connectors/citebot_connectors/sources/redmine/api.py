"""Redmine's REST API (https://www.redmine.org/projects/redmine/wiki/Rest_api), as far as it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from citebot.errors import StopSync
from citebot.ports import Http

MOST = 100
"""Rows of a page; more are cut to this without a word."""


class Api:
    """One Redmine under an administrator's key."""

    def __init__(self, http: Http, url: str, key: SecretStr, *, page_size: int = MOST) -> None:
        self._http = http
        self._url = url
        self._key = key
        self._page_size = page_size
        self._date = ""

    def get(self, path: str, **parameters: str | int) -> dict[str, Any]:
        """One answer. Raises `StopSync` for what an admin must mend."""
        found = self.find(path, parameters)
        if isinstance(found, int):
            raise StopSync(self.refusal(path, found))
        return found

    def find(
        self, path: str, parameters: Mapping[str, str | int] | None = None, *, person: str | None = None
    ) -> dict[str, Any] | int:
        """The answer, or the status of a refusal (401, 403, 404, 410, …).

        `person` is the login in whose name it is asked; an empty one asks as a stranger.
        """
        headers = {"accept": "application/json"}
        if person != "":
            headers["x-redmine-api-key"] = self._key.get_secret_value()
        if person:
            headers["x-redmine-switch-user"] = quote(person)
        query = {name: str(value) for name, value in (parameters or {}).items()}
        response = self._http.get(f"{self._url}{path}.json", params=query, headers=headers)
        self._date = response.headers.get("date", "")
        if response.status_code != 200:
            return int(response.status_code)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise StopSync(f"{self._url} does not answer like a Redmine: check the address. Nothing was removed.")
        return answer

    def now(self, ours: datetime) -> datetime:
        """The time by the server's own clock, which dates its tickets; ours where it does not say."""
        try:
            theirs = parsedate_to_datetime(self._date)
        except ValueError:
            return ours
        return theirs.replace(tzinfo=theirs.tzinfo or UTC)

    def rows(self, path: str, name: str, **parameters: str | int) -> Iterator[dict[str, Any]]:
        """All rows of a list that does not move while it is read: projects, people, members."""
        at = 0
        while True:
            answer = self.get(path, limit=MOST, offset=at, **parameters)
            rows = answer.get(name)
            if not isinstance(rows, list):
                raise StopSync(f"{self._url} does not answer like a Redmine: check the address. Nothing was removed.")
            yield from rows
            at += len(rows)
            if not rows or at >= int(answer.get("total_count", 0)):
                return

    def tickets(self, after: int = 0, **filters: str | int) -> Iterator[list[dict[str, Any]]]:
        """Pages of tickets by number. By the number, because an offset skips what moves meanwhile."""
        page = {"status_id": "*", "sort": "id:asc", "limit": self._page_size, **filters}
        while True:
            answer = self.get("/issues", issue_id=f">={after + 1}", **page)
            issues = answer.get("issues")
            if not isinstance(issues, list):
                raise StopSync(f"{self._url} does not answer like a Redmine: check the address. Nothing was removed.")
            if issues:
                yield issues
                after = max(issue["id"] for issue in issues)
            if len(issues) < self._page_size:
                return

    def refusal(self, path: str, status: int) -> str:
        """What an admin is told of a refusal."""
        if status == 401:
            return (
                f"{self._url} does not take this key. Use the API key of an administrator's account page, and see that "
                "the REST web service is enabled (Administration, Settings, API)."
            )
        if status == 403:
            return (
                f"{self._url} refuses {path}: the key must be an administrator's, and the REST web service enabled "
                "(Administration, Settings, API)."
            )
        return f"{self._url}{path} answers {status}: check the address. Nothing was removed."
