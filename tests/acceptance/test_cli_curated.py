"""`citebot curated`: an admin lists, shows, edits and removes what people wrote, and answers follow."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from citebot.model import Conversation, Person, Readers
from citebot.storage import Database, curated

QUESTION = "Who refills the coffee machine?"


@pytest.fixture
def saved(citebot: Any) -> Any:
    """The command line with one answer, for its channel alone."""
    assert citebot("db", "upgrade").exit_code == 0
    with closing(Database(f"sqlite:///{citebot.folder / 'citebot.db'}")) as database, database.write() as tx:
        curated.add(
            tx,
            question=QUESTION,
            text="Dana refills the coffee machine every Monday.",
            author=Person("dana@example.com", "Dana"),
            url="https://acme.slack.com/archives/C1/p1",
            readers=Readers(frozenset({"channel:slack:T1:C1"})),
            place=Conversation("slack", "C1", "T1"),
            message_id="1.0",
        )
    return citebot


def test_an_answer_is_listed_and_shown_with_who_wrote_it_and_for_whom(saved: Any) -> None:
    assert QUESTION in saved("curated", "list").stdout
    shown = saved("curated", "show", "1").stdout
    assert "every Monday" in shown
    assert "written by Dana" in shown
    assert "for channel:slack:T1:C1" in shown


def test_only_an_admin_opens_it_to_everyone_and_what_is_removed_answers_nothing(saved: Any) -> None:
    def found() -> list[str]:
        return [hit["text"] for hit in saved.json("search", QUESTION)["hits"]]

    assert saved("source", "sync").exit_code == 0
    assert found() == []
    assert saved("curated", "edit", "1", "--for-everyone", "--text", "Ann refills it.").stdout == (
        "Changed 1: readers, text.\n"
    )
    saved("source", "sync")
    assert found() == ["Ann refills it."]
    assert saved.json("curated", "edit", "1", "--for-channel")["readers"] == ["channel:slack:T1:C1"]
    saved("source", "sync")
    assert found() == []
    saved("curated", "edit", "1", "--for-everyone")
    saved("source", "sync")
    assert saved("curated", "remove", "1").exit_code == 0
    assert found() == []
    assert saved.json("audit", "list")[0]["action"] == "curated.remove"
    assert "Ann" not in str(saved.json("audit", "list"))


@pytest.mark.parametrize("arguments", [("show", "7"), ("edit", "7", "--text", "x"), ("remove", "7")])
def test_a_number_that_is_not_there_is_said(arguments: tuple[str, ...], saved: Any) -> None:
    done = saved("curated", *arguments)
    assert (done.exit_code, done.stderr) == (
        1,
        "citebot: There is no answer 7. “citebot curated list” shows the numbers.\n",
    )


def test_an_edit_that_changes_nothing_is_refused(saved: Any) -> None:
    assert saved("curated", "edit", "1").exit_code == 2
    assert saved("curated", "edit", "1", "--for-everyone", "--for-channel").exit_code == 2
