"""What a folder can hold and be: one clear line for each, nothing lost, nothing opened."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from citebot.answering.collapse import NearDuplicates
from citebot.answering.lexical import Lexical
from citebot.errors import StopSync
from citebot.model import Document, Failed, Gone, Readers, ScoredPassage
from citebot.ports import PartContext, Source, SourceContext
from citebot.testing.sources.world import SourceWorld
from citebot_connectors.sources.decoding import decode
from citebot_connectors.sources.files import FilesSource
from citebot_connectors.sources.files.walking import walk
from citebot_connectors.sources.front_matter import split

EVERYONE = Readers.everyone()
BOARD = Readers.of(groups=["board"])
Make = Callable[..., FilesSource]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


@pytest.fixture
def make(folder: Path, tmp_path: Path) -> Make:
    def make(**settings: Any) -> FilesSource:
        made = FilesSource.Settings.model_validate({"path": folder, **settings})
        return FilesSource(made, PartContext(tmp_path))  # type: ignore[arg-type]

    return make


class Of:
    """A lab of one source."""

    def __init__(self, source: FilesSource) -> None:
        self._source = source

    def source(self, state_dir: Path) -> Source:
        return self._source


def listed(source: FilesSource, ctx: SourceContext) -> list[str]:
    return sorted(item.id for batch in source.list(ctx, None) for item in batch.items)


def fetched(source: FilesSource, ctx: SourceContext, key: str) -> Document | Gone | Failed:
    (answer,) = source.fetch(ctx, [key])
    return answer


def document(source: FilesSource, ctx: SourceContext, key: str) -> Document:
    answer = fetched(source, ctx, key)
    assert isinstance(answer, Document), answer
    return answer


def test_a_folder_that_is_not_there(make: Make, folder: Path, source_context: SourceContext) -> None:
    source = make()
    folder.rmdir()
    with pytest.raises(StopSync, match=r"does not exist .* Nothing was removed"):
        listed(source, source_context)
    with pytest.raises(StopSync, match="does not exist"):
        fetched(source, source_context, "a.md")
    assert [(f.ok, "does not exist" in f.what) for f in source.check(source_context)] == [(False, True)]
    folder.write_text("a file")
    assert ["is no folder" in f.what for f in source.check(source_context)] == [True]


@pytest.mark.parametrize("names", [(), ("photo.jpg", "tool.exe"), (".hidden.md",)])
def test_a_folder_with_nothing_to_read(
    make: Make, folder: Path, source_context: SourceContext, names: tuple[str, ...]
) -> None:
    for name in names:
        (folder / name).write_bytes(b"\0\1")
    (finding,) = make().check(source_context)
    assert not finding.ok
    assert finding.what.startswith(f"{folder} holds no file that matches *.md, *.markdown")
    assert listed(make(), source_context) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_for_real(make: Make, folder: Path, source_context: SourceContext) -> None:
    (folder / "a.md").write_text("secret")
    (folder / "a.md").chmod(0)
    answer = fetched(make(), source_context, "a.md")
    assert answer == Failed("a.md", "a.md cannot be read: Permission denied.")


def test_what_may_not_be_read(
    make: Make, folder: Path, source_context: SourceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "drafts").mkdir()
    (folder / "a.md").write_text("text")
    scandir, os_open = os.scandir, os.open

    def refuse(path: Any, *rest: Any) -> Any:
        if str(path).endswith(("drafts", "a.md")):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path) if not rest else os_open(path, *rest)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StopSync, match=r'drafts cannot be read \(Permission denied\).*exclude it: "drafts/\*"'):
        listed(make(), source_context)
    assert listed(make(exclude=["drafts/*"]), source_context) == ["a.md"]
    assert fetched(make(), source_context, "a.md") == Failed("a.md", "a.md cannot be read: Permission denied.")


def test_links_and_loops(make: Make, folder: Path, source_context: SourceContext, tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text("not ours")
    (folder / "sub").mkdir()
    (folder / "sub" / "a.md").write_text("ours")
    for name, target in {
        "out.md": tmp_path / "outside.md",
        "up": tmp_path,
        "sub/loop": folder,
        "self.md": folder / "self.md",
        "nowhere.md": folder / "missing.md",
        "twin.md": folder / "sub" / "a.md",
    }.items():
        (folder / name).symlink_to(target)
    assert listed(make(), source_context) == ["sub/a.md"]
    assert fetched(make(), source_context, "twin.md") == Gone("twin.md", "no_access")
    assert fetched(make(), source_context, "sub/loop/sub/a.md") == Gone("sub/loop/sub/a.md", "no_access")
    assert fetched(make(), source_context, "out.md") == Gone("out.md", "no_access")
    assert fetched(make(), source_context, "../outside.md") == Gone("../outside.md", "no_access")
    assert fetched(make(), source_context, "/etc/passwd") == Gone("/etc/passwd", "no_access")
    assert isinstance(fetched(make(), source_context, "self.md"), Gone | Failed)
    assert fetched(make(), source_context, "a\0b") == Gone("a\0b")


def test_links_within_the_folder_are_followed_when_asked(
    make: Make, folder: Path, source_context: SourceContext, tmp_path: Path
) -> None:
    (tmp_path / "outside.md").write_text("not ours")
    (folder / "..data").mkdir()  # as Kubernetes mounts files
    (folder / "..data" / "a.md").write_text("ours")
    (folder / "a.md").symlink_to("..data/a.md")
    (folder / "out.md").symlink_to(tmp_path / "outside.md")
    (folder / "loop").symlink_to(folder)
    source = make(follow_links=True)
    assert listed(source, source_context) == ["a.md"]
    assert document(source, source_context, "a.md").body == "ours"
    assert fetched(source, source_context, "out.md") == Gone("out.md", "no_access")


async def test_hard_links_are_documents_of_their_own_and_one_place_in_an_answer(
    make: Make, folder: Path, source_context: SourceContext, tmp_path: Path
) -> None:
    (folder / "a").mkdir()
    (folder / "shut").mkdir()
    (folder / "a" / "leave.md").write_text("# Leave\n\nThere are 28 days of leave.")
    os.link(folder / "a" / "leave.md", folder / "b.md")
    os.link(folder / "a" / "leave.md", folder / "shut" / "c.md")
    source = make(rules=[{"glob": "shut/*", "readers": ["board"]}])
    assert listed(source, source_context) == ["a/leave.md", "b.md", "shut/c.md"]
    world = SourceWorld(Of(source), tmp_path / "world")  # type: ignore[arg-type]
    world.run()
    assert {p.document_id: p.readers for p in world.passages()} == {
        "a/leave.md": EVERYONE,
        "b.md": EVERYONE,
        "shut/c.md": BOARD,
    }
    hits = [ScoredPassage(passage, 1.0, {}) for passage in world.passages()]
    assert len(await NearDuplicates().run(hits, Lexical(("leave",), hits))) == 1
    (folder / "b.md").write_text("# Leave\n\nThere are 30 days of leave.")
    world.run()
    assert all("30 days" in text for text in world.texts().values())
    (folder / "a" / "leave.md").unlink()
    world.run()
    assert sorted(world.texts()) == ["b.md", "shut/c.md"]
    world.close()


def test_a_name_with_other_capitals_is_another_name_everywhere(
    make: Make, folder: Path, source_context: SourceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on the file systems of macOS and Windows, which answer to any capitals and repeat what they were asked for."""
    (folder / "Plan.md").write_text("text")
    realpath, lexists, os_open, os_stat = os.path.realpath, os.path.lexists, os.open, os.stat

    def there(path: Any) -> Any:
        asked = Path(path)
        near = asked.parent.iterdir() if folder in asked.parents else ()
        return next((str(one) for one in near if one.name.lower() == asked.name.lower()), path)

    monkeypatch.setattr(os.path, "realpath", lambda path, strict=False: realpath(there(path), strict=strict) and path)
    monkeypatch.setattr(os.path, "lexists", lambda path: lexists(there(path)))
    monkeypatch.setattr(os, "open", lambda path, *rest: os_open(there(path), *rest))
    monkeypatch.setattr(os, "stat", lambda path, **rest: os_stat(there(path), **rest))
    assert fetched(make(), source_context, "plan.md") == Gone("plan.md")
    assert document(make(), source_context, "Plan.md").body == "text"


