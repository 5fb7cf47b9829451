"""What a check is, what it gets, and what comes of it."""

from __future__ import annotations

import atexit
import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import quote, quote_plus

from citebot.errors import CitebotError
from citebot.ingest import SyncProgress
from citebot.ingest.parsing import Parser
from citebot.logging_setup import redacted
from citebot.model import Batch, Document, Failed, Gone, Readers, Ref
from citebot.ports import ReportsGroups, Source, SourceContext
from citebot.settings import IngestSettings
from citebot.testing.sources.lab import HasSecrets, Lab, ReadsNetwork
from citebot.testing.sources.network import Fault, Network, Runaway
from citebot.testing.sources.world import SourceWorld

EVERYONE = Readers.everyone()
DOCUMENTS = 7
"""In the place when a check begins."""
REQUESTS = 20_000
"""Most requests of one check: a source that makes more goes on for ever."""
SHOWN = 30
"""Requests in a report."""


class Violation(Exception):
    """The source does not keep what the check asks for."""


class Unfit(Exception):
    """The check says nothing about this source; why."""


def must(condition: object, what: str) -> None:
    """Raise `Violation` unless the condition holds."""
    if not condition:
        raise Violation(what)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that every source keeps."""

    id: str
    """The letter of its group, and a number."""
    title: str
    why: str
    """What befalls a team when a source does not keep it."""
    run: Callable[[Trial], None]
    """Raises `Violation` or `Unfit`."""
    needs: type | None
    """An ability of the lab."""
    observes: bool
    """It only reads, and may be run on a place where people work."""

    def unfit(self, lab: Lab) -> str:
        """Why this lab cannot be checked; empty when it can."""
        if self.needs is None or isinstance(lab, self.needs):
            return ""
        return f"the lab has no {', '.join(abilities(self.needs))}"


def check(
    id: str, title: str, *, why: str, needs: type | None = None, observes: bool = False
) -> Callable[[Callable[[Trial], None]], Check]:
    """Make a function a check."""
    return lambda run: Check(id, title, why, run, needs, observes)


def abilities(protocol: type) -> list[str]:
    """What a lab must have for a protocol of `lab`."""
    return sorted(name for name in {*vars(protocol), *inspect.get_annotations(protocol)} if not name.startswith("_"))


class Trial:
    """A place with a few documents, and databases that read it."""

    def __init__(self, lab: Lab, folder: Path, network: Network | None = None, *, most: int | None = None) -> None:
        self.lab = lab
        self.network = network or Network(lab.egress if isinstance(lab, ReadsNetwork) else None)
        self.keys: list[str] = []
        """Ids of the documents made by `fill`, in order."""
        self.most = most
        """Set for a place where people work: how many of its documents are read."""
        self._folder = folder
        self._state_dir = folder / "state"
        self._worlds: list[SourceWorld] = []
        self._read: SourceWorld | None = None

    def fill(self) -> None:
        """Write the documents every check begins with; never where people work."""
        if self.most is not None:
            return
        self.keys += [
            self.lab.create(f"Page {number}", f"Text of page {number}.", EVERYONE) for number in range(DOCUMENTS)
        ]

    def close(self) -> None:
        """Close databases and connections."""
        for world in self._worlds:
            world.close()
        self.network.close()

    def world(self) -> SourceWorld:
        """A database that has not read the place yet."""
        folder = self._folder / f"world-{len(self._worlds)}"
        made = SourceWorld(self.lab, folder, network=self.network, parser=_parser())
        made.most = self.most
        if self.most is not None:
            made.state_dir = self._state_dir  # a copy of a large place is not made for every check
        self._worlds.append(made)
        return made

    def read(self) -> SourceWorld:
        """A database that has read the place; where people work it is read once for all checks."""
        if self._read is not None and self.most is not None:
            return self._read
        world = self.world()
        world.run()
        self._read = world
        return world

    def ways(self) -> list[SourceWorld]:
        """Databases that have read the place: one lists it at every poll, one uses the change feed if there is one."""
        listing, feeding = self.world(), self.world()
        listing.by_feed = False
        for world in (listing, feeding):
            world.run()
        return [listing, feeding] if hasattr(feeding.source(), "changes") else [listing]

    def must_be_clean(self, world: SourceWorld, when: str, *, clean: SourceWorld | None = None) -> None:
        """A database must hold what one holds that reads the place for the first time, or what `clean` holds."""
        differences = difference(world, clean or self.read())
        must(not differences, f"{when}, it is not as a first read is: {differences}")

    @contextmanager
    def context(self) -> Iterator[SourceContext]:
        """For calls of the source itself."""
        world = self.world()
        world.state_dir = self._state_dir
        with world.context() as context:
            yield context

    def source(self) -> Source:
        """A new source over the place."""
        return self.lab.source(self._state_dir)

    def batches(self, ctx: SourceContext, source: Source | None = None) -> list[Batch]:
        """A whole listing; where people work, the beginning of it."""
        return list(self.listing(ctx, source or self.source()))

    def listing(self, ctx: SourceContext, source: Source) -> Iterator[Batch]:
        """`batches` as they come."""
        listed = 0
        for batch in source.list(ctx, None):
            yield batch if self.most is None else replace(batch, items=batch.items[: self.most - listed])
            listed += len(batch.items)
            if self.most is not None and listed >= self.most:
                return

    def refs(self, ctx: SourceContext, source: Source | None = None) -> list[Ref]:
        """What a whole listing names."""
        return [item for batch in self.batches(ctx, source) for item in batch.items if isinstance(item, Ref)]

    def sample(self, ctx: SourceContext, source: Source, *, most: int = 20) -> list[Document | Gone | Failed]:
        """The answers to the first ids of a listing."""
        return list(source.fetch(ctx, [ref.id for ref in self.refs(ctx, source)][:most]))

    @contextmanager
    def faulty(self, fault: Fault) -> Iterator[None]:
        """Put a fault between the servers and `ctx.http`."""
        self.network.fault = fault
        try:
            yield
        finally:
            self.network.fault = None

    def requests_to_begin(self) -> int:
        """Requests that a run may make beside those for pages: robots.txt, a login in two steps, its groups."""
        source, before = self.source(), len(self.network.requests)
        if isinstance(source, ReportsGroups):
            with self.context() as ctx:
                list(source.groups(ctx))
        return 3 + len(self.network.requests) - before

    def must_use_network(self) -> None:
        """Leave the check out if the source asks no server through `ctx.http`."""
        if not self.network.used:
            raise Unfit("the source asks no server through ctx.http")


@cache
def _parser() -> Parser:
    """One for all checks: its process takes longer to start than most of them last."""
    parser = Parser(IngestSettings())
    atexit.register(parser.close)
    return parser


def difference(one: SourceWorld, other: SourceWorld) -> str:
    """What differs between two databases, in a line; empty when nothing does."""
    mine, theirs = one.state(), other.state()
    if mine == theirs:
        return ""
    ids, others = {str(row[0]) for row in mine}, {str(row[0]) for row in theirs}
    if ids != others:
        return f"too many {sorted(ids - others)[:3]}, missing {sorted(others - ids)[:3]}"
    changed = sorted({str(row[0]) for row in mine} & {str(row[0]) for row in {*theirs} ^ {*mine}})
    return f"other content in {changed[:3]}"


def attempt(world: SourceWorld, **options: object) -> SyncProgress | None:
    """One sync; None when it ended with a complaint."""
    try:
        return world.run(**options)  # type: ignore[arg-type]
    except CitebotError:
        return None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check."""

    check: Check
    outcome: Literal["passed", "failed", "left out"]
    what: str
    seconds: float
    requests: tuple[str, ...]
    """The last ones before it failed, without anything secret."""


def result_of(check: Check, trial: Trial) -> Result:
    """Run a check; whatever it raises is its result."""
    began, first = time.monotonic(), len(trial.network.requests)
    trial.network.budget = REQUESTS
    outcome: Literal["passed", "failed", "left out"] = "failed"
    what = ""
    try:
        if why := check.unfit(trial.lab):
            raise Unfit(why)
        trial.fill()
        check.run(trial)
        outcome = "passed"
    except Unfit as error:
        outcome, what = "left out", str(error)
    except Violation as error:
        what = str(error)
    except (Exception, Runaway) as error:  # noqa: BLE001 - a source is other people's code
        what = f"{type(error).__name__}: {error}"
    requests = trial.network.requests[first:][-SHOWN:] if outcome == "failed" else []
    secrets = trial.lab.secrets if isinstance(trial.lab, HasSecrets) else ()
    what, *requests = (without(secrets, text) for text in (what, *requests))
    return Result(check, outcome, what, time.monotonic() - began, tuple(requests))


def without(secrets: Iterable[str], text: str) -> str:
    """The text without these secrets, however they are written, and without what looks like one."""
    for secret in filter(None, secrets):
        for form in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(form, "***")
    return redacted(text)
