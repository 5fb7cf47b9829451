"""A small wiki, tracker and site, with as many rules of the real ones as reading them needs; and how they fall ill."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from citebot.testing.local_server import Received, Sent

HTML = {"content-type": "text/html"}
KEY = "0123456789abcdef0123456789abcdef01234567"
USER, PASSWORD = "Citebot@reader", "0123456789abcdefghijklmnopqrstuv"


def _json(value: Any, **headers: str) -> Sent:
    return Sent(json.dumps(value), headers={"content-type": "application/json", **headers})


class Small:
    """A server that answers by its rules, or with whatever `instead` says."""

    def __init__(self) -> None:
        self.texts: dict[int, tuple[str, str]] = {}
        """Title and text by number."""
        self.instead: Callable[[Received], Sent | None] | None = None
        self.ahead = timedelta()
        """How much its clock is ahead of ours."""

    def write(self, title: str, text: str) -> int:
        """Add a document."""
        number = len(self.texts) + 1
        self.texts[number] = title, text
        return number

    @property
    def now(self) -> datetime:
        """What its clock shows."""
        return datetime.now(UTC).replace(microsecond=0) + self.ahead

    @property
    def stamp(self) -> str:
        """The same, as it is written."""
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def answer(self, received: Received) -> Sent | None:
        """One request."""
        return self.instead(received) if self.instead else self.respond(received)

    def respond(self, received: Received) -> Sent:
        """By its rules."""
        raise NotImplementedError


class SmallWiki(Small):
    """A MediaWiki: api.php, bot passwords, and a right to read that may be taken from strangers."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = "MediaWiki 1.43.0"
        self.closed = False
        self.password = PASSWORD
        self.sessions: set[str] = set()

    def respond(self, received: Received) -> Sent:
        if received.path != "/api.php":
            return Sent('<html><link rel="EditURI" href="/api.php?action=rsd"></html>', headers=HTML)
        session = received.headers.get("cookie", "").partition("session=")[2]
        if received.method == "POST":
            return self._log_in(received)
        query = received.query
        if query.get("type") == "login":
            return _json({"batchcomplete": True, "query": {"tokens": {"logintoken": "t+\\"}}})
        if query.get("assert") == "user" and session not in self.sessions:
            return _json({"error": {"code": "assertuserfailed", "info": "You are no longer logged in."}})
        if self.closed and session not in self.sessions and query.get("meta") != "siteinfo|userinfo":
            return _json({"error": {"code": "readapidenied", "info": "You need read permission."}})
        if query["action"] == "parse":
            return _json({"parse": {"text": f"<p>{self.texts[int(query['pageid'])][1]}</p>"}})
        return _json({"batchcomplete": True, "curtimestamp": self.stamp, "query": self._query(query, session)})

    def _log_in(self, received: Received) -> Sent:
        if f"lgpassword={self.password}&" not in received.body.decode():
            return _json({"login": {"result": "Failed", "reason": "Incorrect username or password entered."}})
        session = f"s{len(self.sessions)}"
        self.sessions.add(session)
        return _json({"login": {"result": "Success"}}, **{"set-cookie": f"session={session}"})

    def _query(self, query: Mapping[str, str], session: str) -> dict[str, Any]:
        if query.get("meta") == "siteinfo|userinfo":
            may_read = not self.closed or session in self.sessions
            return {
                "general": {"generator": self.generator, "sitename": "Team"},
                "namespaces": {"0": {"name": ""}, "10": {"name": "Template"}},
                "statistics": {"articles": len(self.texts)},
                "userinfo": {"name": "Citebot", "rights": ["read"] if may_read else ["createaccount"]},
            }
        if query.get("list") == "recentchanges":
            return {"recentchanges": []}
        numbers = [int(one) for one in query["pageids"].split("|")] if "pageids" in query else list(self.texts)
        return {"pages": [self._page(number) for number in numbers]}

    def _page(self, number: int) -> dict[str, Any]:
        if number not in self.texts:
            return {"pageid": number, "missing": True}
        title, _ = self.texts[number]
        facts = {
            "pageid": number,
            "ns": 0,
            "title": title,
            "lastrevid": 100 + number,
            "touched": "2026-01-02T10:00:00Z",
        }
        return facts | {"fullurl": f"https://wiki.example/{number}", "revisions": []}


class SmallTracker(Small):
    """A Redmine with one public project, whose API is for the key of an administrator."""

    def __init__(self) -> None:
        super().__init__()
        self.key = KEY
        self.admin = True
        self.age = timedelta(days=1)
        """How long ago all tickets were changed, by its own clock."""
        self.role: dict[str, Any] = {"permissions": ["view_issues", "view_wiki_pages"], "issues_visibility": "default"}

    def respond(self, received: Received) -> Sent:
        date = {"date": format_datetime(self.now, usegmt=True)}
        if received.headers.get("x-redmine-api-key") != self.key:
            return Sent(status=401, headers=date)
        path, query = received.path.removesuffix(".json"), received.query
        rows: dict[str, dict[str, Any]] = {
            "/users": {"users": [{"id": 1, "login": "ann", "mail": "ann@example.org", "admin": True}]},
            "/projects": {"projects": [{"id": 1, "identifier": "one", "name": "One", "status": 1, "is_public": True}]},
            "/projects/1/memberships": {"memberships": []},
            "/users/current": {"user": {"login": "ann"}},
            "/roles/1": {"role": self.role},
            "/projects/1/wiki/index": {"wiki_pages": []},
        }
        if path == "/users" and not self.admin:
            return Sent(status=403, headers=date)
        if path in rows:
            return _json({"total_count": 1, **rows[path]}, **date)
        if path == "/issues":
            after = int(query.get("issue_id", ">=1").removeprefix(">="))
            issues = [self._issue(number) for number in self.texts if number >= after]
            return _json({"issues": issues[: int(query["limit"])], "total_count": len(self.texts)}, **date)
        number = int(path.rpartition("/")[2]) if path.rpartition("/")[2].isdigit() else 0
        return _json({"issue": self._issue(number)}, **date) if number in self.texts else Sent(status=404, headers=date)

    def _issue(self, number: int) -> dict[str, Any]:
        subject, text = self.texts[number]
        dated = dict.fromkeys(("created_on", "updated_on"), (self.now - self.age).isoformat())
        who = {"project": {"id": 1, "name": "One"}, "author": {"id": 1, "name": "Ann"}}
        return {"id": number, "subject": subject, "description": text, **dated, **who}


class SmallSite(Small):
    """A website: a first page with links to the others."""

    def respond(self, received: Received) -> Sent:
        if received.path == "/":
            links = "".join(f'<a href="/{number}">{number}</a> ' for number in self.texts)
            return Sent(f"<html><title>Team</title><main>Welcome. {links}</main></html>", headers=HTML)
        number = received.path.lstrip("/")
        if not number.isdigit() or int(number) not in self.texts:
            return Sent(status=404)
        title, text = self.texts[int(number)]
        modified = {"last-modified": format_datetime(self.now, usegmt=True)}
        return Sent(f"<html><title>{title}</title><main><p>{text}</p></main></html>", headers=HTML | modified)
