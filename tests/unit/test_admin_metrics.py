"""What `/metrics` says, read as Prometheus reads it, and who may read it."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from citebot.admin import Admin
from citebot.admin.figures import Figures
from citebot.admin.gauges import Gauges
from citebot.admin.listening import serve_metrics
from citebot.admin.metrics import Metrics
from citebot.admin.sparing import OLDEST, Sparing
from citebot.app.core import Citebot
from citebot.app.desk import Desk
from citebot.app.opening import open_citebot
from citebot.app.readiness import Readiness
from citebot.app.sources import add_source
from citebot.errors import CitebotError, IndexUnavailable, ModelUnavailable, SettingsError, SourceError, StorageError
from citebot.ingest.holder import new_holder
from citebot.model import Conversation, Embedding, Group, Person
from citebot.ports import CallFigures, Inbound, PartContext, Usage, unmetered
from citebot.storage import Database, budgets, clock, leases, passages, people, schema, sources, work
from citebot.storage.budgets import Amount, Counter
from citebot.storage.tables import inbox, source
from citebot.testing.local_server import Received, Sent, local_server
from citebot_connectors.platforms.console.platform import ConsolePlatform
from citebot_connectors.platforms.console.settings import ConsoleSettings
from citebot_connectors.platforms.console.streams import Streams
from citebot_connectors.platforms.console.web import Clocks, build_web

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
TOKEN = "the-token-of-the-scraper"
PERSONAL = "the-token-of-one-person"
Open = Callable[..., AbstractAsyncContextManager[Citebot]]

FLAKY = '''
from pathlib import Path

from citebot import Batch, Document, Failed, Gone, Readers, Ref, SourceSpec, hookimpl
from citebot.errors import StopSync
from pydantic import BaseModel


class FlakySource:
    """Reads addresses of one server; one document never works, and the listing fails when it is told to."""

    name, summary, spec = "flaky", "a server", SourceSpec()

    class Settings(BaseModel):
        url: str
        broken: bool = False
        gone: Path

    def __init__(self, settings, context):
        self.settings = settings

    def gone(self):
        return self.settings.gone.read_text() if self.settings.gone.exists() else ""

    def list(self, ctx, cursor):
        if self.settings.broken:
            raise StopSync("The token was refused: sk-very-secret.")
        names = ("a", "b", "Salaries of Jane Doe")
        yield Batch(tuple(Ref(name, "1") for name in names if name != self.gone()), None)

    def fetch(self, ctx, ids):
        for one in ids:
            if one == self.gone():
                yield Gone(one)
            elif "Jane" in one:
                yield Failed(one, "It is poison.", permanent=True)
            else:
                yield Document(one, one, ctx.http.get(self.settings.url).text, Readers.everyone(), version="1")


@hookimpl
def citebot_register_sources():
    return [FlakySource]
'''


@pytest.fixture
def server_url() -> Iterator[str]:
    """A server that is busy when it is asked for the first time."""
    asked: list[str] = []

    def answer(request: Received) -> Sent:
        asked.append(request.path)
        return Sent("busy", 503, {"retry-after": "0"}) if len(asked) == 1 else Sent("The zebra is striped.")

    with local_server(answer) as server:
        yield server.url


@pytest.fixture
def open_bot(
    tmp_path: Path, server_url: str, citebot_settings: Callable[..., Any], plugin_manager: Callable[..., Any]
) -> Open:
    """Opens Citebot with one source that reads the server."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "flaky.py").write_text(FLAKY)

    @asynccontextmanager
    async def opened(*, broken: bool = False, **settings: Any) -> AsyncIterator[Citebot]:
        allow = [server_url.removeprefix("http://")]
        limits = {"budgets.person_cost": 0.5, "budgets.everybody_tokens": 9000}
        overrides = {"plugins.dir": str(tmp_path / "plugins"), "egress.allow": allow, **limits, **settings}
        plugins = plugin_manager("embedded", "local", "console", overrides=overrides)
        async with open_citebot(citebot_settings(overrides), plugins, owner=True) as bot:
            values = {"url": server_url, "broken": broken, "gone": tmp_path / "gone"}
            if not await bot.sources():
                add_source(bot.database, plugins, bot.settings, kind="flaky", name="shop", values=values)
            yield bot

    return opened


@pytest.fixture
async def bot(open_bot: Open) -> AsyncIterator[Citebot]:
    async with open_bot() as opened:
        yield opened


