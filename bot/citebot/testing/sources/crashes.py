"""G: killed at every step, and servers that fail in every way there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from urllib.parse import unquote

import httpx

from citebot.errors import CitebotError, CursorExpired
from citebot.model import Json
from citebot.ports import ReportsChanges, Source, SourceContext
from citebot.testing.sources.checking import EVERYONE, Trial, Unfit, attempt, check, must
from citebot.testing.sources.lab import HasSecrets, ReadsNetwork
from citebot.testing.sources.network import Fault, Send
from citebot.testing.sources.world import Killed, SourceWorld

Asked = tuple[str, str, bytes]
"""Method, address and body of a request."""
MOST_KILLS = 120
LOGIN_PAGE = (
    "<html><head><title>Sign in</title></head><body><h1>Sign in to go on</h1>"
    '<form method="post"><input name="user"><input type="password" name="password"></form></body></html>'
)
ELSEWHERE = "elsewhere.example"
CREDENTIALS = ("authorization", "cookie", "x-api-key", "x-redmine-api-key", "private-token")


def _cut(request: httpx.Request, send: Send) -> httpx.Response:
    """The connection closes in the middle of the body."""
    whole = send(request)
    body = whole.read()

    def pieces() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    headers = [(name, value) for name, value in whole.headers.multi_items() if name != "content-encoding"]
    return httpx.Response(whole.status_code, headers=headers, stream=_Stream(pieces()))


class _Stream(httpx.SyncByteStream):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def raises(error: type[httpx.TransportError]) -> Fault:
    """The connection fails."""

    def fault(request: httpx.Request, send: Send) -> httpx.Response:
        raise error("injected")

    return fault


def answers(status: int, headers: Callable[[], dict[str, str]] = dict, body: str = "") -> Fault:
    """The server answers this to everything."""
    return lambda request, send: httpx.Response(status, headers=headers(), text=body)


def _soon() -> dict[str, str]:
    return {"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)}


PASSING: dict[str, Fault] = {
    "429 with seconds": answers(429, lambda: {"retry-after": "5"}),
    "429 with a date": answers(429, _soon),
    "503": answers(503),
    "a reset connection": raises(httpx.ReadError),
    "a timeout": raises(httpx.ReadTimeout),
    "a body cut in the middle": _cut,
}
"""What goes over when one asks again."""
GARBAGE: dict[str, Fault] = {
    "a login page with status 200": answers(200, lambda: {"content-type": "text/html"}, LOGIN_PAGE),
    "other JSON with status 200": answers(200, lambda: {"content-type": "application/json"}, '{"error": "no"}'),
    "empty JSON with status 200": answers(200, lambda: {"content-type": "application/json"}, "{}"),
    "an empty body with status 200": answers(200),
    "half of every body": _cut,
}
"""What is not an answer, though it looks like one."""


def every(number: int, fault: Fault) -> Fault:
    """The fault at every so manyth request; the others go through."""
    count = 0

    def sometimes(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal count
        count += 1
        return fault(request, send) if count % number == 0 else send(request)

    return sometimes


def _kills_at(number: int) -> Fault:
    count = 0

    def fault(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal count
        count += 1
        if count == number:
            raise Killed
        return send(request)

    return fault


@check("G1", "Killed at every document, it ends the same", why="Machines are restarted in the middle of a load.")
def killed_at_every_document(trial: Trial) -> None:
    world = trial.world()
    for number in range(1, MOST_KILLS):
        try:
            world.run(world.watched(kill_at=number))
            break
        except Killed:
            continue
    else:
        must(False, f"After {MOST_KILLS} kills it has not come to its end.")
    trial.must_be_clean(world, "Killed at every document")


@check("G2", "Killed at every request, it ends the same", why="Machines are restarted in the middle of a poll.")
def killed_at_every_request(trial: Trial) -> None:
    trial.read()
    trial.must_use_network()
    world = trial.world()
    _killed_until_done(trial, world, "a first read")
    trial.must_be_clean(world, "Killed at every request of a first read")
    trial.lab.edit(trial.keys[0], "Edited before the kills.")
    trial.lab.delete(trial.keys[1])
    new = trial.lab.create("Made before the kills", "Just made.", EVERYONE)
    _killed_until_done(trial, world, "a poll")
    for key, text in ((trial.keys[0], "Edited before the kills."), (new, "Just made.")):
        must(text in world.texts().get(key, ""), f"Killed at every request of a poll, it has not seen “{text}”")
    world.run(full=True)
    trial.must_be_clean(world, "Killed at every request of a poll")


def _killed_until_done(trial: Trial, world: SourceWorld, what: str) -> None:
    for number in range(1, MOST_KILLS):
        try:
            with trial.faulty(_kills_at(number)):
                world.run()
            return
        except Killed:
            continue
    must(False, f"After {MOST_KILLS} kills {what} has not come to its end.")


@check("G3", "Faults that pass are waited out", why="Servers are busy; the sync should not fail for it.")
def passing_faults(trial: Trial) -> None:
    clean = trial.read()
    trial.must_use_network()
    for name, fault in PASSING.items():
        world = trial.world()
        with trial.faulty(every(3, fault)):
            done = attempt(world)
        must(done is not None, f"With {name} at every third request the run fails: {world.failure()}")
        must(not world.parked(), f"With {name} at every third request documents are parked: {world.parked()}")
        trial.must_be_clean(world, f"With {name} at every third request", clean=clean)


@check("G4", "Faults that last change nothing", why="A server that is down must not look like an empty one.")
def lasting_faults(trial: Trial) -> None:
    world = trial.read()
    trial.must_use_network()
    before = world.state()
    for name, fault in (PASSING | GARBAGE).items():
        with trial.faulty(fault):
            for full in (False, True):
                done = attempt(world, full=full)
                must(world.state() == before, f"With {name} for every request, something changed.")
                must(done is None or done.failed, f"With {name} for every request, nobody is told.")
    world.run(full=True)
    must(world.state() == before, "After the faults ended, it is not as before.")
    trial.must_be_clean(world, "After the faults ended")


@check("G5", "No secret follows a redirect", why="Whoever answers for the server would get our credentials.")
def redirects(trial: Trial) -> None:
    world = trial.read()
    trial.must_use_network()
    before = world.state()
    secrets = trial.lab.secrets if isinstance(trial.lab, HasSecrets) else ()
    told: list[str] = []

    def elsewhere(request: httpx.Request, send: Send) -> httpx.Response:
        if request.url.host == ELSEWHERE:
            told.extend(name for name in CREDENTIALS if name in request.headers)
            told.extend(["what was posted"] if request.method != "GET" else [])
            told.extend("a secret in the address" for secret in secrets if secret in unquote(str(request.url)))
            return httpx.Response(200, text=LOGIN_PAGE, headers={"content-type": "text/html"})
        # A server that has moved sends everything on as it came, the query with it.
        return httpx.Response(302, headers={"location": f"https://{ELSEWHERE}{request.url.raw_path.decode()}"})

    with trial.faulty(elsewhere):
        for full in (False, True):
            attempt(world, full=full)
    must(not told, f"Another server was told: {', '.join(sorted(set(told)))}.")
    must(world.state() == before, "What another server says was taken for an answer.")


@check("G6", "A cursor of another source is refused", why="A setting was changed, and the old cursor is still stored.")
def foreign_cursors(trial: Trial) -> None:
    source = trial.source()
    foreign: tuple[Json, ...] = ("x", 7, {}, [], {"page": "none", "since": "yesterday"})
    with trial.context() as ctx:
        everything = {ref.id for ref in trial.refs(ctx, source)}
        for cursor in foreign:
            try:
                listed = {item.id for batch in source.list(ctx, json.loads(json.dumps(cursor))) for item in batch.items}
            except CitebotError:
                continue
            must(listed == everything, f"A listing from the cursor {cursor!r} leaves out documents and says nothing.")
        if isinstance(source, ReportsChanges):
            for cursor in foreign:
                try:
                    list(islice(source.changes(ctx, json.loads(json.dumps(cursor))), 100))
                except CursorExpired:
                    continue
                must(False, f"The feed takes the cursor {cursor!r} instead of raising CursorExpired.")


@check("G7", "A session that ends is begun again", why="Sessions end in the middle of a long load.", needs=ReadsNetwork)
def sessions(trial: Trial) -> None:
    trial.read()
    trial.must_use_network()

    def forgetful(request: httpx.Request, send: Send) -> httpx.Response:
        answer = send(request)
        trial.network.forget_sessions()
        return answer

    world = trial.world()
    with trial.faulty(every(4, forgetful)):
        done = attempt(world)
    must(done is not None, f"When a session ends, the run fails: {world.failure()}")
    trial.must_be_clean(world, "When sessions end")


@check("G8", "A document that always fails stays alone", why="One broken page must not hold up the others.")
def one_bad_document(trial: Trial) -> None:
    bad, other = trial.keys[0], trial.keys[1]
    shared = _asked(trial, lambda source, ctx: trial.batches(ctx, source))
    shared |= _asked(trial, lambda source, ctx: list(source.fetch(ctx, [other])))
    trial.must_use_network()
    own = _asked(trial, lambda source, ctx: list(source.fetch(ctx, [bad]))) - shared
    if not own:
        raise Unfit("no request is for one document alone")

    def broken(request: httpx.Request, send: Send) -> httpx.Response:
        return httpx.Response(500) if _key(request) in own else send(request)

    world = trial.world()
    with trial.faulty(broken):
        counts = attempt(world)
    must(counts is not None, f"When the server fails for one document, the run ends: {world.failure()}")
    must(set(trial.keys[1:]) <= set(world.texts()), "When the server fails for one document, another is missing.")


def _asked(trial: Trial, call: Callable[[Source, SourceContext], object]) -> set[Asked]:
    """The requests a new source makes for a call."""
    found: set[Asked] = set()

    def note(request: httpx.Request, send: Send) -> httpx.Response:
        found.add(_key(request))
        return send(request)

    with trial.context() as ctx, trial.faulty(note):
        call(trial.source(), ctx)
    return found


def _key(request: httpx.Request) -> Asked:
    return request.method, str(request.url), request.read()
