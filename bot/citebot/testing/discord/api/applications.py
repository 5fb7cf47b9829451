"""Registering commands."""

from __future__ import annotations

from citebot.testing.discord.api.calling import Call, operation
from citebot.testing.discord.buckets import Rate
from citebot.testing.discord.clock import DAY
from citebot.testing.discord.commands import check_command, check_commands, stored
from citebot.testing.discord.refusing import Refused
from citebot.testing.discord.state import App, Json

CREATES = 200
"""New commands of a day, globally and for each guild."""
GLOBAL = "/applications/{application_id}/commands"
GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"
SYNCS = Rate(20, 20)


def _kept(call: Call) -> tuple[App, str, dict[str, Json]]:
    app = call.own_application()
    guild = call.guild().id if "guild_id" in call.path else ""
    return app, guild, app.commands.setdefault(guild, {})


def _count(call: Call, guild: str, new: int) -> None:
    """Take what is new from the day's budget."""
    now = call.core.clock.now()
    begun, used = call.core.creates.get((call.app.id, guild), (now, 0))
    begun, used = (now, 0) if now > begun + DAY else (begun, used)
    if used + new > CREATES and call.core.settings.rates:
        raise Refused(30034)
    call.core.creates[call.app.id, guild] = (begun, used + new)


def bulk_overwrite(call: Call) -> list[Json]:
    """Put a list in place of all commands."""
    app, guild, before = _kept(call)
    check_commands(call.body)
    after = [stored(call.core.world, app, c, guild, before) for c in call.body]
    _count(call, guild, sum(1 for c in after if c["id"] not in before))
    app.commands[guild] = {c["id"]: c for c in after}
    return after


def create(call: Call) -> Json:
    """Add or replace one."""
    app, guild, before = _kept(call)
    check_command(call.json)
    made = stored(call.core.world, app, call.json, guild, before)
    _count(call, guild, int(made["id"] not in before))
    app.commands[guild][made["id"]] = made
    return made


def get(call: Call) -> Json:
    """One of them."""
    found = _kept(call)[2].get(call.path["command_id"])
    if found is None:
        raise Refused(10063)
    return found


def list_all(call: Call) -> list[Json]:
    """All of them."""
    return list(_kept(call)[2].values())


def delete(call: Call) -> None:
    """Delete one."""
    del _kept(call)[2][get(call)["id"]]


for scope, place in (("global", GLOBAL), ("guild", GUILD)):
    operation("GET", place, name=f"list_{scope}_commands")(list_all)
    operation("PUT", place, rate=SYNCS, name=f"bulk_overwrite_{scope}_commands")(bulk_overwrite)
    operation("POST", place, rate=SYNCS, name=f"create_{scope}_command")(create)
    operation("GET", place + "/{command_id}", name=f"get_{scope}_command")(get)
    operation("DELETE", place + "/{command_id}", name=f"delete_{scope}_command")(delete)
