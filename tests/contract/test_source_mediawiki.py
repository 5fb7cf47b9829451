"""The source `mediawiki` on a real MediaWiki: the contract of sources, and what only a wiki does."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from structlog.testing import capture_logs

from citebot.app.opening import open_citebot
from citebot.app.sources import add_source
from citebot.egress import SourceHttp
from citebot.errors import CursorExpired, StopSync
from citebot.ingest.blocks.mediawiki import mediawiki_blocks
from citebot.model import Document, Gone, Readers, Ref
from citebot.pluginmanager import PluginManager
from citebot.ports import PartContext, Source, SourceContext
from citebot.settings import EgressSettings, Settings
from citebot.testing.contract_source import SourceContract
from citebot.testing.local_server import Sent, local_server
from citebot.testing.sources.lab import Lab
from citebot.testing.sources.world import SourceWorld
from citebot_connectors.sources.mediawiki import MediaWikiSource

pytestmark = [pytest.mark.mediawiki, pytest.mark.xdist_group("mediawiki")]

GIVEN = "CITEBOT_TEST_MEDIAWIKI"
SCRIPT = Path(__file__).parents[2] / "scripts" / "services" / "mediawiki.sh"
CODE = "/usr/share/mediawiki"
USER, PASSWORD = "Admin@bot", "0123456789abcdefghijklmnopqrstuv"
MAIN_PAGE = "1"
IMPORTED = 30
"""Pages of a burst that can be read; an import takes 0.1 s for each. The others are there to be listed."""
CLOSED = "$wgGroupPermissions['*']['read'] = false;"
EGRESS = EgressSettings(allow=["127.0.0.0/8"], requests_per_second=1000)
NOT_IN_TITLES = str.maketrans("#[]{}|<>", "♯()()¦‹›")


class Wiki:
    """A MediaWiki of our own: its databases are files, copied back for every test."""

    def __init__(self, template: Path, folder: Path) -> None:
        shutil.copytree(template, folder)
        self.folder = folder
        self._template = template
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = f"{self.url}/api.php"
        self._env = {
            "PATH": os.environ["PATH"],
            "CITEBOT_WIKI_URL": self.url,
            "MW_CONFIG_FILE": str(folder / "LocalSettings.php"),
        }
        log = (folder / "server.log").open("wb")
        # Otherwise PHP goes on for two seconds with the settings of an earlier test.
        fresh = ("-d", "opcache.revalidate_freq=0")
        self._server = subprocess.Popen(
            ["php", *fresh, "-S", f"127.0.0.1:{self.port}", "-t", CODE], env=self._env, stdout=log, stderr=log
        )
        log.close()
        self._hands: httpx.Client | None = None
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.api}?action=query&format=json", timeout=20).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text()[-2000:])

    def close(self) -> None:
        self._forget()
        self._server.kill()
        self._server.wait()

    def reset(self) -> None:
        self._forget()
        (self.folder / "extra.php").unlink(missing_ok=True)
        for old in self.folder.glob("*.sqlite*"):
            old.unlink()
        for file in self._template.glob("*.sqlite*"):
            shutil.copy(file, self.folder / file.name)

    def _forget(self) -> None:
        if self._hands is not None:
            self._hands.close()
        self._hands = None

    def set_up(self, php: str) -> None:
        (self.folder / "extra.php").write_text(f"<?php\n{php}\n")

    def maintain(self, script: str, *arguments: str) -> None:
        done = subprocess.run(
            ["php", f"{CODE}/maintenance/{script}.php", *arguments], env=self._env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def do(self, action: str, **values: str) -> dict[str, Any]:
        """Something only a logged-in person may do."""
        if self._hands is None:
            self._hands = httpx.Client(timeout=60)
            token = self._ask(action="query", meta="tokens", type="login")["query"]["tokens"]["logintoken"]
            self._ask(action="login", lgname=USER, lgpassword=PASSWORD, lgtoken=token)
        token = self._ask(action="query", meta="tokens")["query"]["tokens"]["csrftoken"]
        answer = self._ask(action=action, token=token, **values)
        assert "error" not in answer, answer
        return answer

    def _ask(self, **values: str) -> dict[str, Any]:
        assert self._hands is not None
        form = {"format": "json", "formatversion": "2", **values}
        found: dict[str, Any] = self._hands.post(self.api, data=form).json()
        return found

    def add_rows(self, number: int) -> None:
        """Pages as the listing sees them, which have the text of another."""
        facts = "page_namespace, page_is_redirect, page_is_new, page_random, page_touched, page_latest, page_len"
        with closing(sqlite3.connect(self.folder / "wiki.sqlite", timeout=10)) as database, database:
            database.execute(
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                f"INSERT INTO page (page_title, {facts}) "
                f"SELECT 'Row_' || i, {facts} FROM n, (SELECT * FROM page ORDER BY page_id LIMIT 1) WHERE ? > 0",
                (number, number),
            )

    def sql(self, statement: str, file: str = "wiki") -> None:
        """Past MediaWiki, which then knows nothing of it."""
        with closing(sqlite3.connect(self.folder / f"{file}.sqlite", timeout=10)) as database, database:
            database.execute(statement)

    def edit(self, title: str, text: str) -> str:
        return str(self.do("edit", title=title, text=text)["edit"]["pageid"])


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiki]:
    template = os.environ.get(GIVEN)
    if not template:
        folder = tmp_path_factory.mktemp("mediawiki") / "template"
        made = subprocess.run([str(SCRIPT), "prepare", str(folder)], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"no MediaWiki: {made.stderr.strip()[-300:]}")
        template = str(folder)
    with closing(Wiki(Path(template), tmp_path_factory.mktemp("wiki") / "copy")) as wiki:
        yield wiki


@pytest.fixture
def wiki(served: Wiki) -> Wiki:
    served.reset()
    return served


@pytest.fixture
def http() -> Iterator[SourceHttp]:
    with closing(SourceHttp(EGRESS, source="wiki", stop=lambda: False)) as made:
        yield made


@pytest.fixture
def ctx(source_context: SourceContext, http: SourceHttp) -> SourceContext:
    return replace(source_context, http=http)


def make(wiki: Wiki, **values: Any) -> MediaWikiSource:
    settings = MediaWikiSource.Settings.model_validate({"url": wiki.api, **values})
    return MediaWikiSource(settings, PartContext(Path()))  # type: ignore[arg-type]


def listed(source: MediaWikiSource, ctx: SourceContext) -> dict[str, str]:
    items = [item for batch in source.list(ctx, None) for item in batch.items]
    return {item.id: item.version for item in items if isinstance(item, Ref)}


def now(source: MediaWikiSource, ctx: SourceContext) -> Any:
    (batch,) = source.changes(ctx, None)
    return batch.cursor


def changed(source: MediaWikiSource, ctx: SourceContext, cursor: Any) -> tuple[dict[str, type], Any]:
    batches = list(source.changes(ctx, cursor))
    items = {item.id: type(item) for batch in batches for item in batch.items}
    items.pop(MAIN_PAGE, None)  # deleted when the wiki was made, perhaps within the overlap
    return items, batches[-1].cursor


def page(source: MediaWikiSource, ctx: SourceContext, one: str) -> Document:
    (found,) = source.fetch(ctx, [one])
    assert isinstance(found, Document)
    return found


# --- the contract ---------------------------------------------------------------------------------------------------


RICH_PAGE = """
== Install ==
Ask in [https://example.org/guide the guide] first.
<syntaxhighlight lang="python">
def install():
    return 42
</syntaxhighlight>
{| class="wikitable"
! Country !! Days
|-
| Poland || 26
|}
=== Upgrade ===
* outer item
** inner item
"""


class MediaWikiLab:
    egress = EGRESS
    burst_size = 10_000
    values: ClassVar[dict[str, Any]] = {}

    def __init__(self, wiki: Wiki, folder: Path) -> None:
        self.wiki = wiki
        self._folder = folder

    def source(self, state_dir: Path) -> Source:
        return make(self.wiki, **self.values)

    def labelled(self, state_dir: Path, readers: Sequence[str]) -> Source:
        return make(self.wiki, **self.values, readers=list(readers))

    def paged(self, state_dir: Path, size: int) -> Source:
        return make(self.wiki, **self.values, page_size=size)

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        return self.wiki.edit(title.translate(NOT_IN_TITLES), text)

    def edit(self, key: str, text: str) -> None:
        self.wiki.do("edit", pageid=key, text=text)

    def delete(self, key: str) -> None:
        self.wiki.do("delete", pageid=key)

    def rename(self, key: str, title: str) -> str:
        self.wiki.do("move", fromid=key, to=title)
        return key

    def move(self, key: str) -> str:
        return self.rename(key, f"Elsewhere/{key}/{time.monotonic_ns()}")

    def restore(self, key: str) -> None:
        self.wiki.maintain("undelete", "Page 0")

    def burst(self, number: int) -> None:
        self._folder.mkdir()
        for made in range(min(number, IMPORTED)):
            (self._folder / f"Burst {made}").write_text(f"Text {made}.")
        self.wiki.maintain("importTextFiles", "--rc", *(str(path) for path in self._folder.iterdir()))
        self.wiki.add_rows(number - IMPORTED)

    def write_rich(self) -> str:
        return self.wiki.edit("Rich", RICH_PAGE)


class ClosedMediaWikiLab(MediaWikiLab):
    """Read with a bot password, without which nothing is to be seen."""

    values: ClassVar[dict[str, Any]] = {"user": USER, "password": PASSWORD}
    secrets = (PASSWORD,)

    def revoke(self) -> None:
        self.wiki.sql("DELETE FROM bot_passwords")


class TestMediaWikiSource(SourceContract):
    """The harder case: a wiki that only a bot password opens."""

    @pytest.fixture
    def lab(self, wiki: Wiki, tmp_path: Path) -> Lab:
        wiki.set_up(CLOSED)
        return ClosedMediaWikiLab(wiki, tmp_path / "pages")


# --- the feed -------------------------------------------------------------------------------------------------------


def test_the_feed_names_what_was_edited_made_moved_deleted_and_restored(wiki: Wiki, ctx: SourceContext) -> None:
    old, moved, gone = (wiki.edit(title, "Text.") for title in ("Old", "Moved", "Gone"))
    source = make(wiki)
    cursor = now(source, ctx)
    wiki.do("edit", pageid=old, text="Another text.")
    wiki.do("move", **{"from": "Moved", "to": "Elsewhere"})
    wiki.do("delete", pageid=gone)
    new = wiki.edit("New", "Text.")
    items, after = changed(source, ctx, cursor)
    assert {key: items[key] for key in (old, moved, gone, new)} == {old: Ref, moved: Ref, gone: Gone, new: Ref}
    assert page(source, ctx, moved).title == "Elsewhere"
    assert set(listed(source, ctx)) == {old, moved, new}, "the redirect left behind is no page"
    wiki.maintain("undelete", "Gone")
    assert changed(source, ctx, after)[0].get(gone) is Ref


def test_a_page_made_anew_under_an_old_title_is_another_page(wiki: Wiki, ctx: SourceContext) -> None:
    first = wiki.edit("Leave", "Old rules.")
    cursor = now(make(wiki), ctx)
    wiki.do("delete", pageid=first)
    second = wiki.edit("Leave", "New rules.")
    items, _ = changed(make(wiki), ctx, cursor)
    assert first != second
    assert (items[first], items[second]) == (Gone, Ref)


def test_a_page_that_becomes_a_redirect_goes(wiki: Wiki, ctx: SourceContext) -> None:
    one = wiki.edit("Leave", "Old rules.")
    cursor = now(make(wiki), ctx)
    wiki.do("edit", pageid=one, text="#REDIRECT [[Holidays]]")
    assert changed(make(wiki), ctx, cursor)[0] == {one: Gone}


def test_more_changes_than_a_page_of_the_feed_holds(wiki: Wiki, ctx: SourceContext, tmp_path: Path) -> None:
    cursor = now(make(wiki), ctx)
    texts = tmp_path / "pages"
    texts.mkdir()
    for number in range(60):
        (texts / f"Many {number}").write_text(f"Text {number}.")
    wiki.maintain("importTextFiles", "--rc", *(str(path) for path in texts.iterdir()))
    items, after = changed(make(wiki, page_size=7), ctx, cursor)
    assert len(items) == 60, "all in the same seconds"
    assert set(items) == set(listed(make(wiki), ctx))
    assert changed(make(wiki), ctx, after)[1] == after


def test_a_poll_without_change_takes_one_request(wiki: Wiki, ctx: SourceContext) -> None:
    wiki.edit("Leave", "Text.")
    cursor = now(make(wiki), ctx)
    with capture_logs() as log:
        assert changed(make(wiki), ctx, cursor) == ({}, cursor)
    assert len([entry for entry in log if entry["event"] == "request"]) == 1


def test_an_entry_that_appears_after_a_later_one_is_not_missed(wiki: Wiki, ctx: SourceContext) -> None:
    cursor = now(make(wiki), ctx)
    late, early = wiki.edit("Late", "Text."), wiki.edit("Early", "Text.")
    wiki.sql(f"UPDATE recentchanges SET rc_type = 9 WHERE rc_cur_id = {late}")  # its transaction has not ended
    items, cursor = changed(make(wiki), ctx, cursor)
    wiki.sql("UPDATE recentchanges SET rc_type = 1 WHERE rc_type = 9")
    assert (set(items), set(changed(make(wiki), ctx, cursor)[0])) == ({early}, {late})


def test_a_cursor_of_an_earlier_version_is_read_on_from(wiki: Wiki, ctx: SourceContext) -> None:
    one = wiki.edit("Leave", "Text.")
    cursor = {name: value for name, value in now(make(wiki), ctx).items() if name != "seen"}
    assert changed(make(wiki), ctx, cursor)[0] == {one: Ref}


async def test_a_server_stays_logged_in_between_its_polls(
    wiki: Wiki, citebot_settings: Callable[..., Settings], plugin_manager: Callable[..., PluginManager]
) -> None:
    one = wiki.edit("Leave", "Text.")
    wiki.set_up(CLOSED)
    settings = citebot_settings({"embedder.use": "none", "reranker.use": "", "egress.allow": ["127.0.0.0/8"]})
    plugins = plugin_manager("embedded", "local", "mediawiki")
    values = {"url": wiki.api, "user": USER, "password": PASSWORD}
    async with open_citebot(settings, plugins, owner=True) as bot:
        add_source(bot.database, plugins, settings, kind="mediawiki", name="wiki", values=values)
        await bot.sync("wiki")
        with capture_logs() as log:
            await bot.sync("wiki")
        assert len([entry for entry in log if entry["event"] == "request"]) == 1
        wiki.do("edit", pageid=one, text="Another text.")
        wiki.sql("DELETE FROM objectcache", "wikicache")  # sessions among it
        assert (await bot.sync("wiki")).saved == 1


def test_a_feed_that_was_purged_leads_to_a_listing(wiki: Wiki, ctx: SourceContext) -> None:
    wiki.edit("Leave", "Text.")
    cursor = now(make(wiki), ctx)
    wiki.sql("DELETE FROM recentchanges")  # as the wiki does with what is older than $wgRCMaxAge
    wiki.edit("Travel", "Text.")
    with pytest.raises(CursorExpired):
        changed(make(wiki), ctx, cursor)


@pytest.mark.parametrize("cursor", ["x", 7, {}, {"commit": "abc"}, {"stamp": "soon", "rcid": 1, "templates": {}}])
def test_a_cursor_of_another_source_is_none(wiki: Wiki, ctx: SourceContext, cursor: Any) -> None:
    with pytest.raises(CursorExpired):
        changed(make(wiki), ctx, cursor)


def test_an_edited_template_has_its_pages_read_again_until_they_show_it(
    wiki: Wiki, ctx: SourceContext, tmp_path: Path
) -> None:
    wiki.edit("Template:Days", "26 days")
    one = wiki.edit("Leave", "Leave is {{Days}} a year.")
    lab = MediaWikiLab(wiki, tmp_path)
    with closing(SourceWorld(lab, tmp_path / "world")) as world:
        world.run()
        assert "26 days" in world.texts()[one]
        time.sleep(1.1)
        wiki.edit("Template:Days", "30 days")
        world.run()
        wiki.maintain("runJobs")
        world.run()
        assert "30 days" in world.texts()[one]


# --- what is read ---------------------------------------------------------------------------------------------------

RICH = """
== Booking leave ==
Ask in [[Perch]] first.
<syntaxhighlight lang="python">
def leave():
    return 26
</syntaxhighlight>
{| class="wikitable"
! Country !! Days
|-
| Poland || 26
|}
=== Carry over ===
* until March
** at most five
"""


def test_text_code_tables_and_anchors_arrive(wiki: Wiki, ctx: SourceContext) -> None:
    one = wiki.edit("Leave", RICH)
    found = page(make(wiki), ctx, one)
    assert (found.title, found.format, found.authors) == ("Leave", "mediawiki", ("Admin",))
    assert found.url.startswith(wiki.url)
    assert httpx.get(found.url).status_code == 200
    blocks = mediawiki_blocks(str(found.body))
    assert [(b.text, b.anchor) for b in blocks if b.kind == "heading"] == [
        ("Booking leave", "Booking_leave"),
        ("Carry over", "Carry_over"),
    ]
    assert [b.language for b in blocks if b.kind == "code"] == ["python"]
    assert any("Poland" in b.text for b in blocks if b.kind == "table")
    assert not any("edit" in b.text.lower() for b in blocks if b.kind == "heading")


def test_a_page_the_wiki_cannot_show_is_read_from_its_source(wiki: Wiki, ctx: SourceContext) -> None:
    one = wiki.edit("Leave", "Twenty-six days.")
    wiki.set_up(
        "$wgHooks['ParserBeforeInternalParse'][] = static function () { throw new RuntimeException( 'broken' ); };"
        "$wgParserCacheType = CACHE_NONE;"
    )
    found = page(make(wiki), ctx, one)
    assert (found.format, found.body) == ("text", "Twenty-six days.")


def test_namespaces_and_categories_choose(wiki: Wiki, ctx: SourceContext) -> None:
    leave = wiki.edit("Leave", "Text. [[Category:Handbook]]")
    other = wiki.edit("Other", "Text.")
    project = wiki.edit("Project:Rules", "Text.")
    assert set(listed(make(wiki), ctx)) == {leave, other}
    assert set(listed(make(wiki, namespaces=[0, 4]), ctx)) == {leave, other, project}
    chosen = make(wiki, categories=["Handbook"])
    assert set(listed(chosen, ctx)) == {leave}
    cursor = now(chosen, ctx)
    wiki.do("edit", pageid=leave, text="No category any more.")
    wiki.do("edit", pageid=other, text="[[Category:Handbook]]")
    items, _ = changed(chosen, ctx, cursor)
    assert (items[leave], items[other]) == (Gone, Ref)
    assert [type(item) for item in chosen.fetch(ctx, [leave, other])] == [Gone, Document]


def test_a_listing_goes_on_from_its_cursor(wiki: Wiki, ctx: SourceContext) -> None:
    pages = {wiki.edit(f"Page {number}", "Text.") for number in range(5)}
    source = make(wiki, namespaces=[0, 4])
    (first, *_) = source.list(ctx, None)
    left = {item.id for batch in source.list(ctx, first.cursor) for item in batch.items}
    assert {item.id for item in first.items} | left == pages
    later = {item.id for batch in source.list(ctx, {"space": 0, "from": "Page_3"}) for item in batch.items}
    assert len(later) == 2


# --- a closed wiki --------------------------------------------------------------------------------------------------


def test_a_closed_wiki_is_read_with_a_bot_password(wiki: Wiki, ctx: SourceContext) -> None:
    one = wiki.edit("Leave", "Text.")
    wiki.set_up(CLOSED)
    source = make(wiki, user=USER, password=PASSWORD)
    assert set(listed(source, ctx)) == {one}
    assert page(source, ctx, one).title == "Leave"
    assert all(finding.ok for finding in source.check(ctx))


def test_a_session_that_ends_is_begun_again(wiki: Wiki, ctx: SourceContext) -> None:
    one = wiki.edit("Leave", "Text.")
    wiki.set_up(CLOSED)
    source = make(wiki, user=USER, password=PASSWORD)
    api = source._api(ctx)
    api.ask(action="query", meta="siteinfo")
    ctx.http._client.cookies.clear()  # type: ignore[attr-defined]  # as if it had expired
    assert api.ask(action="query", pageids=one)["query"]["pages"][0]["title"] == "Leave"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "the right “read”"),
        ({"user": USER, "password": "0" * 32}, "Special:BotPasswords"),
        ({"user": "Nobody@bot", "password": PASSWORD}, "Special:BotPasswords"),
    ],
)
def test_a_closed_wiki_says_what_is_missing(
    wiki: Wiki, ctx: SourceContext, values: dict[str, str], complaint: str
) -> None:
    wiki.set_up(CLOSED)
    (finding,) = make(wiki, **values).check(ctx)
    assert not finding.ok
    assert complaint in finding.what
    assert values.get("password", "no password") not in finding.what
    with pytest.raises(StopSync):
        listed(make(wiki, **values), ctx)


# --- bad input ------------------------------------------------------------------------------------------------------


def test_any_page_leads_to_the_api_and_is_remembered(wiki: Wiki, ctx: SourceContext) -> None:
    one = wiki.edit("Leave", "Text.")
    source = make(wiki, url=f"{wiki.url}/index.php/Leave")
    assert set(listed(source, ctx)) == {one}
    with capture_logs() as log:
        now(make(wiki, url=f"{wiki.url}/index.php/Leave"), ctx)
    assert len([entry for entry in log if entry["event"] == "request"]) == 1


def test_the_check_of_a_sound_set_up(wiki: Wiki, ctx: SourceContext) -> None:
    findings = list(make(wiki).check(ctx))
    assert all(finding.ok for finding in findings)
    assert "Team Wiki, MediaWiki 1." in findings[0].what
    (unknown,) = make(wiki, namespaces=[0, 4711]).check(ctx)
    assert "4711" in unknown.what
    assert "10 Template" in unknown.fix


@pytest.mark.parametrize(
    "sent",
    [Sent("<html><h1>Our shop</h1></html>"), Sent("<html>Sign in</html>", status=401), Sent("[1, 2]"), Sent("{}")],
)
def test_a_server_that_is_something_else_is_named(sent: Sent, ctx: SourceContext) -> None:
    with local_server(lambda received: sent) as other:
        for url, complaint in ((f"{other.url}/wiki", "no page of a MediaWiki"), (f"{other.url}/api.php", "address")):
            settings = MediaWikiSource.Settings.model_validate({"url": url})
            (finding,) = MediaWikiSource(settings, PartContext(Path())).check(ctx)  # type: ignore[arg-type]
            assert not finding.ok
            assert complaint in finding.what


def test_an_old_version_is_refused(ctx: SourceContext) -> None:
    general = '{"query": {"general": {"generator": "MediaWiki 1.31.0", "sitename": "Old"}, "namespaces": {}}}'
    with local_server(lambda received: Sent(general)) as old:
        settings = MediaWikiSource.Settings.model_validate({"url": f"{old.url}/api.php"})
        (finding,) = MediaWikiSource(settings, PartContext(Path())).check(ctx)  # type: ignore[arg-type]
    assert "1.31.0 is too old" in finding.what
