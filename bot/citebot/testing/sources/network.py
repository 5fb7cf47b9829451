"""`ctx.http` of the kit: the real one, with whatever a check orders put beneath it, and a log of all requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from citebot.egress import Allowed, GuardedTransport, SourceHttp, Time
from citebot.ports import Http, NoHttp
from citebot.settings import EgressSettings

Send = Callable[[httpx.Request], httpx.Response]
Fault = Callable[[httpx.Request, Send], httpx.Response]
"""Gets each request and the way on; answers, raises, or sends it on."""


class Runaway(BaseException):
    """A source asks without end: nothing may catch it."""


class Network:
    """Makes `ctx.http`; what is asked through all of them is in `requests`."""

    def __init__(
        self,
        egress: EgressSettings | None,
        *,
        patient: bool = False,
        asking: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.requests: list[str] = []
        self.fault: Fault | None = None
        self.budget: int | None = None
        """Most requests from now on."""
        self.threads: set[int] = set()
        """Which of them have asked."""
        self._egress = egress
        self._skipped = 0.0
        self._patient = patient
        self._asking = asking
        self._answered_by_server = False
        self._inside = threading.local()
        self._open: list[SourceHttp] = []
        self._way: GuardedTransport | None = None
        """Made once: certificates take longer to load than most checks."""

    def close(self) -> None:
        """Close every connection."""
        if self._way is not None:
            self._way.close()
            self._way = None

    @property
    def used(self) -> bool:
        """Whether the source asks servers through `ctx.http`."""
        return bool(self.requests)

    @property
    def inside(self) -> bool:
        """Whether this thread is in a request of `ctx.http` now."""
        return getattr(self._inside, "now", False)

    @contextmanager
    def open(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Http]:
        """A new `ctx.http`, without cookies; waiting takes no time, unless it is patient with a server."""
        if self._egress is None:
            yield NoHttp()
            return
        with closing(self._http(self._egress, stop)) as http:
            self._open.append(http)
            try:
                yield http
            finally:
                self._open.remove(http)

    def forget_sessions(self) -> None:
        """Drop the cookies of whatever is open, as a server does whose sessions expire."""
        for http in self._open:
            http.forget_cookies()

    def _http(self, egress: EgressSettings, stop: Callable[[], bool]) -> SourceHttp:
        if self._way is None:
            self._way = GuardedTransport(Allowed(egress.allow), ca_file=egress.ca_file)
        return SourceHttp(egress, source="lab", stop=stop, transport=_Between(self, self._way), times=self._times())

    def send(self, request: httpx.Request, way: Send) -> httpx.Response:
        """Note a request, and do to it what is ordered."""
        if self.budget is not None:
            self.budget -= 1
            if self.budget < 0:
                raise Runaway("The source goes on asking: " + ", ".join(self.requests[-3:]))
        line = f"{request.method} {request.url.copy_with(query=None, userinfo=b'')}"
        self.requests.append(line)
        number = len(self.requests) - 1
        self.threads.add(threading.get_ident())
        self._asking(number + 1)
        self._inside.now, self._answered_by_server = True, False
        try:
            response = self.fault(request, self._sent(way)) if self.fault else self._sent(way)(request)
        finally:
            self._inside.now = False
        self.requests[number] = f"{line} → {response.status_code}"
        return response

    def _sent(self, way: Send) -> Send:
        def send(request: httpx.Request) -> httpx.Response:
            response = way(request)
            self._answered_by_server = True
            return response

        return send

    def _times(self) -> Time:
        return Time(
            monotonic=lambda: time.monotonic() + self._skipped,
            wall=lambda: datetime.now(UTC) + timedelta(seconds=self._skipped),
            sleep=self._skip,
        )

    def _skip(self, seconds: float) -> None:
        if self._patient and self._answered_by_server:
            time.sleep(seconds)  # a server where people work; what a fault asks to wait for is nobody's
        else:
            self._skipped += seconds


class _Between(httpx.BaseTransport):
    """Stands between httpx and the guarded connections, which outlast it."""

    def __init__(self, network: Network, way: GuardedTransport) -> None:
        self._network = network
        self._way = way

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._network.send(request, self._way.handle_request)
