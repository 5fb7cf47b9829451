"""What a person reads in Discord alone, in every language there is; all else is what every platform says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from citebot.conversing import ENGLISH as ENGLISH_WORDS
from citebot.conversing import GERMAN as GERMAN_WORDS
from citebot.conversing import Texts as Words
from citebot.conversing import of_language, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts(Words):
    """One language. Names and descriptions of commands are here too, by their English ones."""

    open: str
    follow_up: str
    thread_made: str
    thread_hint: str
    no_thread: str
    regenerate: str
    wrong_place: str
    failed: str
    deleted: str
    why_kind: str
    why_kinds: tuple[tuple[str, str], ...]
    teach: str
    teach_text: str
    commands: dict[str, str]


def _made(words: Words, **own: Any) -> Texts:
    return Texts(**words_of(words) | own)


ENGLISH = _made(
    ENGLISH_WORDS,
    not_here="I can't see this channel. Let me see it, or ask me in a direct message.",
    help=(
        "I answer questions from what your team has written, and say where it stands.\n"
        "• {command} and a question: everybody here sees the answer; with `private`, only you do.\n"
        "• Mention {bot} in a channel or a thread, or write to me directly.\n"
        "• Apps → “Ask about this” in the menu of a message: only you see the answer.\n"
        "• In a thread or with a reply I know what was said before; mention me, or I cannot read it.\n"
        "I use only what everybody who sees the answer may read, and when I don't know, I say so."
    ),
    ask_empty="Write your question after {command}, such as: {example}",
    open="Open",
    follow_up="Follow up in a thread",
    thread_made="Go on here: {thread}. Mention me there, or reply to me.",
    thread_hint="Mention {bot} here, or reply to my messages: then I can read your question.",
    no_thread="I may not make a thread here.",
    regenerate="Write it again",
    wrong_place="I don't answer in age-restricted channels.",
    failed="Something went wrong. If it happens again, tell whoever runs me: {id}",
    deleted="Deleted.",
    why_kind="It was",
    why_kinds=(
        ("wrong", "Wrong"),
        ("outdated", "Out of date"),
        ("incomplete", "Incomplete"),
        ("beside", "Not what I asked"),
    ),
    teach="Save as knowledge",
    teach_text="The answer",
    commands={},
)
GERMAN = _made(
    GERMAN_WORDS,
    not_here="Ich sehe diesen Kanal nicht. Gib mir Zugang, oder frage mich in einer Direktnachricht.",
    help=(
        "Ich beantworte Fragen aus dem, was dein Team geschrieben hat, und sage, wo es steht.\n"
        "• {command} und eine Frage: alle hier sehen die Antwort; mit `privat` nur du.\n"
        "• Erwähne {bot} in einem Kanal oder Thread, oder schreib mir direkt.\n"
        "• Apps → „Dazu fragen“ im Menü einer Nachricht: nur du siehst die Antwort.\n"
        "• In einem Thread oder mit einer Antwort weiß ich, was vorher gesagt wurde; erwähne mich, sonst lese ich es "
        "nicht.\n"
        "Ich verwende nur, was alle lesen dürfen, die die Antwort sehen, und wenn ich etwas nicht weiß, sage ich das."
    ),
    ask_empty="Schreib deine Frage nach {command}, zum Beispiel: {example}",
    open="Öffnen",
    follow_up="Im Thread weiterfragen",
    thread_made="Hier geht es weiter: {thread}. Erwähne mich dort oder antworte mir.",
    thread_hint="Erwähne {bot} hier oder antworte auf meine Nachrichten: Dann kann ich deine Frage lesen.",
    no_thread="Ich darf hier keinen Thread anlegen.",
    regenerate="Neu schreiben",
    wrong_place="In Kanälen mit Altersbeschränkung antworte ich nicht.",
    failed="Etwas ist schiefgegangen. Wenn es wieder geschieht, sag es denen, die mich betreiben: {id}",
    deleted="Gelöscht.",
    why_kind="Die Antwort war",
    why_kinds=(
        ("wrong", "Falsch"),
        ("outdated", "Veraltet"),
        ("incomplete", "Unvollständig"),
        ("beside", "Nicht das, was ich gefragt habe"),
    ),
    teach="Als Wissen speichern",
    teach_text="Die Antwort",
    commands={
        "Ask what your team has written": "Frag, was dein Team geschrieben hat",
        "question": "frage",
        "Your question": "Deine Frage",
        "private": "privat",
        "Only you see the answer": "Nur du siehst die Antwort",
        "Ask about this": "Dazu fragen",
        "Save as knowledge": "Als Wissen speichern",
        "For those who look after Citebot": "Für die, die sich um Citebot kümmern",
        "The sources, how fresh they are, and what is wrong": "Die Quellen, wie frisch sie sind und was nicht stimmt",
        "sync": "lesen",
        "Read a source now": "Eine Quelle jetzt lesen",
        "pause": "anhalten",
        "Read a source no more": "Eine Quelle nicht mehr lesen",
        "resume": "fortsetzen",
        "Read a source again": "Eine Quelle wieder lesen",
        "mute": "stumm",
        "Say nothing in this channel": "In diesem Kanal nichts sagen",
        "unmute": "laut",
        "Answer in this channel again": "In diesem Kanal wieder antworten",
        "settings": "einstellungen",
        "Sources, tone and limits of this channel": "Quellen, Ton und Grenzen dieses Kanals",
        "source": "quelle",
        "Name of the source": "Name der Quelle",
    },
)

LANGUAGES = {texts.language: texts for texts in (ENGLISH, GERMAN)}


def texts_for(locale: str) -> Texts:
    """The texts of a locale of Discord such as `de`; English where there is no better."""
    return of_language(locale, LANGUAGES)
