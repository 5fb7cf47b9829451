"""MediaWiki's web API (https://www.mediawiki.org/wiki/API:Main_page), which says its errors with status 200."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from pydantic import SecretStr

from citebot.errors import CursorExpired, Retry, SourceError, StopSync
from citebot.ports import Http, SourceContext

_LINK = re.compile(r"<link\b[^>]{0,500}\brel=[\"']EditURI[\"'][^>]{0,500}>", re.IGNORECASE)
_HREF = re.compile(r"\bhref=[\"']([^\"']{1,2000})[\"']", re.IGNORECASE)
_BUSY = frozenset({"maxlag", "ratelimited", "readonly"})
_LOGGED_OUT = frozenset({"assertuserfailed", "assertbotfailed", "assertnameduserfailed"})
_CLOSED = frozenset({"readapidenied", "permissiondenied"})
_BAD_CURSOR = frozenset({"badcontinue", "badtimestamp", "badtimestamp_rcstart", "badtimestamp_rccontinue"})


class ApiError(SourceError):
    """The wiki refused one request."""

    def __init__(self, code: str, info: str) -> None:
        super().__init__(f"{code}: {info}")
        self.code = code


class Api:
    """One wiki, read as a stranger or under a bot password. Logs in by itself when there is no session (any more).

    Whether there is one only the wiki knows: the cookies of an earlier run may be with us.
    """

    def __init__(self, ctx: SourceContext, url: str, *, user: str, password: SecretStr) -> None:
        self._http: Http = ctx.http
        self._ctx = ctx
        self._user = user
        self._password = password
        self._logged_in = False
        self._url = url
        self._endpoint = ""

    @property
    def endpoint(self) -> str:
        """The address of api.php, found from any page of the wiki and remembered."""
        if not self._endpoint:
            note = self._ctx.state_dir / "endpoint"
            if self._url.partition("?")[0].endswith("api.php"):
                self._endpoint = self._url.partition("?")[0]
            elif note.exists() and (kept := note.read_text().split("\n"))[0] == self._url:
                self._endpoint = kept[1]
            else:
                self._endpoint = _discovered(self._http, self._url)
                note.parent.mkdir(parents=True, exist_ok=True)
                note.write_text(f"{self._url}\n{self._endpoint}")
        return self._endpoint

    def query(self, **parameters: str | int) -> Iterator[dict[str, Any]]:
        """Every whole answer to `action=query`, followed to its end. An answer that comes in pieces is joined."""
        going_on: dict[str, str] = {}
        joined: dict[str, Any] = {}
        for _ in range(100_000):
            answer = self.ask(action="query", **{**parameters, **going_on})
            _join(joined, answer.get("query", {}))
            going_on = {name: str(value) for name, value in answer.get("continue", {}).items()}
            if "batchcomplete" in answer or not going_on:
                yield {"query": joined, "continue": going_on, "curtimestamp": answer.get("curtimestamp", "")}
                joined = {}
            if not going_on:
                return
        raise StopSync(f"{self.endpoint} never comes to the end of a list.")

    def ask(self, **parameters: str | int) -> dict[str, Any]:
        """One answer. Raises `ApiError`, `CursorExpired`, `Retry`, and `StopSync` for what an admin must mend."""
        for _ in range(3):
            try:
                return self._ask(parameters)
            except _LoggedOut:
                self._log_in()
            except _Closed:
                # Old versions look at rights before they look at `assert`.
                if self._logged_in or not self._user:
                    raise
                self._log_in()
        raise StopSync(f"{self.endpoint} ends the session of {self._user} again and again.")

    def _ask(self, parameters: dict[str, str | int]) -> dict[str, Any]:
        common = {"format": "json", "formatversion": "2", "maxlag": "5"}
        if self._user:
            common["assert"] = "user"
        wanted = common | {name: str(value) for name, value in parameters.items()}
        answer = self._checked(self._http.get(self.endpoint, params=wanted))
        # An answer to a list that has come to its end says so, even when it holds nothing.
        if answer.keys().isdisjoint({wanted["action"], "batchcomplete", "continue"}):
            raise self._strange()
        return answer

    def _log_in(self) -> None:
        common = {"format": "json", "formatversion": "2"}
        asked = self._checked(
            self._http.get(self.endpoint, params={**common, "action": "query", "meta": "tokens", "type": "login"})
        )
        token = asked["query"]["tokens"]["logintoken"]
        secret = self._password.get_secret_value()
        form = {**common, "action": "login", "lgname": self._user, "lgpassword": secret, "lgtoken": token}
        said = self._checked(self._http.post(self.endpoint, data=form)).get("login", {})
        if said.get("result") != "Success" and not self._has_session():
            raise StopSync(
                f"{self.endpoint} does not know {self._user} with this password ({said.get('reason', 'no reason')}). "
                "Make a bot password on Special:BotPasswords with the grant “Basic rights” and give its full name, as "
                "Name@reader."
            )
        self._logged_in = True

    def _has_session(self) -> bool:
        """Whether these cookies are those of our user already: who is logged in by a bot password cannot log in."""
        try:
            self._checked(self._http.get(self.endpoint, params={"format": "json", "action": "query", "assert": "user"}))
        except (_LoggedOut, SourceError):
            return False
        return True

    def _checked(self, response: Any) -> dict[str, Any]:
        if response.status_code >= 500:
            raise ApiError(f"error {response.status_code}", f"{self.endpoint} has failed")
        if response.status_code != 200:
            raise StopSync(f"{self.endpoint} answers {response.status_code}: check the address of the wiki.")
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._strange()
        if "error" in answer:
            raise self._error(answer["error"])
        return answer

    def _strange(self) -> StopSync:
        return StopSync(f"{self.endpoint} does not answer like a MediaWiki: check the address of the wiki.")

    def _error(self, error: dict[str, Any]) -> Exception:
        code, info = str(error.get("code", "")), str(error.get("info", ""))[:300]
        if code in _BUSY:
            return Retry(f"{self.endpoint} is busy ({code}).")
        if code in _LOGGED_OUT:
            return _LoggedOut()
        if code in _CLOSED:
            who = f"{self._user} lacks" if self._user else "strangers lack"
            return _Closed(
                f"{self.endpoint} may not be read: {who} the right “read”. Set user and password to a bot password "
                "with the grant “Basic rights”."
            )
        if code in _BAD_CURSOR:
            return CursorExpired(f"{self.endpoint} does not know the stored position.")
        return ApiError(code, info)


class _LoggedOut(Exception):
    pass


class _Closed(StopSync):
    pass


def _discovered(http: Http, url: str) -> str:
    """The API that a page names (`rel="EditURI"`), in public and closed wikis alike."""
    response = http.get(url)
    tag = _LINK.search(response.text[:200_000])
    href = _HREF.search(tag[0]) if tag else None
    if href is None:
        raise StopSync(f"{url} is no page of a MediaWiki (it answers {response.status_code} and names no API).")
    return urljoin(str(response.url), html.unescape(href[1])).partition("?")[0]


def _join(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    """Add one piece of an answer: the same page may come in several, with some of its properties each time."""
    for name, value in piece.items():
        if name == "pages" and name in whole:
            known = {page.get("pageid"): page for page in whole[name]}
            for page in value:
                if page.get("pageid") in known:
                    _merge(known[page["pageid"]], page)
                else:
                    whole[name].append(page)
        elif isinstance(value, list) and isinstance(whole.get(name), list):
            whole[name].extend(value)
        else:
            whole[name] = value


def _merge(page: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, list) and isinstance(page.get(name), list):
            page[name].extend(value)
        else:
            page[name] = value
