"""The index for teams that outgrow one machine: an Elasticsearch server or cluster, on its free licence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_plugins.elasticsearch.index import ElasticsearchIndex

if TYPE_CHECKING:
    import click

    from citebot.ports import Index


@hookimpl
def citebot_register_indexes() -> Sequence[type[Index]]:
    """The index `elasticsearch`."""
    return [ElasticsearchIndex]


@hookimpl
def citebot_register_commands(cli: click.Group) -> None:
    """`citebot index plan` and `citebot index privileges`."""
    import click

    from citebot_plugins.elasticsearch.cli import plan_command, privileges

    cli.add_command(click.Group("index", [plan_command, privileges]))
