"""Who sees what in a Redmine: roles in projects become groups of people, one for each kind of thing to be seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from citebot.errors import StopSync
from citebot.model import Group, Readers
from citebot_connectors.sources.principals import readers_of
from citebot_connectors.sources.redmine.api import Api

NON_MEMBER = 1
"""The role of every registered user in every public project."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a role lets people see."""

    permissions: frozenset[str]
    issues: str
    """`all`, `default` (not the private ones of others), or `own`."""

    @property
    def kinds(self) -> frozenset[str]:
        """The groups whoever has this role belongs to."""
        kinds = {"wiki"} if "view_wiki_pages" in self.permissions else set()
        notes = "view_private_notes" in self.permissions
        if "view_issues" in self.permissions:
            kinds.add("own")
            kinds |= {"tickets"} if self.issues in ("all", "default") else set()
            kinds |= {"tickets notes"} if notes and self.issues in ("all", "default") else set()
            kinds |= {"private"} if self.issues == "all" else set()
            kinds |= {"private notes"} if notes and self.issues == "all" else set()
        return frozenset(kinds)


@dataclass(frozen=True, slots=True)
class Project:
    """A project and the people who see each kind of thing in it."""

    id: int
    identifier: str
    name: str
    public: bool
    seers: Mapping[str, frozenset[str]] = field(repr=False)


class Rights:
    """Projects, people and roles of one Redmine, read once for a run."""

    def __init__(self, api: Api, *, chosen: Iterable[str], people: str, public: Iterable[str], origin: str) -> None:
        self._origin = origin
        self._public = readers_of(public)
        self.people: dict[int, str] = {}
        """Team-wide id by user number, of active users."""
        self.logins: dict[str, str] = {}
        """Login by team-wide id."""
        admins: set[str] = set()
        for user in api.rows("/users", "users"):
            name = str(user["login"] if people == "login" else user.get("mail", "")).lower()
            if name:
                self.people[user["id"]] = name
                self.logins[name] = user["login"]
                admins |= {name} if user.get("admin") else set()
        roles = _Roles(api)
        self._everybody = roles.get(NON_MEMBER).kinds
        wanted = set(chosen)
        self.projects = {
            row["id"]: self._project(api, row, roles, admins)
            for row in api.rows("/projects", "projects")
            if row.get("status", 1) == 1 and (not wanted or row["identifier"] in wanted)
        }
        self.unknown = sorted(wanted - {project.identifier for project in self.projects.values()})

    def _project(self, api: Api, row: dict[str, Any], roles: _Roles, admins: set[str]) -> Project:
        seers: dict[str, set[str]] = {kind: set(admins) for kind in _KINDS}
        for member in api.rows(f"/projects/{row['id']}/memberships", "memberships"):
            person = self.people.get(member.get("user", {}).get("id", 0))
            for role in member["roles"] if person else ():
                for kind in roles.get(role["id"]).kinds:
                    seers[kind].add(str(person))
        frozen = {kind: frozenset(people) for kind, people in seers.items()}
        return Project(row["id"], row["identifier"], row["name"], bool(row.get("is_public", True)), frozen)

    def groups(self) -> Iterator[Group]:
        """Every group with its people."""
        for project in self.projects.values():
            for kind, people in project.seers.items():
                yield Group(self._group(project, kind), people)

    def of_ticket(self, issue: Mapping[str, Any]) -> Readers:
        """Readers of a ticket: who sees all such tickets in the project, its author and its assignee."""
        project = self.projects[issue["project"]["id"]]
        kind = "private" if issue.get("is_private") else "tickets"
        own = {issue.get(part, {}).get("id", 0) for part in ("author", "assigned_to")}
        return self._readers(project, kind, own)

    def of_note(self, issue: Mapping[str, Any], note: Mapping[str, Any]) -> Readers | None:
        """Readers of a comment; None: those of the ticket."""
        if not note.get("private_notes"):
            return None
        project = self.projects[issue["project"]["id"]]
        kind = "private notes" if issue.get("is_private") else "tickets notes"
        return self._readers(project, kind, {note.get("user", {}).get("id", 0)})

    def of_wiki(self, project: Project) -> Readers:
        """Readers of a project's wiki."""
        return self._readers(project, "wiki", set())

    def _readers(self, project: Project, kind: str, own: set[int]) -> Readers:
        still = {self.people[number] for number in own if number in self.people}
        # Whoever wrote a ticket but has left the project sees it no more, unless the project is public.
        still &= project.seers["own"] if not (project.public and "own" in self._everybody) else still
        readers = Readers.of(groups=[self._group(project, kind)], people=still)
        if project.public and kind in self._everybody:
            return Readers(readers.principals | self._public.principals)
        return readers

    def _group(self, project: Project, kind: str) -> str:
        return f"{self._origin}:{project.identifier}:{kind}"


class _Roles:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[int, Role] = {}

    def get(self, number: int) -> Role:
        if number not in self._known:
            said = self._api.get(f"/roles/{number}").get("role", {})
            if not {"permissions", "issues_visibility"} <= said.keys():
                raise StopSync("This Redmine does not say what its roles may see. Versions from 5.0 on are read.")
            self._known[number] = Role(frozenset(said["permissions"]), said["issues_visibility"])
        return self._known[number]


_KINDS = ("wiki", "own", "tickets", "tickets notes", "private", "private notes")
