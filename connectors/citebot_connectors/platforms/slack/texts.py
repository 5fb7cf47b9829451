"""What a person reads in Slack alone, in every language there is; all else is what every platform says.

Texts marked *mrkdwn* in Slack's own markup are `how` and `privacy`, all others are plain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from citebot.conversing import ENGLISH as ENGLISH_WORDS
from citebot.conversing import GERMAN as GERMAN_WORDS
from citebot.conversing import Texts as Words
from citebot.conversing import of_language, words_of


@dataclass(frozen=True, slots=True)
class Prompt:
    """A suggested question: what the button says, and what is asked."""

    title: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts(Words):
    """One language. The Home tab and the Messages tab are Slack's."""

    home_title: str
    home_intro: str
    how_heading: str
    how: str
    sources_heading: str
    privacy_heading: str
    privacy: str
    prompts_title: str
    prompts: tuple[Prompt, ...]


def _made(words: Words, **own: Any) -> Texts:
    return Texts(**words_of(words) | own)


ENGLISH = _made(
    ENGLISH_WORDS,
    not_here="I can't see this channel. Invite me with /invite {bot}, or ask me in a direct message.",
    home_title="Ask your team's documents",
    home_intro="I answer questions from what your team has written, with a source for every claim.",
    how_heading="How to ask",
    how=(
        "• *In a channel:* mention {bot}. The answer comes in a thread, for everybody there.\n"
        "• *Here:* write to me in the Messages tab.\n"
        "• *For you alone:* `{command}` and your question, or “Ask about this” in the menu of a message.\n"
        "• *Next question:* go on in the thread. *Wrong answer?* Press “Not helpful” and say why."
    ),
    sources_heading="What I search for you",
    privacy_heading="What happens to your questions",
    privacy=(
        "Your questions and the answers are kept so that answers can be checked and made better. I read messages "
        "only where I am mentioned, where a thread goes on with me, in direct messages, and in channels where I am to "
        "answer every question; I keep no copy of your channels. An answer uses only documents that everybody who sees "
        "it may read."
    ),
    prompts_title="What would you like to know?",
    prompts=(Prompt("What can I ask you?", "help"),),
)
GERMAN = _made(
    GERMAN_WORDS,
    not_here="Ich sehe diesen Kanal nicht. Lade mich mit /invite {bot} ein, oder frage mich in einer Direktnachricht.",
    home_title="Frag die Dokumente deines Teams",
    home_intro="Ich beantworte Fragen aus dem, was dein Team geschrieben hat, mit einer Quelle für jede Aussage.",
    how_heading="So fragst du",
    how=(
        "• *Im Kanal:* Erwähne {bot}. Die Antwort kommt in einem Thread, für alle dort.\n"
        "• *Hier:* Schreib mir im Tab Nachrichten.\n"
        "• *Nur für dich:* `{command}` und deine Frage, oder „Ask about this“ im Menü einer Nachricht.\n"
        "• *Nächste Frage:* Schreib im Thread weiter. *Falsche Antwort?* Drück „Nicht hilfreich“ und sag, warum."
    ),
    sources_heading="Was ich für dich durchsuche",
    privacy_heading="Was mit deinen Fragen geschieht",
    privacy=(
        "Deine Fragen und die Antworten werden aufbewahrt, damit man Antworten prüfen und verbessern kann. Ich lese "
        "Nachrichten nur, wo ich erwähnt werde, wo ein Thread mit mir weitergeht, in Direktnachrichten und in Kanälen, "
        "in denen ich auf jede Frage antworten soll; von euren Kanälen behalte ich keine Kopie. Eine Antwort verwendet "
        "nur Dokumente, die alle lesen dürfen, die sie sehen."
    ),
    prompts_title="Was möchtest du wissen?",
    prompts=(Prompt("Was kann ich dich fragen?", "hilfe"),),
)

LANGUAGES = {texts.language: texts for texts in (ENGLISH, GERMAN)}


def texts_for(locale: str) -> Texts:
    """The texts of a locale of Slack such as `de-DE`; English where there is no better."""
    return of_language(locale, LANGUAGES)
