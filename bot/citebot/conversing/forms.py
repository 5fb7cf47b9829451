"""Dialogues as data: what is asked, and what becomes of what was filled in. A platform only draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from citebot.conversing.words import Texts
from citebot.settings.conversations import ConversationSettings

REASON, QUESTION = "reason", "question"
REASON_MOST = 2_000
QUESTION_MOST = 3_000
CHOICES = {"answers": ("mentions", "all"), "tone": ("brief", "normal", "detailed")}
BUDGETS = ("per_person", "per_day")
BUDGET_MOST = 1_000_000
OPTIONS_MOST = 100


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form."""

    name: str
    label: str
    kind: Literal["text", "number", "one", "some"] = "text"
    """`one` or `some` of the choices."""
    value: Any = None
    """What stands there at first."""
    choices: tuple[tuple[str, str], ...] = ()
    """Values and words."""
    hint: str = ""
    example: str = ""
    most: int = 0
    """Characters of a text, or the largest number."""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """A dialogue with one person."""

    name: str
    title: str
    submit: str
    cancel: str
    fields: tuple[Field, ...]

    @property
    def values(self) -> dict[str, Any]:
        """What stands there at first, by field."""
        return {field.name: field.value for field in self.fields}


def why_form(texts: Texts) -> Form:
    """What was wrong with an answer."""
    field = Field(REASON, texts.why_label, hint=texts.why_hint, most=REASON_MOST, optional=True)
    return Form("why", texts.why_title, texts.send, texts.cancel, (field,))


def about_form(texts: Texts, *, said: bool) -> Form:
    """A question about a message; the message itself is one already, where it says something."""
    hint = texts.ask_hint if said else ""
    field = Field(QUESTION, texts.ask_label, hint=hint, example=texts.ask_example, most=QUESTION_MOST, optional=said)
    return Form("about", texts.ask_title, texts.ask_submit, texts.cancel, (field,))


def question_form(texts: Texts) -> Form:
    """A question about anything."""
    field = Field(QUESTION, texts.ask_label, example=texts.ask_example, most=QUESTION_MOST)
    return Form("question", texts.question_title, texts.ask_submit, texts.cancel, (field,))


def settings_form(texts: Texts, settings: ConversationSettings, sources: Sequence[str]) -> Form:
    """What counts in a conversation now."""
    shown = settings.model_dump(mode="json")
    words = {"answers": texts.settings_answers_choices, "tone": texts.settings_tone_choices}
    labels = {"answers": texts.settings_answers, "tone": texts.settings_tone}
    labels |= {"per_person": texts.settings_per_person, "per_day": texts.settings_per_day}
    names = sources[:OPTIONS_MOST]
    chosen = [name for name in names if name in settings.sources]
    every = tuple((name, name) for name in names)
    some = Field(
        "sources", texts.settings_sources, "some", chosen, every, hint=texts.settings_sources_hint, optional=True
    )
    fields = [some] if sources else []
    for name, values in CHOICES.items():
        fields.append(Field(name, labels[name], "one", shown[name], tuple(zip(values, words[name], strict=True))))
    hint = texts.settings_budget_hint
    fields += [
        Field(name, labels[name], "number", shown[name], hint=hint, most=BUDGET_MOST, optional=True) for name in BUDGETS
    ]
    return Form("settings", texts.settings_title, texts.settings_save, texts.cancel, tuple(fields))


def settings_changed(filled: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody changed in it; a budget that was emptied is none."""
    values = {name: int(value or 0) if name in BUDGETS else value for name, value in filled.items()}
    return {name: value for name, value in values.items() if value != shown.get(name)}
