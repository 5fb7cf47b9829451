"""The tutorial for authors of a source: its code is what is written, its faults are found as it says."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from citebot.cli.source_new import write_package
from citebot.testing.local_server import local_server
from citebot.testing.sources.catalogue import CHECKS
from citebot.testing.sources.checking import Result, Trial, result_of

PAGE = Path(__file__).parents[2] / "docs" / "sources" / "writing.md"
MOST_LINES = 80
"""Of code, of a source with everything a source can have."""


@dataclass(frozen=True, slots=True)
class Example:
    """A block of the page."""

    language: str
    title: str
    code: str


EXAMPLES = [
    Example(language, title or "", code)
    for language, title, code in re.findall(
        r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
]
BROKEN = [(fault, told.code.strip()) for fault, told in pairwise(EXAMPLES) if fault.title == "broken"]


def titled(title: str) -> list[Example]:
    return [example for example in EXAMPLES if example.title == title]


def patched(source: str, diff: str) -> str:
    """The source after a change that is shown as a diff of whole lines."""
    lines = diff.splitlines(keepends=True)
    old, new = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
    assert source.count(old) == 1, f"not once in the source:\n{old}"
    return source.replace(old, new)


def grown(source: str) -> str:
    """The written source with all that the page adds to it."""
    for example in titled("source.py"):
        source = patched(source, example.code) if example.language == "diff" else f"{source}\n{example.code}"
    return source


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The package as `citebot source new intranet` writes it."""
    write_package("intranet", tmp_path / "citebot-intranet")
    return tmp_path / "citebot-intranet"


@contextmanager
def lab_of(folder: Path, source: str) -> Iterator[Any]:
    """The lab of the package's own tests, over this source."""
    (folder / "citebot_intranet" / "source.py").write_text(source, "utf-8")
    sys.path[:0] = found_in = [str(folder), str(folder / "tests")]
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    importlib.invalidate_caches()
    try:
        tests: Any = importlib.import_module("test_intranet")
        server = tests.IntranetServer()
        with local_server(server.answer) as served:
            yield tests.IntranetLab(server, served.url)
    finally:
        sys.dont_write_bytecode = before
        del sys.path[: len(found_in)]
        for name in ("test_intranet", "citebot_intranet.source", "citebot_intranet"):
            sys.modules.pop(name, None)


def came_of(id: str, folder: Path, source: str) -> Result:
    """What the kit says of one check."""
    (check,) = (check for check in CHECKS if check.id == id)
    with lab_of(folder, source) as lab:
        trial = Trial(lab, folder / f"trial-{id}")
        try:
            return result_of(check, trial)
        finally:
            trial.close()


def source_of(package: Path) -> str:
    return (package / "citebot_intranet" / "source.py").read_text("utf-8")


def test_the_command_writes_the_files_it_names(written: Path) -> None:
    (tree,) = titled("written")
    assert tree.code.split() == sorted(str(path.relative_to(written)) for path in written.rglob("*") if path.is_file())


@pytest.mark.parametrize("quoted", titled("quoted"), ids=lambda quoted: quoted.code.split("(")[0].strip())
def test_what_is_quoted_is_what_is_written(quoted: Example, written: Path) -> None:
    assert quoted.code in source_of(written)


@pytest.mark.parametrize(("fault", "told"), BROKEN, ids=[told.partition(" ")[0] for _, told in BROKEN])
def test_the_kit_finds_what_is_broken_and_says_so(fault: Example, told: str, written: Path) -> None:
    id = told.partition(" ")[0]
    source = grown(source_of(written))
    result = came_of(id, written, patched(source, fault.code))
    assert (result.outcome, f"{id} {result.check.title}: {result.what}") == ("failed", told)


def test_the_source_with_everything_is_short_and_keeps_all_that_was_broken(written: Path) -> None:
    source = grown(source_of(written))
    assert len([line for line in source.splitlines() if line.strip()]) <= MOST_LINES
    ids = {told.partition(" ")[0] for _, told in BROKEN}
    assert {"F4", "B4", "C1", "H2", "H3", "F3", "D1", "A1", "F5", "H5"} <= ids
    results = [came_of(id, written, source) for id in sorted(ids)]
    assert [(result.check.id, result.what) for result in results if result.outcome != "passed"] == []


def test_what_is_skipped_at_first_is_run_at_last(written: Path) -> None:
    before = source_of(written)
    assert came_of("H5", written, before).outcome == "left out"
    assert came_of("H5", written, grown(before)).outcome == "passed"


def test_only_signed_events_are_heard(written: Path) -> None:
    (test,) = titled("test_events.py")
    source = grown(source_of(written))
    for wanted, code in (
        ("1 passed", source),
        ("1 failed", source.replace("not secret or not hmac", "False and hmac")),
    ):
        (written / "citebot_intranet" / "source.py").write_text(code, "utf-8")
        (written / "tests" / "test_events.py").write_text(test.code, "utf-8")
        command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
        done = subprocess.run(
            [*command, "tests/test_events.py"],
            cwd=written,
            env={"PYTHONPATH": str(written), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert wanted in done.stdout, done.stdout + done.stderr


def test_the_methods_of_a_lab_are_all_named() -> None:
    from citebot.testing.sources import lab
    from citebot.testing.sources.checking import abilities

    protocols = [kind for name, kind in vars(lab).items() if isinstance(kind, type) and kind.__module__ == lab.__name__]
    named = {ability for kind in protocols for ability in abilities(kind)} - {"egress", "secrets", "burst_size"}
    assert len(protocols) > 10
    assert [name for name in sorted(named) if f"`{name}`" not in PAGE.read_text("utf-8")] == []
