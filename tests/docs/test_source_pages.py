"""Every kind of source has a page that says what an admin must know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from citebot.pluginmanager import PluginManager
from citebot.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
SOURCES = sorted(PluginManager.load(Settings()).sections()["source"])


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_has_a_page_with_what_an_admin_must_know(name: str) -> None:
    text = (DOCS / "sources" / f"{name}.md").read_text("utf-8")
    assert f"[sources/{name}.md](sources/{name}.md)" in (DOCS / "sources.md").read_text("utf-8")
    assert re.match(rf"# [^\n]*: `{name}`\n", text)
    assert f"citebot source add {name} --name" in text
    said = re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)
    assert {"Least rights", "Set-up"} & set(said)
    assert [wanted for wanted in ("What is read", "How readers are mapped", "Freshness") if wanted not in said] == []


def test_links_of_the_pages_lead_somewhere() -> None:
    pages = [*(DOCS / "sources").glob("*.md")]
    links = [
        (path, link) for path in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    ]
    assert [(path.name, link) for path, link in links if not (path.parent / link).exists()] == []
