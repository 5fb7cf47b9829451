"""The sample company is what its README says: readable, consistent, and every question's gold can be checked."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import citebot
from citebot.model import EVERYONE, group_principal, person_principal

SAMPLE = Path(citebot.__file__).parent / "sample"
FOLDERS = ("handbook", "engineering", "runbooks", "product", "meetings", "text", "de")
REAL_COMPANIES = re.compile(
    r"\b(google|microsoft|amazon|slack|github|gitlab|atlassian|notion|oracle|netflix|facebook|openai|anthropic|zoom"
    r"|dropbox|salesforce|hubspot|stripe|twilio|docker|cloudflare|hetzner|siemens|pfizer|tesla|lidl|aldi|ryanair)\b"
)


@dataclass(frozen=True, slots=True)
class Text:
    """A stretch of text with its own readers: a document, or a private note."""

    body: str
    readers: frozenset[str]


def read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines()]


def read_json(name: str) -> Any:
    return json.loads((SAMPLE / name).read_text(encoding="utf-8"))


def paths() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (SAMPLE / folder).iterdir())


def split(path: Path) -> tuple[dict[str, str], str]:
    """Front matter and body of a document."""
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return dict(line.split(": ", 1) for line in head.splitlines()), body


def principal(reader: str) -> str:
    return reader if reader == EVERYONE or ":" in reader else group_principal(reader)


def principals_of(person: str) -> frozenset[str]:
    people = read_json("people.json")
    guest = next(entry for entry in people["people"] if entry["id"] == person).get("guest", False)
    groups = {group_principal(name) for name, members in people["groups"].items() if person in members}
    return frozenset({person_principal(person), *groups, *(() if guest else (EVERYONE,))})


@cache
def texts() -> dict[str, list[Text]]:
    """Every document id with its separately readable texts."""
    found: dict[str, list[Text]] = {}
    for path in paths():
        head, body = split(path)
        readers = frozenset(principal(reader.strip()) for reader in head["readers"].split(","))
        found[path.relative_to(SAMPLE).as_posix()] = [Text(body, readers)]
    for ticket in read_lines("tickets.jsonl"):
        readers = frozenset(ticket["readers"])
        parts = [Text(part["markdown"], frozenset(part.get("readers", readers))) for part in ticket["parts"]]
        found[ticket["id"]] = [Text(f"{ticket['title']}\n{ticket['markdown']}", readers), *parts]
    return found


def sentence_is_readable(sentence: str, question: Mapping[str, Any], documents: Mapping[str, list[Text]]) -> bool:
    """Whether the asker may read the sentence where the gold documents have it word for word."""
    asker = principals_of(question["person"])
    gold = (text for name in question["gold_documents"] for text in documents[name])
    return any(sentence in text.body and not asker.isdisjoint(text.readers) for text in gold)


def test_the_whole_folder_fits_its_size_limit() -> None:
    files = [path for path in SAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= 600_000


def test_there_are_documents_of_every_kind() -> None:
    counts = Counter(path.parent.name for path in paths())
    assert all(counts[folder] >= least for folder, least in zip(FOLDERS, (25, 25, 15, 20, 12, 4, 8), strict=True))
    assert len(read_lines("tickets.jsonl")) == 25
    assert {path.suffix for path in paths()} == {".md", ".txt"}


@pytest.mark.parametrize("path", paths(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_front_matter_is_complete(path: Path) -> None:
    head, body = split(path)
    people = {entry["id"] for entry in read_json("people.json")["people"]}
    allowed = {EVERYONE, *read_json("people.json")["groups"], *(person_principal(person) for person in people)}
    assert head.keys() - {"language"} == {"title", "readers", "updated", "authors", "url"}
    assert {reader.strip() for reader in head["readers"].split(",")} <= allowed
    assert {author.strip() for author in head["authors"].split(",")} <= people
    assert date(2023, 1, 1) < date.fromisoformat(head["updated"]) < date(2026, 8, 1)
    assert head["url"] == f"https://wiki.aurvane.example/{path.parent.name}/{path.stem}"
    assert (head.get("language") == "de") == (path.parent.name == "de")
    assert 140 <= len(body.split()) <= 900


def test_links_between_documents_lead_somewhere() -> None:
    for path in paths():
        for target in re.findall(r"\]\(([^)#:]+)\)", split(path)[1]):
            assert (path.parent / target).resolve().is_file(), f"{path.name} links to {target}"


def test_tickets_have_dates_authors_and_private_notes() -> None:
    people = {entry["id"] for entry in read_json("people.json")["people"]}
    private = 0
    for ticket in read_lines("tickets.jsonl"):
        parts = ticket["parts"]
        when = [datetime.fromisoformat(part["created"]) for part in parts]
        assert when == sorted(when)
        assert when[-1] <= datetime.fromisoformat(ticket["updated"])
        assert {*ticket["authors"], *(part["author"] for part in parts)} <= people
        assert len({part["anchor"] for part in parts}) == len(parts)
        assert ticket["fields"].keys() == {"status", "priority", "component"}
        private += sum("readers" in part for part in parts)
    assert private >= 6


def test_people_and_groups_agree() -> None:
    people = read_json("people.json")
    names = [entry["id"] for entry in people["people"]]
    assert len(names) == len(set(names)) >= 25
    assert people["groups"].keys() == {"engineering", "people-team", "board", "guests"}
    assert {name for members in people["groups"].values() for name in members} <= set(names)
    assert {entry["id"] for entry in people["people"] if entry.get("guest")} == set(people["groups"]["guests"])


def test_questions_are_150_of_six_kinds() -> None:
    questions = read_lines("questions.jsonl")
    kinds = Counter(question["kind"] for question in questions)
    wanted = {"answerable": 60, "multi": 15, "followup": 20, "unanswerable": 25, "restricted": 18, "conflict": 12}
    assert kinds == wanted
    assert [question["id"] for question in questions] == [f"q{number:03d}" for number in range(1, 151)]
    assert all(bool(question["history"]) == (question["kind"] == "followup") for question in questions)


@pytest.mark.parametrize("question", read_lines("questions.jsonl"), ids=lambda question: str(question["id"]))
def test_gold_is_verbatim_and_readable_for_the_asker(question: dict[str, Any]) -> None:
    documents = texts()
    names, sentences = question["gold_documents"], question["gold_sentences"]
    assert names == [name for name in names if name in documents]
    assert all(sentence_is_readable(sentence, question, documents) for sentence in sentences)
    assert all(any(s in text.body for s in sentences for text in documents[name]) for name in names)
    assert bool(names) == bool(sentences) == bool(question["answer"])
    assert bool(names) != (question["kind"] == "unanswerable") or question["kind"] == "restricted"
    assert len(names) >= 2 or question["kind"] != "multi"


def test_restricted_questions_come_in_pairs_and_the_second_asker_may_not_read_the_gold() -> None:
    documents = texts()
    restricted = [question for question in read_lines("questions.jsonl") if question["kind"] == "restricted"]
    for allowed, denied in zip(restricted[::2], restricted[1::2], strict=True):
        assert allowed["question"] == denied["question"]
        assert allowed["gold_documents"]
        assert not denied["gold_documents"]
        asked_by_the_other = {**allowed, "person": denied["person"]}
        assert not any(sentence_is_readable(s, asked_by_the_other, documents) for s in allowed["gold_sentences"])


def test_old_and_new_versions_are_told_apart_by_date_and_asked_about() -> None:
    pairs = read_json("pairs.json")
    asked = [question["gold_documents"] for question in read_lines("questions.jsonl") if question["kind"] == "conflict"]
    assert len(pairs["conflicts"]) >= 8
    for old, new in pairs["conflicts"]:
        assert split(SAMPLE / old)[0]["updated"] < split(SAMPLE / new)[0]["updated"]
        assert not any(old in gold for gold in asked)
    assert all(any(new in gold for _, new in pairs["conflicts"]) for gold in asked)


def test_near_duplicates_share_most_of_their_words() -> None:
    pairs = read_json("pairs.json")["near_duplicates"]
    assert len(pairs) >= 5
    for one, other in pairs:
        left, right = (set(re.findall(r"\w+", split(SAMPLE / name)[1].lower())) for name in (one, other))
        assert len(left & right) / min(len(left), len(right)) > 0.5, f"{one} and {other} differ too much"


def test_no_real_company_is_named() -> None:
    everything = " ".join(path.read_text(encoding="utf-8").lower() for path in SAMPLE.rglob("*.*") if path.is_file())
    assert not REAL_COMPANIES.findall(everything)


def test_the_demo_asks_a_person_of_the_company() -> None:
    demo = read_json("demo.json")
    assert demo["person"] in {entry["id"] for entry in read_json("people.json")["people"]}
    assert demo["first"].endswith("?")
    assert len(demo["suggestions"]) == len(set(demo["suggestions"])) == 6
