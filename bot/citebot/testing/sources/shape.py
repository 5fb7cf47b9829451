"""A: what a source gives is well formed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog
from structlog.testing import capture_logs

from citebot.errors import CitebotError
from citebot.model import Document
from citebot.ports import ChecksItself, SourceContext
from citebot.testing.sources.checking import Trial, Unfit, attempt, check, must
from citebot.testing.sources.lab import HasSecrets, ReadsNetwork

LONGEST_ID = 512
LONGEST_CURSOR = 16_000
SECRET_WORDS = ("password", "token", "secret", "api_key")


@check(
    "A1", "It describes itself", why="Admins choose it by its summary and are asked for its settings.", observes=True
)
def describes_itself(trial: Trial) -> None:
    source = trial.source()
    must(source.name and source.summary, "It needs a name and a summary.")
    schema = source.Settings.model_json_schema()
    must(schema.get("type") == "object", "Its Settings must be a pydantic model.")
    for name, field in schema.get("properties", {}).items():
        bare = any(word in name for word in SECRET_WORDS) and "password" not in json.dumps(field)
        must(not bare or field.get("type") != "string", f"The setting {name} must be a SecretStr.")


@check("A2", "Ids are unique and short", why="Two documents of one id overwrite each other.", observes=True)
def ids_are_unique(trial: Trial) -> None:
    with trial.context() as ctx:
        ids = [ref.id for ref in trial.refs(ctx)]
    doubles = sorted({key for key in ids if ids.count(key) > 1}) if len(set(ids)) < len(ids) else []
    must(not doubles, f"Listed more than once: {doubles[:3]}")
    must(all(ids), "An id is empty.")
    long = [key for key in ids if len(key.encode()) > LONGEST_ID]
    must(not long, f"Ids are longer than {LONGEST_ID} bytes: {long[:1]}")


@check(
    "A3",
    "Every id asked for gets one answer",
    why="What is not answered is tried again at every poll, and what is answered twice may be another document.",
    observes=True,
)
def every_id_is_answered(trial: Trial) -> None:
    source = trial.source()
    with trial.context() as ctx:
        ids = [ref.id for ref in trial.refs(ctx, source)][:20]
        answers = list(source.fetch(ctx, [*ids, "no-such-document"]))
    must(sorted(a.id for a in answers) == sorted([*ids, "no-such-document"]), "Ids asked and answered differ.")
    unread = [answer for answer in answers if not isinstance(answer, Document) and answer.id in ids]
    must(not unread, f"Listed, but not to be fetched: {unread[:1]}")
    invented = [a for a in answers if isinstance(a, Document) and a.id not in ids]
    must(not invented, "An id that does not exist is answered with a document.")


@check("A4", "Title, address and time are sound", why="Answers cite them.", observes=True)
def titles_and_times(trial: Trial) -> None:
    with trial.context() as ctx:
        documents = [item for item in trial.sample(ctx, trial.source()) if isinstance(item, Document)]
    for document in documents:
        must(document.title.strip(), f"{document.id} has no title.")
        must(document.updated is None or document.updated.tzinfo, f"The time of {document.id} has no zone.")
        parts = urlsplit(document.url)
        sound = not document.url or (parts.scheme in ("http", "https") and parts.netloc) or parts.scheme == "file"
        must(sound, f"The address of {document.id} is not absolute: {document.url}")


@check("A5", "Cursors are small JSON", why="They are stored with every batch.", observes=True)
def cursors_are_json(trial: Trial) -> None:
    with trial.context() as ctx:
        for batch in trial.batches(ctx):
            try:
                size = len(json.dumps(batch.cursor))
            except (TypeError, ValueError) as error:
                must(False, f"A cursor is no JSON: {error}")
            must(size <= LONGEST_CURSOR, f"A cursor has {size:,} bytes; {LONGEST_CURSOR:,} are allowed.")


@check("A6", "No secret in logs and complaints", why="Logs are read by many.", needs=HasSecrets, observes=True)
def secrets_stay_secret(trial: Trial) -> None:
    lab = trial.lab
    assert isinstance(lab, HasSecrets)
    if not any(lab.secrets):
        raise Unfit("the source has no secrets")
    world = trial.world()
    said: list[str] = world.notes
    with _everything_logged(said):
        attempt(world)
        with world.context() as ctx:
            said.extend(_findings(trial, ctx))
    said.append(world.failure())
    for secret in filter(None, lab.secrets):
        lines = [line.replace(secret, "***") for line in said if secret in line]
        must(not lines, f"A secret was written: {lines[0][:200] if lines else ''}")


def _findings(trial: Trial, ctx: SourceContext) -> Iterator[str]:
    source = trial.source()
    if isinstance(source, ChecksItself):
        try:
            yield from (f"{found.what} {found.fix}" for found in source.check(ctx))
        except CitebotError as error:
            yield str(error)


@contextmanager
def _everything_logged(into: list[str]) -> Iterator[None]:
    """Structlog's and the standard library's lines, before anything is redacted."""

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            into.append(record.getMessage())

    handler, root = Listening(level=0), logging.getLogger()
    before, others = root.level, {other: other.level for other in root.handlers}
    wrapper = structlog.get_config()["wrapper_class"]
    for other in others:
        other.setLevel(max(other.level, before))  # the others show what they would have shown
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
    try:
        with capture_logs() as entries:
            yield
        into.extend(repr(entry) for entry in entries)
    finally:
        structlog.configure(wrapper_class=wrapper)
        root.removeHandler(handler)
        root.setLevel(before)
        for other, level in others.items():
            other.setLevel(level)


@check(
    "A7",
    "Addresses lead somewhere",
    why="A citation that ends in “not found” is worse than none.",
    needs=ReadsNetwork,
    observes=True,
)
def addresses_lead_somewhere(trial: Trial) -> None:
    with trial.context() as ctx:
        documents = [item for item in trial.sample(ctx, trial.source(), most=5) if isinstance(item, Document)]
        urls = [document.url for document in documents if document.url.startswith("http")]
        if not urls:
            raise Unfit("the documents have no web addresses")
        for url in urls:
            status = ctx.http.get(url).status_code
            must(status not in (400, 404, 410) and status < 500, f"{url} answers {status}.")


@check("A8", "A sound set-up is called sound", why="A wrong alarm at the first try sends people away.", observes=True)
def a_sound_place_is_called_sound(trial: Trial) -> None:
    source = trial.source()
    if not isinstance(source, ChecksItself):
        raise Unfit("the source has no check")
    with trial.context() as ctx:
        found = list(source.check(ctx))
    must(found, "Its check says nothing.")
    bad = [finding.what for finding in found if not finding.ok]
    must(not bad, f"Its check complains: {bad[:1]}")
