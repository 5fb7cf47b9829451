"""What may differ from one conversation to the next: which sources, who is answered, how long, how often."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from citebot.settings.tree import Section


class ConversationSettings(Section):
    """The settings of one conversation, of all of a workspace, or of all of a platform."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[str, ...] = Field((), description="Names of the sources that are searched; none: all of them.")
    answers: Literal["mentions", "all"] = Field(
        "mentions", description="Whom to answer: who mentions the app, or every question that is asked there."
    )
    tone: Literal["brief", "normal", "detailed"] = Field("normal", description="How much to write.")
    per_person: int = Field(0, ge=0, le=1_000_000, description="Questions a day of one person; 0: any number.")
    per_day: int = Field(0, ge=0, le=1_000_000, description="Questions a day of all together; 0: any number.")
    muted: bool = Field(False, description="Say nothing there that others would see.")
