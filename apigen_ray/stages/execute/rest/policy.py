"""Which hosts and addresses may be dialled.

Tool calls carry arguments that a model wrote to hosts that a tool list names, and what such a host
answers (a name's address, a redirect) is its owner's choice. So what counts is the address really
dialled: it has to be public, or be allowed by the user. Names are only a first filter.

Not covered: what a public host does with a request, and services that are guarded by nothing but a
public address (bind those to a private one).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's metadata service: a public address, reached from inside only
        "192.0.0.0/24",  # protocol assignments, Oracle's metadata service among them
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped: on Linux, dialling one dials the IPv4 address
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local use
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)
"""What `is_global` of some Python version accepts, or what embeds an IPv4 address."""

_LAST_LABEL_NUMERIC = re.compile(r"(?:^|\.)(?:\d+|0x[0-9a-f]*)$")
_NAME = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


class Denied(Exception):
    """The policy refuses; the message says what, and how to allow it where that is possible."""


@dataclass(frozen=True, slots=True)
class _AllowedNetwork:
    """A network, or one port of it, that may be dialled although it isn't public."""

    network: Network
    port: int | None

    def covers(self, address: Address, port: int) -> bool:
        return address in self.network and self.port in (None, port)


@dataclass(frozen=True, slots=True)
class _AllowedHost:
    """A host, or all names below one, that may be requested."""

    name: str
    port: int | None

    def covers(self, host: str, port: int) -> bool:
        below = self.name.startswith("*.") and host.endswith(self.name[1:])
        return (below or host == self.name) and self.port in (None, port)


class Policy:
    """Public addresses may be dialled, and those that the user allows.

    Args:
        allow: Other addresses and networks, such as `127.0.0.1:8080`, `10.0.0.0/8`,
            `[::1]:8080`. Without a port, every port of them.
        hosts: If given, only these may be requested: `api.example.com`, `*.example.com:443`. A name
            allows no address: one that resolves to an address that isn't public needs `allow`, too.

    Raises:
        ValueError: naming the entry that is malformed.
    """

    def __init__(self, allow: Iterable[str] = (), hosts: Iterable[str] | None = None) -> None:
        self._allowed = tuple(_read_network(entry) for entry in allow)
        self._hosts = None if hosts is None else tuple(_read_host(entry) for entry in hosts)

    def check_host(self, host: str, port: int) -> None:
        """Refuse a host as it stands in a URL.

        Raises:
            Denied: if it isn't listed, or is an address in a notation that readers read differently
                (`2130706433`, `0x7f.1`, `127.1`, `0177.0.0.1`).
        """
        name = host.lower().removesuffix(".")
        plain = _NAME.fullmatch(name) and not _LAST_LABEL_NUMERIC.search(name)
        if not plain and not _is_address(host):
            raise Denied(f"{host[:100]!r} is neither a host name nor a plainly written address")
        if self._hosts is not None and not any(entry.covers(name, port) for entry in self._hosts):
            raise Denied(f"{host}:{port} is not one of the allowed hosts")

    def check_address(self, address: str, port: int) -> None:
        """Refuse an address that is about to be dialled.

        Raises:
            Denied: if it is neither public nor allowed.
        """
        if not self.permits(address, port):
            shown = f"[{address}]" if ":" in address else address
            raise Denied(f"{shown}:{port} is not a public address (`allow` can open it)")

    def permits(self, address: str, port: int) -> bool:
        """Whether an address may be dialled."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return _is_public(parsed) or any(entry.covers(parsed, port) for entry in self._allowed)


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NOT_PUBLIC)
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _read_network(entry: str) -> _AllowedNetwork:
    text, port = _split_port(entry)
    try:
        return _AllowedNetwork(ip_network(text.strip("[]")), port)
    except ValueError as error:
        raise ValueError(f"{entry!r} is not an address or network: {error}") from None


def _read_host(entry: str) -> _AllowedHost:
    text, port = _split_port(entry)
    name = text.strip("[]").lower().removesuffix(".")
    if not _is_address(name) and not _NAME.fullmatch(name.removeprefix("*.")):
        raise ValueError(f"{entry!r} must be a host, such as api.example.com or *.example.com:443")
    return _AllowedHost(name, port)


def _split_port(entry: str) -> tuple[str, int | None]:
    """Split `host:port`; the colons of a bare IPv6 address are its own."""
    host, colon, port = entry.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or entry.endswith("]"):
        return entry, None
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"{entry!r}: {port!r} is not a port")
    return host, int(port)
