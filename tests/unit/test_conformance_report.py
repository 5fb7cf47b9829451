"""What came of the conformance kit, for people and for programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from citebot.testing.sources.catalogue import CHECKS
from citebot.testing.sources.checking import Result, without
from citebot.testing.sources.report import Summary, as_html, as_json

BY_ID = {check.id: check for check in CHECKS}
HOSTILE = '<script>alert("1")</script> & more'


def row(id: str, outcome: Any = "passed", what: str = "", requests: tuple[str, ...] = (), place: str = "w") -> Any:
    return as_json(Result(BY_ID[id], outcome, what, 0.125, requests), place)


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and whether all are closed again."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_result_is_json_with_everything_in_it() -> None:
    failed = row("F4", "failed", "It goes.", ("GET http://w/ → 500",))
    assert json.loads(json.dumps(failed)) == {
        "place": "w",
        "id": "F4",
        "group": "Safety",
        "title": BY_ID["F4"].title,
        "why": BY_ID["F4"].why,
        "outcome": "failed",
        "what": "It goes.",
        "seconds": 0.12,
        "requests": ["GET http://w/ → 500"],
    }


def test_a_summary_counts() -> None:
    rows = [row("A1"), row("A2", "failed"), row("A3"), row("A6", "left out")]
    assert str(Summary.of(rows)) == "2 passed, 1 failed, 1 left out"


def test_a_page_shows_groups_in_order_and_what_failed_with_why_and_requests() -> None:
    rows = [row("F4", "failed", "Documents go.", ("GET /x → 500",)), row("A1"), row("A6", "left out", "no secrets")]
    page = as_html(rows, title="Conformance")
    assert page.index("A Shape") < page.index(">A1<") < page.index(">A6<") < page.index("F Safety") < page.index(">F4<")
    for words in ("1 passed, 1 failed, 1 left out", "Documents go.", BY_ID["F4"].why, "GET /x → 500", "no secrets"):
        assert words in page
    assert BY_ID["A1"].why not in page


def test_a_page_is_well_formed_and_brings_nothing_from_elsewhere() -> None:
    tags = Tags(as_html([row(check.id, "failed", "Why not", ("GET /",)) for check in CHECKS], title="All"))
    assert tags.open == []
    assert {tag for tag, _ in tags.found}.isdisjoint({"script", "link", "img", "iframe", "a", "form", "object"})
    assert not [name for _, attributes in tags.found for name in attributes if name in ("src", "href", "onclick")]


def test_what_a_source_says_is_no_markup() -> None:
    page = as_html([row("F4", "failed", HOSTILE, (HOSTILE,), place=HOSTILE)], title=HOSTILE)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5  # title, heading, place, what, requests
    assert Tags(page).open == []


def test_no_secret_is_in_a_result_however_it_is_written() -> None:
    told = without(["a b/c+d"], "GET /a b/c+d /a%20b%2Fc%2Bd /a+b%2Fc%2Bd token=hunter2hunter2")
    assert not re.search(r"a.{1,3}b|hunter2", told)


CONFORMING = """
from citebot import Batch, Document, Gone, Readers, Ref, SourceSpec
from citebot.ports import NoSettings
from citebot.testing.contract_source import SourceContract


class Shelf:
    name, summary, Settings, spec = "shelf", "Books", NoSettings, SourceSpec()
    books = {}

    def list(self, ctx, cursor):
        yield Batch(tuple(Ref(key, text) for key, (_, text) in self.books.items()))

    def fetch(self, ctx, ids):
        for key in ids:
            title, text = self.books.get(key, ("", ""))
            yield Document(key, title, text, Readers.everyone()) if title else Gone(key)


class Lab:
    def __init__(self):
        self.shelf = Shelf()
        self.shelf.books = {}

    def source(self, state_dir):
        return self.shelf

    def create(self, title, text, readers):
        key = f"b{len(self.shelf.books)}"
        self.shelf.books[key] = (title, text)
        return key

    def edit(self, key, text):
        self.shelf.books[key] = (self.shelf.books[key][0], text)

    def delete(self, key):
        del self.shelf.books[key]


class TestShelf(SourceContract):
    def make_lab(self, folder):
        return Lab()
"""


def test_pytest_writes_the_report_of_an_author(tmp_path: Path) -> None:
    (tmp_path / "test_shelf.py").write_text(CONFORMING)
    options = ("-q", "-p", "no:cacheprovider", "--conformance-report", "report", "-k", "A1 or A2 or A7 or B1")
    command = [sys.executable, "-m", "pytest", *options, "test_shelf.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert "3 passed, 1 skipped" in done.stdout, done.stdout
    rows = [json.loads(line) for line in (tmp_path / "report" / "results.jsonl").read_text().splitlines()]
    assert {(r["place"], r["id"], r["outcome"]) for r in rows} == {
        *(("TestShelf", id, "passed") for id in ("A1", "A2", "B1")),
        ("TestShelf", "A7", "left out"),
    }
    assert "<h2>TestShelf</h2><p>3 passed, 0 failed, 1 left out</p>" in (tmp_path / "report/report.html").read_text()
