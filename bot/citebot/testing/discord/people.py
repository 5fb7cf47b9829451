"""What people do in Discord: a test says it, apps hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from citebot.testing.chat.fake import Delivery, NotPossible
from citebot.testing.discord import interactions
from citebot.testing.discord.commands import MESSAGE_MENU, SLASH, USER_MENU
from citebot.testing.discord.filling import chosen, filled
from citebot.testing.discord.gateway import Gateway
from citebot.testing.discord.offering import data_of, find, menu_data, offered
from citebot.testing.discord.reading import find_element
from citebot.testing.discord.shapes import message_json
from citebot.testing.discord.state import (
    App,
    Channel,
    Interaction,
    Json,
    Message,
    Modal,
    User,
)
from citebot.testing.discord.talking import Place, Talking, Written

DELIVERIES = {2: "command", 3: "component", 4: "autocomplete", 5: "modal"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an app took a command, a click or a submission."""

    acked: bool
    kind: str = ""
    """`message`, `deferred`, `deferred_update`, `update`, `choices`, `modal`."""
    body: Json = field(default_factory=dict)
    """The `data` of the answer."""
    reason: str = ""
    """Why a person reads that the application did not respond: `no_connections`, `timeout`."""
    interaction: Interaction | None = None


class People(Talking):
    """All that a person can do; what Discord would not let them do raises `NotPossible`."""

    gateway: Gateway

    # -- what apps offer ------------------------------------------------------------------------------------------

    async def command(
        self,
        user: User,
        where: Place,
        name: str,
        options: Mapping[str, object] | None = None,
        *,
        app: App | None = None,
    ) -> Outcome:
        """Send a slash command; `name` may be `group sub`. Members, channels and roles are given as themselves.

        Returns when the app has answered for the first time, or when its three seconds are over.
        """
        channel, (root, *path) = self._visible(user, where), name.removeprefix("/").split()
        owner, command = find(self.core.world, user, channel, root, SLASH, app)
        data = data_of(self.core.world, channel, command, path, dict(options or {}))
        return await self._interact(owner, user, channel, interactions.COMMAND, data)

    async def autocomplete(
        self,
        user: User,
        where: Place,
        name: str,
        option: str,
        typed: str,
        options: Mapping[str, object] | None = None,
        *,
        app: App | None = None,
    ) -> Outcome:
        """Type into an option; `outcome.body["choices"]` are what is offered."""
        channel, (root, *path) = self._visible(user, where), name.removeprefix("/").split()
        owner, command = find(self.core.world, user, channel, root, SLASH, app)
        given = {**(options or {}), option: typed}
        data = data_of(self.core.world, channel, command, path, given, typed=option)
        return await self._interact(owner, user, channel, interactions.AUTOCOMPLETE, data)

    async def context_menu(
        self, user: User, name: str, target: Written | User, *, where: Place | None = None, app: App | None = None
    ) -> Outcome:
        """Use a command of the Apps menu on a message, or on a user in `where`."""
        world = self.core.world
        found = target if isinstance(target, User) else self._found(target)
        place = where or (world.channels[found.channel] if isinstance(found, Message) else None)
        if place is None:
            raise NotPossible("a command on a user needs a place")
        channel = self._visible(user, place)
        kind = USER_MENU if isinstance(found, User) else MESSAGE_MENU
        owner, command = find(world, user, channel, name, kind, app)
        body = message_json(world, found, self.core.url) if isinstance(found, Message) else {}
        data = menu_data(world, channel, command, found, body)
        return await self._interact(owner, user, channel, interactions.COMMAND, data)

    async def click(self, user: User, on: Written, custom_id: str, values: Sequence[object] = ()) -> Outcome:
        """Press a button, or choose `values` in a select; `custom_id` may end in `*`."""
        world, found = self.core.world, self._found(on)
        channel = self._visible(user, world.channels[found.channel])
        element = find_element(found.components, custom_id)
        if found.only_for not in ("", user.id):
            raise NotPossible("the message is not on this person's screen")
        if element is None or element.get("disabled"):
            raise NotPossible(f"there is nothing to press with the custom id {custom_id}")
        data = {"custom_id": element["custom_id"], "component_type": element["type"], "id": element["id"]}
        data |= chosen(world, channel, element, values)
        app = world.apps[found.app_id]
        return await self._interact(app, user, channel, interactions.COMPONENT, data, source=found)

    async def submit(self, user: User, modal: Modal, values: Mapping[str, object] | None = None) -> Outcome:
        """Submit a modal with what was filled in, by custom id; it closes when the app has answered."""
        world = self.core.world
        if world.modals.get(user.id) is not modal:
            raise NotPossible("the modal is not open")
        begun = modal.interaction
        data = {"custom_id": modal.custom_id, "components": filled(world, modal, dict(values or {}))}
        source = begun.channel.messages.get(begun.source) if begun.source else None
        app = world.apps[begun.app_id]
        outcome = await self._interact(app, user, begun.channel, interactions.MODAL, data, source=source)
        if outcome.acked and world.modals.get(user.id) is modal:
            await self.close(user)
        return outcome

    async def close(self, user: User) -> None:
        """Close a modal; the app does not hear of it."""
        self.core.world.modals.pop(user.id, None)
        self.core.touch()

    async def dismiss(self, user: User, message: Written) -> None:
        """Dismiss an ephemeral message; the app does not hear of it."""
        found = self._found(message)
        if found.only_for != user.id:
            raise NotPossible("only one's own ephemeral messages can be dismissed")
        del self.core.world.channels[found.channel].messages[found.id]
        self.core.touch()

    def offered(self, user: User, where: Place) -> list[Json]:
        """The commands of all kinds a person is offered in a place."""
        return [command for _, command in offered(self.core.world, user, self.place(user, where))]

    def modal(self, user: User) -> Modal | None:
        """The modal a person has open."""
        return self.core.world.modals.get(user.id)

    # -- inside -----------------------------------------------------------------------------------------------------

    async def _interact(
        self, app: App, user: User, channel: Channel, kind: int, data: Json, *, source: Message | None = None
    ) -> Outcome:
        core, clock = self.core, self.core.clock
        begun = interactions.begin(core, app, user, channel, kind, data, source=source)
        delivery = Delivery(app.id, DELIVERIES[kind], begun.delivered, clock.steady())
        core.deliveries.append(delivery)
        core.under_way += 1
        try:
            if not self.gateway.of(app, connected=False):
                delivery.reason = "no_connections"
            else:
                core.publish(app, "INTERACTION_CREATE", begun.delivered, channel.guild)
                await self._wait(begun, delivery)
        finally:
            delivery.over = True
            core.under_way -= 1
            core.touch()
        if not begun.answered:
            return Outcome(False, reason=delivery.reason, interaction=begun)
        body = begun.answer.get("data") or {}
        return Outcome(True, interactions.KINDS[begun.answered], body, interaction=begun)

    async def _wait(self, begun: Interaction, delivery: Delivery) -> None:
        clock = self.core.clock
        try:
            async with asyncio.timeout((begun.answer_by - clock.now()) / clock.speed + 0.05):
                await begun.heard.wait()
            delivery.ack_seconds = clock.steady() - delivery.began
        except TimeoutError:
            delivery.reason = "timeout"
