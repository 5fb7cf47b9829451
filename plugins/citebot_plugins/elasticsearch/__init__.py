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
    """`citebot elasticsearch`."""
    from citebot_plugins.elasticsearch.cli import elasticsearch

    cli.add_command(elasticsearch)
