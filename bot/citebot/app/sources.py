"""Adding and checking knowledge sources: a row in the database, built into a `Source` when it is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, cast

import structlog

from citebot.app import secrets
from citebot.app.curated import CuratedSource
from citebot.egress import Counted, open_http
from citebot.errors import CitebotError, SourceError, WrongUse
from citebot.logging_setup import without_secrets
from citebot.model import Finding, Trust
from citebot.pluginmanager import PluginManager
from citebot.ports import ChecksItself, PartContext, Source, SourceContext
from citebot.settings import Choice, Settings
from citebot.storage import Database, Transaction, curated, sources
from citebot.storage.secrets import SecretUnreadable
from citebot.storage.sources import SourceRow

CHECK_SECONDS = 5.0
"""How long a check asks a server that does not answer: somebody waits for it."""
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


def add_source(
    database: Database,
    plugins: PluginManager,
    settings: Settings,
    *,
    kind: str,
    name: str,
    values: dict[str, Any],
    trust: Trust | None = None,
    check: bool = True,
) -> tuple[SourceRow, list[Finding]]:
    """Validate, check and store a new source; refuses a taken or unusable name and a set-up that does not work."""
    if not NAME.fullmatch(name):
        raise WrongUse(f"“{name}” cannot name a source: use lower-case letters, digits, - _ and . (at most 63).")
    with database.read() as tx:
        _must_be_free(tx, name)  # before its check, which may keep something in the folder of that name
    source = build_source(plugins, settings, kind=kind, name=name, values=values)
    secrets.hide_all(plugins.part("source", kind).Settings.model_validate(values))
    found = _check(source, settings, name) if check else []
    bad = [finding for finding in found if not finding.ok]
    if bad:
        raise SourceError(f"{bad[0].what}" + (f" {bad[0].fix}" if bad[0].fix else ""))
    with secrets.sealing(settings) as seal:
        stored = source_settings(plugins, kind, values, seal)
        with database.write() as tx:
            _must_be_free(tx, name)
            return sources.add(tx, name=name, type=kind, settings=stored, trust=trust), found


def _must_be_free(tx: Transaction, name: str) -> None:
    if sources.get(tx, name) is not None:
        raise CitebotError(f"There is already a source “{name}”. Choose another name, or remove that one first.")


def source_settings(plugins: PluginManager, kind: str, values: dict[str, Any], seal: secrets.Seal) -> dict[str, Any]:
    """The settings of a source as stored: complete, validated, JSON, secrets sealed."""
    return secrets.stored_form(plugins.part("source", kind).Settings.model_validate(values), seal)


def build_source(plugins: PluginManager, settings: Settings, *, kind: str, name: str, values: dict[str, Any]) -> Source:
    """Build a source from its settings; raises `SettingsError` naming what is wrong."""
    choice = Choice.model_validate({"use": kind, kind: values})
    return cast("Source", plugins.build("source", choice, PartContext(data_dir=state_dir(settings, name))))


def source_of(row: SourceRow, plugins: PluginManager, settings: Settings, database: Database) -> Source:
    """Build the source of a stored row; only here its secrets are opened."""
    if row.type == curated.KIND:
        return CuratedSource(database)
    return build_source(plugins, settings, kind=row.type, name=row.name, values=secrets.opened_settings(row, settings))


def known_source(tx: Transaction, name: str) -> SourceRow:
    """The row of a source, or a clear complaint."""
    row = sources.get(tx, name)
    if row is None:
        raise CitebotError(f"There is no source “{name}”. “citebot source list” shows the names.")
    return row


@contextmanager
def source_context(
    settings: Settings,
    name: str,
    *,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[str], None] = lambda note: None,
    counted: Counted = lambda what: None,
    cookies: CookieJar | None = None,
    patience: float | None = None,
) -> Iterator[SourceContext]:
    """What a source may use during one run; its connections are closed at the end."""
    opened = open_http(settings.egress, source=name, stop=stop, counted=counted, cookies=cookies, patience=patience)
    with closing(opened) as http:
        yield SourceContext(
            state_dir=state_dir(settings, name),
            log=structlog.get_logger("citebot.source").bind(source=name),
            stop=stop,
            now=lambda: datetime.now(UTC),
            progress=progress,
            http=http,
        )


def findings(database: Database, plugins: PluginManager, settings: Settings, name: str) -> list[Finding]:
    """Check a stored source."""
    with database.read() as tx:
        row = known_source(tx, name)
    try:
        source = source_of(row, plugins, settings, database)
    except SecretUnreadable as error:
        return [Finding(ok=False, what=str(error))]
    return _check(source, settings, name)


def state_dir(settings: Settings, name: str) -> Path:
    """The folder where a source may keep its own state."""
    return settings.data_dir / "sources" / name


def _check(source: Source, settings: Settings, name: str) -> list[Finding]:
    if isinstance(source, ChecksItself):
        try:
            with source_context(settings, name, patience=CHECK_SECONDS) as context:
                return [
                    replace(each, what=without_secrets(each.what), fix=without_secrets(each.fix))
                    for each in source.check(context)
                ]
        except SourceError as error:
            # A server that cannot be reached is a finding, however the source came to it.
            return [Finding(ok=False, what=without_secrets(str(error)))]
        except Exception as error:  # noqa: BLE001 - a source is other people's code, and servers answer anything
            failure = f"The check of a {source.name} source failed with {type(error).__name__}: {error}"
            return [Finding(ok=False, what=without_secrets(failure))]
    return [Finding(ok=True, what=f"A {source.name} source has nothing to check.")]