def test_what_is_read_and_what_is_not(make: Make, folder: Path, source_context: SourceContext) -> None:
    for name in ("README.MD", "a.markdown", "Notes.rst", "drafts/b.md", "deep/drafts/c.md", ".git/d.md", "deep/.e.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")
    assert listed(make(), source_context) == ["README.MD", "a.markdown", "deep/drafts/c.md", "drafts/b.md"]
    assert listed(make(exclude=["drafts/*", "*.markdown"]), source_context) == ["README.MD", "deep/drafts/c.md"]
    assert listed(make(exclude=["*/drafts"], include=["*.RST", "*.md"]), source_context) == [
        *("Notes.rst", "README.MD", "drafts/b.md"),
    ]
    assert listed(make(include=[]), source_context) == []


def test_a_folder_of_many_files_is_listed_in_little_memory(folder: Path) -> None:
    for number in range(3_000):
        (folder / f"a-file-among-many-{number}.md").touch()
    tracemalloc.start()
    try:
        assert sum(1 for _ in walk(folder, ["*.md"], [])) == 3_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000 * 500, "what it knows of a file is let go with it"


def test_a_stamp_is_another_when_something_changes(make: Make, folder: Path, source_context: SourceContext) -> None:
    (folder / "a.md").write_text("text")
    (folder / "who").write_text('{"groups": {}}')

    def stamp(**settings: Any) -> str:
        return make(watch=True, people="who", **settings).stamp(source_context)

    def rename() -> None:
        (folder / "a.md").rename(folder / "b.md")

    seen = [stamp(), stamp(readers=["board"])]
    for change in (
        lambda: (folder / "a.md").write_text("next"),
        rename,
        lambda: (folder / "c.md").touch(),
        lambda: (folder / "c.md").unlink(),
        lambda: (folder / "who").write_text('{"groups": {"board": []}}'),
    ):
        change()
        seen.append(stamp())
        (folder / "photo.jpg").touch()
        assert stamp() == seen[-1]
    assert len(set(seen)) == 6, "what was made and deleted again leaves it as it was"
    assert make().stamp(source_context) == ""


