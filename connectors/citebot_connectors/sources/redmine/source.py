"""A Redmine as a source: tickets by number and wiki pages by title, for the people its roles let see them.

Comments can be edited and closed without a trace in the ticket's date, so everything is fetched anew every day. The
feed is "changed since", read twice around its edge: dates are whole seconds, and two changes may share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from citebot.errors import CursorExpired, SourceError, StopSync
from citebot.model import Batch, Document, Failed, Finding, Gone, Group, Json, Part, Ref
from citebot.ports import Http, PartContext, SourceContext, SourceSpec
from citebot_connectors.sources.redmine.api import MOST, Api
from citebot_connectors.sources.redmine.rights import Project, Rights
from citebot_connectors.sources.redmine.settings import RedmineSettings

OVERLAP = timedelta(seconds=5)
"""Re-read before the last change: dates are whole seconds, and are set before a transaction ends."""


class RedmineSource:
    """Reads a Redmine."""

    name: ClassVar[str] = "redmine"
    summary: ClassVar[str] = "Tickets with comments and wiki pages of a Redmine"
    Settings: ClassVar[type[BaseModel]] = RedmineSettings
    spec: ClassVar[SourceSpec] = SourceSpec(silent_edits=True, id_example="#1742")

    def __init__(self, settings: RedmineSettings, context: PartContext) -> None:
        self._settings = settings
        self._held: tuple[Http, Api, Rights] | None = None

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        settings = self._settings
        api = Api(ctx.http, settings.url, settings.key, page_size=settings.page_size)
        try:
            me = api.get("/users/current").get("user")
            if not isinstance(me, dict) or not me.get("login"):
                yield Finding(ok=False, what=f"{settings.url} does not answer like a Redmine: check the address.")
                return
            _, rights = self._run(ctx)
            found = api.get("/issues", status_id="*", limit=1)["total_count"]
        except SourceError as error:
            yield Finding(ok=False, what=str(error))
            return
        if rights.unknown:
            names = ", ".join(sorted(project.identifier for project in rights.projects.values())) or "none"
            yield Finding(
                ok=False, what=f"There is no active project {', '.join(rights.unknown)}.", fix=f"Found: {names}."
            )
            return
        yield Finding(ok=True, what=f"{len(rights.projects)} projects, {found:,} tickets in all, read as {me['login']}")
        without = sum(1 for person in rights.people.values() if not person)
        yield Finding(ok=True, what=f"{len(rights.people)} people known by {settings.people}, {without} without")
        skew = abs((api.now(ctx.now()) - ctx.now()).total_seconds())
        if skew > 300:
            yield Finding(ok=True, what=f"Its clock differs from ours by {skew:.0f} s. Nothing depends on it.")

    def groups(self, ctx: SourceContext) -> Iterable[Group]:
        return self._run(ctx)[1].groups()

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        api, rights = self._run(ctx)
        after = _number(cursor)
        if self._settings.tickets and after is not None:
            for issues in api.tickets(after):
                here: Json = {"after": issues[-1]["id"]}
                yield Batch(tuple(self._ref(rights, issue) for issue in issues if self._wants(rights, issue)), here)
        yield Batch(tuple(self._wiki_refs(api, rights)), {"after": None})

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        api, rights = self._run(ctx)
        newest, clock = self._newest(ctx, api)
        if cursor is None:
            yield Batch((), self._here(rights, newest))
            return
        since = self._since(rights, cursor)
        # The next window begins at what was newest before this one: what changes while it is read is in both.
        window = f">={_stamp(since - OVERLAP)}"
        if self._settings.tickets:
            for issues in api.tickets(updated_on=window):
                wanted = [issue for issue in issues if self._wants(rights, issue)]
                yield Batch(tuple(self._changed(rights, issue, clock) for issue in wanted), cursor)
        yield Batch(tuple(self._wiki_refs(api, rights)), self._here(rights, newest))

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        api, rights = self._run(ctx)
        for one in ids:
            yield self._ticket(api, rights, one) if one.startswith("#") else self._wiki(api, rights, one)

    def may_read(self, ctx: SourceContext, person: str, ids: Sequence[str]) -> set[str]:
        api, rights = self._run(ctx)
        login = rights.logins.get(person.lower(), "")
        numbers = [one[1:] for one in ids if one.startswith("#") and one[1:].isdigit()]
        readable = {one for one in ids if not one.startswith("#") and self._sees_page(api, login, one)}
        if numbers:
            said = api.find("/issues", {"issue_id": ",".join(numbers), "status_id": "*", "limit": MOST}, person=login)
            readable |= {f"#{issue['id']}" for issue in said["issues"]} if isinstance(said, dict) else set()
        return readable

    # --- a run ---------------------------------------------------------------------------------------------------

    def _run(self, ctx: SourceContext) -> tuple[Api, Rights]:
        """Rights are read once for each run: a hundred documents would ask for them a hundred times."""
        settings = self._settings
        if self._held is None or self._held[0] is not ctx.http:
            api = Api(ctx.http, settings.url, settings.key, page_size=settings.page_size)
            origin = urlsplit(settings.url).netloc
            rights = Rights(
                api, chosen=settings.projects, people=settings.people, public=settings.public, origin=origin
            )
            self._held = ctx.http, api, rights
        return self._held[1], self._held[2]

    def _wants(self, rights: Rights, issue: dict[str, Any]) -> bool:
        return issue["project"]["id"] in rights.projects

    def _ref(self, rights: Rights, issue: dict[str, Any]) -> Ref:
        return Ref(f"#{issue['id']}", str(issue["updated_on"]), rights.of_ticket(issue).tag)

    def _changed(self, rights: Rights, issue: dict[str, Any], clock: datetime) -> Ref:
        ref = self._ref(rights, issue)
        # Within the second it may change again and keep its date: it has no version yet.
        settled = clock - _moment(issue["updated_on"]) > OVERLAP
        return ref if settled else Ref(ref.id, readers_tag=ref.readers_tag)

    def _newest(self, ctx: SourceContext, api: Api) -> tuple[datetime, datetime]:
        """The latest change, and what time it is."""
        rows = api.get("/issues", status_id="*", sort="updated_on:desc", limit=1).get("issues", [])
        now = api.now(ctx.now()).astimezone(UTC).replace(microsecond=0)
        newest = _moment(rows[0]["updated_on"]) if rows else now
        return newest, max(now, newest)

    def _here(self, rights: Rights, newest: datetime) -> Json:
        return {"since": _stamp(newest), "projects": _shape(rights)}

    def _since(self, rights: Rights, cursor: Any) -> datetime:
        try:
            since, shape = _moment(cursor["since"]), cursor["projects"]
        except (TypeError, KeyError, ValueError) as error:
            raise CursorExpired("The stored position is none of this source.") from error
        if shape != _shape(rights):
            raise CursorExpired("Projects were opened, closed or made private, which changes no ticket's date.")
        return since

    # --- tickets -------------------------------------------------------------------------------------------------

    def _ticket(self, api: Api, rights: Rights, one: str) -> Document | Gone | Failed:
        if not one[1:].isdigit() or not self._settings.tickets:
            return Gone(one)
        said = api.find(f"/issues/{one[1:]}", {"include": "journals,attachments"})
        if isinstance(said, int):
            return _refused(api, one, said)
        issue = said["issue"]
        if not self._wants(rights, issue):
            return Gone(one)
        files = ", ".join(file["filename"] for file in issue.get("attachments", ()))
        return Document(
            id=one,
            title=f"{one} {issue['subject']}",
            body=issue.get("description") or "",
            readers=rights.of_ticket(issue),
            url=f"{self._settings.url}/issues/{issue['id']}",
            format=self._settings.format,
            version=str(issue["updated_on"]),
            kind="ticket",
            path=(rights.projects[issue["project"]["id"]].name,),
            created=_moment(issue["created_on"]),
            updated=_moment(issue["updated_on"]),
            authors=(issue["author"]["name"],) if "author" in issue else (),
            fields={**_fields(issue), **({"Attachments": files} if files else {})},
            parts=tuple(self._notes(rights, issue)),
        )

    def _notes(self, rights: Rights, issue: dict[str, Any]) -> Iterator[Part]:
        for number, note in enumerate(issue.get("journals", ()), 1):
            if note.get("notes"):
                yield Part(
                    body=note["notes"],
                    format=self._settings.format,
                    author=note.get("user", {}).get("name", ""),
                    created=_moment(note["created_on"]),
                    anchor=f"note-{number}",
                    readers=rights.of_note(issue, note),
                )

    # --- wiki ----------------------------------------------------------------------------------------------------

    def _wiki_refs(self, api: Api, rights: Rights) -> Iterator[Ref]:
        for project in rights.projects.values() if self._settings.wiki else ():
            said = api.find(f"/projects/{project.id}/wiki/index")
            if isinstance(said, int) and said not in (403, 404):
                raise StopSync(f"The wiki of {project.identifier} answers {said}. Nothing was removed.")
            for page in said["wiki_pages"] if isinstance(said, dict) else ():
                version = f"{page['version']}@{page['updated_on']}"
                yield Ref(f"wiki:{project.id}:{page['title']}", version, rights.of_wiki(project).tag)

    def _wiki(self, api: Api, rights: Rights, one: str) -> Document | Gone | Failed:
        project, title = _page(rights, one)
        if project is None or not self._settings.wiki:
            return Gone(one)
        said = api.find(f"/projects/{project.id}/wiki/{quote(title, safe='')}")
        if isinstance(said, int):
            return _refused(api, one, said)
        page = said["wiki_page"]
        parent = page.get("parent", {}).get("title", "")
        return Document(
            id=one,
            title=title.replace("_", " "),
            body=page.get("text") or "",
            readers=rights.of_wiki(project),
            url=f"{self._settings.url}/projects/{project.identifier}/wiki/{quote(title, safe='')}",
            format=self._settings.format,
            version=f"{page['version']}@{page['updated_on']}",
            path=tuple(filter(None, (project.name, parent.replace("_", " ")))),
            created=_moment(page["created_on"]),
            updated=_moment(page["updated_on"]),
            authors=(page["author"]["name"],) if "author" in page else (),
        )

    def _sees_page(self, api: Api, login: str, one: str) -> bool:
        _, _, rest = one.partition(":")
        project, _, title = rest.partition(":")
        if not project.isdigit() or not title:
            return False
        return isinstance(api.find(f"/projects/{project}/wiki/{quote(title, safe='')}", person=login), dict)


def _page(rights: Rights, one: str) -> tuple[Project | None, str]:
    _, _, rest = one.partition(":")
    number, _, title = rest.partition(":")
    return (rights.projects.get(int(number)) if number.isdigit() and title else None), title


def _refused(api: Api, one: str, status: int) -> Gone | Failed:
    if status == 401:
        raise StopSync(api.refusal(one, status))  # about the key, which was good when the run began
    if status in (404, 410):
        return Gone(one)
    return Gone(one, "no_access") if status == 403 else Failed(one, f"{one}: Redmine answers {status}.")


def _fields(issue: dict[str, Any]) -> dict[str, str]:
    """What a ticket is also asked for by."""
    named = {
        part.replace("_", " ").capitalize(): str(issue[part]["name"])
        for part in ("tracker", "status", "priority", "assigned_to", "category", "fixed_version")
        if isinstance(issue.get(part), dict)
    }
    own = {
        str(field["name"]): ", ".join(map(str, value))
        if isinstance(value := field.get("value"), list)
        else str(value or "")
        for field in issue.get("custom_fields", ())
    }
    return {**named, **own}


def _shape(rights: Rights) -> str:
    """Everything that changes readers without changing a ticket, but for memberships, which are groups."""
    return ",".join(
        f"{project.id}{'+' if project.public else '-'}"
        for project in sorted(rights.projects.values(), key=lambda p: p.id)
    )


def _number(cursor: Any) -> int | None:
    """The ticket the listing has come to; None when all are listed, 0 for a position that is none of this source."""
    if not isinstance(cursor, dict) or not isinstance(cursor.get("after", ""), int | None):
        return 0
    after: int | None = cursor["after"]
    return after


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
