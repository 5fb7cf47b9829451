"""Where a source may connect to. What counts is the address a connection would go to, never how it is written."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import pytest

from citebot.egress import SourceHttp
from citebot.egress.addresses import Allowed, Forbidden, checked_addresses
from citebot.egress.transport import GuardedTransport
from citebot.errors import Retry, StopSync
from citebot.settings import EgressSettings

FORBIDDEN = [
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:a9fe:a9fe::1", "fc00::1", "fe80::1", "fe80::1%eth0"),
    *("fec0::1", "ff02::1"),
]
PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
]
SPELLINGS = [
    *("127.0.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0"),
    *("0.0.0.0", "localhost", "localhost.", "LOCALHOST", "①②⑦.0.0.1", "127。0。0。1", "[::1]", "[::]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "user@127.0.0.1", "1.1.1.1@127.0.0.1"),
    *("%31%32%37.0.0.1", "127.0.0.1%2f", "ip6-localhost"),
]


class Trap:
    """A server nobody may reach; counts who does."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._server.accept()[0].close()
                self.connections += 1

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    with closing(Trap()) as made:
        yield made


_connected: list[Any] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _connected is not None:
        _connected.append(arguments[1])


sys.addaudithook(_audit)


@pytest.fixture
def connected() -> Iterator[list[Any]]:
    """Every address this process connects to meanwhile, as the interpreter itself sees it."""
    global _connected
    _connected = []
    yield _connected
    _connected = None


def http(allow: Sequence[str] = (), resolve: Any = None) -> SourceHttp:
    settings = EgressSettings(allow=list(allow), timeout_seconds=2)
    transport = GuardedTransport(Allowed(allow), resolve=resolve) if resolve else None
    return SourceHttp(settings, source="wiki", stop=lambda: False, transport=transport)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_on_the_public_web_gets_no_connection(address: str, connected: list[Any]) -> None:
    with closing(http(resolve=lambda host, port: [address])) as client, pytest.raises(StopSync, match="is not read"):
        client.get("http://wiki.example/")
    assert connected == []


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted_on_the_ports_of_the_web(address: str) -> None:
    nothing = Allowed(())
    assert nothing.allows("wiki.example", 443, address)
    assert nothing.allows("wiki.example", 80, address)
    assert not nothing.allows("wiki.example", 22, address)
    assert Allowed(["wiki.example:8443"]).allows("wiki.example", 8443, address)
    assert not Allowed(["wiki.example:8443"]).allows("wiki.example", 8444, address)


@pytest.mark.parametrize("host", SPELLINGS)
def test_however_this_machine_is_written_nothing_connects(host: str, trap: Trap, connected: list[Any]) -> None:
    with closing(http()) as client, pytest.raises((StopSync, Retry)):
        client.get(f"http://{host}:{trap.port}/")
    assert trap.connections == 0
    assert connected == []


def test_one_forbidden_address_among_public_ones_refuses_them_all() -> None:
    with pytest.raises(Forbidden):
        checked_addresses("wiki.example", 80, Allowed(()), lambda host, port: ["1.1.1.1", "10.0.0.1"])


def test_a_name_that_is_looked_up_again_cannot_answer_otherwise(trap: Trap, connected: list[Any]) -> None:
    looked_up: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["192.0.3.7"] if len(looked_up) == 1 else ["127.0.0.1"]

    settings = EgressSettings(allow=[f"wiki.example:{trap.port}"], timeout_seconds=0.2)
    client = SourceHttp(
        settings,
        source="wiki",
        stop=lambda: len(looked_up) > 1,
        transport=GuardedTransport(Allowed(settings.allow), resolve=rebinding),
    )
    with closing(client), pytest.raises((StopSync, Retry)):
        client.get(f"http://wiki.example:{trap.port}/")
    assert {address[0] for address in connected} <= {"192.0.3.7"}, "only the address that was checked"
    assert trap.connections == 0


@pytest.mark.parametrize(
    ("allow", "host", "address", "permitted"),
    [
        (["wiki.corp"], "wiki.corp", "10.0.0.5", True),
        (["wiki.corp"], "wiki.corp", "fd00::5", True),
        (["wiki.corp:80"], "wiki.corp", "10.0.0.5", True),
        (["wiki.corp:8080"], "wiki.corp", "10.0.0.5", False),
        (["wiki.corp"], "evil.example", "10.0.0.5", False),
        (["wiki.corp"], "wiki.corp", "169.254.169.254", False),
        (["wiki.corp"], "wiki.corp", "127.0.0.1", False),
        (["10.0.0.0/8"], "anything.example", "10.1.2.3", True),
        (["10.0.0.0/8"], "anything.example", "192.168.1.1", False),
        (["localhost"], "localhost", "127.0.0.1", True),
        (["127.0.0.1"], "anything.example", "127.0.0.1", True),
        (["WIKI.corp "], "wiki.corp", "10.0.0.5", True),
        (["[::1]:8080"], "::1", "::1", False),
    ],
)
def test_what_settings_open(allow: list[str], host: str, address: str, permitted: bool) -> None:
    assert Allowed(allow).allows(host, 80, address) is permitted


def test_an_address_that_can_never_be_allowed_is_not_advised_to_be() -> None:
    here = http(resolve=lambda host, port: ["169.254.169.254"])
    with closing(here) as client, pytest.raises(StopSync) as refused:
        client.get("http://wiki.example/")
    assert "egress.allow" not in str(refused.value)


def test_the_complaint_names_what_to_allow() -> None:
    with closing(http(resolve=lambda host, port: ["10.0.0.5"])) as client, pytest.raises(StopSync) as refused:
        client.get("http://wiki.corp/x?token=geheimnis")
    assert "“wiki.corp:80”" in str(refused.value)
    assert "geheimnis" not in str(refused.value)