class Scraped:
    """What one scrape said."""

    def __init__(self, text: bytes) -> None:
        self.text = text.decode()
        self.families = list(text_string_to_metric_families(self.text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float | None:
        found = [s.value for s in self.samples if s.name == f"citebot_{name}" and labels.items() <= s.labels.items()]
        assert len(found) < 2, f"{name} says more than one thing: {found}"
        return found[0] if found else None


async def scraped(metrics: Metrics) -> Scraped:
    return Scraped((await metrics.scrape())[0])


class Called:
    """A platform, as far as it is counted."""

    name = "chat"
    called = CallFigures(7, 1, 2.5)


def fresh(bot: Citebot) -> Metrics:
    """Metrics that read at every scrape, however long it took last time."""
    return Metrics(bot, Called(), clock=lambda: 0.0)  # type: ignore[arg-type]


def set_back(bot: Citebot, table: Any, column: str, by: timedelta) -> None:
    with bot.database.write() as tx:
        tx.execute(update(table).values({column: clock.now(tx) - by}))


# --- the page --------------------------------------------------------------------------------------------------------


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    rows = re.findall(r"^\| `(citebot_\w+)` \| (\w+) \|(.*?)\| \S", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


async def test_the_page_names_every_metric_and_no_other(bot: Citebot) -> None:
    metrics = fresh(bot)
    await bot.sync("shop")
    with bot.database.write() as tx:
        people.replace(tx, "shop", [Group("staff", frozenset({"ada"}))])

    found = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
        )
        for family in (await scraped(metrics)).families
        if not family.name.startswith("process_")
    }

    assert found == documented()
    assert len(found) > 20


async def test_the_names_have_base_units_and_the_help_is_a_sentence(bot: Citebot) -> None:
    found = [family for family in (await scraped(fresh(bot))).families if family.name.startswith("citebot_")]

    assert [family.name for family in found if not family.documentation.endswith(".")] == []
    assert [f.name for f in found if re.search(r"_(ms|millis\w*|minutes|hours|kb|mb|percent)(_|$)", f.name)] == []


# --- gauges ----------------------------------------------------------------------------------------------------------


async def test_a_budget_is_told_by_whoever_has_used_most_of_it_without_a_name(bot: Citebot) -> None:
    metrics = fresh(bot)
    assert (await scraped(metrics))("budget_used", scope="person") == 0
    with bot.database.write() as tx:
        for person, cost in (("ann", 100_000), ("bob", 200_000)):
            used = Amount(0, cost, 700)
            budgets.add(tx, {Counter("person", person=person): used, Counter("everybody"): used})
    now = await scraped(metrics)
    told = [now(f"budget_{what}", scope="person", unit="cost") for what in ("used", "limit")]
    assert told == [0.2, 0.5]
    assert [now(f"budget_{what}", scope="everybody") for what in ("used", "limit")] == [1400, 9000]
    assert (now("budget_limit", scope="workspace"), "bob" in now.text) == (None, False)


async def test_a_source_is_told_as_the_database_has_it(open_bot: Open, empty_url: str) -> None:
    made = Database(empty_url)
    schema.upgrade(made)
    made.close()
    async with open_bot(**{"database.url": empty_url}) as bot:
        metrics = fresh(bot)
        await bot.sync("shop")
        now = await scraped(metrics)

        counts = [now(f"source_{what}", source="shop") for what in ("documents", "passages", "parked_documents")]
        assert counts == [2, 2, 1]
        flags = [now(f"source_{what}") for what in ("waiting_documents", "late", "failing", "paused")]
        assert flags == [0, 0, 0, 0]
        assert 0 <= now("source_read_age_seconds") < 60
        assert 0 < now("source_next_read_seconds") <= 300
        set_back(bot, source, "synced_at", timedelta(hours=1))
        later = await scraped(metrics)
        assert later("source_late") == 1
        assert later("source_read_age_seconds") == pytest.approx(3600, abs=60)
        with bot.database.write() as tx:
            sources.set_paused(tx, "shop", True)
        paused = await scraped(metrics)
        assert [paused(f"source_{what}") for what in ("paused", "late", "next_read_seconds")] == [1, 0, None]


async def test_a_source_that_cannot_be_read_fails_and_says_nothing_more(open_bot: Open) -> None:
    async with open_bot(broken=True) as bot:
        metrics = fresh(bot)
        before = await scraped(metrics)
        with pytest.raises(SourceError):
            await bot.sync("shop")
        after = await scraped(metrics)

    assert (before("source_failing"), after("source_failing")) == (0, 1)
    assert after("source_read_age_seconds") is None
    assert after("sync_run_seconds_count", ending="failed") == 1
    assert "very-secret" not in after.text


async def test_questions_that_wait_are_counted_and_timed(bot: Citebot) -> None:
    metrics = fresh(bot)
    asked = Inbound(
        text="Who?",
        asker=Person("jane"),
        conversation=Conversation("console", "c1"),
        delivery_id="d1",
        message_id="m1",
    )
    with bot.database.write() as tx:
        work.accept(tx, asked)
    set_back(bot, inbox, "created_at", timedelta(seconds=100))

    found = await scraped(metrics)

    assert found("queue_rows", queue="inbox", state="ready") == 1
    assert found("queue_rows", queue="inbox", state="dead") == 0
    assert found("queue_oldest_age_seconds", queue="inbox") == pytest.approx(100, abs=30)
    assert found("queue_oldest_age_seconds", queue="outbox") == 0


async def test_passages_without_a_vector_and_an_index_that_is_behind_are_seen(bot: Citebot) -> None:
    metrics = fresh(bot)
    await bot.sync("shop")
    with bot.database.write() as tx:
        passages.save_embeddings(tx, "some model", [(passages.newest_id(tx), Embedding(1, b"1"))])

    behind = await scraped(metrics)
    await bot.feeder.catch_up()
    level = await scraped(metrics)

    assert (behind("passages_without_vector"), level("passages_without_vector")) == (1, 1)
    assert (behind("index_behind_changes"), level("index_behind_changes")) == (1, 0)
    assert level("index_passages") == 2


async def test_every_replica_tells_the_same_and_counts_for_itself(bot: Citebot, open_bot: Open) -> None:
    here = fresh(bot)
    there = fresh(replace(bot))
    await bot.sync("shop")

    one, other = await scraped(here), await scraped(there)

    same = [f"source_{what}" for what in ("documents", "passages", "parked_documents", "late", "failing")]
    assert [one(name) for name in same] == [other(name) for name in same]
    assert (one("sync_saved_documents_total"), other("sync_saved_documents_total")) == (2, 0)


async def test_what_is_away_is_told_and_hides_nothing_else(bot: Citebot) -> None:
    class Away:
        async def stats(self) -> None:
            raise IndexUnavailable("The index does not answer.")

    def away() -> Figures:
        raise StorageError("The database cannot be reached.")

    without_index = await scraped(fresh(replace(bot, index=Away())))
    without_database = {metric.name: metric.samples[0].value for metric in Gauges(away).collect()}

    assert (without_index("index_up"), without_index("index_passages")) == (0, None)
    assert without_index("source_documents") == 0
    assert without_database == {"citebot_database_up": 0.0}


def test_a_large_database_is_counted_for_a_small_part_of_the_time() -> None:
    now, took, reads = 0.0, 2.0, 0

    def read() -> int:
        nonlocal now, reads
        now, reads = now + took, reads + 1
        return reads

    sparing = Sparing(read, clock=lambda: now)
    told = []
    for _ in range(1000):
        told.append(sparing())
        now += 1.0

    assert took * reads / now < 0.06
    assert told[:38] == [1] * 38  # for 38 seconds after one that took two
    took, now, reads = 1000.0, now + 1000, 0
    sparing()
    now += OLDEST - 1
    assert sparing() == 1
    now += 1
    assert sparing() == 2


# --- counters --------------------------------------------------------------------------------------------------------


async def test_reads_are_counted_and_so_are_the_requests_they_make(bot: Citebot) -> None:
    metrics = fresh(bot)
    before = await scraped(metrics)
    await bot.sync("shop")
    after = await scraped(metrics)

    names = ("listed", "fetched", "saved", "same", "failed", "removed")
    assert [before(f"sync_{name}_documents_total") for name in names] == [0, 0, 0, 0, 0, 0]
    assert [after(f"sync_{name}_documents_total") for name in names] == [3, 3, 2, 0, 1, 0]
    assert [after(f"sync_{name}_total") for name in ("chunks", "http_requests", "http_retries")] == [2, 3, 1]
    assert after("sync_run_seconds_count", kind="regular", ending="ok") == 1
    assert after("sync_run_seconds_sum", ending="ok") > 0


async def test_what_happens_last_is_counted_too(bot: Citebot, tmp_path: Path) -> None:
    metrics = fresh(bot)
    await bot.sync("shop")
    (tmp_path / "gone").write_text("b")
    await bot.sync("shop")

    found = await scraped(metrics)

    assert found("sync_removed_documents_total") == 1
    assert found("source_documents") == 1


async def test_a_read_that_finds_another_at_work_is_no_failure(bot: Citebot) -> None:
    metrics = fresh(bot)
    with bot.database.write() as tx:
        found = sources.get(tx, "shop")
        assert leases.acquire(tx, f"source {found.id}", new_holder(), 60.0)
    with pytest.raises(SourceError):
        await bot.sync("shop")

    found = await scraped(metrics)

    assert found("sync_run_seconds_count", ending="busy") == 1
    assert found("sync_run_seconds_count", ending="failed") is None


async def test_a_removed_source_has_no_series(bot: Citebot) -> None:
    metrics = fresh(bot)
    await bot.sync("shop")
    await scraped(metrics)
    await bot.remove_source("shop")

    found = await scraped(metrics)

    assert not [sample for sample in found.samples if sample.labels.get("source") == "shop"]


async def test_labels_name_sources_and_nobody(bot: Citebot) -> None:
    metrics = fresh(bot)
    await bot.sync("shop")

    found = await scraped(metrics)

    labels = {label for sample in found.samples for label in sample.labels}
    of_models = {"part", "model", "outcome", "scope", "unit"}
    assert labels == {"source", "queue", "state", "kind", "ending", "le", "platform", *of_models}
    assert not re.search("jane|salar|zebra|127.0.0.1", found.text, re.IGNORECASE)


async def test_open_metrics_are_spoken_to_whoever_asks_for_them(bot: Citebot) -> None:
    text, media_type = await Metrics(bot).scrape("application/openmetrics-text;version=1.0.0")

    assert media_type.startswith("application/openmetrics-text")
    assert "citebot_source_documents" in {family.name for family in open_metrics(text.decode())}


# --- models ----------------------------------------------------------------------------------------------------------


async def test_calls_of_models_are_counted_by_what_became_of_them(bot: Citebot) -> None:
    metrics = fresh(bot)
    which = {"kind": "generator", "part": "extractive", "model": ""}
    before = await scraped(metrics)
    callee = next(one for one in bot.calls.callees if one.kind == "generator")
    for error in [ModelUnavailable("It is down.")] * 5:
        call = callee.begin(unmetered)
        assert call is not None
        call.used(Usage("x", 10, 2, 500_000))
        call.fail(error)
    after = await scraped(metrics)

    assert [found("model_calls_total", **which, outcome="failed") for found in (before, after)] == [0, 5]
    assert [found("model_breaker_state", **which) for found in (before, after)] == [0, 2]
    names = (
        "input_tokens_total",
        "output_tokens_total",
        "cost_total",
        "call_seconds_count",
        "first_text_seconds_count",
    )
    assert [after(f"model_{name}", **which) for name in names] == [50, 10, 2.5, 5, 0]


# --- who may read ----------------------------------------------------------------------------------------------------


def web(bot: Citebot, **settings: Any) -> httpx.AsyncClient:
    wanted = ConsoleSettings(**settings)
    platform = ConsolePlatform(wanted, PartContext(data_dir=Path()))
    desk = Desk(bot, platform, routes=Admin(bot, Readiness(bot, listening=None)).routes)
    app = build_web(wanted, desk, Streams(clock=lambda: 0.0), Clocks(wall=lambda: 0.0, monotonic=lambda: 0.0))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("token", "header", "status"),
    [
        (TOKEN, None, 401),
        (TOKEN, f"Bearer {TOKEN}", 200),
        (TOKEN, f"bearer  {TOKEN} ", 200),
        (TOKEN, f"Bearer {PERSONAL}", 200),
        (TOKEN, f"Bearer {TOKEN}x", 401),
        (TOKEN, f"Basic {TOKEN}", 401),
        (TOKEN, "Bearer ", 401),
        (TOKEN, "Bearer \u00e9".encode("latin-1"), 401),
        ("", "Bearer ", 401),
        ("", "Bearer", 401),
        ("", None, 401),
    ],
)
async def test_a_stranger_needs_the_token(open_bot: Open, token: str, header: str | None, status: int) -> None:
    async with open_bot(**{"metrics.token": token}) as bot, web(bot, token=PERSONAL) as client:
        headers = {} if header is None else {"authorization": header}
        answer = await client.get("/metrics", headers=headers)

    assert answer.status_code == status
    assert ("citebot_" in answer.text) == (status == 200)


