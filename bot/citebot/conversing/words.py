"""What every platform says to people, as one language has it; the languages are `english.py` and `german.py`.

Placeholders are filled in by `str.format`. A platform adds its own words by a class that inherits from `Texts`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Counted:
    """A text that depends on a number."""

    one: str
    many: str

    def of(self, count: int, **values: object) -> str:
        """The text for a count."""
        return (self.one if count == 1 else self.many).format(count=count, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """One language."""

    language: str
    and_: str
    thousands: str
    # what is going on
    queued: str
    searching: str
    searching_sources: str
    reading: str
    reading_passages: str
    writing: str
    still_working: str
    # what the core says: the same words as there in English
    no_question: str
    nothing_found: str
    unknown: str
    unsupported: str
    unsupported_closest: str
    cannot_write: str
    cannot_write_yet: str
    not_written: str
    busy: str
    keywords_only: str
    partial_index: str
    standby: str
    simple_ranking: str
    live_unsearched: str
    stopped_early: str
    stopped: str
    too_slow: str
    cut_off: str
    broken_off: str
    question_cut: str
    not_read: str
    read_in_part: str
    groups_unchecked: str
    readers_unchecked: str
    older_version: str
    older_version_of: str
    open_to_all: str
    given_up: str
    withdrawn: str
    withheld: str
    not_yours: str
    not_asked: str
    nobody_to_ask: str
    asked_too_often: str
    # when something fails
    search_down: str
    not_saved: str
    cannot_save: str
    asked_at: str
    source_old: str
    budget_spent: str
    # refusals, to the asker alone
    not_here: str
    only_asker: str
    files_ask: str
    thread_full: str
    gone: str
    # below an answer
    sources: str
    closest: str
    updated: str
    helpful: str
    not_helpful: str
    delete: str
    delete_confirm: str
    ask_again: str
    # asking people: `people` are mentions
    ask_people: str
    people_called: str
    people_called_already: str
    people_asked: str
    people_hint: str
    people_answered: str
    answer_offer: str
    save_answer: str
    answer_saved: str
    answer_saved_already: str
    not_done: str
    share: str
    shared: str
    offer_alone: str
    answer_alone: str
    thanks: str
    remove_answer: str
    keep_answer: str
    # the modal that asks why an answer did not help
    why_title: str
    why_label: str
    why_hint: str
    # questions by command, shortcut and modal
    ask_empty: str
    ask_looking: str
    ask_title: str
    question_title: str
    ask_label: str
    ask_about: str
    ask_example: str
    ask_private: str
    ask_hint: str
    asked_by: str
    ask_submit: str
    send: str
    cancel: str
    # help
    help: str
    help_words: tuple[str, ...]
    # sources
    no_sources: str
    documents: Counted
    more_sources: Counted
    read_ago: str
    never_read: str
    paused: str
    failing: str
    # what admins read
    no_source: str
    admins_only: str
    keepers_only: str
    muted: str
    admin_help: str
    admin_problems: str
    admin_well: str
    admin_work: str
    admin_reading: str
    admin_read: str
    admin_paused: str
    admin_resumed: str
    admin_muted: str
    admin_unmuted: str
    settings_title: str
    settings_save: str
    settings_saved: str
    settings_where: str
    settings_sources: str
    settings_sources_hint: str
    settings_answers: str
    settings_answers_choices: tuple[str, ...]
    settings_tone: str
    settings_tone_choices: tuple[str, ...]
    settings_per_person: str
    settings_per_day: str
    settings_budget_hint: str
    # ages
    just_now: str
    minutes: Counted
    hours: Counted
    days: Counted

    def age(self, moment: datetime, *, now: datetime) -> str:
        """How long ago something was, as `3 hours`; naive times are UTC, as those of the database."""
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = max(0, int((now - moment).total_seconds()))
        for size, words in ((86_400, self.days), (3_600, self.hours), (60, self.minutes)):
            if seconds >= size:
                return words.of(seconds // size)
        return self.just_now


def words_of(texts: Texts) -> dict[str, Any]:
    """All texts by their names, for a platform that adds some."""
    return {field.name: getattr(texts, field.name) for field in fields(texts)}
