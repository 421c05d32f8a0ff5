"""A forward proxy: the only way out for Python tools that do HTTP themselves.

It answers at a socket that listens inside a sandbox's network namespace and was handed over to us,
so that nothing has to run, and can be attacked, between a call and this process. It serves
`CONNECT host:port` and plain requests for `http://host/...` to listed hosts, and nothing else.
Every connection carries one request, so that none rides on the check of another; the address
dialled is one that was checked.

Not covered: what goes through a tunnel. A listed host that serves others' names too (a CDN) can be
asked for those.
"""

import asyncio
import logging
import re
import socket
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from apigen_ray.stages.execute.rest.client import Lookup, look_up
from apigen_ray.stages.execute.rest.policy import Denied, Policy

HEAD_BYTES = 16 << 10
HEAD_S = 5.0
DIAL_S = 5.0
CONNECTION_S = 120.0
"""No connection lives longer: a tool's call doesn't either."""
ANSWER_BYTES = 64 << 20
CONNECTIONS = 64
"""As many are open at once; others wait in the kernel, and take nothing of this process."""
CONNECTIONS_PER_CALL = 1000
"""Each leaves the sandbox's kernel a port that is not free at once."""
CLOSE_S = 1.0
_CHUNK = 1 << 16
_REQUEST_LINE = re.compile(r"([A-Z]{1,20}) ([!-~]+) HTTP/1\.[01]")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
_HOP_BY_HOP = frozenset(
    {
        "connection", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a client asks the proxy for."""

    method: str
    host: str
    port: int
    head: bytes
    """What goes on to the host before the body; nothing for a tunnel."""
    body_bytes: int | None
    """None for a tunnel: whatever comes."""


class _Refused(Exception):
    """The proxy answers with a status and a line, and closes."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


class EgressProxy:
    """Serves the calls of one sandbox slot, which makes one after the other.

    Args:
        hosts: Who may be talked to: `api.example.com`, `*.example.com:443`.
        allow: Addresses and networks that may be dialled though they are not public.
        lookup: Finds the addresses of a name.

    Raises:
        ValueError: naming the entry that can't be read.
    """

    def __init__(
        self, hosts: Sequence[str], allow: Sequence[str] = (), lookup: Lookup = look_up
    ) -> None:
        self._policy = Policy(allow, hosts)
        self._lookup = lookup
        self._listener: socket.socket | None = None
        self._open: dict[asyncio.Task[None], socket.socket] = {}
        self._accepted = 0
        self._denials: list[str] = []

    def start(self, listener: socket.socket) -> None:
        """Answer at a socket that listens; it is closed with the proxy."""
        listener.setblocking(False)
        self._listener = listener
        self._go_on()

    def take_denials(self) -> list[str]:
        """What was refused by the policy since this was asked last."""
        denials, self._denials = self._denials, []
        return denials

    def cut(self) -> None:
        """End what is left of a call that is over, what it asked for last included."""
        for task in self._open:
            task.cancel()
        if self._listener is not None:
            with suppress(OSError):
                while True:
                    self._listener.accept()[0].close()
        self._accepted = 0
        self._go_on()

    def close(self) -> None:
        """Stop, and end what is still open."""
        if self._listener is None:
            return
        self.cut()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = None

    def _go_on(self) -> None:
        """Accept connections while there may be more."""
        if self._listener is None:
            return
        loop = asyncio.get_running_loop()
        if len(self._open) < CONNECTIONS and self._accepted < CONNECTIONS_PER_CALL:
            loop.add_reader(self._listener, self._accept, self._listener)
        else:
            loop.remove_reader(self._listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:  # it left before its turn
            return
        self._accepted += 1
        task = asyncio.create_task(self._serve(client))
        self._open[task] = client
        task.add_done_callback(self._ended)
        self._go_on()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task).close()
        self._go_on()

    async def _serve(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client, limit=HEAD_BYTES)
        try:
            async with asyncio.timeout(CONNECTION_S):
                await self._answer(reader, writer)
        except _Refused as refused:
            log.info("egress refused: %s", refused)
            text = f"egress refused: {refused}\n"
            head = f"HTTP/1.1 {refused.status}\r\nContent-Length: {len(text)}\r\n"
            writer.write(
                f"{head}Content-Type: text/plain\r\nConnection: close\r\n\r\n{text}".encode()
            )
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # the other side went away, or took too long: it is told by the end of the stream
        finally:
            await _close(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = _read(await _head(reader))
        up_reader, up_writer = await self._dial(asked.host, asked.port)
        try:
            if asked.method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            up_writer.write(asked.head)
            await _first_of(
                _send(reader, up_writer, asked.body_bytes),
                _pump(up_reader, writer, ANSWER_BYTES),
            )
        finally:
            await _close(up_writer)

    async def _dial(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            self._policy.check_host(host, port)
            async with asyncio.timeout(DIAL_S):
                found = await self._lookup(host, port)
                permitted = [address for address in found if self._policy.permits(address, port)]
                if found and not permitted:
                    self._policy.check_address(found[0], port)
                return await _first(permitted, port)
        except Denied as denied:
            self._denials.append(str(denied))
            raise _Refused("403 Forbidden", str(denied)) from None
        except (OSError, TimeoutError):
            raise _Refused("502 Bad Gateway", f"{host}:{port} cannot be reached") from None


async def _first(
    addresses: Sequence[str], port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for address in addresses[:-1]:
        with suppress(OSError):
            return await asyncio.open_connection(address, port)
    if not addresses:
        raise OSError("no address")
    return await asyncio.open_connection(addresses[-1], port)


async def _head(reader: asyncio.StreamReader) -> str:
    try:
        async with asyncio.timeout(HEAD_S):
            return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError:
        raise _Refused("431 Request Header Fields Too Large", "the head is too long") from None


def _read(head: str) -> _Asked:
    """Read a request's head; what two readers could read differently is refused."""
    first, *lines = head[:-4].split("\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    headers = [match.groups() for line in lines if (match := _HEADER.fullmatch(line))]
    if request is None or len(headers) != len(lines):
        raise _Refused("400 Bad Request", "not a request that this proxy can read")
    method, target = request.groups()
    named = {name.lower(): text for name, text in headers}
    if len(named) != len(headers) and {"host", "content-length"} & _repeated(headers):
        raise _Refused("400 Bad Request", "a header that says where or how much stands twice")
    if method == "CONNECT":
        host, port = _split(target)
        return _Asked(method, host, port, b"", None)
    return _plain(method, target, headers, named)


def _plain(
    method: str, target: str, headers: Sequence[tuple[str, ...]], named: dict[str, str]
) -> _Asked:
    try:
        url = urlsplit(target)
        host, port = url.hostname or "", url.port or 80
    except ValueError:
        raise _Refused("400 Bad Request", f"{target[:100]!r} is no URL") from None
    if url.scheme != "http" or "@" in url.netloc or not host:
        raise _Refused("400 Bad Request", f"{target[:100]!r} is no http URL without a user")
    if "transfer-encoding" in named:
        raise _Refused("411 Length Required", "a body needs a Content-Length")
    length = named.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,15}", length):
        raise _Refused("400 Bad Request", f"Content-Length {length[:20]!r} is no number")
    dropped = {name.strip().lower() for name in named.get("connection", "").split(",")}
    dropped = (dropped | _HOP_BY_HOP) - {"content-length"}
    path = url._replace(scheme="", netloc="", fragment="").geturl() or "/"
    # The Host is the one that was checked, whatever the client wrote.
    lines = [f"{method} {path} HTTP/1.1", f"Host: {url.netloc}", "Connection: close"]
    lines += [f"{name}: {text}" for name, text in headers if name.lower() not in dropped]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return _Asked(method, host, port, head, int(length))


def _repeated(headers: Sequence[tuple[str, ...]]) -> set[str]:
    names = [name.lower() for name, _ in headers]
    return {name for name in names if names.count(name) > 1}


def _split(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port):
        raise _Refused("400 Bad Request", f"{target[:100]!r} is no host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def _first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Run until one ends: a connection that one side left is of no use to the other."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None
) -> None:
    """Pass on what the client sends, and stay until it goes."""
    await _pump(reader, writer, most)
    while await reader.read(_CHUNK):
        pass  # a second request: it was not checked, and goes nowhere


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None
) -> None:
    """Pass bytes on until the end, or until `most` have gone."""
    left = most
    while left is None or left > 0:
        chunk = await reader.read(_CHUNK if left is None else min(_CHUNK, left))
        if not chunk:
            break
        writer.write(chunk)
        await writer.drain()
        left = None if left is None else left - len(chunk)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close, when what was written has gone, or nobody takes it."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
