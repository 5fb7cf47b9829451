"""Messages as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from citebot.testing.chat.reading import addresses
from citebot.testing.discord.components import TEXT, every
from citebot.testing.discord.composing import linked, plain_texts
from citebot.testing.discord.shapes import COMPONENTS_V2, LOADING, SUPPRESS_EMBEDS
from citebot.testing.discord.state import Json, Message, World


@dataclass(frozen=True, slots=True)
class Shown:
    """One message as it is on the screen."""

    id: str
    channel: str
    author: str
    text: str
    """All that can be read: content, embeds, text displays, labels of buttons."""
    content: str
    """The plain content alone."""
    components: list[Json] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    edited: bool = False
    loading: bool = False
    """Shows that the app is thinking."""
    only_for: str = ""
    """The one person who sees it."""
    links: frozenset[str] = frozenset()
    """Every address that can be opened or is fetched: in texts, of buttons, of images."""
    unfurls: bool = False
    """Whether Discord draws previews of its links."""
    calls: frozenset[str] = frozenset()
    """Who is notified: user ids, role ids, `everyone`."""
    reactions: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    reply_to: str = ""
    thread: str = ""
    """The id of the thread that hangs on it."""
    nonce: str = ""
    flags: int = 0
    type: int = 0

    def element(self, custom_id: str) -> Json | None:
        """The interactive component with an id; a pattern with `*` at its end finds the first that begins so."""
        return find_element(self.components, custom_id)

    @property
    def custom_ids(self) -> list[str]:
        """The ids of all that can be pressed or chosen."""
        return [c["custom_id"] for c in every(self.components) if c.get("custom_id")]

    @property
    def labels(self) -> list[str]:
        """What is written on all that can be pressed or chosen."""
        return [
            str(c.get("label") or c.get("placeholder") or "") for c in every(self.components) if c["type"] in (2, 3)
        ]


def find_element(components: list[Json], custom_id: str) -> Json | None:
    """The component with a custom id; `*` at the end stands for any rest."""
    for component in every(components):
        key = str(component.get("custom_id") or "")
        if key and (key == custom_id or (custom_id.endswith("*") and key.startswith(custom_id[:-1]))):
            return component
    return None


def words(message: Message) -> Iterator[str]:
    """Every text that is drawn, in order."""
    if message.content:
        yield message.content
    for embed in [] if message.flags & SUPPRESS_EMBEDS else message.embeds:
        parts = [embed.get("author", {}).get("name"), embed.get("title"), embed.get("description")]
        for each in embed.get("fields") or ():
            parts += [each.get("name"), each.get("value")]
        parts.append(embed.get("footer", {}).get("text"))
        yield from (str(p) for p in parts if p)
    for component in every(message.components):
        for name in ("content",) if component["type"] == TEXT else ("label", "placeholder", "description"):
            if component.get(name):
                yield str(component[name])
        for option in component.get("options") or ():
            yield str(option.get("label"))


def shown(world: World, message: Message) -> Shown:
    """A message as it is now."""
    body = {"content": message.content, "components": message.components}
    texts = [*plain_texts(body), *words(message)]
    links = {link for text in texts for link in linked(text)}
    in_text = {link for text in [message.content] for link in linked(text)}
    thread = world.channels.get(message.id)
    return Shown(
        message.id,
        message.channel,
        message.author,
        "\n".join(words(message)),
        message.content,
        message.components,
        message.embeds,
        bool(message.edited),
        bool(message.flags & LOADING),
        message.only_for,
        frozenset(links | {*addresses(message.components), *addresses(message.embeds)}),
        bool(in_text) and not message.flags & (SUPPRESS_EMBEDS | COMPONENTS_V2) and not _all_wrapped(message.content),
        frozenset(message.called),
        {name: list(users) for name, users in message.reactions.items()},
        [a.name for a in message.attachments],
        str((message.reference or {}).get("message_id") or ""),
        thread.id if thread and thread.parent == message.channel else "",
        message.nonce,
        message.flags,
        message.type,
    )


def _all_wrapped(text: str) -> bool:
    """Whether all addresses stand in `<>`, which keeps Discord from drawing previews."""
    return all(f"<{link}>" in text for link in linked(text))
