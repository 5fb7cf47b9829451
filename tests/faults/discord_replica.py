"""One process of the bot on Discord: what `slack_replica.py` forks, with another platform."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from slack_replica import Replica, main

from citebot.app.listening import listen
from citebot.ports import PartContext
from citebot_connectors.platforms.discord.link import Pace
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.settings import DiscordSettings

LEASE = 1.0


class DiscordReplica(Replica):
    """The same on Discord."""

    name = "discord"

    def made(self, config: dict[str, Any], context: PartContext) -> Any:
        platform = DiscordPlatform(DiscordSettings.model_validate(config["discord"]), context)
        platform.pace = Pace(first=0.1, longest=1.0, identify=0.1, ready=0.1)
        platform.edit_gap = config.get("edit_gap", 0.05)
        return platform

    async def listen(self) -> None:
        """As a server does it: one of the replicas is connected, another takes its place when it is killed."""
        await listen(self.platform, self.desk, self.database, seconds=LEASE)


if __name__ == "__main__":
    main(DiscordReplica)
