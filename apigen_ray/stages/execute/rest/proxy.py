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
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import h11

from apigen_ray.stages.execute.rest.client import Lookup, look_up
from apigen_ray.stages.execute.rest.policy import Denied, Policy

HEAD_BYTES = 16 << 10
HEAD_S = 5.0
DIAL_S = 5.0
CONNECTION_S = 120.0
"""No connection lives longer; no call of a tool does either."""
ANSWER_BYTES = 64 << 20
CONNECTIONS = 64
"""So many are open at once; others wait in the kernel, and cost this process nothing."""
CONNECTIONS_PER_CALL = 1000
"""Each leaves a port of the sandbox's kernel occupied for a while."""
CLOSE_S = 1.0
_CHUNK = 1 << 16
_TOLERATED = re.compile(rb"(?<!\r)\n|\n[ \t]")
"""What h11 tolerates, and others may read differently: bare line feeds and folded lines."""
_HOP_BY_HOP = frozenset(
    {
        b"connection", b"expect", b"host", b"keep-alive", b"proxy-authenticate",
        b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
        b"upgrade",
    }
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Forwarding:
    """Where a client's request goes, and what is sent there."""

    host: str
    port: int
    head: bytes
    """What goes to the host before the body; nothing through a tunnel."""
    body_bytes: int | None
    """None for a tunnel: whatever comes."""


class _Refused(Exception):
    """The proxy answers with a status and a line, and closes."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class EgressProxy:
    """Serves the calls of one sandbox slot, which makes one after the other.

    Args:
        hosts: The hosts that may be reached: `api.example.com`, `*.example.com:443`.
        allow: Addresses and networks that may be dialled although they are not public.
        lookup: Finds the addresses of a name.

    Raises:
        ValueError: naming the entry that is malformed.
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
        self._accept_while_room()

    def take_denials(self) -> list[str]:
        """What the policy has refused since the last call of this method."""
        denials, self._denials = self._denials, []
        return denials

    def cut(self) -> None:
        """Drop what is left of a call that is over, connections not yet accepted included."""
        for task in self._open:
            task.cancel()
        if self._listener is not None:
            with suppress(OSError):
                while True:
                    self._listener.accept()[0].close()
        self._accepted = 0
        self._accept_while_room()

    def close(self) -> None:
        """Stop, and end what is still open."""
        if self._listener is None:
            return
        self.cut()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = None

    def _accept_while_room(self) -> None:
        """Accept connections unless too many are open."""
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
        except OSError:  # the client left before its turn
            return
        self._accepted += 1
        task = asyncio.create_task(self._serve(client))
        self._open[task] = client
        task.add_done_callback(self._ended)
        self._accept_while_room()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task).close()
        self._accept_while_room()

    async def _serve(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client, limit=HEAD_BYTES)
        try:
            async with asyncio.timeout(CONNECTION_S):
                await self._answer(reader, writer)
        except _Refused as refused:
            log.info("egress refused: %s", refused)
            text = f"egress refused: {refused}\n"
            status = f"{refused.status.value} {refused.status.phrase}"
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n"
            writer.write(
                f"{head}Content-Type: text/plain\r\nConnection: close\r\n\r\n{text}".encode()
            )
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # one side went away or took too long: the client sees the connection end
        finally:
            await _close(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        forwarding = _parse(await _head(reader))
        up_reader, up_writer = await self._dial(forwarding.host, forwarding.port)
        try:
            if forwarding.body_bytes is None:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            up_writer.write(forwarding.head)
            await _until_one_ends(
                _send(reader, up_writer, forwarding.body_bytes),
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
                return await _connect_to_any(permitted, port)
        except Denied as denied:
            self._denials.append(str(denied))
            raise _Refused(HTTPStatus.FORBIDDEN, str(denied)) from None
        except (OSError, TimeoutError):
            raise _Refused(HTTPStatus.BAD_GATEWAY, f"{host}:{port} cannot be reached") from None


async def _connect_to_any(
    addresses: Sequence[str], port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for address in addresses[:-1]:
        with suppress(OSError):
            return await asyncio.open_connection(address, port)
    if not addresses:
        raise OSError("no address")
    return await asyncio.open_connection(addresses[-1], port)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(HEAD_S):
            return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        raise _Refused(status, "the request's head is too long") from None


def _parse(head: bytes) -> _Forwarding:
    """Read a request's head; what two readers could read differently is refused."""
    client = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    client.receive_data(head)
    try:
        request = client.next_event()
    except h11.RemoteProtocolError as error:
        raise _bad_request(f"not a request that this proxy can read: {str(error)[:200]}") from None
    assert isinstance(request, h11.Request)  # a whole head makes nothing else
    if request.http_version not in (b"1.0", b"1.1") or _TOLERATED.search(head):
        raise _bad_request("not a request that this proxy can read")
    if request.method == b"CONNECT":
        host, port = _split(request.target.decode("ascii"))
        return _Forwarding(host, port, b"", None)
    return _plain(request)


def _plain(request: h11.Request) -> _Forwarding:
    target = request.target.decode("ascii")
    try:
        url = urlsplit(target)
        host, port = url.hostname or "", url.port or 80
    except ValueError:
        raise _bad_request(f"{target[:100]!r} is not a URL") from None
    if url.scheme != "http" or "@" in url.netloc or not host:
        raise _bad_request(f"{target[:100]!r} must be an http URL without a user")
    headers = dict(request.headers)
    if b"transfer-encoding" in headers:
        raise _Refused(HTTPStatus.LENGTH_REQUIRED, "a body needs a Content-Length")
    named = {name.strip().lower() for name in headers.get(b"connection", b"").split(b",")}
    dropped = (named | _HOP_BY_HOP) - {b"content-length"}
    forwarded = h11.Request(
        method=request.method,
        target=url._replace(scheme="", netloc="", fragment="").geturl() or "/",
        # The Host is the one that was checked, whatever the client wrote.
        headers=[
            (b"Host", url.netloc.encode("ascii")),
            (b"Connection", b"close"),
            *(pair for pair in request.headers.raw_items() if pair[0].lower() not in dropped),
        ],
    )
    sent = h11.Connection(h11.CLIENT).send(forwarded) or b""
    return _Forwarding(host, port, sent, int(headers.get(b"content-length", b"0")))


def _split(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port):
        raise _bad_request(f"{target[:100]!r} is not of the form host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _bad_request(why: str) -> _Refused:
    return _Refused(HTTPStatus.BAD_REQUEST, why)


async def _until_one_ends(*transfers: Coroutine[Any, Any, None]) -> None:
    """Run until one ends: a connection that one side has left is of no use to the other."""
    tasks = [asyncio.create_task(transfer) for transfer in transfers]
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
    """Close as soon as all is written, or nobody takes it."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
