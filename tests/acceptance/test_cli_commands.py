"""Every command: it explains itself, answers people and programs, and ends with the right code."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from citebot.cli.root import COMMANDS, cli
from citebot.model import Conversation, Person, Readers
from citebot.storage import Database, curated

CONVERSATION = "chat"
"""Comes from a plugin, and prints what people read."""
OF_PLUGINS = {"discord", "slack"}

DISCORD_TOKEN = f"{base64.b64encode(b'123456789012345678').decode()}.abc.def"
"""As Discord writes one: what stands before the first dot is the id of the app."""


def leaves(
    command: click.Command, path: tuple[str, ...] = (), parent: click.Context | None = None
) -> Iterator[tuple[str, ...]]:
    if isinstance(command, click.Group):
        context = click.Context(command, parent, info_name=path[-1] if path else "citebot")
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from leaves(inner, (*path, name), context)
    else:
        yield path


LEAVES = sorted(leaves(cli))


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """A data set of three documents and two questions."""
    folder = tmp_path / "tiny"
    (folder / "qrels").mkdir(parents=True)
    texts = {"owls": "Owls hunt mice at night.", "bees": "Bees make honey.", "ants": "Ants carry leaves."}
    rows = [{"_id": key, "title": key, "text": text} for key, text in texts.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    questions = [{"_id": "1", "text": "What do owls hunt?"}, {"_id": "2", "text": "Who makes honey?"}]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\towls\t1\n2\tbees\t1\n")
    return folder


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """One question with its reference answer."""
    row = {
        "id": "1",
        "kind": "answerable",
        "question": "How many days of annual leave do I get?",
        "person": "alice",
        "answer": "26 days.",
        "gold_documents": ["handbook/leave.md"],
        "gold_sentences": [],
    }
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return path


@pytest.fixture
def curated_answer(company: Any) -> int:
    """The number of an answer that somebody has written."""
    with closing(Database(f"sqlite:///{company.folder / 'citebot.db'}")) as database, database.write() as tx:
        number = curated.add(
            tx,
            question="Who refills the coffee machine?",
            text="Dana refills it.",
            author=Person("dana"),
            url="",
            readers=Readers.everyone(),
            place=Conversation("slack", "C1", "T1"),
            message_id="1.0",
        )
    assert number is not None
    return number


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...], citebot: Any) -> None:
    result = citebot(*path, "--help")

    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    about = result.stdout.split("Options:")[0]
    assert len(about.splitlines()) >= 4
    if path[0] in COMMANDS and path[:2] != ("source", "add"):
        assert f"citebot {path[0]}" in about or f" {' '.join(path)}" in about.split("Example")[1]


def test_the_list_of_commands_is_never_cut_to_nothing(citebot: Any) -> None:
    listed = citebot("--help").stdout.split("Commands:")[1].splitlines()

    names = {line.split()[0] for line in listed if line.strip()}
    assert names == {*COMMANDS, CONVERSATION, *OF_PLUGINS}


WITH_JSON: dict[str, tuple[str, ...]] = {
    "answers list": (),
    "answers show": ("{answer}",),
    "ask": ("How many days of annual leave do I get?",),
    "audit list": (),
    "budget": (),
    "completion": ("bash",),
    "config schema": (),
    "config show": (),
    "conversation list": (),
    "conversation reset": ("slack",),
    "conversation set": ("slack", "tone=brief"),
    "conversation show": ("slack",),
    "curated edit": ("{curated}", "--for-everyone"),
    "curated list": (),
    "curated remove": ("{curated}",),
    "curated show": ("{curated}",),
    "db backup": ("{beir}/new.db",),
    "db check": (),
    "db current": (),
    "db restore": ("{beir}/it.db", "--yes"),
    "db restored": (),
    "db tombstones": ("{beir}/removed.log",),
    "db upgrade": (),
    "demo": ("--once",),
    "discord invite": (),
    "doctor": (),
    "eval answers": ("--questions", "{questions}"),
    "eval run": ("--dataset", "{beir}"),
    "index plan": ("--documents", "1000000"),
    "index privileges": (),
    "index purge": (),
    "index rebuild": (),
    "index status": (),
    "plugins list": (),
    "plugins show": ("files",),
    "search": ("annual leave",),
    "secrets rotate": (),
    "secrets status": (),
    "slack manifest": (),
    "source add files": ("--name", "more", "--path", "{beir}", "--include", "*.jsonl"),
    "source add git": ("--name", "more", "--url", "{beir}/none.git", "--no-check"),
    "source add jsonl": ("--name", "more", "--path", "{beir}/corpus.jsonl"),
    "source add mediawiki": ("--name", "more", "--url", "https://wiki.example", "--no-check"),
    "source add redmine": ("--name", "more", "--url", "https://tracker.example", "--key", "k" * 40, "--no-check"),
    "source add website": ("--name", "more", "--url", "https://site.example", "--no-check"),
    "source check": ("company",),
    "source confirm": ("company",),
    "source list": (),
    "source new": ("intranet",),
    "source pause": ("company",),
    "source remove": ("company", "--yes"),
    "source retry": ("company",),
    "source schedule": ("company", "--every", "15m"),
    "source show": ("company",),
    "source sync": ("tickets",),
    "source trust": ("company", "open"),
    "source types": (),
}
NO_JSON = {CONVERSATION, "dev", "serve", "slack doctor", "index switch", "index drop"}
"""A conversation; servers, whose logs are JSON lines instead; a check that fails without tokens of Slack's; and what an
index can do that is built beside another (`test_cli_index.py`)."""
EMPTY = {"audit list", "conversation list"}
"""Nothing was changed yet."""


def test_no_command_is_left_out() -> None:
    assert {" ".join(path) for path in LEAVES} == {*WITH_JSON, *NO_JSON}


@pytest.mark.parametrize("name", WITH_JSON)
def test_every_command_speaks_json(
    name: str,
    company: Any,
    beir: Path,
    questions: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CITEBOT_PLATFORM__DISCORD__BOT_TOKEN", DISCORD_TOKEN)
    answer = company.json("answers", "list")[0]["id"]
    # Only there: the doctor finds fault with a source that was never read.
    number = request.getfixturevalue("curated_answer") if name.startswith("curated") else 0
    values = {"answer": answer, "beir": beir, "questions": questions, "curated": number}
    given = [part.format(**values) for part in WITH_JSON[name]]
    if name == "db restore":
        assert company("db", "backup", given[0]).exit_code == 0

    result = company(*name.split(), *given, "--json")

    assert result.exit_code == 0, result.stderr
    assert bool(json.loads(result.stdout)) is (name not in EMPTY)
    assert result.stderr == ""


def test_the_life_of_a_source(citebot: Any, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "bikes.md").write_text("# Bicycles\n\nThe company pays 40 euros a month for a leased bicycle.\n")
    (docs / "cats.md").write_text("# Cats\n\nThe office cat is called Mina.\n")

    added = citebot("source", "add", "files", "--name", "docs", "--path", str(docs))
    assert added.exit_code == 0
    assert "citebot source sync docs" in added.stdout
    assert "never" in citebot("source", "list").stdout
    synced = citebot("source", "sync")
    assert "2 saved" in synced.stderr

    asked = citebot("ask", "How much does the company pay for a leased bicycle?")
    assert "40 euros a month" in asked.stdout
    assert asked.stdout.index("40 euros") < asked.stdout.index("[1] Bicycles")

    assert citebot.json("source", "pause", "docs") == {"name": "docs", "paused": True}
    nothing = citebot("source", "sync")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert citebot("source", "pause", "docs", "--resume").exit_code == 0

    kept = citebot("source", "remove", "docs", stdin="n\n")
    assert (kept.exit_code, "Nothing was removed" in kept.stderr) == (1, True)
    assert citebot("source", "remove", "docs", stdin="y\n").exit_code == 0
    assert citebot.json("index", "purge")["passages"] == 0
    assert "I don't know" in citebot("ask", "What is the office cat called?").stdout


def test_a_refusal_is_printed_though_nothing_was_streamed(company: Any) -> None:
    result = company("ask", "Which colour is the moon of Endor?")

    assert result.exit_code == 0
    assert result.stdout.startswith("I don't know")


def test_streamed_or_not_the_text_is_the_same(company: Any) -> None:
    question = "How many days of annual leave do I get?"

    streamed, whole = (company("ask", flag, question).stdout for flag in ("--stream", "--no-stream"))

    assert "26 days" in whole
    assert streamed.split("Confidence")[0] == whole.split("Confidence")[0]


def test_people_see_what_is_theirs(company: Any) -> None:
    hits = {
        person: {hit["document"] for hit in company.json("search", "-k", "200", "--as", person, "salary bands")["hits"]}
        for person in ("mara", "nobody@elsewhere")
    }

    assert hits["nobody@elsewhere"] < hits["mara"]


def test_an_answer_can_be_looked_at_later(company: Any) -> None:
    asked = company.json("ask", "--as", "alice", "How many days of annual leave do I get?")

    listed = company("answers", "list", "-n", "1").stdout
    shown = company("answers", "show", asked["id"]).stdout

    assert asked["id"] in listed
    assert asked["text"] in shown
    assert "asked by alice" in shown
    assert "retrieve" in shown


def test_the_retrieval_of_a_data_set_is_measured_apart(company: Any, beir: Path, tmp_path: Path) -> None:
    run = tmp_path / "tiny.run"

    result = company("eval", "run", "--dataset", str(beir), "--run-file", str(run))

    assert result.exit_code == 0, result.stderr
    assert run.read_text().startswith("1 Q0 owls 1 ")
    assert {source["name"] for source in company.json("source", "list")} == {"company", "tickets"}


def test_doctor_says_what_to_mend(citebot: Any, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# A\n\nText.\n")
    citebot("source", "add", "files", "--name", "docs", "--path", str(docs))

    never_read = citebot("doctor")
    citebot("source", "sync")
    well = citebot("doctor")
    (docs / "a.md").unlink()
    docs.rmdir()
    gone = citebot("doctor")

    assert (never_read.exit_code, well.exit_code, gone.exit_code) == (1, 0, 1)
    assert "→ citebot source sync docs" in never_read.stdout
    assert str(docs) in gone.stdout


def test_settings_of_a_conversation_are_made_shown_and_taken_back_with_an_audit_line_each(citebot: Any) -> None:
    assert citebot("conversation", "set", "slack", "tone=brief", "per_day=9").stdout == "slack: tone=brief, per_day=9\n"
    citebot("conversation", "set", "slack:T1:C1", "answers=all", "muted=true")
    shown = citebot.json("conversation", "show", "slack:T1:C1")
    assert (shown["settings"]["tone"], shown["settings"]["answers"]) == ("brief", "all")
    assert shown["origins"] == {"tone": "slack", "per_day": "slack", "answers": "slack:T1:C1", "muted": "slack:T1:C1"}
    assert citebot("conversation", "reset", "slack", "tone").stdout == "slack: per_day=9\n"
    assert citebot("conversation", "reset", "slack").stdout == "slack: nothing is set\n"
    assert [row["place"] for row in citebot.json("conversation", "list")] == ["slack:T1:C1"]
    lines = citebot.json("audit", "list")
    assert [line["action"].partition(".")[2] for line in lines] == ["reset", "reset", "set", "set"]
    assert (lines[0]["place"], lines[0]["before"], lines[0]["after"]) == ("command line", {"per_day": 9}, {})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("set", "slack", "tone=loud"), "“conversation.tone”: input should be 'brief', 'normal' or 'detailed'"),
        (("set", "slack", "volume=3"), "There is no setting “conversation.volume”"),
        (("set", "slack", "tone"), "“tone” sets nothing"),
        (("set", "slack", "sources=wiki"), "There is no source “wiki”. Known: none yet."),
        (("set", ":T1", "tone=brief"), "“:T1” is no place"),
        (("reset", "slack", "volume"), "There is no setting “volume”"),
    ],
)
def test_a_wrong_setting_of_a_conversation_is_one_line(
    arguments: tuple[str, ...], complaint: str, citebot: Any
) -> None:
    done = citebot("conversation", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"citebot: {complaint}")
    assert done.stderr.count("\n") == 1


def test_the_list_of_sources_says_when_each_is_read_next_and_which_is_late(company: Any) -> None:
    def rows() -> dict[str, Any]:
        return {row["name"]: row for row in company.json("source", "list")}

    assert rows()["tickets"]["late"] is False
    assert rows()["tickets"]["due"] > rows()["tickets"]["synced"]
    with closing(sqlite3.connect(company.folder / "citebot.db")) as database, database:
        database.execute("UPDATE source SET synced_at = datetime(synced_at, '-1 hour') WHERE name = 'tickets'")
    assert [rows()[name]["late"] for name in ("company", "tickets")] == [False, True]
    assert "late" in company("source", "list").stdout
    assert company("source", "pause", "tickets").exit_code == 0
    assert (rows()["tickets"]["late"], rows()["tickets"]["due"]) == (False, None)
