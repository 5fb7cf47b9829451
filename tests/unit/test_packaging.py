"""What is installed is pinned with hashes, complete, and names no package host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
SETS = {
    "core": (),
    "runtime": ("embedded", "web", "sources"),
    "image": ("embedded", "web", "sources", "postgres", "slack", "discord", "elasticsearch", "cohere", "openai"),
    "testing": ("embedded", "web", "sources", "testing"),
    "dev": ("embedded", "web", "sources", "postgres", "testing", "dev"),
}


def pinned(name: str) -> dict[str, list[str]]:
    """Package → pinned versions; several where the version depends on Python."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^ ;]+)", line):
            found.setdefault(canonicalize_name(match[1]), []).append(match[2])
    return found


@pytest.mark.parametrize("name", SETS)
def test_every_dependency_is_pinned_to_a_version_we_allow(name: str) -> None:
    wanted = [*PROJECT["dependencies"], *(line for extra in SETS[name] for line in EXTRAS[extra])]
    pins = pinned(name)
    for requirement in (Requirement(line) for line in wanted):
        if requirement.name != "citebot":
            versions = pins.get(canonicalize_name(requirement.name), [])
            assert versions, f"{requirement.name} is not pinned: make requirements"
            assert all(requirement.specifier.contains(version) for version in versions), requirement


@pytest.mark.parametrize("name", SETS)
def test_every_package_has_hashes_and_no_host_is_named(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []
    assert not re.search(r"://|index-url|find-links", text)


def test_the_build_backend_is_pinned_everywhere() -> None:
    assert all("hatchling" in pinned(name) for name in SETS)


def test_what_is_small_stays_small() -> None:
    heavy = {"numpy", "onnxruntime", "tantivy", "faiss-cpu", "starlette", "lxml", "pypdf"}
    assert heavy & set(pinned("core")) == set()


def test_the_extras_of_the_readme_exist() -> None:
    named = re.findall(r"citebot\[([^]]+)]", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert named
    assert {extra for extras in named for extra in extras.split(",")} <= set(EXTRAS)
    assert set(EXTRAS) >= {"slack", "discord", "elasticsearch", "cohere", "openai", "postgres", "all", "dev"}
