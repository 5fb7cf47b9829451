"""The source `redmine` on a real Redmine: the contract of sources, and what only a tracker does."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from citebot.egress import SourceHttp
from citebot.errors import CursorExpired, StopSync
from citebot.model import Document, Gone, Readers, Ref
from citebot.ports import PartContext, Source, SourceContext
from citebot.settings import EgressSettings
from citebot.testing.contract_source import SourceContract
from citebot.testing.local_server import Sent, local_server
from citebot.testing.sources.lab import Lab
from citebot.testing.sources.world import SourceWorld
from citebot_connectors.sources.redmine import RedmineSource

pytestmark = [pytest.mark.redmine, pytest.mark.xdist_group("redmine"), pytest.mark.timeout(300)]

GIVEN = "CITEBOT_TEST_REDMINE"
SCRIPT = Path(__file__).parents[2] / "scripts" / "services" / "redmine.sh"
KEY = "0123456789abcdef0123456789abcdef01234567"
EGRESS = EgressSettings(allow=["127.0.0.0/8"], requests_per_second=1000)
MANAGER, DEVELOPER, REPORTER = 3, 4, 5


class Redmine:
    """A Redmine of our own: its database is one file, written back for every test."""

    def __init__(self, template: Path, folder: Path) -> None:
        shutil.copytree(template, folder)
        self.folder = folder
        self._template = template
        self._resets = 0
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        log = (folder / "server.log").open("wb")
        self._server = subprocess.Popen([str(SCRIPT), "serve", str(folder), str(port)], stdout=log, stderr=log)
        log.close()
        self._hands = httpx.Client(timeout=60, headers={"X-Redmine-API-Key": KEY})
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if self._hands.get(f"{self.url}/projects.json").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError((self.folder / "server.log").read_text()[-2000:])

    def close(self) -> None:
        self._hands.close()
        self._server.kill()
        self._server.wait()

    def reset(self) -> None:
        """Write the template into the same file: the server keeps it open."""
        self._resets += 1
        data = bytearray((self._template / "redmine.sqlite").read_bytes())
        # The file change counter (https://www.sqlite.org/fileformat.html): with one that was there before, connections
        # would take the pages they remember from an earlier test for the present ones.
        for at in (24, 92):
            data[at : at + 4] = (1_000_000 * self._resets).to_bytes(4, "big")
        with (self.folder / "redmine.sqlite").open("r+b") as file:
            file.write(data)
            file.truncate()

    def do(self, method: str, path: str, **values: Any) -> Any:
        answer = self._hands.request(method, f"{self.url}{path}.json", json=values or None)
        assert answer.status_code < 300, (method, path, answer.status_code, answer.text[:500])
        return answer.json() if answer.text.strip() else None

    def project(self, identifier: str, *, public: bool = False) -> int:
        modules = ["issue_tracking", "wiki"]
        made = self.do(
            "POST",
            "/projects",
            project={
                "name": identifier.title(),
                "identifier": identifier,
                "is_public": public,
                "enabled_module_names": modules,
                "tracker_ids": [1, 2, 3],
            },
        )
        return int(made["project"]["id"])

    def user(self, login: str) -> int:
        mail = f"{login}@example.org"
        values = {"login": login, "firstname": login, "lastname": "X", "mail": mail, "password": "passw0rd-x"}
        return int(self.do("POST", "/users", user=values)["user"]["id"])

    def member(self, project: str, user: int, *roles: int) -> int:
        made = self.do("POST", f"/projects/{project}/memberships", membership={"user_id": user, "role_ids": roles})
        return int(made["membership"]["id"])

    def ticket(self, project: str, subject: str, text: str = "Text.", **values: Any) -> str:
        issue = {"project_id": project, "subject": subject, "description": text, "tracker_id": 1, **values}
        return f"#{self.do('POST', '/issues', issue=issue)['issue']['id']}"

    def update(self, key: str, **values: Any) -> None:
        self.do("PUT", f"/issues/{key[1:]}", issue=values)

    def sql(self, script: str) -> None:
        """Past Redmine, which then knows nothing of it."""
        with closing(sqlite3.connect(self.folder / "redmine.sqlite", timeout=10)) as database, database:
            database.executescript(script)

    def wait_for_another_second(self, key: str) -> None:
        """Dates are whole seconds: a listing cannot tell two versions within one."""
        found = self._hands.get(f"{self.url}/issues/{key[1:]}.json").json()
        last = datetime.fromisoformat(found["issue"]["updated_on"]).timestamp()
        time.sleep(max(0.0, last + 1.01 - time.time()))

    def journals(self, key: str) -> list[dict[str, Any]]:
        found = self._hands.get(f"{self.url}/issues/{key[1:]}.json", params={"include": "journals"}).json()
        journals: list[dict[str, Any]] = found["issue"]["journals"]
        return journals


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redmine]:
    template = os.environ.get(GIVEN)
    if not template:
        folder = tmp_path_factory.mktemp("redmine") / "template"
        made = subprocess.run([str(SCRIPT), "prepare", str(folder)], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"no Redmine: {made.stderr.strip()[-300:]}")
        template = str(folder)
    with closing(Redmine(Path(template), tmp_path_factory.mktemp("tracker") / "copy")) as redmine:
        yield redmine


@pytest.fixture
def redmine(served: Redmine) -> Redmine:
    served.reset()
    return served


@pytest.fixture
def http() -> Iterator[SourceHttp]:
    with closing(SourceHttp(EGRESS, source="tracker", stop=lambda: False)) as made:
        yield made


@pytest.fixture
def ctx(source_context: SourceContext, http: SourceHttp) -> SourceContext:
    return replace(source_context, http=http)


def make(redmine: Redmine, **values: Any) -> RedmineSource:
    settings = RedmineSource.Settings.model_validate({"url": redmine.url, "key": KEY, **values})
    return RedmineSource(settings, PartContext(Path()))  # type: ignore[arg-type]


def listed(source: RedmineSource, ctx: SourceContext) -> dict[str, Ref]:
    items = [item for batch in source.list(ctx, None) for item in batch.items]
    return {item.id: item for item in items if isinstance(item, Ref)}


def fetched(source: RedmineSource, ctx: SourceContext, one: str) -> Document:
    (found,) = source.fetch(ctx, [one])
    assert isinstance(found, Document), found
    return found


def changed(source: RedmineSource, ctx: SourceContext, cursor: Any) -> tuple[set[str], Any]:
    batches = list(source.changes(ctx, cursor))
    return {item.id for batch in batches for item in batch.items}, batches[-1].cursor


def now(redmine: Redmine, ctx: SourceContext) -> Any:
    (batch,) = make(redmine).changes(ctx, None)
    return batch.cursor


def people_of(redmine: Redmine, ctx: SourceContext, readers: Readers) -> set[str]:
    """Who the readers are once groups are looked up."""
    groups = {f"group:{group.name}": group.people for group in make(redmine).groups(ctx)}
    found: set[str] = set()
    for principal in readers.principals:
        found |= set(groups[principal]) if principal in groups else {principal.removeprefix("person:")}
    return found - {"admin@example.net"}


# --- the contract ---------------------------------------------------------------------------------------------------


TEXTILE = """h2. Install

