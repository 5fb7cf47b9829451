"""The `citebot` command line: every command in its own module, loaded when it is called.

Exit codes: 0 done, 1 failed, 2 wrong use. Errors are one line on stderr; `--debug` shows where they came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from citebot.cli.root import cli as cli


def main() -> None:
    """Run the command line and exit."""
    from citebot.cli.root import cli

    cli.main()


def __getattr__(name: str) -> object:
    # `from citebot.cli import cli` for documentation and plugins, without importing click for everybody else.
    if name == "cli":
        from citebot.cli.root import cli

        return cli
    raise AttributeError(name)
