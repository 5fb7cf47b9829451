"""What the pages of the sources claim is what the sources do, as far as it can be looked up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from citebot.pluginmanager import PluginManager
from citebot.settings import Settings
from citebot.settings.environment import declared_paths
from citebot_connectors.sources.git import history, links
from citebot_connectors.sources.mediawiki.source import OLDEST
from citebot_connectors.sources.website import robots, scope, source

DOCS = Path(__file__).parents[2] / "docs" / "sources"
SECTIONS = PluginManager.load(Settings()).sections()["source"]
ELSEWHERE = {
    *(".".join(path) for path in declared_paths()),
    # Of the places that are read, not of ours.
    *("main", "article", "lastmod", "noindex", "nofollow", "id", "_id", "markdown", "html", "text", "title", "path"),
    *("created", "updated", "authors", "language", "parts", "everyone", "git", "ssh", "url", "readers"),
}


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_setting_of_a_source_is_explained_on_its_page(name: str) -> None:
    text = page(name)
    options = {key: key.replace("_", "-") for key in SECTIONS[name].model_fields}
    left_out = [
        key for key, option in options.items() if f"`{key}" not in text and not re.search(rf"--(no-)?{option}\b", text)
    ]
    assert left_out == []


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_no_page_names_a_setting_that_is_not_there(name: str) -> None:
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)(?:=\w+)?`", page(name)))
    assert named - set(SECTIONS[name].model_fields) - {name} - ELSEWHERE == set()


def test_every_option_of_the_examples_is_one() -> None:
    for name, model in SECTIONS.items():
        lines = re.findall(rf"^citebot source add {name} (.*)$", page(name), re.MULTILINE)
        options = {option for line in lines for option in re.findall(r"--(?:no-)?([a-z-]+)", line)} - {"name", "check"}
        assert lines
        assert {option.replace("-", "_") for option in options} <= set(model.model_fields)


@pytest.mark.parametrize("name", ["git", "website", "mediawiki", "redmine"])
def test_a_remote_source_says_how_often_it_is_read_and_who_must_allow_it(name: str) -> None:
    text = " ".join(page(name).split())
    assert re.search(r"`citebot source schedule \w+ --every \d+[mh]`", text)
    assert "`ingest.poll`" in text
    assert "**Limits.**" in text
    assert "`egress.allow`" in text


def test_hosts_whose_links_are_guessed_are_named() -> None:
    text = page("git").split("**Links**")[1].split("**Limits.**")[0].lower()
    assert [host for host in links._HOSTS if host not in text] == []
    assert set(links._HOSTS) - set(links._WIKIS) == {"bitbucket"}
    assert "for the wikis of all but bitbucket" in " ".join(text.split())
    assert history.AUTHORS == 5
    assert "last five authors" in " ".join(page("git").split())


def test_numbers_of_the_other_pages_are_those_of_the_code() -> None:
    site, wiki = (" ".join(page(name).split()) for name in ("website", "mediawiki"))
    assert f"{source.RECHECKED} with each poll" in site
    assert f"over {scope.MAX_URL} bytes" in site
    assert f"({robots.SLOWEST:.0f} s at most)" in site
    version = ".".join(map(str, OLDEST))
    assert f"({version} or later)" in wiki
    assert f"older than {version} is refused" in wiki