def test_to_watch_a_folder_is_no_reason_to_read_it_again(
    make: Make, folder: Path, source_context: SourceContext
) -> None:
    (folder / "a.md").write_text("text")
    assert list(make(watch=True).list(source_context, None)) == list(make().list(source_context, None))


def test_a_folder_has_its_own_path_before_that_of_a_link(
    make: Make, folder: Path, source_context: SourceContext
) -> None:
    (folder / "shut").mkdir()
    (folder / "shut" / "a.md").write_text("ours")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "b.md").write_text("ours")
    (folder / "also").symlink_to("shut")
    (folder / "shown").symlink_to(".hidden")
    (folder / "twice").symlink_to(".hidden")
    (folder / "shut" / "up").symlink_to("..")
    found = listed(make(follow_links=True), source_context)
    assert found in (["shown/b.md", "shut/a.md"], ["shut/a.md", "twice/b.md"])


def test_names_that_are_not_utf8_are_named(make: Make, folder: Path, source_context: SourceContext) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/bad-\xff.md")).write_text("text")
    (folder / "gut-ü.md").write_text("text")
    assert listed(make(), source_context) == ["gut-ü.md"]


def test_a_pipe_does_not_hold_us_up(make: Make, folder: Path, source_context: SourceContext) -> None:
    os.mkfifo(folder / "pipe.md")
    assert listed(make(), source_context) == []
    assert fetched(make(), source_context, "pipe.md") == Failed("pipe.md", "pipe.md is no file.", permanent=True)


