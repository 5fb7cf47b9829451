"""Which addresses a connector may reach.

The tables are our own: `ipaddress.is_global` calls several ways of writing a private address global (6to4, NAT64), and
differs between versions of Python. Sources: the IANA special-purpose registries for IPv4 and IPv6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port → addresses, as `socket.getaddrinfo` gives them; raises `OSError`."""

INSIDE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
"""Where a team's own servers live: closed, but an allowed name opens them."""
HERE = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
"""This machine: closed, but for the name localhost and these networks when they are allowed."""
NEVER = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            *("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
            *("5f00::/16", "fe80::/10", "fec0::/10", "ff00::/8"),
        ),
    )
)
"""Link-local (the metadata services of clouds), multicast, documentation, tunnels that carry another address, …"""
_EMBEDDING = (ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96"))
"""IPv6 forms of an IPv4 address, which decides."""
WEB_PORTS = frozenset({80, 443})


class Allowed:
    """What settings open beyond the public web: names, `name:port`, addresses and networks."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks: list[Network] = []
        self._names: dict[str, set[int] | None] = {}
        for entry in entries:
            self._add(entry.strip().lower())

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ip_network(entry, strict=False))
        except ValueError:
            name, port = _split(entry)
            ports = self._names.setdefault(name, set())
            if port is None:
                self._names[name] = None
            elif ports is not None:
                ports.add(port)

    def allows(self, host: str, port: int, address: str) -> bool:
        """Whether a connection to this address, found under this name, may be made."""
        number = plain_address(address)
        if _in(number, self._networks):
            return True
        named = self._allows_name(host, port)
        if _in(number, NEVER):
            return False
        if _in(number, HERE):
            return named and host in {"localhost", str(number)}
        return named if _in(number, INSIDE) else named or port in WEB_PORTS

    def _allows_name(self, host: str, port: int) -> bool:
        if host not in self._names:
            return False
        ports = self._names[host]
        return ports is None or port in ports


def plain_address(text: str) -> Address:
    """The address that a connection would go to: IPv4 out of its IPv6 forms, without a zone."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def checked_addresses(host: str, port: int, allowed: Allowed, resolve: Resolver) -> list[str]:
    """The addresses of a host, all of them permitted; raises `Forbidden` when one is not, `OSError` when none is known.

    One forbidden address among public ones is how a rebinding answer looks, so it refuses them all.
    """
    name = host.rstrip(".").lower()
    addresses = list(dict.fromkeys(resolve(name, port)))
    for address in addresses:
        if not allowed.allows(name, port, address):
            raise Forbidden(name, port, never=_in(plain_address(address), NEVER))
    return addresses


class Forbidden(Exception):
    """A connection that must not be made."""

    def __init__(self, host: str, port: int, *, never: bool = False) -> None:
        super().__init__(f"{host}:{port} is not on the public web")
        self.host = host
        self.port = port
        self.never = never
        """Whether naming it in settings would not help."""


def _in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _split(entry: str) -> tuple[str, int | None]:
    name, separator, port = entry.rpartition(":")
    if separator and port.isdigit():
        return name.strip("[]"), int(port)
    return entry, None
