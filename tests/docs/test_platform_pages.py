"""The page of every chat platform says what its code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("slack_sdk")

from citebot_connectors.platforms.slack import doctor, manifest, tokens
from citebot_connectors.platforms.slack.settings import SlackSettings

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "platforms" / "slack.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = PAGE.split(f"\n## {heading}")[1].split("\n## ")[0]
    table = re.split(r"\n(?:\| --- )+\|\n", section)[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_feature_of_the_slack_app_is_listed_with_its_rights() -> None:
    listed = {code(name)[0]: (code(scopes), code(events)) for name, _, scopes, events in rows("What it can do")}
    wanted = {name: ([*feature.scopes], [*feature.events]) for name, feature in manifest.FEATURES.items()}
    assert listed == wanted


def test_every_setting_of_the_slack_app_is_listed_with_its_default() -> None:
    listed = {name: code(default) for names, default, _ in rows("Settings") for name in code(names)}
    assert listed.keys() == SlackSettings.model_fields.keys()
    for name in ("people", "language", "command", "base_url"):
        assert listed[name] == [SlackSettings.model_fields[name].default]


@pytest.mark.parametrize("says", [cell for cell, _ in rows("Troubleshooting")])
def test_what_the_doctor_is_said_to_say_is_what_it_says(says: str) -> None:
    source = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (doctor, tokens))
    source = source.replace("{name}", "bot_token")
    source = source.replace("{kind}", "an app-level token").replace("{needed or NEEDED.get(bot_token, '')}", "")
    source += " ".join(f"lacks the scope {scope}" for scope in tokens.NEEDED.values())
    pieces = [piece.strip() for words in code(says) for piece in words.split("…")]
    assert pieces
    assert [piece for piece in pieces if piece not in source] == []


def test_the_commands_of_the_page_are_those_there_are() -> None:
    assert {"citebot slack manifest", "citebot slack doctor"} <= set(re.findall(r"citebot slack \w+", PAGE))
    assert set(re.findall(r"citebot slack (\w+)", PAGE)) == {"manifest", "doctor"}


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGE)
    assert links
    assert [link for link in links if not (DOCS / "platforms" / link).exists()] == []
