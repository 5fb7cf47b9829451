"""Tells Discord our commands, only when they have changed: it allows few such calls."""

from __future__ import annotations

import hashlib
import json

import discord
import structlog
from discord import app_commands

from citebot.ports import Vault
from citebot_connectors.platforms.discord.texts import GERMAN

log = structlog.get_logger("citebot.discord")

SECONDS = 60.0


class Names(app_commands.Translator):
    """Names and descriptions in German."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        return GERMAN.commands.get(string.message) if locale is discord.Locale.german else None


async def payload_of(tree: app_commands.CommandTree[discord.Client]) -> list[dict[str, object]]:
    """What Discord is told."""
    names = Names()
    return [dict(await command.get_translated_payload(tree, names)) for command in tree.get_commands()]


async def sync(tree: app_commands.CommandTree[discord.Client], known: Vault, *, guild: str | None) -> str:
    """Tell Discord what has changed since the last time; what it refuses of it, or empty."""
    made = json.dumps(await payload_of(tree), sort_keys=True, default=str)
    digest = hashlib.sha256(made.encode()).hexdigest()
    name = f"commands-{tree.client.application_id}-{guild or 'all'}"
    if await known.get(name) == digest:
        return ""
    place = discord.Object(int(guild)) if guild else None
    if place is not None:
        tree.copy_global_to(guild=place)
    async with known.lock("commands", seconds=SECONDS) as ours:
        if not ours:
            return ""  # another process is at it
        try:
            await tree.sync(guild=place)
        except app_commands.CommandSyncFailure as error:
            log.warning("Discord refuses the commands", why=str(error))
            return f"Discord refuses the commands: {' '.join(str(error).split())}"
        except (discord.HTTPException, discord.DiscordException) as error:
            log.warning("commands not told to Discord", why=str(error))
            return f"The commands are not told to Discord: {error}"
        await known.put(name, digest)
    log.info("commands told to Discord")
    return ""
