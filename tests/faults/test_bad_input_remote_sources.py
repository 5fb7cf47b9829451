"""Servers that are wrong, shut, old, late or something else: one clear line, an exit code, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from citebot.egress import SourceHttp
from citebot.model import Ref
from citebot.ports import PartContext, SourceContext
from citebot.settings import EgressSettings
from citebot.testing.local_server import LocalServer, Sent, local_server
from citebot_connectors.sources.redmine import RedmineSource

sys.path.insert(0, str(Path(__file__).parent))

from small_servers import HTML, KEY, PASSWORD, USER, Small, SmallSite, SmallTracker, SmallWiki

LOGIN = '<html><h1>Sign in</h1><form><input name="user"><input type="password" name="p"></form></html>'
REMOTE = ("mediawiki", "redmine", "website")
DOCUMENTS = 7


@dataclass(slots=True)
class Place:
    """A server of seven documents, and how it is named on the command line."""

    kind: str
    server: Small
    served: LocalServer
    options: tuple[str, ...]

    def add(self, citebot: Any, *more: str, name: str = "place") -> Any:
        """Run `citebot source add`."""
        return citebot("source", "add", self.kind, "--name", name, *self.options, *more)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch, citebot: Any) -> None:
    """Servers on this machine may be read, at any pace; who is silent is asked once: waits are tested elsewhere."""
    monkeypatch.setattr("citebot.egress.client.ATTEMPTS", 1)
    citebot.options += ("--set", "egress.allow=127.0.0.0/8", "--set", "egress.requests_per_second=1000")


@pytest.fixture
def place_of() -> Iterator[Callable[[str], Place]]:
    """Make a place of one kind."""
    kinds: dict[str, tuple[type[Small], tuple[str, ...]]] = {
        "mediawiki": (SmallWiki, ("--user", USER, "--password", PASSWORD)),
        "redmine": (SmallTracker, ("--key", KEY)),
        "website": (SmallSite, ()),
    }
    with ExitStack() as stack:

        def make(kind: str) -> Place:
            server = kinds[kind][0]()
            for number in range(1, DOCUMENTS + 1):
                server.write(f"Room {number}", f"The code of room {number} is word{number}x.")
            served = stack.enter_context(local_server(server.answer))
            return Place(kind, server, served, ("--url", f"{served.url}/", *kinds[kind][1]))

        yield make


@pytest.fixture(params=REMOTE)
def place(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    """A place of each kind."""
    return place_of(request.param)


@pytest.fixture
def read(place: Place, citebot: Any) -> Place:
    """A place that has been read."""
    assert place.add(citebot).exit_code == 0
    assert citebot("source", "sync").exit_code == 0
    assert found(citebot)
    return place


def found(citebot: Any, word: str = "word3x") -> bool:
    return any(word in hit["text"] for hit in citebot.json("search", word)["hits"])


def one_line(result: Any, *words: str) -> str:
    """A complaint is one line on stderr, with these words and no secret in it, and an exit code."""
    assert result.exit_code in (1, 2), result.stdout
    line, *more = result.stderr.splitlines()
    assert more == [] or more[0].startswith("place: "), "but for how far a run came"
    assert [word for word in words if word not in line] == [], line
    assert not any(secret in result.output for secret in (KEY, PASSWORD, "Traceback", "inside Citebot"))
    return str(line)


def everything_is_there(citebot: Any) -> None:
    """All documents can still be found, and the source says what is wrong."""
    (row,) = citebot.json("source", "list")
    assert row["documents"] >= DOCUMENTS
    assert row["failure"]
    assert all(found(citebot, f"word{number}x") for number in (1, 3, DOCUMENTS))


# --- a wrong address ------------------------------------------------------------------------------------------------


ADDRESSES = {
    "no address": ("just-a-name", "beginning with https://"),
    "another scheme": ("ftp://wiki.example/", "beginning with https://"),
    "no such name": ("https://no-such-name.invalid/", "is not known): check the address"),
    "nobody listens": ("http://127.0.0.1:9/", "cannot be reached", "check the address, and whether the server runs"),
    "not ours to ask": ("http://10.1.2.3/", "10.1.2.3", "egress.allow"),
    "the cloud's own": ("http://169.254.169.254/", "169.254.169.254"),
}


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("kind", REMOTE)
def test_a_wrong_address_is_refused_when_it_is_given(
    kind: str, address: str, place_of: Callable[[str], Place], citebot: Any
) -> None:
    url, *words = ADDRESSES[address]
    place = place_of(kind)
    place.options = ("--url", url, *place.options[2:])
    one_line(place.add(citebot), *words)
    assert citebot.json("source", "list") == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://no-such-name.invalid/x.git", ("no-such-name.invalid is not known", "check the address")),
        ("http://127.0.0.1:9/x.git", ("http://127.0.0.1:9/x.git cannot be read",)),
        ("http://10.1.2.3/x.git", ("egress.allow",)),
        ("git@github.com:team/handbook.git", ("use the https address",)),
        ("https://user:secret@host.example/x.git", ("put the token into the setting token",)),
        ("/nowhere/at/all", ("There is no repository at /nowhere/at/all",)),
    ],
)
def test_a_wrong_address_of_a_repository_is_refused(url: str, words: tuple[str, ...], citebot: Any) -> None:
    line = one_line(citebot("source", "add", "git", "--name", "code", "--url", url), *words)
    assert "secret@" not in line
    assert citebot.json("source", "list") == []


def test_an_address_that_went_away_loses_nothing(read: Place, citebot: Any) -> None:
    read.served.close()
    one_line(citebot("source", "sync", "place"), f"127.0.0.1:{read.served.port}", "check the address")
    everything_is_there(citebot)


# --- wrong and expired credentials ----------------------------------------------------------------------------------


def shut(place: Place) -> tuple[str, ...]:
    """Lock our account out; what the line must say, the missing right by its name."""
    server = place.server
    if isinstance(server, SmallWiki):
        server.closed, server.password = True, "another"
        server.sessions.clear()
        return "does not know Citebot@reader with this password", "the grant “Basic rights”"
    if isinstance(server, SmallTracker):
        server.key = "another"
        return "does not take this key", "an administrator's", "REST web service is enabled"
    server.instead = lambda received: Sent(status=401)
    return "answers 401", "only what anybody may see is read"


def test_wrong_credentials_are_refused_with_the_missing_right(place: Place, citebot: Any) -> None:
    words = shut(place)
    one_line(place.add(citebot), *words)
    assert citebot.json("source", "list") == []


@pytest.mark.parametrize("full", [False, True], ids=["poll", "listing"])
def test_credentials_that_expire_lose_nothing(full: bool, read: Place, citebot: Any) -> None:
    words = shut(read)
    one_line(citebot("source", "sync", "place", *(["--full"] if full else [])), *words)
    everything_is_there(citebot)
    checked = citebot("source", "check", "place")
    assert checked.exit_code == 1
    assert words[0] in checked.stdout


def test_a_wiki_that_strangers_may_not_read_names_the_right(place_of: Callable[[str], Place], citebot: Any) -> None:
    place = place_of("mediawiki")
    assert isinstance(place.server, SmallWiki)
    place.server.closed = True
    place.options = place.options[:2]
    one_line(place.add(citebot), "lacks the right “read”", "the grant “Basic rights”")
    place.options = (*place.options, "--no-check")
    assert place.add(citebot).exit_code == 0
    one_line(citebot("source", "sync"), "strangers lack the right “read”", "the grant “Basic rights”")


def test_a_key_that_is_no_administrators_names_the_right(place_of: Callable[[str], Place], citebot: Any) -> None:
    place = place_of("redmine")
    assert isinstance(place.server, SmallTracker)
    place.server.admin = False
    one_line(place.add(citebot), "refuses /users", "the key must be an administrator's")


@pytest.mark.parametrize("status", [401, 403])
def test_a_repository_that_is_shut_names_the_right(status: int, citebot: Any) -> None:
    with local_server(lambda received: Sent(status=status)) as served:
        given = ("--url", f"{served.url}/x.git", "--token", "wrong-token-wrong")
        line = one_line(
            citebot("source", "add", "git", "--name", "code", *given),
            *("does not let us in", "Contents, read-only", "read_repository", "not expired"),
        )
    assert "wrong-token" not in line


# --- something else -------------------------------------------------------------------------------------------------


OTHERS = {
    "a shop": Sent("<html><h1>Our shop</h1></html>", headers=HTML),
    "a login page": Sent(LOGIN, headers=HTML),
    "other json": Sent('{"hello": ["world"]}', headers={"content-type": "application/json"}),
    "strange json": Sent('{"user": ["world"], "query": 7, "batchcomplete": 1}', headers={"content-type": "x/json"}),
    "a picture": Sent(b"\x89PNG\r\n\x1a\n", headers={"content-type": "image/png"}),
    "nothing": Sent(),
    "not found": Sent(status=404),
    "an error": Sent(status=500),
    "a busy server": Sent(status=503),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_server_that_is_something_else_is_refused(other: str, place: Place, citebot: Any) -> None:
    place.server.instead = lambda received: OTHERS[other]
    if place.kind == "website" and other == "a shop":
        assert place.add(citebot).exit_code == 0  # it is a site
        return
    one_line(place.add(citebot), f"127.0.0.1:{place.served.port}")
    assert citebot.json("source", "list") == []


@pytest.mark.parametrize("full", [False, True], ids=["poll", "listing"])
def test_a_server_that_becomes_something_else_loses_nothing(full: bool, read: Place, citebot: Any) -> None:
    for other in sorted(OTHERS.keys() - {"a shop"}):
        read.server.instead = lambda received, other=other: OTHERS[other]  # type: ignore[misc]
        one_line(citebot("source", "sync", "place", *(["--full"] if full else [])))
    everything_is_there(citebot)
    read.server.instead = None
    assert citebot("source", "sync", "place").exit_code == 0
    assert not citebot.json("source", "list")[0]["failure"]


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_no_repository_is_refused(other: str, citebot: Any) -> None:
    with local_server(lambda received: OTHERS[other]) as served:
        one_line(citebot("source", "add", "git", "--name", "code", "--url", f"{served.url}/x.git"), served.url)
    assert citebot.json("source", "list") == []


# --- versions and clocks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generator", ["MediaWiki 1.31.0", "MediaWiki 1.34.4", "DokuWiki"])
def test_a_wiki_that_is_too_old_is_refused(generator: str, place_of: Callable[[str], Place], citebot: Any) -> None:
    place = place_of("mediawiki")
    assert isinstance(place.server, SmallWiki)
    place.server.generator = generator
    one_line(place.add(citebot), f"{generator.removeprefix('MediaWiki ')} is too old", "from 1.35 on")


@pytest.mark.parametrize("place", ["redmine"], indirect=True)
def test_a_tracker_that_is_too_old_is_refused_and_opens_nothing(read: Place, citebot: Any) -> None:
    assert isinstance(read.server, SmallTracker)
    read.server.role = {"name": "Non member", "permissions": ["view_issues"]}
    one_line(citebot("source", "sync"), "does not say what its roles may see", "from 5.0 on")
    everything_is_there(citebot)
    one_line(read.add(citebot, name="again"), "does not say what its roles may see", "from 5.0 on")


@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(days=-2)], ids=["ahead", "behind"])
def test_a_clock_that_is_off_is_said_and_nothing_depends_on_it(ahead: timedelta, place: Place, citebot: Any) -> None:
    place.server.ahead = ahead
    added = place.add(citebot)
    assert added.exit_code == 0, added.stderr
    if place.kind != "website":  # whose clock says nothing but when a page was changed
        assert re.search(r"Its clock differs from ours by 17[23]\d{3} s. Nothing depends on it.", added.stdout)
    assert citebot("source", "sync").exit_code == 0
    place.server.write("Annex", "The code of the annex is word99x.")
    assert citebot("source", "sync", "--full").exit_code == 0
    assert found(citebot, "word99x")


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "with tickets"])
def test_a_tracker_is_read_by_its_own_clock(empty: bool, ahead: timedelta, source_context: SourceContext) -> None:
    tracker = SmallTracker()
    tracker.ahead, tracker.age = ahead, timedelta()
    if not empty:
        tracker.write("Before", "Text.")
    egress = EgressSettings(allow=["127.0.0.0/8"])
    with (
        local_server(tracker.answer) as served,
        closing(SourceHttp(egress, source="tracker", stop=lambda: False)) as http,
    ):
        settings: Any = RedmineSource.Settings.model_validate({"url": served.url, "key": KEY})
        source, ctx = RedmineSource(settings, PartContext(Path())), replace(source_context, http=http)
        (begun,) = source.changes(ctx, None)
        since = datetime.fromisoformat(begun.cursor["since"])  # type: ignore[index, call-overload, arg-type]
        assert abs(since - tracker.now) < timedelta(minutes=5)
        tracker.write("After", "Text.")
        named = [item for batch in source.changes(ctx, begun.cursor) for item in batch.items]
    # In the same second it may change again, and keep its date.
    assert [item.version for item in named if isinstance(item, Ref)] == [""] * len(tracker.texts)


# --- titles, cursors, names -----------------------------------------------------------------------------------------


def test_a_title_that_is_too_long_is_cut_and_the_text_is_whole(place: Place, citebot: Any) -> None:
    place.server.write("Long " * 1_000, "The code of the annex is word99x.")
    place.add(citebot)
    synced = citebot("source", "sync")
    assert (synced.exit_code, citebot.json("source", "show", "place")["failed"]) == (0, [])
    (hit,) = [hit for hit in citebot.json("search", "word99x")["hits"] if "word99x" in hit["text"]]
    assert len(hit["title"]) <= 1_000
    assert hit["title"].startswith(("Long Long", "#8 Long Long"))
    assert hit["title"].endswith("…")


def repository(folder: Path, files: dict[str, str]) -> Path:
    """A repository of one commit."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    mine = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*mine, "commit", "-q", "-m", "One")):
        subprocess.run(["git", *command], cwd=folder, check=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    return folder


def test_long_titles_and_names_of_a_repository_are_read(citebot: Any, tmp_path: Path) -> None:
    deep = "/".join(["d" * 200] * 5) + "/deep.md"
    files = {"long.md": f"# {'Long ' * 1_000}\n\nIt is word98x.\n", deep: "# Deep\n\nIt is word99x.\n"}
    repo = repository(tmp_path / "repo", files)
    assert citebot("source", "add", "git", "--name", "code", "--url", str(repo)).exit_code == 0
    assert citebot("source", "sync").exit_code == 0
    assert found(citebot, "word98x")
    assert found(citebot, "word99x")


FOREIGN = ["x", {"commit": "abc"}]


@pytest.mark.parametrize("column", ["feed", "cursor"])
def test_a_position_of_another_source_leads_to_a_whole_read(column: str, read: Place, citebot: Any) -> None:
    for number, cursor in enumerate(FOREIGN):
        read.server.write("Annex", f"The code of the annex is word{number}z.")
        stored = cursor if column == "feed" else {"sweep": 1, "cursor": cursor, "listed": 0}
        with closing(sqlite3.connect(citebot.folder / "citebot.db")) as database, database:
            database.execute(f"UPDATE source SET {column} = ?", (json.dumps(stored),))
        assert citebot("source", "sync", "place").exit_code == 0, cursor
        assert found(citebot, f"word{number}z"), cursor
    of_the_first_page = read.kind == "website"
    assert citebot.json("source", "list")[0]["documents"] == DOCUMENTS + len(FOREIGN) + of_the_first_page


def test_a_name_that_is_taken_is_refused_before_anything_is_asked(read: Place, citebot: Any) -> None:
    kept = {path: path.read_bytes() for path in (citebot.folder / "sources").rglob("*") if path.is_file()}
    asked = len(read.served.received)
    for again in (read.add(citebot), citebot("source", "add", "website", "--name", "place", "--url", read.served.url)):
        one_line(again, "There is already a source “place”", "Choose another name, or remove that one first.")
    assert len(read.served.received) == asked
    assert {path: path.read_bytes() for path in (citebot.folder / "sources").rglob("*") if path.is_file()} == kept
    assert citebot("source", "sync").exit_code == 0
    assert found(citebot)


# --- removal --------------------------------------------------------------------------------------------------------


def left_of(folder: Path, name: str) -> list[str]:
    """Rows and files that are still there of a source."""
    with closing(sqlite3.connect(folder / "citebot.db")) as database:
        (known,) = database.execute("SELECT count(*) FROM source WHERE name = ?", (name,)).fetchone()
        orphans = (
            "document WHERE source_id NOT IN (SELECT id FROM source)",
            "todo WHERE source_id NOT IN (SELECT id FROM source)",
            "passage WHERE document_id NOT IN (SELECT id FROM document)",
            "embedding WHERE passage_id NOT IN (SELECT id FROM passage)",
        )
        rows = [rest for rest in orphans if database.execute(f"SELECT 1 FROM {rest}").fetchone()]
    return [name] * known + rows + [str(path) for path in (folder / "sources" / name).rglob("*")]


@pytest.fixture
def with_vectors(citebot: Any) -> Any:
    """The command line with the local embedder."""
    options = list(citebot.options)
    at = options.index("embedder.use=none")
    citebot.options = tuple(options[: at - 1] + options[at + 1 :])
    return citebot


def test_a_source_that_is_removed_takes_documents_and_vectors_with_it(place: Place, with_vectors: Any) -> None:
    citebot = with_vectors
    kept = {f"{number}.md": f"# Kept {number}\n\nThe sparrow is word{number}y.\n" for number in range(3)}
    repo = repository(citebot.folder.parent / "repo", kept)
    assert place.add(citebot).exit_code == 0
    assert citebot("source", "add", "git", "--name", "code", "--url", str(repo)).exit_code == 0
    assert citebot("source", "sync").exit_code == 0
    before = citebot.json("index", "status")
    documents = {row["name"]: row["documents"] for row in citebot.json("source", "list")}
    assert before["vectors"] == before["passages"] == documents["place"] + documents["code"]

    for unsure in ("n\n", ""):
        kept_back = citebot("source", "remove", "place", stdin=unsure)
        assert kept_back.exit_code == 1
        assert f"Remove place with its {documents['place']} documents from every answer?" in kept_back.stderr
        assert "Nothing was removed." in kept_back.stderr
    assert citebot.json("index", "status") == before

    removed = citebot("source", "remove", "place", stdin="y\n")
    assert f"Removed place and its {documents['place']} documents." in removed.stdout
    after = citebot.json("index", "status")
    assert after["vectors"] == after["passages"] == documents["code"]
    assert not found(citebot)
    assert found(citebot, "word2y")
    assert left_of(citebot.folder, "place") == []


def test_a_repository_that_is_removed_leaves_no_copy(citebot: Any, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", {"a.md": "# A\n\nIt is word3x.\n"})
    citebot("source", "add", "git", "--name", "code", "--url", str(repo))
    assert citebot("source", "sync").exit_code == 0
    assert (citebot.folder / "sources" / "code" / "mirror.git").is_dir()
    assert citebot.json("source", "remove", "code", "--yes") == {"name": "code", "documents": 1}
    assert left_of(citebot.folder, "code") == []


def test_a_source_that_is_not_there_is_not_removed(read: Place, citebot: Any) -> None:
    one_line(citebot("source", "remove", "palce", "--yes"), "There is no source “palce”", "citebot source list")
    assert found(citebot)
