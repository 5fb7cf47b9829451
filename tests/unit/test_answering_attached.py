"""What of attached files goes along with a question, and what of it is searched with."""

from __future__ import annotations

from citebot.answering.attached import LOOKED_FOR, ROOM, best_lines, fitted
from citebot.answering.contextualise import Contextualiser
from citebot.model import Attachment, Audience, Conversation, Person, Question

LONG = "\n".join(f"step {n} done" for n in range(5_000))


def question(text: str, *attachments: Attachment) -> Question:
    place = Conversation("console", "1")
    return Question(text, Person("alice"), place, Audience(frozenset({"everyone"})), attachments=attachments)


def test_short_files_stay_whole_beside_a_long_one() -> None:
    short, long = Attachment("a.txt", "short"), Attachment("b.log", LONG)
    found = fitted("Why?", [long, short])
    assert (found[1], found[0].whole, found[0].name) == (short, False, "b.log")
    assert ROOM / 2 - 100 < sum(len(one.text) for one in found) <= ROOM


def test_all_files_together_fit_in_the_room() -> None:
    found = fitted("step 4000", [Attachment(f"{n}.log", LONG) for n in range(5)])
    assert sum(len(one.text) for one in found) <= ROOM
    assert all("step 4000 done" in one.text for one in found)


def test_the_lines_that_are_looked_for_have_to_do_with_the_question_or_tell_of_trouble() -> None:
    file = Attachment("x.log", "all well\nthe heron queue is full\nnothing here\nERR-4711 disk\n")
    assert best_lines("Why is the heron queue stuck?", [file]) == "the heron queue is full ERR-4711 disk"
    assert best_lines("Why?", [Attachment("x.txt", "nothing here")]) == ""
    assert len(best_lines("step", [Attachment("x.log", "step " * 9_000)])) <= LOOKED_FOR


async def test_a_question_stays_the_question_and_only_the_words_beside_it_grow() -> None:
    asked = question("Why is the queue stuck?", Attachment("x.log", "ERROR backlog of heron"))
    alone, standalone = await Contextualiser().run(question(asked.text)), await Contextualiser().run(asked)
    assert (standalone.text, standalone.search_text, standalone.terms) == (alone.text, alone.search_text, alone.terms)
    assert "heron" in standalone.context_text


async def test_a_question_without_words_of_its_own_is_looked_up_by_the_file() -> None:
    standalone = await Contextualiser().run(question("What is this?", Attachment("x.log", "ERROR backlog of heron")))
    assert "heron" in standalone.search_text
    assert "heron" in standalone.terms
