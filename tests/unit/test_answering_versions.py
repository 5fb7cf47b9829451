from __future__ import annotations

from datetime import datetime

from citebot.answering.collapse import NearDuplicates
from citebot.answering.lexical import Lexical
from citebot.answering.versions import Current, Versions
from citebot.answering.words import content_stems
from citebot.model import Passage, Readers, ScoredPassage

OLD, NEW = datetime(2024, 3, 4), datetime(2026, 2, 2)
QUESTION = "What is the hotel limit per night in Berlin?"


def hit(
    number: int, text: str, *, title: str = "Travel", updated: datetime | None = NEW, document: str = ""
) -> ScoredPassage:
    passage = Passage(
        id=number, source="wiki", document_id=document or f"d{number}", title=title, url="", anchor="", headings=(),
        text=text, kind="paragraph", position=0, readers=Readers.everyone(), updated=updated,
    )  # fmt: skip
    return ScoredPassage(passage, 1.0 / number)


async def current(*hits: ScoredPassage) -> Current:
    return await Versions().run(hits, Lexical(content_stems(QUESTION), hits))


async def test_the_older_of_two_versions_gives_way_wherever_it_ranks() -> None:
    old = hit(1, "The hotel limit is €140 per night in Berlin.", title="Travel policy (2024)", updated=OLD)
    new = hit(2, "The hotel limit in Berlin is €175 per night.", title="Travel")
    found = await current(old, new)
    assert [one.passage.id for one in found.passages] == [2]
    assert found.notes == {2: ("an older version says otherwise: “Travel policy (2024)” of 2024-03-04",)}
    assert found.superseded == (1,)


async def test_versions_are_known_by_the_name_of_the_page_too() -> None:
    old = hit(
        1, "Restart the queue at once in Berlin.", title="By hand", updated=OLD, document="runbooks/2024-queue.md"
    )
    new = hit(2, "Never restart the queue.", title="Runbook: queue", document="runbooks/queue.md")
    assert (await current(old, new)).superseded == (1,)


async def test_the_same_statement_with_another_number_is_a_contradiction() -> None:
    old = hit(1, "The hotel limit per night in Berlin is €140.", title="Expenses", updated=OLD)
    new = hit(2, "The hotel limit per night in Berlin is €175.", title="Travel")
    assert (await current(old, new)).superseded == (1,)


async def test_what_only_looks_alike_stays() -> None:
    rows = [
        hit(1, "The hotel limit per night in Berlin is €175.", title="Hotels", updated=OLD),
        hit(2, "Trains to Berlin take 9 hours in a night.", title="Trains"),
        hit(3, "The budget for parking at the hotel is €12.", title="Parking"),
    ]
    assert (await current(*rows)).superseded == ()


async def test_unknown_dates_and_one_document_never_contradict() -> None:
    first, second = "The hotel limit in Berlin is €140.", "The hotel limit in Berlin is €175."
    same = [hit(1, first, document="d", updated=OLD), hit(2, second, document="d")]
    assert (await current(*same)).superseded == ()
    undated = [hit(1, first, updated=None), hit(2, second)]
    assert (await current(*undated)).superseded == ()


async def test_the_minutes_of_two_days_are_not_versions() -> None:
    first = hit(
        1, "Hotels were discussed for 5 minutes.", title="Board 2026-01-10", updated=OLD, document="2026-01-10-board.md"
    )
    later = hit(2, "Hotel Berlin: 3 offers.", title="Board 2026-04-12", document="2026-04-12-board.md")
    assert (await current(first, later)).superseded == ()


async def test_copies_collapse_to_the_newest_in_the_place_of_the_best() -> None:
    text = "The hotel limit per night in Berlin is €175 with breakfast and tax."
    rows = [hit(1, text, updated=OLD), hit(2, f"{text} Yes."), hit(3, text.replace("175", "140"))]
    kept = await NearDuplicates().run(rows, Lexical(content_stems(QUESTION), rows))
    assert [(one.passage.id, one.score) for one in kept] == [(2, rows[0].score), (3, rows[2].score)]
