"""JSON lines: what is wrong is named with its line, the rest is read, and memory stays flat."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from citebot.errors import StopSync
from citebot.model import Document, Failed, Gone, Readers
from citebot.ports import PartContext, SourceContext
from citebot_connectors.sources.jsonl import JsonlSource
from citebot_connectors.sources.jsonl.catalogue import Catalogue

Make = Callable[..., JsonlSource]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "export.jsonl"


@pytest.fixture
def make(file: Path, tmp_path: Path) -> Make:
    def make(**settings: Any) -> JsonlSource:
        made = JsonlSource.Settings.model_validate({"path": file, **settings})
        return JsonlSource(made, PartContext(tmp_path))  # type: ignore[arg-type]

    return make


def write(file: Path, *lines: Any) -> None:
    raw = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    file.write_bytes(b"\n".join(raw) + b"\n")


def listed(source: JsonlSource, ctx: SourceContext) -> list[str]:
    return [item.id for batch in source.list(ctx, None) for item in batch.items]


def fetched(source: JsonlSource, ctx: SourceContext, key: str) -> Document | Gone | Failed:
    (answer,) = source.fetch(ctx, [key])
    return answer


def test_every_field(make: Make, file: Path, source_context: SourceContext) -> None:
    part = {"author": "bob", "created": "2026-01-03T10:00:00Z", "text": "Done.", "readers": ["it"], "anchor": "c1"}
    row = {
        "id": 7,
        "title": "VPN",
        "markdown": "# How",
        "text": "ignored",
        "url": "https://t.example/7",
        "readers": ["everyone", "person:ann"],
        "updated": "2026-01-02",
        "created": 1_700_000_000,
        "kind": "ticket",
        "authors": ["ann"],
        "language": "en",
        "path": "Network",
        "fields": {"status": "open", "points": 3},
        "parts": [part],
    }
    write(file, row)
    found = fetched(make(), source_context, "7")
    assert isinstance(found, Document)
    assert (found.body, found.format, found.kind, found.path) == ("# How", "markdown", "ticket", ("Network",))
    assert found.readers.principals == {"everyone", "person:ann"}
    assert found.fields == {"status": "open", "points": "3"}
    assert found.parts[0].readers == Readers.of(groups=["it"])
    assert found.updated is not None
    assert found.updated.tzinfo is not None


def test_bad_lines_are_named_and_the_rest_is_read(make: Make, file: Path, source_context: SourceContext) -> None:
    bad = [b"{not json", b"[1]", {"title": "no id"}, {"id": "a", "text": "again"}, b"\xff\xfe", {"id": "x" * 600}]
    bad += [b'{"id": "half \\ud800"}', b"[" * 100_000]
    write(file, {"_id": "a", "text": "1"}, b"", *bad, {"id": "b", "text": "2"})
    notes: list[str] = []
    ctx = SourceContext(**{**_facts(source_context), "progress": notes.append})
    source = make()
    assert listed(source, ctx) == ["a", "b"]
    assert notes[0].startswith("8 lines are not read: export.jsonl line 3: not JSON (")
    whys = Catalogue(ctx.state_dir).bad().examples
    assert [why.partition(": ")[0] for why in whys] == [f"export.jsonl line {number}" for number in range(3, 11)]
    assert "line 6: the id a was used before; the first line counts" in whys[3]
    assert [finding.ok for finding in source.check(ctx)] == [True, True, True]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"id": "a"}, "none of markdown, html, text"),
        ({"id": "a", "text": "t", "updated": "yesterday"}, "updated is not an ISO 8601 time: yesterday"),
        ({"id": "a", "text": "t", "updated": 1e30}, "updated is not an ISO 8601 time"),
        ({"id": "a", "text": "t", "readers": {"everyone": True}}, "readers is not a list of words"),
        ({"id": "a", "text": "t", "readers": [1]}, "readers is not a list of words"),
        ({"id": "a", "text": "t", "fields": []}, ""),
        ({"id": "a", "text": "t", "fields": ["x"]}, "fields is not an object"),
        ({"id": "a", "text": "t", "parts": ["x"]}, "parts is not a list of objects"),
    ],
)
def test_a_row_that_is_no_document(
    make: Make, file: Path, source_context: SourceContext, row: dict[str, Any], why: str
) -> None:
    write(file, row)
    answer = fetched(make(), source_context, "a")
    if why:
        assert isinstance(answer, Failed)
        assert answer.permanent
        assert why in answer.why
    else:
        assert isinstance(answer, Document)


def test_readers_that_are_missing_are_nobody(make: Make, file: Path, source_context: SourceContext) -> None:
    write(
        file,
        {"id": "a", "text": "t"},
        {"id": "b", "text": "t", "readers": []},
        {"id": "c", "text": "t", "readers": "everyone"},
    )
    found = [fetched(make(), source_context, key) for key in "abc"]
    assert [item.readers for item in found if isinstance(item, Document)] == [
        Readers.nobody(),
        Readers.nobody(),
        Readers.everyone(),
    ]
    opened = [fetched(make(default_readers=["everyone"]), source_context, key) for key in "ab"]
    assert [item.readers for item in opened if isinstance(item, Document)] == [Readers.everyone(), Readers.nobody()]


def test_what_may_be_in_a_bad_line_is_not_gone(make: Make, file: Path, source_context: SourceContext) -> None:
    write(file, {"id": "a", "text": "t"}, b'{"id": "b", "text": "cut o')
    source = make()
    listed(source, source_context)
    answer = fetched(source, source_context, "b")
    assert answer == Failed("b", "b is not in the file, but 1 of its lines cannot be read: it may be one of them.")
    write(file, {"id": "a", "text": "t"})
    assert fetched(source, source_context, "b") == Gone("b")


def test_a_file_that_changes_after_it_was_listed(make: Make, file: Path, source_context: SourceContext) -> None:
    write(file, *({"id": f"d{number}", "text": "old"} for number in range(5)))
    source = make()
    listed(source, source_context)
    for round_ in range(5):
        write(file, *({"id": f"d{number}", "text": f"new {round_}" * 3} for number in reversed(range(5))))
        answers = list(source.fetch(source_context, ["d1", "d4"]))
        if round_ < 3:
            assert [item.body for item in answers if isinstance(item, Document)] == [f"new {round_}" * 3] * 2
        else:
            assert all(isinstance(item, Failed) and not item.permanent for item in answers)


@pytest.mark.parametrize("kind", ["missing", "empty folder"])
def test_a_place_without_files(make: Make, tmp_path: Path, source_context: SourceContext, kind: str) -> None:
    place = tmp_path / "place"
    if kind != "missing":
        place.mkdir()
    source = make(path=place)
    with pytest.raises(StopSync, match="Nothing was removed"):
        listed(source, source_context)
    assert [finding.ok for finding in source.check(source_context)] == [False]


def test_a_damaged_catalogue_is_made_anew(make: Make, file: Path, source_context: SourceContext) -> None:
    write(file, {"id": "a", "text": "t"})
    listed(make(), source_context)
    (source_context.state_dir / "lines.sqlite").write_bytes(b"SQLite format 3\0 and then nothing")
    assert listed(make(), source_context) == ["a"]


def test_an_unchanged_file_is_not_read_again(make: Make, file: Path, source_context: SourceContext) -> None:
    write(file, {"id": "a", "text": "t"})
    files = [file]
    catalogue = Catalogue(source_context.state_dir)
    assert catalogue.refresh(files)
    assert not catalogue.refresh(files)


def test_memory_is_flat(make: Make, file: Path, source_context: SourceContext) -> None:
    with file.open("w") as out:
        out.writelines(json.dumps({"id": f"doc-{number}", "text": "words " * 20}) + "\n" for number in range(30_000))
    source = make()
    tracemalloc.start()
    count = sum(len(batch.items) for batch in source.list(source_context, None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 30_000
    assert peak < 3_000_000


def _facts(ctx: SourceContext) -> dict[str, Any]:
    return {name: getattr(ctx, name) for name in ("state_dir", "log", "stop", "now", "progress")}
