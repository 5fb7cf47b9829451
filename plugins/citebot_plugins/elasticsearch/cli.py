"""What Elasticsearch adds to `citebot index`."""

from __future__ import annotations

import json

import click

from citebot.cli.output import json_option, print_json, print_table
from citebot_plugins.elasticsearch.planning import Plan, plan
from citebot_plugins.elasticsearch.privileges import role


@click.command("privileges")
@click.option("--name", default="citebot", show_default=True, help="index.elasticsearch.name.")
@click.option("--json", is_flag=True, expose_value=False, help="Print JSON (what happens anyway).")
def privileges(name: str) -> None:
    """Print the least role that is enough in Elasticsearch, as JSON for `POST /_security/role/NAME`.

    \b
    Example:
      citebot index privileges
    """
    click.echo(json.dumps(role(name), indent=2))


@click.command("plan")
@click.option("--documents", type=click.IntRange(1), required=True, help="Documents of all sources together.")
@click.option("--questions-per-second", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True)
@click.option("--dimensions", type=click.IntRange(1), default=384, show_default=True, help="Of the embedder's vectors.")
@click.option(
    "--vectors", type=click.Choice(["int8_hnsw", "bbq_hnsw", "hnsw"]), default="int8_hnsw", help="How they are kept."
)
@click.option("--replicas", type=click.IntRange(0), default=1, show_default=True, help="Copies of each shard.")
@json_option
def plan_command(
    documents: int, questions_per_second: float, dimensions: int, vectors: str, replicas: int, as_json: bool
) -> None:
    """Say how many shards, how much memory and disk Elasticsearch needs, with the arithmetic.

    \b
    Example:
      citebot index plan --documents 1000000
    """
    made = plan(
        documents=documents,
        questions_per_second=questions_per_second,
        dimensions=dimensions,
        vectors=vectors,
        replicas=replicas,
    )
    if as_json:
        print_json(made.facts())
    else:
        _show(made)


def _show(made: Plan) -> None:
    print_table(("what", "value", "because"), made.lines(), empty="")
