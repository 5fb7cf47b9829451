"""One process of the bot on Discord, and what forks such."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from replica import Replica, fork_replicas

from citebot.app.listening import listen
from citebot.ports import PartContext
from citebot_connectors.platforms.discord.link import Pace
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.settings import DiscordSettings

LEASE = 1.0


class DiscordReplica(Replica):
    """As a server does it: one of them is connected, another takes its place when it is killed."""

    name = "discord"

    def made(self, config: dict[str, Any], context: PartContext) -> Any:
        platform = DiscordPlatform(DiscordSettings.model_validate(config["discord"]), context)
        platform.pace = Pace(first=0.1, longest=1.0, identify=0.1, ready=0.1)
        platform.edit_gap = config.get("edit_gap", 0.05)
        return platform

    async def listen(self) -> None:
        await listen(self.platform, self.desk, self.database, seconds=self.config.get("listening", LEASE))


if __name__ == "__main__":
    fork_replicas(DiscordReplica)
