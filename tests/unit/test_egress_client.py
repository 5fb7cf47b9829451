"""`ctx.http` against a real server that is busy, broken, hostile or simply somewhere else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from citebot.egress import SourceHttp, Time
from citebot.errors import Retry, SkipDocument, StopSync
from citebot.settings import EgressSettings
from citebot.testing.local_server import LocalServer, Received, Sent, local_server

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
OK = Sent("fine")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0

    def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def times(self) -> Time:
        return Time(
            monotonic=lambda: self.passed,
            wall=lambda: START + timedelta(seconds=self.passed),
            sleep=self.sleep,
            chance=lambda: 0.5,
        )


@contextmanager
def world(
    answer: Callable[[Received], Sent | None], *, stop: Callable[[], bool] = lambda: False, **settings: Any
) -> Iterator[tuple[SourceHttp, LocalServer, Clock]]:
    clock = Clock()
    with local_server(answer) as server:
        values = {"allow": ["127.0.0.0/8"], "timeout_seconds": 2, **settings}
        client = SourceHttp(EgressSettings(**values), source="wiki", stop=stop, times=clock.times())
        with closing(client):
            yield client, server, clock


def script(*answers: Sent | None) -> Callable[[Received], Sent | None]:
    """These answers in turn, the last one for ever."""
    left = list(answers)
    return lambda received: left.pop(0) if len(left) > 1 else left[0]


BUSY = [
    (Sent(status=429, headers={"retry-after": "7"}), 7),
    (Sent(status=429, headers={"retry-after": format_datetime(START + timedelta(seconds=9), usegmt=True)}), 9),
    (Sent(status=503, headers={"retry-after": "3"}), 3),
    (Sent(status=403, headers={"retry-after": "60"}), 60),
    (Sent(status=403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20"}), 20),
    (
        Sent(
            status=429,
            headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(START.timestamp()) + 30)},
        ),
        30,
    ),
    (Sent(status=429), 0.25),
    (Sent(status=502), 0.25),
    (Sent(status=504), 0.25),
    (Sent(status=529), 0.25),
    (Sent(status=429, headers={"retry-after": "soon"}), 0.25),
    (Sent(status=429, headers={"retry-after": "-1"}), 0.25),
    (Sent(status=429, headers={"retry-after": "9" * 5000}), 0.25),
    (Sent('{"error": …}', headers={"mediawiki-api-error": "maxlag", "retry-after": "5"}), 5),
    (None, 0.25),
    (Sent("x" * 1000, cut=10), 0.25),
    (Sent(b"no gzip", headers={"content-encoding": "gzip"}), 0.25),
]


@pytest.mark.parametrize(("ill", "seconds"), BUSY)
def test_a_busy_server_is_asked_again_when_it_said_so(ill: Sent | None, seconds: float) -> None:
    with world(script(ill, OK)) as (client, server, clock):
        assert client.get(f"{server.url}/page").text == "fine"
        assert len(server.received) == 2
        assert clock.passed == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("status", [200, 304, 400, 401, 403, 404, 410, 500])
def test_other_answers_are_the_sources_business(status: int) -> None:
    with world(script(Sent("x", status=status))) as (client, server, clock):
        assert client.get(f"{server.url}/page").status_code == status
        assert (len(server.received), clock.passed) == (1, 0)


def test_a_server_that_stays_busy_ends_the_run_and_says_how_long() -> None:
    with world(script(Sent(status=503))) as (client, server, clock), pytest.raises(Retry, match="answers 503"):
        client.get(f"{server.url}/page")
    assert len(server.received) == 6
    assert clock.passed < 30
    long = Sent(status=429, headers={"retry-after": "3600"})
    with world(script(long)) as (client, server, clock), pytest.raises(Retry) as told:
        client.get(f"{server.url}/page")
    assert (told.value.after, clock.passed, len(server.received)) == (3600, 0, 1)


def test_a_run_that_is_ended_does_not_wait() -> None:
    ended = False

    def answer(received: Received) -> Sent:
        nonlocal ended
        ended = True
        return Sent(status=429, headers={"retry-after": "100"})

    with world(answer, stop=lambda: ended) as (client, server, clock), pytest.raises(StopSync, match="ended"):
        client.get(f"{server.url}/page")
    assert clock.passed <= 1


def test_nobody_listening_says_so() -> None:
    with local_server(script(OK)) as gone:
        url = gone.url
    with world(script(OK)) as (client, _, _), pytest.raises(Retry, match="cannot be reached"):
        client.get(url)


def test_an_answer_that_never_comes_is_given_up() -> None:
    import threading

    free = threading.Event()

    def hang(received: Received) -> Sent:
        free.wait(10)
        return OK

    with world(hang, timeout_seconds=0.05) as (client, server, _):
        with pytest.raises(Retry, match="did not answer"):
            client.get(server.url)
        free.set()


def test_a_body_that_is_too_long_is_not_kept() -> None:
    long = script(Sent(b"x" * 20_000))
    with (
        world(long, max_response_bytes=10_000) as (client, server, _),
        pytest.raises(SkipDocument, match="10,000 bytes"),
    ):
        client.get(f"{server.url}/page")
    bomb = Sent(gzip.compress(b"x" * 5_000_000), headers={"content-encoding": "gzip"})
    with world(script(bomb), max_response_bytes=1_000_000) as (client, server, _), pytest.raises(SkipDocument):
        client.get(f"{server.url}/page")


def test_what_was_packed_arrives_unpacked() -> None:
    packed = Sent(gzip.compress("Käse".encode()), headers={"content-encoding": "gzip", "content-type": "text/plain"})
    with world(script(packed)) as (client, server, _):
        assert client.get(server.url).text == "Käse"


# --- redirects -----------------------------------------------------------------------------------------------------


def test_a_redirect_on_the_same_server_is_followed_with_everything() -> None:
    moved = Sent(status=302, headers={"location": "/there?x=1"})
    with world(script(moved, OK)) as (client, server, _):
        response = client.get(f"{server.url}/here", headers={"X-Api-Key": "secret-key"})
        assert str(response.url) == f"{server.url}/there?x=1"
        assert server.received[1].headers["x-api-key"] == "secret-key"


def test_a_redirect_elsewhere_gets_nothing_that_may_be_secret() -> None:
    with local_server(script(OK)) as elsewhere:
        away = Sent(status=302, headers={"location": f"{elsewhere.url}/trap"})
        with world(script(away)) as (client, server, _):
            for send in (
                lambda: client.get(f"{server.url}/page", headers={"X-Api-Key": "secret-key"}),
                lambda: client.get(f"{server.url}/page", headers={"Authorization": "Bearer x"}),
                lambda: client.post(f"{server.url}/page", json={"a": 1}),
            ):
                with pytest.raises(StopSync, match="another server"):
                    send()
            assert elsewhere.received == []
            assert client.get(f"{server.url}/page", headers={"Accept": "text/html"}).text == "fine"
            assert "cookie" not in elsewhere.received[0].headers


@pytest.mark.parametrize(
    "location",
    [
        *("http://169.254.169.254/latest/meta-data", "http://[::ffff:a9fe:a9fe]/", "http://2852039166/"),
        *("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x", "http://[", "http://10.0.0.1:6379/"),
    ],
)
def test_a_redirect_to_where_nothing_may_be_read_is_refused(location: str) -> None:
    with world(script(Sent(status=302, headers={"location": location}), Sent("leaked"))) as (client, server, _):
        with pytest.raises((StopSync, Retry)):
            client.get(f"{server.url}/page")
        assert len(server.received) == 1


def test_a_redirect_in_a_circle_ends() -> None:
    with world(script(Sent(status=301, headers={"location": "/round"}))) as (client, server, _):
        with pytest.raises(StopSync, match="redirects more than"):
            client.get(f"{server.url}/page")
        assert len(server.received) == 6


def test_a_redirected_form_becomes_a_get_unless_it_must_not() -> None:
    with world(script(Sent(status=303, headers={"location": "/done"}), OK)) as (client, server, _):
        client.post(f"{server.url}/form", data={"a": "1"})
        assert [(r.method, r.body) for r in server.received] == [("POST", b"a=1"), ("GET", b"")]
    with world(script(Sent(status=307, headers={"location": "/done"}), OK)) as (client, server, _):
        client.post(f"{server.url}/form", data={"a": "1"})
        assert [(r.method, r.body) for r in server.received] == [("POST", b"a=1"), ("POST", b"a=1")]


# --- the rest ------------------------------------------------------------------------------------------------------


def test_cookies_last_as_long_as_the_run() -> None:
    with world(script(Sent("in", headers={"set-cookie": "session=abc; Path=/"}), OK)) as (client, server, _):
        client.post(f"{server.url}/login", data={"name": "bot"})
        client.get(f"{server.url}/page")
        assert server.received[1].headers["cookie"] == "session=abc"


def test_requests_are_paced() -> None:
    with world(script(OK), requests_per_second=5) as (client, server, clock):
        for _ in range(60):
            client.get(f"{server.url}/page")
        assert clock.passed == pytest.approx((60 - 10) / 5, abs=0.3), "a burst of two seconds, then the rate"


def test_a_limit_that_is_used_up_is_heeded_before_it_is_broken() -> None:
    last = Sent("last", headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "40"})
    with world(script(last, OK)) as (client, server, clock):
        client.get(f"{server.url}/page")
        assert clock.passed == 0
        client.get(f"{server.url}/page")
        assert clock.passed == pytest.approx(40)


def test_the_log_of_requests_holds_no_secret() -> None:
    with (
        world(script(Sent(status=429, headers={"retry-after": "1"}), OK)) as (client, server, _),
        capture_logs() as log,
    ):
        url = server.url.replace("http://", "http://bot:passw0rd@")
        client.get(f"{url}/page", params={"token": "geheimnis", "title": "Pläne"}, headers={"X-Api-Key": "my-api-key"})
    told = json.dumps(log)
    assert "/page" in told
    assert [entry["status"] for entry in log if entry["event"] == "request"] == [429, 200]
    assert not any(secret in told for secret in ("geheimnis", "passw0rd", "my-api-key", "Pläne"))


@pytest.mark.parametrize("url", ["", "wiki", "ftp://wiki/", "http://", "http://[x", "javascript:alert(1)", "http://\0"])
def test_what_is_no_address_is_refused_in_one_line(url: str) -> None:
    with world(script(OK)) as (client, _, _), pytest.raises((StopSync, Retry)) as refused:
        client.get(url)
    assert len(str(refused.value).splitlines()) == 1


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_server(script(Sent("from the proxy"))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with world(script(OK)) as (client, server, _):
            assert client.get(server.url).text == "fine"
        assert proxy.received == []
