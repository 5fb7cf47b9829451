"""What a process does in its role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from citebot.errors import WrongUse
from citebot.ports import Part, ShowsApart

Role = Literal["all", "gateway", "worker", "sync"]


@dataclass(frozen=True, slots=True)
class Duties:
    """Any number of processes may have each of them."""

    listens: bool
    """Speaks to the platform and takes questions."""
    answers: bool
    """Answers what was taken, by whichever process, and shows it."""
    reads: bool
    """Reads sources, makes vectors and feeds the index."""

    @property
    def searches(self) -> bool:
        """Whether the index is opened."""
        return self.answers or self.reads


def duties_of(role: Role, platform: type[Part]) -> Duties:
    """The duties of a role. A platform that shows answers only where it listens is answered by its gateways."""
    apart = issubclass(platform, ShowsApart)
    if role == "worker" and not apart:
        raise WrongUse(
            f"Answers on the platform {platform.name} are shown by the process that listens: run --role gateway, any "
            "number of it, and no worker."
        )
    listens = role in ("all", "gateway")
    return Duties(
        listens=listens,
        answers=role in ("all", "worker") or (listens and not apart),
        reads=role in ("all", "sync"),
    )
