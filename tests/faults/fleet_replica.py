"""Forks replicas of `citebot serve` as quickly as they are stopped.

One JSON object a line on stdin describes a replica: its role and its settings. Its process id is printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import structlog

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


def die_with(parent: int) -> None:
    """End when the test has ended, however it did."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    """Fork replicas."""
    plain = structlog.processors.KeyValueRenderer(key_order=["event"])
    structlog.configure(processors=[plain], logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    parent = os.getpid()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            try:
                threading.Thread(target=die_with, args=(parent,), daemon=True).start()
                be(json.loads(line))
                code = 0
            except BaseException as error:
                print("replica ended:", repr(error), file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    main()