async def test_the_token_opens_nothing_else(open_bot: Open) -> None:
    async with open_bot(**{"metrics.token": TOKEN}) as bot, web(bot, token=PERSONAL) as client:
        for path in ("/api/me", "/api/sources", "/", "/metrics/", "/metricsx"):
            answer = await client.get(path, headers={"authorization": f"Bearer {TOKEN}"})
            assert answer.status_code in (303, 307, 401), path
            assert "citebot_" not in answer.text


async def test_a_web_chat_that_is_open_to_this_machine_shows_it_its_metrics(bot: Citebot) -> None:
    async with web(bot) as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/metrics", headers={"host": "evil.example"})).status_code == 403


@asynccontextmanager
async def own_port(bot: Citebot) -> AsyncIterator[str]:
    addresses: asyncio.Queue[str] = asyncio.Queue()
    wanted, readiness = bot.settings.metrics, Readiness(bot, listening=None)
    serving = asyncio.create_task(serve_metrics(Metrics(bot), readiness, wanted, announce=addresses.put_nowait))
    yield await asyncio.wait_for(addresses.get(), 10)
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def test_a_port_of_its_own_is_open_to_this_machine_alone(open_bot: Open) -> None:
    async with open_bot(**{"metrics.port": 0}) as bot, own_port(bot) as address, httpx.AsyncClient() as client:
        assert "citebot_database_up 1.0" in (await client.get(address)).text
        assert (await client.get(address, headers={"host": "evil.example"})).status_code == 400
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


