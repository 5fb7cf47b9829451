"""A very small company for `ScriptedDesk`: three documents, and answers that show all a platform can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from citebot.model import BlockKind, Citation, CitationAdded, Passage, Readers, Status, TextDelta
from citebot.ports import DocumentView, Inbound, SourceStatus
from citebot.testing.scripted_desk import Finish, GiveUp, Pause, Script, ScriptedDesk, Step

SYNCED = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=3)

_DOCUMENTS: dict[str, tuple[str, str, tuple[str, ...], list[tuple[str, BlockKind, str]]]] = {
    "travel": (
        "Travel and expenses",
        "https://wiki.example.com/handbook/travel",
        ("Handbook", "Working here"),
        [
            ("", "paragraph", "We travel when it helps a customer or a team, and we book early."),
            (
                "Booking",
                "paragraph",
                "Trains and hotels are booked by the office. Write to travel@example.com at least five days ahead. "
                "Flights need the approval of your lead.",
            ),
            (
                "Daily allowance",
                "paragraph",
                "The daily allowance inside the country is 28 euros for a full day and 14 euros for the days of "
                "arrival and departure. Breakfast in the hotel reduces it by 5.60 euros.",
            ),
            (
                "Daily allowance",
                "table",
                "Country | Full day | Arrival and departure\nGermany | 28 € | 14 €\n"
                "France | 40 € | 27 €\nJapan | 52 € | 35 €",
            ),
            (
                "Receipts",
                "paragraph",
                "Hand in receipts within four weeks. Photos are enough; keep the paper for a year.",
            ),
        ],
    ),
    "runbook": (
        "Runbook: restoring the billing database",
        "https://wiki.example.com/engineering/runbooks/billing-restore",
        ("Engineering", "Runbooks"),
        [
            (
                "Before you start",
                "paragraph",
                "Tell the on-call channel. Restoring takes about 40 minutes for the production size of 2026.",
            ),
            (
                "Steps",
                "code",
                "pg_restore --jobs 4 --clean --if-exists \\\n"
                "  --dbname billing /backups/billing-latest.dump\nbillctl verify --since 24h",
            ),
            ("Steps", "paragraph", "`billctl verify` must report 0 mismatches before traffic goes back."),
        ],
    ),
    "onboarding": (
        "Your first week",
        "file:///srv/handbook/onboarding.md",
        ("Handbook",),
        [("Day one", "paragraph", "You get a laptop, a badge and a buddy. Lunch is on us.")],
    ),
}


def handbook_passages() -> list[Passage]:
    """All passages; ids count from 1."""
    made: list[Passage] = []
    for key, (title, url, path, pieces) in _DOCUMENTS.items():
        for position, (heading, kind, text) in enumerate(pieces):
            made.append(
                Passage(
                    id=len(made) + 1,
                    source="wiki" if key == "runbook" else "handbook",
                    document_id=key,
                    title=title,
                    url=url,
                    anchor=heading.lower().replace(" ", "-"),
                    headings=(heading,) if heading else (),
                    text=text,
                    kind=kind,
                    position=position,
                    readers=Readers.everyone(),
                    path=path,
                    updated=datetime(2026, 9, 14, 8, 30),
                    synced=SYNCED,
                )
            )
    return made


def handbook_documents() -> dict[int, DocumentView]:
    """The document around each passage."""
    passages = handbook_passages()
    views: dict[int, DocumentView] = {}
    for passage in passages:
        around = tuple(other for other in passages if other.document_id == passage.document_id)
        views[passage.id] = DocumentView(
            passage.source, passage.document_id, passage.title, passage.url, passage.path, passage.updated, around
        )
    return views


def handbook_sources() -> list[SourceStatus]:
    """Two sources, one of them with a little trouble."""
    return [
        SourceStatus("handbook", "files", documents=84, passages=412, synced=SYNCED),
        SourceStatus("wiki", "files", documents=231, passages=1904, synced=SYNCED - timedelta(hours=5), parked=2),
    ]


def handbook_script(pause: Callable[[Inbound], Pause | None] = lambda inbound: None) -> Script:
    """Answers by keyword: allowance, restore, first day; `fail` gives up; anything else is not known.

    `pause` may return a pause to wait at in the middle of the allowance answer.
    """
    passages = handbook_passages()
    allowance = Citation(
        1,
        passages[2],
        (
            "The daily allowance inside the country is 28 euros for a full day and 14 euros "
            "for the days of arrival and departure.",
        ),
    )
    table = Citation(2, passages[3])
    steps = Citation(1, passages[6])
    verify = Citation(2, passages[7], ("billctl verify must report 0 mismatches before traffic goes back.",))
    badge = Citation(1, passages[8], ("You get a laptop, a badge and a buddy.",))

    def script(inbound: Inbound) -> Iterator[Step]:
        asked = inbound.text.lower()
        yield Status("searching", "Searching 2 sources")
        yield Status("reading", "Reading 6 passages from 3 documents")
        if "fail" in asked:
            yield GiveUp("The search is not answering at the moment. Please try again in a minute.")
            return
        if "allowance" in asked or "breakfast" in asked:
            yield from _allowance(inbound, pause(inbound), allowance, table)
        elif "restore" in asked:
            yield from _restore(steps, verify)
        elif "first day" in asked:
            yield CitationAdded(badge)
            yield TextDelta("You get a laptop, a badge and a **buddy** [1].")
            yield Finish(citations=(badge,))
        else:
            yield Finish(
                text="I don't know. I found nothing in your sources that answers this.",
                answered=False,
                closest=(allowance, steps, badge),
            )

    return script


def _allowance(inbound: Inbound, pause: Pause | None, allowance: Citation, table: Citation) -> Iterator[Step]:
    yield Status("writing", "Writing")
    yield CitationAdded(allowance)
    follow_up = " Breakfast in the hotel takes **5.60 euros** off [1]." if inbound.history else ""
    yield TextDelta(
        "Inside the country you get **28 euros** for a full day and **14 euros** "
        f"for the days of arrival and departure [1].{follow_up}\n\n"
    )
    if pause is not None:
        yield pause
    yield CitationAdded(table)
    yield TextDelta(
        "Abroad it depends on the country [2]:\n\n| Country | Full day | Arrival and departure |\n"
        "| --- | --- | --- |\n| Germany | 28 € | 14 € |\n| France | 40 € | 27 € |\n| Japan | 52 € | 35 € |\n\n"
    )
    yield TextDelta("Two things to remember:\n\n- Hand in receipts within four weeks.\n- Photos are enough.\n")
    yield Finish(
        citations=(allowance, table),
        notes=("An older version of “Travel and expenses” says 24 euros; the newer one was used.",),
    )


def _restore(steps: Citation, verify: Citation) -> Iterator[Step]:
    yield CitationAdded(steps)
    yield TextDelta(
        "Restore the newest dump and verify it [1]:\n\n```bash\n"
        "pg_restore --jobs 4 --clean --if-exists \\\n"
        "  --dbname billing /backups/billing-latest.dump\nbillctl verify --since 24h\n```\n\n"
    )
    yield CitationAdded(verify)
    yield TextDelta("Wait until `billctl verify` reports 0 mismatches before traffic goes back [2].")
    yield Finish(citations=(steps, verify), notes=("Keyword search only: meanings are still being prepared (62 %).",))


def handbook_desk(pause: Callable[[Inbound], Pause | None] = lambda inbound: None) -> ScriptedDesk:
    """A desk that knows this company."""
    return ScriptedDesk(handbook_script(pause), documents=handbook_documents(), sources=handbook_sources())
