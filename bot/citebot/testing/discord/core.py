"""What the parts of the fake share: the world, the record of all that apps sent, and who waits for changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from citebot.testing.chat.clock import Clock
from citebot.testing.chat.fake import Core as FakeCore
from citebot.testing.chat.fake import Delivery
from citebot.testing.chat.fake import Settings as FakeSettings
from citebot.testing.chat.faults import Faults
from citebot.testing.discord.state import App, Json, Message, World


@dataclass(frozen=True, slots=True)
class Sent:
    """One call of the REST API."""

    method: str
    """The name of the operation as in `routes.py`: `create_message`, `create_interaction_response`, ..."""
    path: str
    args: Json
    """The JSON body; what came in the query is below `query`."""
    status: int
    result: Json
    app_id: str
    at: float
    """By the wall clock."""


@dataclass(slots=True)
class Settings(FakeSettings):
    """What a test may change at any time."""

    bans: bool = True
    """Whether too many invalid requests end in a ban."""
    max_concurrency: int = 1
    """Sessions that may begin within five seconds."""
    identifies: int = 1000
    """Sessions that may begin in a day."""
    shards: int = 1
    """What `GET /gateway/bot` recommends."""


Publish = Callable[[App, str, Json, str], None]


@dataclass(eq=False)
class Core(FakeCore):
    """See the module."""

    clock: Clock
    world: World
    faults: Faults = field(default_factory=Faults)
    settings: Settings = field(default_factory=Settings)
    sent: list[Sent] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    """Interactions: of the kind `command`, `autocomplete`, `component` or `modal`."""
    nonces: dict[tuple[str, str], tuple[Message, float]] = field(default_factory=dict)
    """Messages by app and nonce, and until when a nonce is remembered."""
    creates: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    """By app and guild: when the day began, and the commands that were new in it."""
    url: str = ""
    publish: Publish = lambda app, name, body, guild: None
    """Set by the gateway: gives an event to the sessions of an app; `guild` is empty for direct messages."""

    def __post_init__(self) -> None:
        super().__init__(self.clock)