async def test_with_a_token_its_own_port_asks_for_it(open_bot: Open) -> None:
    settings = {"metrics.port": 0, "metrics.token": TOKEN}
    async with open_bot(**settings) as bot, own_port(bot) as address, httpx.AsyncClient() as client:
        assert (await client.get(address)).status_code == 401
        allowed = await client.get(address, headers={"authorization": f"Bearer {TOKEN}", "host": "citebot.corp"})
        assert allowed.status_code == 200


async def test_every_role_is_asked_how_it_is_on_this_port(open_bot: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"metrics.port": 0, "metrics.token": TOKEN}
    async with open_bot(**settings) as bot, own_port(bot) as address, httpx.AsyncClient() as client:
        live, ready = (address.replace("/metrics", path) for path in ("/livez", "/readyz"))
        assert (await client.get(ready)).json() == {"ready": True, "problems": 0}

        async def down() -> Any:
            raise IndexUnavailable("The index does not answer.")

        monkeypatch.setattr(bot.index, "stats", down)
        refused = await client.get(ready)
        assert (refused.status_code, refused.json()) == (503, {"ready": False, "problems": 1})
        told = await client.get(ready, headers={"authorization": f"Bearer {TOKEN}"})
        assert told.json()["problems"] == ["The index does not answer."]
        object.__setattr__(bot, "searches", False)  # a gateway does not ask it
        assert (await client.get(ready)).status_code == 200
        bot.database.close()
        monkeypatch.setattr(bot.database, "read", broken)
        assert (await client.get(ready)).status_code == 503
        assert (await client.get(live)).json() == {"live": True}