def test_a_file_that_changes_while_it_is_read(
    make: Make, folder: Path, source_context: SourceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "log.md"
    path.write_text("0")
    times = 0
    fstat = os.fstat

    def growing(number: int) -> os.stat_result:
        nonlocal times
        found = fstat(number)
        if times:
            times -= 1
            path.write_text("x" * (times + 2))
        return found

    monkeypatch.setattr(os, "fstat", growing)
    times = 1
    assert document(make(), source_context, "log.md").body == "xx"
    times = 1_000
    answer = fetched(make(), source_context, "log.md")
    assert answer == Failed("log.md", "log.md kept changing while it was read; it will be tried again.")


def test_text_in_any_encoding(make: Make, folder: Path, source_context: SourceContext) -> None:
    (folder / "a.md").write_bytes(b"caf\xe9 costs 3")
    (folder / "b.md").write_bytes("\ufeffcafé".encode("utf-16"))
    (folder / "c.html").write_bytes(b'<meta charset="iso-8859-1"><title>Men\xfc &amp; more</title>caf\xe9')
    (folder / "d.md").write_bytes(b"\0\1\2 binary")
    source = make()
    assert document(source, source_context, "a.md").body == "caf\ufffd costs 3"
    assert document(source, source_context, "b.md").body == "\ufeffcafé"
    page = document(source, source_context, "c.html")
    assert (page.title, str(page.body)[-4:]) == ("Menü & more", "café")
    answer = fetched(source, source_context, "d.md")
    assert answer == Failed("d.md", "d.md is a binary file, whatever its name says.", permanent=True)
    assert decode(b"caf\xe9") == ("caf\ufffd", "is not valid UTF-8 at byte 3; what could not be read shows as \ufffd")
    assert decode(b'<meta charset="no-such">x', html=True) == ('<meta charset="no-such">x', "")
    assert decode(b'<meta charset="hex">x', html=True) == ('<meta charset="hex">x', "")


def test_front_matter(make: Make, folder: Path, source_context: SourceContext) -> None:
    (folder / "a.md").write_text(
        "---\ntitle: 'Annual leave: how?'\nreaders: board, person:ann\nupdated: 2026-01-02\nauthors: [ann, bob]\n"
        "language: en\nurl: https://wiki.example/leave\n---\n# Leave\n"
    )
    found = document(make(front_matter_readers=True), source_context, "a.md")
    assert (found.title, found.url, found.authors) == (
        "Annual leave: how?",
        "https://wiki.example/leave",
        ("ann", "bob"),
    )
    assert found.readers == Readers.of(groups=["board"], people=["ann"])
    assert (found.updated is not None and found.updated.date().isoformat(), found.body) == ("2026-01-02", "# Leave\n")


@pytest.mark.parametrize(
    ("text", "values", "rest"),
    [
        ("+++\ntitle = 'A'\nauthors = ['x', 'y']\nupdated = 2026-01-02\n+++\nb", 3, "b"),
        ("---\nreaders:\n  - a\n  - b\n---\nb", {"readers": "a, b"}, "b"),
        ("---\n---\nb", {}, "b"),
        ("+++\nno toml\n+++\nb", {}, "+++\nno toml\n+++\nb"),
        ("---\nnever closed", {}, "---\nnever closed"),
        ("Text\n---\na: b\n---\n", {}, "Text\n---\na: b\n---\n"),
    ],
)
def test_front_matter_forms(text: str, values: object, rest: str) -> None:
    found, left = split(text)
    assert left == rest
    assert len(found) == values if isinstance(values, int) else found == values


def test_readers_by_path_first_rule_counts(make: Make, folder: Path, source_context: SourceContext) -> None:
    for name in ("a.md", "hr/b.md", "hr/pay/c.md", "shut/d.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")
    rules = [
        {"glob": "hr/pay/*", "readers": ["board"]},
        {"glob": "hr/*", "readers": ["people-team"]},
        {"glob": "shut/*", "readers": []},
    ]
    source = make(rules=rules)
    readers = [document(source, source_context, key).readers for key in ("a.md", "hr/b.md", "hr/pay/c.md", "shut/d.md")]
    assert readers == [EVERYONE, Readers.of(groups=["people-team"]), BOARD, Readers.nobody()]
    assert document(make(readers=[]), source_context, "a.md").readers == Readers.nobody()


def test_other_rules_are_seen_by_the_next_listing(make: Make, folder: Path, source_context: SourceContext) -> None:
    (folder / "a.md").write_text("text")
    tags = {next(iter(make(readers=who).list(source_context, None))).items[0] for who in (["everyone"], ["board"])}
    assert len(tags) == 2


@pytest.mark.parametrize(
    ("own", "found"),
    [("board", Readers.nobody()), ("everyone, guests", EVERYONE), ("everyone", EVERYONE), ("", Readers.nobody())],
)
def test_untrusted_authors_only_close(
    make: Make, folder: Path, source_context: SourceContext, own: str, found: Readers
) -> None:
    (folder / "a.md").write_text(f"---\nreaders: {own}\n---\ntext")
    assert document(make(), source_context, "a.md").readers == found


@pytest.mark.parametrize(
    ("name", "text"),
    [("people.json", '{"groups": {"board": ["ann"]}}'), ("people.toml", '[groups]\nboard = ["ann"]')],
)
def test_groups(make: Make, folder: Path, source_context: SourceContext, name: str, text: str) -> None:
    (folder / name).write_text(text)
    source = make(people=name)
    (group,) = source.groups(source_context)
    assert (group.name, sorted(group.people)) == ("board", ["ann"])
    (folder / name).write_text("{")
    with pytest.raises(StopSync, match=r"holds no groups: .* Groups stay as they were"):
        source.groups(source_context)


def test_links_to_files(make: Make, folder: Path, source_context: SourceContext) -> None:
    (folder / "a b.md").write_text("# What is C#?\ntext")
    plain = document(make(), source_context, "a b.md")
    assert (plain.title, plain.url) == ("What is C#?", (folder / "a b.md").as_uri())
    prefixed = document(make(url_prefix="https://wiki.example/docs/"), source_context, "a b.md")
    assert prefixed.url == "https://wiki.example/docs/a%20b.md"
