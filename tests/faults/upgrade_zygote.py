"""Started by the kill tests: forks processes that upgrade a database, each killed at one of its statements.

One JSON object a line on stdin: `url`, `to` (a revision), `at` (the number of a statement; 0 for none) and `commit`.
How many statements were made before the process ended is printed, and how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from alembic import command
from sqlalchemy import Engine, event

from citebot.storage import Database, schema


class NotNow(Exception):
    """Roll it back."""


def upgrade(url: str, to: str, at: int, commit: bool, tell: int) -> None:
    """Upgrade, and be killed before statement `at`."""
    made = 0
    db = Database(url)

    @event.listens_for(Engine, "before_cursor_execute")
    def count(*_: Any) -> None:
        nonlocal made
        made += 1
        os.pwrite(tell, b"%8d" % made, 0)
        if made == at:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        with db.reshape() as tx:
            made = 0
            command.upgrade(schema.alembic_config(tx), to)
            if made < at:
                os.kill(os.getpid(), signal.SIGKILL)  # all is done but not committed
            if not commit:
                raise NotNow
    except NotNow:
        pass
    db.close()


def main() -> None:
    """One process for each line."""
    for line in sys.stdin:
        tell = os.memfd_create("statements")
        child = os.fork()
        if not child:
            upgrade(**json.loads(line), tell=tell)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(int(os.pread(tell, 8, 0) or b"0"), os.waitstatus_to_exitcode(status), flush=True)
        os.close(tell)


main()
