"""Fixtures for everybody who tests with Citebot installed; the core is imported when one is used."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import citebot.testing

if TYPE_CHECKING:
    from citebot.pluginmanager import PluginManager
    from citebot.ports import SourceContext
    from citebot.settings import Settings
    from citebot.testing.sources.checking import Result

# A failed assert in a contract should show its values, as one in a test file does.
pytest.register_assert_rewrite(
    *(
        f"citebot.testing.{module.name}"
        for module in pkgutil.iter_modules(citebot.testing.__path__)
        if module.name.startswith("contract_")
    )
)


@pytest.fixture
def citebot_data_dir(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "citebot-data"
    folder.mkdir()
    return folder


@pytest.fixture
def citebot_settings(citebot_data_dir: Path) -> Callable[..., Settings]:
    """Make settings: `citebot_settings({"answering.threshold": 0.4})`. Neither files nor the environment are read."""
    from citebot.settings import load_settings

    def make(overrides: dict[str, Any] | None = None) -> Settings:
        values = {"data_dir": citebot_data_dir, **(overrides or {})}
        return load_settings(overrides=values, environ={}, folder=citebot_data_dir)

    return make


@pytest.fixture
def plugin_manager(citebot_settings: Callable[..., Settings]) -> Callable[..., PluginManager]:
    """Load installed plugins by name: `plugin_manager("weather")`; nothing else is imported."""
    from citebot.pluginmanager import PluginManager

    def make(*enabled: str, overrides: dict[str, Any] | None = None) -> PluginManager:
        return PluginManager.load(citebot_settings({"plugins.enabled": list(enabled), **(overrides or {})}))

    return make


@pytest.fixture
def source_context(tmp_path: Path) -> SourceContext:
    """What a source gets while it runs; its clock is the real one and nothing ever asks it to stop."""
    from datetime import UTC, datetime

    import structlog

    from citebot.ports import SourceContext

    return SourceContext(
        state_dir=tmp_path / "source-state",
        log=structlog.get_logger("citebot.source"),
        stop=lambda: False,
        now=lambda: datetime.now(UTC),
    )


# --- what came of the conformance kit ----------------------------------------------------------------------------

RESULTS = "results.jsonl"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--conformance-report`."""
    parser.getgroup("citebot").addoption(
        "--conformance-report", type=Path, metavar="FOLDER", help="Write what came of the conformance kit of sources."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin with an empty report; processes that only take part add to it."""
    folder = config.getoption("conformance_report", None)
    if folder is not None and not hasattr(config, "workerinput"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULTS).write_text("")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page for people."""
    folder = session.config.getoption("conformance_report", None)
    if folder is not None and not hasattr(session.config, "workerinput"):
        from citebot.testing.sources.report import as_html

        rows = [json.loads(line) for line in (folder / RESULTS).read_text().splitlines()]
        rows.sort(key=lambda row: row["place"])
        (folder / "report.html").write_text(as_html(rows, title="Conformance of sources"), "utf-8")


@pytest.fixture
def conformance_report(request: pytest.FixtureRequest) -> Callable[[str, Result], None]:
    """Notes a result of the kit where `--conformance-report` says."""
    from citebot.testing.sources.report import as_json

    folder = request.config.getoption("conformance_report")

    def add(place: str, result: Result) -> None:
        if folder is not None:
            with (folder / RESULTS).open("a") as file:
                file.write(json.dumps(as_json(result, place)) + "\n")

    return add
