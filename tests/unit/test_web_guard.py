"""Who may come in: hosts, origins, tokens, cookies, and what every response carries."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from citebot.errors import CitebotError
from citebot.ports import PartContext
from citebot.testing.scripted_desk import ScriptedDesk
from citebot.testing.scripted_handbook import handbook_desk
from citebot_connectors.platforms.console.auth import KEEP_SECONDS, Doorkeeper
from citebot_connectors.platforms.console.platform import ConsolePlatform
from citebot_connectors.platforms.console.present import safe_link
from citebot_connectors.platforms.console.server import listen
from citebot_connectors.platforms.console.settings import ConsoleSettings, is_loopback
from citebot_connectors.platforms.console.streams import Streams
from citebot_connectors.platforms.console.web import Clocks, build_web

TOKEN = "a-very-long-secret-token"
OTHER = "another-long-secret-token"
QUESTION = {"text": "first day?"}


def client(base_url: str = "http://127.0.0.1:8080", now: float = 1000.0, **settings: Any) -> httpx.AsyncClient:
    desk = handbook_desk()
    desk.plays = False
    clocks = Clocks(wall=lambda: now, monotonic=lambda: 0.0)
    app = build_web(ConsoleSettings(**settings), desk, Streams(clock=lambda: 0.0), clocks)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url)


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "citebot.example.com", "127.0.0.1.example.com"])
def test_another_address_needs_a_token(host: str) -> None:
    with pytest.raises(ValidationError, match="needs a token"):
        ConsoleSettings(host=host)
    assert not ConsoleSettings(host=host, token=TOKEN).local


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_this_machine_needs_none(host: str) -> None:
    assert ConsoleSettings(host=host).local
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"token": "short"}, "at least 16"),
        ({"tokens": {"maria": ""}}, "needs a secret"),
        ({"tokens": {"maria": TOKEN, "jonas": TOKEN}}, "same token"),
        ({"host": "0.0.0.0", "token": TOKEN, "people": {"maria": ""}}, "only with a loopback host"),
        ({"token": TOKEN, "people": {"maria": ""}}, "together with tokens"),
        ({"port": 70_000}, "65535"),
        ({"colour": "red"}, "not permitted"),
    ],
)
def test_settings_that_open_too_much_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as refused:
        ConsoleSettings(**settings)
    assert TOKEN not in str(refused.value)


def test_secrets_are_not_printed() -> None:
    settings = ConsoleSettings(token=TOKEN, tokens={"maria": OTHER})
    assert TOKEN not in repr(settings)
    assert OTHER not in settings.model_dump_json()


# --- hosts and origins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LocalHost", "localhost:1"])
async def test_own_names_are_answered(host: str) -> None:
    async with client() as web:
        assert (await web.get("/api/me", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),
        ("127.0.0.1.evil.example:8080", 403),
        ("localhost.evil.example", 403),
        ("10.0.0.1:8080", 403),
        ("localhost@evil.example", 400),
        ("localhost:8080/evil", 400),
        ("local host", 400),
        ("", 400),
        ("localhost:8080, evil.example", 400),
    ],
)
async def test_a_name_pointed_at_this_machine_is_refused(host: str, status: int) -> None:
    async with client() as web:
        for path in ("/", "/api/me", "/livez", "/static/app.js"):
            refused = await web.get(path, headers={"host": host})
            assert refused.status_code == status
            assert "error" in refused.json()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8081"},
        {"origin": "http://127.0.0.1:8080.evil.example"},
        {"origin": "http://localhost:8080"},
        {"origin": "chrome-extension://abc"},
        {"origin": "http://127.0.0.1:8080/x"},
        {"origin": "http://[::1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "nonsense"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
async def test_other_pages_may_not_post(headers: dict[str, str]) -> None:
    async with client() as web:
        assert (await web.post("/api/questions", json=QUESTION, headers=headers)).status_code == 403


async def test_our_own_page_and_programs_may_post() -> None:
    own: list[dict[str, str]] = [
        {},
        {"origin": "http://127.0.0.1:8080", "sec-fetch-site": "same-origin"},
        {"origin": "https://127.0.0.1:8080"},
    ]
    async with client() as web:
        for headers in own:
            assert (await web.post("/api/questions", json=QUESTION, headers=headers)).status_code == 202


async def test_other_pages_may_link_here_but_not_read() -> None:
    async with client() as web:
        link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
        assert (await web.get("/", headers=link)).status_code == 200
        fetch = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert (await web.get("/api/sources", headers=fetch)).status_code == 403


async def test_every_response_is_locked_down() -> None:
    async with client() as web:
        for path in ("/", "/static/app.js", "/api/me", "/api/nothing", "/livez"):
            headers = (await web.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "access-control-allow-origin" not in headers


async def test_pages_name_no_other_server() -> None:
    static = Path(__file__).parents[2] / "connectors/citebot_connectors/platforms/console/static"
    for file in static.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text.replace('"http:"', ""), file
        assert "https:" not in text.replace('"https:"', ""), file
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="):
            assert forbidden not in text, (file, forbidden)
        assert len(text.splitlines()) < 250, file


async def test_unchanged_files_are_not_sent_again() -> None:
    async with client() as web:
        first = await web.get("/static/app.js")
        again = await web.get("/static/app.js", headers={"if-none-match": first.headers["etag"]})
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (again.status_code, again.content) == (304, b"")


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_without_a_token_nothing_is_shown() -> None:
    async with client(tokens={"maria": TOKEN}) as web:
        for path in ("/api/me", "/api/sources", "/api/passages/3/document", "/api/answers/1"):
            refused = await web.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        assert (await web.post("/api/questions", json=QUESTION)).status_code == 401
        page = await web.get("/")
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        assert (await web.get("/login")).status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \u00e9"]
)
async def test_wrong_tokens_are_strangers(header: str) -> None:
    async with client(tokens={"maria": TOKEN}) as web:
        headers = {"authorization": header.encode("latin-1")}
        assert (await web.get("/api/me", headers=headers)).status_code == 401


async def test_tokens_name_their_person_and_nobody_else() -> None:
    async with client(tokens={"maria": TOKEN, "jonas": OTHER}) as web:
        for token, person in ((TOKEN, "maria"), (OTHER, "jonas")):
            headers = {"authorization": f"Bearer {token}", "citebot-person": "boss"}
            assert (await web.get("/api/me", headers=headers)).json()["person"] == person


async def test_a_shared_token_is_the_default_person() -> None:
    async with client("http://citebot.example.com", host="0.0.0.0", token=TOKEN, person="team") as web:
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert (await web.get("/api/me", headers=headers)).json()["person"] == "team"


async def test_demos_choose_among_known_people_only() -> None:
    async with client(people={"maria": "Maria", "jonas": ""}, person="jonas") as web:
        asked = [await web.get("/api/me", headers={"citebot-person": name}) for name in ("maria", "boss", "")]
        assert [answer.json()["person"] for answer in asked] == ["maria", "jonas", "jonas"]


async def test_signing_in_sets_a_cookie_scripts_cannot_read() -> None:
    async with client("https://citebot.example.com", host="0.0.0.0", tokens={"maria": TOKEN}) as web:
        origin = {"origin": "https://citebot.example.com"}
        wrong = await web.post("/login", data={"token": OTHER}, headers=origin)
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)
        right = await web.post("/login", data={"token": f" {TOKEN} "}, headers=origin)
        assert right.status_code == 303
        cookie = SimpleCookie(right.headers["set-cookie"])["citebot_session"]
        assert cookie["httponly"]
        assert cookie["secure"]
        assert cookie["samesite"] == "strict"
        assert TOKEN not in cookie.value
        assert (await web.get("/api/me")).json()["person"] == "maria"
        foreign = await web.post("/login", data={"token": TOKEN}, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403
        await web.post("/logout", headers=origin)
        assert (await web.get("/api/me")).status_code == 401


async def test_a_login_that_is_no_form_is_refused() -> None:
    async with client(token=TOKEN) as web:
        assert (await web.post("/login", content=b"\xff\xfe")).status_code == 400
        assert (await web.post("/login", content=b"token=" + b"x" * 9000)).status_code == 413
        assert (await web.post("/login", content=b"&".join([b"a=1"] * 99))).status_code == 400


def test_cookies_die_with_the_token_and_with_time() -> None:
    now = [1000.0]
    door = Doorkeeper(ConsoleSettings(tokens={"maria": TOKEN, "jonas": OTHER}), clock=lambda: now[0])
    person = door.by_token(TOKEN)
    assert person is not None
    cookie = {"cookie": f"citebot_session={door.cookie_for(person)}"}
    assert door.who(cookie) == person
    renewed = Doorkeeper(ConsoleSettings(tokens={"maria": "a-new-very-long-token"}), clock=lambda: now[0])
    assert renewed.who(cookie) is None
    now[0] += KEEP_SECONDS + 1
    assert door.who(cookie) is None


def test_cookies_cannot_be_made_up() -> None:
    door = Doorkeeper(ConsoleSettings(tokens={"maria": TOKEN, "jonas": OTHER}), clock=lambda: 1000.0)
    maria = door.by_token(TOKEN)
    assert maria is not None
    name, until, signature = door.cookie_for(maria).split(".")
    forged = [
        f"am9uYXM.{until}.{signature}",
        f"{name}.{int(until) + 1}.{signature}",
        f"{name}.{until}.",
        f"{name}.{until}.é",
        f"{name}.{until}",
        f"{name}.٣٣٣٣٣٣٣٣٣.{signature}",
        f"{name}.{'9' * 400}.{signature}",
        "...",
        "",
        "\x00.\x00.\x00",
        f"é.{until}.{signature}",
    ]
    for value in forged:
        assert door.who({"cookie": f"citebot_session={value}"}) is None, value


# --- a real server ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ConsolePlatform]:
    platform = ConsolePlatform(ConsoleSettings(port=0), PartContext(data_dir=tmp_path))
    platform.announce = lambda line: None
    running = asyncio.create_task(platform.run(ScriptedDesk(platform=platform)))
    await asyncio.wait_for(platform.listening.wait(), 10)
    yield platform
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def raw(platform: ConsolePlatform, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(platform.address.rsplit(":", 1)[1]))
    writer.write(request)
    await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(4096), 5)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /api/questions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/questions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /api/questions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    ],
    ids=lambda head: repr(head[:60]),
)
async def test_tricks_with_headers_are_refused(server: ConsolePlatform, request_head: bytes) -> None:
    answer = await raw(server, request_head)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer[:80]
    assert (await raw(server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")).startswith(b"HTTP/1.1 200")


async def test_a_forwarded_host_changes_nothing(server: ConsolePlatform) -> None:
    tricks = b"X-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\nX-Original-Host: localhost\r\n"
    answer = await raw(server, b"GET /api/me HTTP/1.1\r\nHost: evil.example\r\n" + tricks + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 403")


async def test_a_taken_port_is_told_and_the_next_one_used(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0, 1) as first:
        taken = first.getsockname()[1]
        said: list[str] = []
        platform = ConsolePlatform(ConsoleSettings(port=taken), PartContext(data_dir=tmp_path))
        platform.announce = said.append
        running = asyncio.create_task(platform.run(ScriptedDesk(platform=platform)))
        await asyncio.wait_for(platform.listening.wait(), 10)
        assert said[0].startswith(f"Port {taken} is taken by another program; using ")
        assert said[1] == f"The web chat is at {platform.address}"
        assert int(platform.address.rsplit(":", 1)[1]) > taken
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.mark.parametrize(
    ("host", "says"), [("203.0.113.7", "not an address of this machine"), ("no.such.host.invalid", "no address called")]
)
def test_an_address_that_cannot_be_used_is_named(host: str, says: str) -> None:
    with pytest.raises(CitebotError, match=says):
        listen(host, 0, 1)


def test_when_every_port_is_taken_it_says_which() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(CitebotError, match=f"The ports {port} to {port} on 127.0.0.1 are all taken"):
            listen("127.0.0.1", port, 1)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://wiki.example.com/a#b", True),
        ("http://wiki.example.com", True),
        ("file:///srv/a.md", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("data:text/html,x", False),
        ("vbscript:x", False),
        ("https:", False),
        ("https:///x", False),
        ("//evil.example", False),
        ("java\nscript:alert(1)", False),
        (" https://a.example", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_links_go_only_where_people_may_be_sent(url: str, kept: bool) -> None:
    assert safe_link(url) == (url if kept else "")
