"""Forks replicas of `citebot serve`, each told its role and its settings."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import structlog

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from zygote import fork_each

# Imported once for all of them.
import citebot.admin.listening  # noqa: F401
import citebot_connectors.platforms.slack.parts  # noqa: F401
import citebot_plugins.elasticsearch.index  # noqa: F401
from citebot.admin import Admin
from citebot.app.serving import serve
from citebot.pluginmanager import PluginManager
from citebot.settings import load_settings


def be(config: dict[str, Any]) -> None:
    """Serve until told to stop."""
    settings = load_settings(overrides=config["settings"], environ={}, folder=Path(config["settings"]["data_dir"]))
    plugins = PluginManager.load(settings)
    asyncio.run(serve(settings, plugins, role=config["role"], beside=Admin))


if __name__ == "__main__":
    plain = structlog.processors.KeyValueRenderer(key_order=["event"])
    structlog.configure(processors=[plain], logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    fork_each(be)