Ask in "the guide":https://example.org/guide first.

<pre><code class="python">
def install():
    return 42
</code></pre>

|_. Country |_. Days |
| Poland | 26 |

h3. Upgrade

* outer item
** inner item
"""


class RedmineLab:
    egress = EGRESS
    secrets = (KEY,)
    burst_size = 1_000

    def __init__(self, redmine: Redmine) -> None:
        self.redmine = redmine
        self._handbook = redmine.project("handbook", public=True)
        redmine.project("second", public=True)
        redmine.project("elsewhere")

    def source(self, state_dir: Path) -> Source:
        return make(self.redmine, projects=["handbook", "second"])

    def paged(self, state_dir: Path, size: int) -> Source:
        return make(self.redmine, projects=["handbook", "second"], page_size=size)

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        return self.redmine.ticket("handbook", title, text)

    def edit(self, key: str, text: str) -> None:
        self._change(key, description=text)

    def rename(self, key: str, title: str) -> str:
        self._change(key, subject=title)
        return key

    def move(self, key: str) -> str:
        self._change(key, project_id="second")
        return key

    def comment(self, key: str, text: str, *, private: bool) -> None:
        self._change(key, notes=text, private_notes=private)

    def delete(self, key: str) -> None:
        self.redmine.ticket("elsewhere", "Keeps SQLite from giving the last number away again")
        self.redmine.do("DELETE", f"/issues/{key[1:]}")

    def edit_silently(self, key: str, text: str) -> None:
        self.redmine.sql(f"UPDATE issues SET description = '{text}' WHERE id = {key[1:]}")

    def revoke(self) -> None:
        self.redmine.sql("DELETE FROM tokens WHERE action = 'api'")

    def burst(self, number: int) -> None:
        columns = (
            "tracker_id, project_id, subject, description, status_id, priority_id, author_id, lft, rgt, is_private"
        )
        self.redmine.sql(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) "
            f"INSERT INTO issues ({columns}, created_on, updated_on) "
            f"SELECT {columns}, datetime('now'), datetime('now') FROM n, (SELECT * FROM issues ORDER BY id LIMIT 1); "
            "UPDATE issues SET root_id = id WHERE root_id IS NULL"
        )

    def write_rich(self) -> str:
        self.redmine.do("PUT", "/projects/handbook/wiki/Rich", wiki_page={"text": TEXTILE})
        return f"wiki:{self._handbook}:Rich"

    def _change(self, key: str, **values: Any) -> None:
        self.redmine.wait_for_another_second(key)
        self.redmine.update(key, **values)


class TestRedmineSource(SourceContract):
    @pytest.fixture
    def lab(self, redmine: Redmine) -> Lab:
        return RedmineLab(redmine)


@pytest.fixture
def world(redmine: Redmine, tmp_path: Path) -> Iterator[SourceWorld]:
    with closing(SourceWorld(RedmineLab(redmine), tmp_path / "world")) as world:
        yield world


def test_every_title_is_kept_behind_its_number(redmine: Redmine, world: SourceWorld) -> None:
    titles = ("Ümläut ß", "日本語の題名", "Who's & what? 100% #1", "a/b", '[x] "y"', "x" * 255)
    ids = [redmine.ticket("handbook", title) for title in titles]
    world.run()
    stored = {p.document_id: p.title for p in world.passages()}
    assert [stored[key] for key in ids] == [f"{key} {title}" for key, title in zip(ids, titles, strict=True)]


def test_what_every_user_sees_is_for_whom_the_settings_name(redmine: Redmine, world: SourceWorld) -> None:
    redmine.ticket("handbook", "Open")
    world.run(make(redmine, public=["board"]))
    assert all("group:board" in p.readers.principals for p in world.passages())


def test_a_key_that_is_revoked_while_tickets_are_fetched_removes_none(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("closed")
    ids = [redmine.ticket("closed", subject) for subject in ("One", "Two")]
    answers = make(redmine).fetch(ctx, ids)
    assert isinstance(next(answers), Document)
    redmine.sql("DELETE FROM tokens WHERE action = 'api'")
    with pytest.raises(StopSync, match="does not take this key"):
        next(answers)


def test_a_closed_project_is_not_for_everyone(redmine: Redmine, world: SourceWorld) -> None:
    redmine.project("closed")
    hidden = redmine.ticket("closed", "Hidden")
    world.run(make(redmine))
    readers = {p.document_id: p.readers for p in world.passages()}[hidden]
    assert not any(name in readers.principals for name in ("everyone", "group:board"))


# --- who may read ---------------------------------------------------------------------------------------------------


def test_members_see_a_private_project_and_private_tickets_only_some(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("secret")
    bob, eve = redmine.user("bob"), redmine.user("eve")
    redmine.user("stranger")
    redmine.member("secret", bob, MANAGER)
    redmine.member("secret", eve, DEVELOPER)
    open_one = redmine.ticket("secret", "Open")
    closed_one = redmine.ticket("secret", "Closed", is_private=True)
    assigned = redmine.ticket("secret", "Eve's", is_private=True, assigned_to_id=eve)
    source = make(redmine)
    everybody = {"bob@example.org", "eve@example.org"}
    assert people_of(redmine, ctx, fetched(source, ctx, open_one).readers) == everybody
    assert people_of(redmine, ctx, fetched(source, ctx, closed_one).readers) == {"bob@example.org"}
    assert people_of(redmine, ctx, fetched(source, ctx, assigned).readers) == everybody


def test_private_notes_are_parts_with_their_own_readers(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("secret")
    bob, eve = redmine.user("bob"), redmine.user("eve")
    redmine.member("secret", bob, MANAGER)
    redmine.member("secret", eve, REPORTER)
    one = redmine.ticket("secret", "Ticket")
    redmine.update(one, notes="Seen by all.")
    redmine.update(one, notes="For the managers.", private_notes=True)
    shown, kept = fetched(make(redmine), ctx, one).parts
    assert (shown.body, shown.readers, shown.anchor) == ("Seen by all.", None, "note-1")
    assert kept.readers is not None
    assert people_of(redmine, ctx, kept.readers) == {"bob@example.org"}


def test_a_note_that_is_made_private_without_a_trace_goes_with_the_next_fetch(
    redmine: Redmine, ctx: SourceContext, tmp_path: Path
) -> None:
    lab = RedmineLab(redmine)
    one = lab.create("Ticket", "Text.", None)
    redmine.update(one, notes="The password is on the fridge.")
    before = listed(make(redmine), ctx)[one]
    with closing(SourceWorld(lab, tmp_path / "world")) as world:
        world.run()
        opened = [p for p in world.passages() if "fridge" in p.text]
        assert "everyone" in opened[0].readers.principals
        redmine.do("PUT", f"/journals/{redmine.journals(one)[0]['id']}", journal={"private_notes": True})
        assert listed(make(redmine), ctx)[one] == before, "neither listing nor feed can tell"
        assert RedmineSource.spec.silent_edits, "so the runner fetches everything anew every day"
    parts = fetched(make(redmine), ctx, one).parts
    assert parts[0].readers is not None
    assert "everyone" not in parts[0].readers.principals


def test_everybody_sees_a_public_project_as_settings_say(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("open", public=True)
    one, private = redmine.ticket("open", "Open"), redmine.ticket("open", "Closed", is_private=True)
    assert "everyone" in fetched(make(redmine), ctx, one).readers.principals
    assert "group:staff" in fetched(make(redmine, public=["staff"]), ctx, one).readers.principals
    assert "everyone" not in fetched(make(redmine), ctx, private).readers.principals


def test_the_live_check_says_what_redmine_says(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("secret")
    redmine.project("open", public=True)
    bob = redmine.user("bob")
    redmine.user("eve")
    membership = redmine.member("secret", bob, DEVELOPER)
    redmine.do("PUT", "/projects/secret/wiki/Start", wiki_page={"text": "h1. Start"})
    secret, private, public = (
        redmine.ticket("secret", "Open"),
        redmine.ticket("secret", "Closed", is_private=True),
        redmine.ticket("open", "Public"),
    )
    wiki = next(key for key in listed(make(redmine), ctx) if key.startswith("wiki:"))
    ids = [secret, private, public, wiki, "#99999", "wiki:x", "nonsense"]
    assert make(redmine).may_read(ctx, "bob@example.org", ids) == {secret, public, wiki}
    assert make(redmine).may_read(ctx, "Eve@Example.org", ids) == {public}
    assert make(redmine).may_read(ctx, "nobody@example.org", ids) == {public}, "as a stranger"
    source = make(redmine)
    for person in ("bob@example.org", "eve@example.org"):
        stored = {
            one
            for one in (secret, private, public)
            if {person, "everyone"} & people_of(redmine, ctx, fetched(source, ctx, one).readers)
        }
        assert source.may_read(ctx, person, [secret, private, public]) == stored, "lists and live check agree"
    redmine.do("DELETE", f"/memberships/{membership}")
    assert make(redmine).may_read(ctx, "bob@example.org", ids) == {public}, "at once"


def test_a_project_that_is_closed_to_the_public_leads_to_a_listing(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("open", public=True)
    one = redmine.ticket("open", "Ticket")
    before, cursor = listed(make(redmine), ctx)[one], now(redmine, ctx)
    redmine.do("PUT", "/projects/open", project={"is_public": False})
    with pytest.raises(CursorExpired):
        changed(make(redmine), ctx, cursor)
    after = listed(make(redmine), ctx)[one]
    assert after.version == before.version, "no ticket's date has changed"
    assert after.readers_tag != before.readers_tag


# --- the feed -------------------------------------------------------------------------------------------------------


def test_the_feed_names_what_was_made_edited_moved_and_commented(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("one")
    redmine.project("two")
    keys = [redmine.ticket("one", f"Ticket {number}") for number in range(4)]
    time.sleep(8)  # older than the overlap
    redmine.ticket("one", "Last before")
    cursor = now(redmine, ctx)
    time.sleep(8)
    new = redmine.ticket("one", "New")
    redmine.update(keys[0], subject="Another")
    redmine.update(keys[1], notes="A comment.")
    redmine.update(keys[2], project_id="two")
    redmine.do("PUT", "/projects/one/wiki/Start", wiki_page={"text": "h1. Start"})
    items, after = changed(make(redmine), ctx, cursor)
    assert {new, *keys[:3]} <= items
    assert keys[3] not in items
    assert any(item.startswith("wiki:") for item in items)
    with capture_logs() as log:
        _, same = changed(make(redmine), ctx, after)
    assert same == after, "nothing has changed since, so it does not run for ever"
    assert len(log) < 20


def test_more_changes_in_a_second_than_a_page_holds(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("one")
    redmine.ticket("one", "First")
    cursor = now(redmine, ctx)
    script = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) "
        "INSERT INTO issues (tracker_id, project_id, subject, status_id, priority_id, author_id, lock_version, "
        "created_on, updated_on, root_id, lft, rgt, is_private, done_ratio) "
        "SELECT 1, 1, 'Ticket ' || i, 1, 2, 1, 0, datetime('now'), datetime('now'), NULL, 1, 2, 0, 0 FROM n; "
        "UPDATE issues SET root_id = id;"
    )
    redmine.sql(script)
    items, _ = changed(make(redmine), ctx, cursor)
    assert len(items) == 251
    assert set(listed(make(redmine), ctx)) == items


def test_a_change_within_the_second_of_a_read_has_no_version_yet(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("one")
    redmine.ticket("one", "First")
    cursor = now(redmine, ctx)
    one = redmine.ticket("one", "Ticket")
    refs = {item.id: item for batch in make(redmine).changes(ctx, cursor) for item in batch.items}
    assert isinstance(refs[one], Ref)
    assert refs[one].version == ""


@pytest.mark.parametrize("cursor", ["x", 7, {}, {"commit": "abc"}, {"since": "soon", "projects": ""}])
def test_a_cursor_of_another_source_is_none(redmine: Redmine, ctx: SourceContext, cursor: Any) -> None:
    with pytest.raises(CursorExpired):
        changed(make(redmine), ctx, cursor)


# --- what is read ---------------------------------------------------------------------------------------------------


def test_a_ticket_arrives_with_its_facts(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("one")
    one = redmine.ticket("one", "Printer is on fire", "It *burns*.")
    found = fetched(make(redmine), ctx, one)
    assert (found.title, found.kind, found.format, found.path) == (
        f"{one} Printer is on fire",
        "ticket",
        "textile",
        ("One",),
    )
    assert found.url == f"{redmine.url}/issues/{one[1:]}"
    assert found.fields["Tracker"] == "Bug"
    assert found.fields["Status"] == "New"
    assert found.authors == ("Redmine Admin",)


def test_wiki_pages_are_read_with_their_parents(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("one")
    redmine.do("PUT", "/projects/one/wiki/Start", wiki_page={"text": "h1. Start"})
    redmine.do("PUT", "/projects/one/wiki/Ümläut_page", wiki_page={"text": "Text.", "parent_title": "Start"})
    keys = [key for key in listed(make(redmine), ctx) if "mläut" in key]
    found = fetched(make(redmine), ctx, keys[0])
    assert (found.title, found.path, found.kind) == ("Ümläut page", ("One", "Start"), "page")
    redmine.do("DELETE", "/projects/one/wiki/Ümläut_page")
    assert list(make(redmine).fetch(ctx, keys)) == [Gone(keys[0])]


def test_projects_choose_and_gone_ones_go(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("one")
    redmine.project("two")
    first, second = redmine.ticket("one", "One"), redmine.ticket("two", "Two")
    chosen = make(redmine, projects=["one"])
    assert set(listed(chosen, ctx)) == {first}
    assert list(chosen.fetch(ctx, [second, "#4711", "#x"])) == [Gone(second), Gone("#4711"), Gone("#x")]


def test_a_listing_goes_on_from_its_cursor(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("one")
    keys = [redmine.ticket("one", f"Ticket {number}") for number in range(4)]
    left = {item.id for batch in make(redmine).list(ctx, {"after": int(keys[1][1:])}) for item in batch.items}
    assert left == set(keys[2:])


# --- bad input ------------------------------------------------------------------------------------------------------


def test_the_check_of_a_sound_set_up_counts(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.project("one")
    findings = list(make(redmine).check(ctx))
    assert all(finding.ok for finding in findings)
    assert "1 projects" in findings[0].what
    (unknown,) = make(redmine, projects=["oen"]).check(ctx)
    assert "oen" in unknown.what
    assert "one" in unknown.fix


def test_a_wrong_key_is_named_and_never_shown(redmine: Redmine, ctx: SourceContext) -> None:
    (finding,) = make(redmine, key="f" * 40).check(ctx)
    assert not finding.ok
    assert "administrator" in finding.what
    assert "f" * 40 not in finding.what
    with pytest.raises(StopSync):
        listed(make(redmine, key="f" * 40), ctx)


def test_a_key_that_is_no_administrators_is_named(redmine: Redmine, ctx: SourceContext) -> None:
    redmine.user("bob")
    key = redmine._hands.get(f"{redmine.url}/users.json", params={"name": "bob"}).json()["users"][0]["id"]
    api_key = redmine.do("GET", f"/users/{key}")["user"]["api_key"]
    (finding,) = make(redmine, key=api_key).check(ctx)
    assert "administrator" in finding.what


def test_rest_switched_off_is_named(redmine: Redmine, ctx: SourceContext) -> None:
    def switch(value: int) -> None:
        set_to = f"UPDATE settings SET value='{value}', updated_on=datetime('now', '+1 minute')"
        script = f"{set_to} WHERE name='rest_api_enabled'"
        redmine.sql(script)

    switch(0)
    try:
        (finding,) = make(redmine).check(ctx)
    finally:
        switch(1)
        redmine.do("GET", "/projects")  # the server remembers settings until it sees newer ones
    assert "REST web service" in finding.what


@pytest.mark.parametrize("sent", [Sent("<html>shop</html>"), Sent("[]"), Sent("{}"), Sent(status=404)])
def test_a_server_that_is_something_else_is_named(sent: Sent, ctx: SourceContext) -> None:
    with local_server(lambda received: sent) as other:
        settings = RedmineSource.Settings.model_validate({"url": other.url, "key": KEY})
        source = RedmineSource(settings, PartContext(Path()))  # type: ignore[arg-type]
        (finding,) = source.check(ctx)
        assert not finding.ok
        assert "check the address" in finding.what
        with pytest.raises(StopSync):
            listed(source, ctx)
