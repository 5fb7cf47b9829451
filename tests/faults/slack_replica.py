"""One process of the bot on Slack, and what forks such."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from replica import Replica, fork_replicas

from citebot.ports import PartContext
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings


class SlackReplica(Replica):
    """It listens beside the others."""

    name = "slack"

    def made(self, config: dict[str, Any], context: PartContext) -> Any:
        platform = SlackPlatform(SlackSettings.model_validate(config["slack"]), context)
        platform.pace = Pace(**config.get("pace", {}))
        return platform


if __name__ == "__main__":
    fork_replicas(SlackReplica)