@contextmanager
def broken() -> Iterator[None]:
    raise StorageError("The database does not answer.")
    yield


async def test_a_port_that_is_taken_is_said_in_one_line(open_bot: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with open_bot(**{"metrics.port": taken.getsockname()[1]}) as bot:
            with pytest.raises(CitebotError, match=r"Cannot listen on 127\.0\.0\.1:.* metrics\.port"):
                await Admin(bot, Readiness(bot, listening=None)).run()


async def test_without_the_extra_a_server_runs_unless_metrics_are_wanted(
    open_bot: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "citebot.admin.metrics", None)
    async with open_bot() as bot:
        assert list(Admin(bot, Readiness(bot, listening=None)).routes()) == []
    async with open_bot(**{"metrics.port": 0}) as bot:
        with pytest.raises(CitebotError, match=r"pip install 'citebot\[web\]'"):
            Admin(bot, Readiness(bot, listening=None))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"metrics.port": 9090, "metrics.host": "0.0.0.0"}, "needs metrics.token"),
        ({"metrics.port": 9090, "metrics.host": "metrics.corp"}, "needs metrics.token"),
        ({"metrics.token": "short"}, "at least 16 characters"),
    ],
)
def test_settings_that_open_too_much_are_refused(citebot_settings: Any, settings: Any, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        citebot_settings(settings)
    citebot_settings({"metrics.port": 9090, "metrics.host": "::1"})
    citebot_settings({"metrics.port": 9090, "metrics.host": "0.0.0.0", "metrics.token": TOKEN})
