"""`citebot conversation`: what differs from one channel to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, print_json, print_table
from citebot.errors import WrongUse
from citebot.settings.text import Text

if TYPE_CHECKING:
    from citebot.storage.conversations import Place

SETTINGS = """
\b
  sources     names of the sources that are searched, with commas between; all of them where it is not set
  answers     mentions: whoever mentions the app; all: every question that is asked there
  tone        brief, normal or detailed
  per_person  questions a day of one person; 0: any number
  per_day     questions a day of all together; 0: any number
  muted       true: say nothing there that others would see
"""


@click.group("conversation")
def command() -> None:
    """Settings of a channel, of a whole workspace or of a whole platform; the nearest one counts.

    A place is PLATFORM, PLATFORM:TENANT or PLATFORM:TENANT:CONVERSATION, as slack:T012AB3C4:C061EG9T2.
    """


@command.command("list")
@json_option
@click.pass_obj
def list_settings(invocation: Invocation, as_json: bool) -> None:
    """List all places with settings of their own.

    \b
    Example:
      citebot conversation list
    """
    from citebot.storage import conversations

    with invocation.database() as database, database.read() as tx:
        rows = conversations.every(tx)
    if as_json:
        print_json([{"place": str(place), "settings": values} for place, values in rows])
        return
    print_table(("place", "settings"), ((str(place), _words(values)) for place, values in rows), empty="None are set.")


@command.command("show")
@click.argument("place")
@json_option
@click.pass_obj
def show(invocation: Invocation, place: str, as_json: bool) -> None:
    """Show what counts in a place, and where each setting was made.

    \b
    Example:
      citebot conversation show slack:T012AB3C4:C061EG9T2
    """
    from citebot.storage import conversations
    from citebot.storage.conversations import Place

    with invocation.database() as database, database.read() as tx:
        found = conversations.resolve(tx, Place.read(place))
    values = found.settings.model_dump(mode="json")
    origins = {name: str(origin) for name, origin in found.origins.items()}
    if as_json:
        print_json({"place": place, "settings": values, "origins": origins})
        return
    rows = ((name, _word(value), origins.get(name, "default")) for name, value in values.items())
    print_table(("setting", "value", "from"), rows, empty="")


@command.command("set", epilog=SETTINGS)
@click.argument("place")
@click.argument("assignments", nargs=-1, required=True, metavar="KEY=VALUE...")
@json_option
@click.pass_obj
def set_settings(invocation: Invocation, place: str, assignments: tuple[str, ...], as_json: bool) -> None:
    """Set something for a place.

    \b
    Examples:
      citebot conversation set slack:T012AB3C4:C061EG9T2 answers=all tone=brief
      citebot conversation set slack sources=handbook,wiki per_person=50
    """
    changes: dict[str, Any] = {}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign or not value:
            raise WrongUse(
                f"“{text}” sets nothing: write KEY=VALUE, as tone=brief. “conversation reset” takes it back."
            )
        changes[key.strip()] = Text(value.strip())
    _change(invocation, place, changes, "conversation.set", as_json=as_json)


@command.command("reset")
@click.argument("place")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@json_option
@click.pass_obj
def reset(invocation: Invocation, place: str, keys: tuple[str, ...], as_json: bool) -> None:
    """Take back what was set for a place; without KEY, all of it.

    \b
    Examples:
      citebot conversation reset slack:T012AB3C4:C061EG9T2 tone
      citebot conversation reset slack
    """
    from citebot.settings.conversations import ConversationSettings

    known = list(ConversationSettings.model_fields)
    for key in (key for key in keys if key not in known):
        raise WrongUse(f"There is no setting “{key}”; there are {', '.join(known)}.")
    _change(invocation, place, dict.fromkeys(keys or known), "conversation.reset", as_json=as_json)


def _change(invocation: Invocation, place: str, changes: Mapping[str, Any], action: str, *, as_json: bool) -> None:
    from citebot.app.managing import change_settings
    from citebot.storage.audit import Line
    from citebot.storage.conversations import Place

    where: Place = Place.read(place)
    line = Line(invocation.user, "", "command line", action, str(where))
    with invocation.database() as database, database.write() as tx:
        after = change_settings(tx, where, changes, by=line)
    if as_json:
        print_json({"place": str(where), "settings": after})
    else:
        click.echo(f"{where}: {_words(after) or 'nothing is set'}")


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_word(value)}" for name, value in values.items())


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
