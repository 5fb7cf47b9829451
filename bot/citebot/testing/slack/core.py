"""What the parts of the fake share: the world, the record of all that apps sent, and who waits for changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from citebot.testing.chat.clock import Clock
from citebot.testing.chat.fake import Core as FakeCore
from citebot.testing.chat.fake import Delivery as Delivered
from citebot.testing.chat.fake import Settings
from citebot.testing.chat.faults import Faults
from citebot.testing.slack.clock import RESPONSE_URL_USES
from citebot.testing.slack.installing import Code
from citebot.testing.slack.state import App, Channel, Json, World
from citebot.testing.slack.tiers import Meter


@dataclass(frozen=True, slots=True)
class Sent:
    """One thing an app sent: a call of a Web API method, a post to a response_url, or the body of an ack."""

    method: str
    """`chat.postMessage`, ..., `response_url`, or `ack`."""
    args: Json
    result: Json
    app_id: str
    at: float
    """By the wall clock."""
    place: tuple[str, str] = ("", "")
    """Of a post to a response_url: the channel, and the person it was made for."""


@dataclass(slots=True)
class Delivery(Delivered):
    """Of the kind `events_api`, `interactive` or `slash_commands`; how its last attempt went."""

    attempts: int = 0

    @property
    def event_id(self) -> str:
        """Empty for what is not an event."""
        return str(self.body.get("event_id", ""))


Publish = Callable[[App, Json], None]


@dataclass(eq=False)
class Core(FakeCore):
    """See the module."""

    clock: Clock
    world: World
    meter: Meter
    faults: Faults = field(default_factory=Faults)
    settings: Settings = field(default_factory=Settings)
    sent: list[Sent] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    url: str = ""
    publish: Publish = lambda app, body: None
    """Set by the courier: gives an event's envelope to an app."""
    triggers: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    """App, person and end of a trigger_id."""
    tickets: dict[str, tuple[str, float]] = field(default_factory=dict)
    """App and end of a socket's address."""
    spent_triggers: set[str] = field(default_factory=set)
    responses: dict[str, ResponseUrl] = field(default_factory=dict)
    action_tokens: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    """App, person and end of a token for searches."""
    contexts: dict[str, list[Json]] = field(default_factory=dict)
    """All authorizations of an event by its `event_context`."""
    codes: dict[str, Code] = field(default_factory=dict)
    """What `oauth.v2.access` takes."""

    def __post_init__(self) -> None:
        super().__init__(self.clock)

    def record(self, method: str, args: Json, result: Json, app_id: str, *, place: tuple[str, str] = ("", "")) -> None:
        """Keep what an app sent."""
        self.sent.append(Sent(method, args, result, app_id, self.clock.wall(), place))
        self.touch()


@dataclass(slots=True)
class ResponseUrl:
    """Where an app may answer an interaction: five times in half an hour."""

    app_id: str
    user: str
    channel: Channel
    until: float
    message_ts: str = ""
    """The message whose button was clicked."""
    thread_ts: str = ""
    left: int = RESPONSE_URL_USES
