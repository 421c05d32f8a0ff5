"""An HTTP client for untrusted hosts.

It bounds what a host can do to us: the address dialled is checked where the socket is made, after
every lookup and redirect; a response is capped in time and in size, after decompression; nothing
that was sent to one origin is forwarded to another.
"""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from apigen_ray.models.retry_after_header import retry_after_s
from apigen_ray.records import Failed, Reason
from apigen_ray.stages.execute.rest.policy import Denied, Policy
from apigen_ray.stages.execute.rest.request import Signed
from apigen_ray.stages.execute.rest.settings import RestSettings

RETRY_AFTER_CAP_S = 30.0
"""A host that asks for a longer pause is not asked again."""
BACKOFF_S = 0.25
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_BYTES = 1 << 16
_HEADERS = {"Accept": "application/json, */*;q=0.5", "User-Agent": "apigen-ray"}
"""Headers of every request, unless a tool sets its own."""

Lookup: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Finds the addresses of a host name."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response."""

    status: int
    content_type: str
    body: bytes
    seconds: float
    """Wall time of the call, including the wait for a slot, redirects and retries."""


class _Fault(Exception):
    """An attempt without a response, and whether another attempt may get one."""

    def __init__(self, reason: Reason, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.transient = transient


@dataclass(slots=True)
class _Answer:
    status: int
    content_type: str
    body: bytes
    pause_s: float | None
    """How long the host asks us to stay away, if it does."""


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a host, from the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


async def refusal(url: str, settings: RestSettings, lookup: Lookup = look_up) -> str | None:
    """Why the host of a URL may not be called as it is; None if it may, or has no address now."""
    policy, parts = Policy(settings.allow, settings.hosts), URL(url)
    host, port = parts.raw_host or "", parts.port or 0
    try:
        policy.check_host(host, port)
        found = await lookup(host, port)
        if found and not any(policy.permits(address, port) for address in found):
            policy.check_address(found[0], port)
    except Denied as denied:
        return f"{host}: {denied}"
    except OSError:
        pass
    return None


class _PinningResolver(AbstractResolver):
    """Resolves names to addresses that the policy permits: those, and no others, are dialled."""

    def __init__(self, policy: Policy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._lookup(host, port)
        permitted = [address for address in found if self._policy.permits(address, port)]
        if found and not permitted:
            self._policy.check_address(found[0], port)
        if not permitted:
            raise OSError(f"{host} has no address")
        return [_resolved(host, address, port) for address in permitted]

    async def close(self) -> None:
        pass


def _resolved(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=0,
        flags=socket.AI_NUMERICHOST,
    )


@dataclass(slots=True)
class _HostLimits:
    """The calls to one host: how many run, and when the next may start."""

    slots: asyncio.Semaphore
    spacing_s: float
    next_start: float = field(default=0.0)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        async with self.slots:
            if self.spacing_s:
                now = time.monotonic()
                start = max(now, self.next_start)
                self.next_start = start + self.spacing_s
                await asyncio.sleep(start - now)
            yield


class Client:
    """Sends requests under a policy and the caps of the settings.

    Args:
        settings: The caps.
        policy: Which hosts and addresses may be called.
        lookup: Finds the addresses of a name.
    """

    def __init__(self, settings: RestSettings, policy: Policy, lookup: Lookup = look_up) -> None:
        self._settings = settings
        self._policy = policy
        self._lookup = lookup
        self._hosts: dict[str, _HostLimits] = {}
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Signed) -> Response | Failed:
        """Send a request; retry where that may help and does no harm."""
        started = time.monotonic()
        url = URL(request.url, encoded=True)
        async with self._limits(url).turn():
            try:
                answer = await self._send_with_retries(request, url)
            except _Fault as fault:
                return Failed(fault.reason, str(fault), time.monotonic() - started)
        seconds = time.monotonic() - started
        return Response(answer.status, answer.content_type, answer.body, seconds)

    def turn(self, url: str) -> AbstractAsyncContextManager[None]:
        """Wait for a turn at a host, by its limits of calls at once and per second."""
        return self._limits(URL(url, encoded=True)).turn()

    async def open(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> aiohttp.ClientResponse:
        """Send a request and return its response unread: whoever reads it caps and closes it.

        Redirects are not followed.

        Raises:
            Denied: if the host or its address may not be called.
            aiohttp.ClientError: if there is no response.
            OSError: likewise.
        """
        target = URL(url, encoded=True)
        self._check(target)
        return await self._connect().request(
            method, target, headers=CIMultiDict(headers), data=body, allow_redirects=False
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send_with_retries(self, request: Signed, url: URL) -> _Answer:
        left = self._settings.retries if request.method in _IDEMPOTENT else 0
        while True:
            try:
                answer = await self._attempt(request, url)
                pause_s = answer.pause_s
                if pause_s is None or not left:
                    return answer
            except _Fault as fault:
                if not fault.transient or not left:
                    raise
                pause_s = BACKOFF_S * 2 ** (self._settings.retries - left)
            left -= 1
            # Calls that were refused together shouldn't come back together.
            await asyncio.sleep(pause_s * random.uniform(1, 1.25))

    async def _attempt(self, request: Signed, url: URL) -> _Answer:
        """One attempt; however it ends without a response, it raises a `_Fault`."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._follow(request, url)
        except TimeoutError:
            text = f"no complete response within {self._settings.timeout_s:g} s"
            raise _Fault(Reason.TIMEOUT, text) from None
        except Denied as denied:
            raise _Fault(Reason.EGRESS_DENIED, str(denied)) from None
        except aiohttp.ClientConnectorDNSError as error:
            raise _Fault(Reason.CONNECTION, f"no such host: {error.host}", transient=True) from None
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise _Fault(Reason.CONNECTION, _error_message(error), transient=True) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise _Fault(Reason.CONNECTION, _error_message(error)) from None

    async def _follow(self, request: Signed, url: URL) -> _Answer:
        method, headers, body = request.method, request.headers, request.body
        for _ in range(self._settings.redirects + 1):
            self._check(url)
            async with self._connect().request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or location is None:
                    return await self._read(response)
            target = url.join(URL(location))
            if response.status == HTTPStatus.SEE_OTHER or (
                response.status in (301, 302) and method == "POST"
            ):
                method, body = "GET", None
            if _origin(target) != _origin(url):
                if body is not None:
                    raise Denied(f"a redirect would forward the body to {target.host}")
                headers = {}
            url = target
        raise _Fault(Reason.HTTP_STATUS, f"more than {self._settings.redirects} redirects")

    def _check(self, url: URL) -> None:
        if url.scheme not in ("http", "https"):
            raise Denied(f"redirects to scheme {url.scheme!r} are not followed")
        if url.raw_user is not None or url.raw_password is not None:
            raise Denied("the URL must not have a user or password")
        self._policy.check_host(url.raw_host or "", url.port or 0)

    async def _read(self, response: aiohttp.ClientResponse) -> _Answer:
        cap = self._settings.response_bytes
        body = bytearray()
        if (response.content_length or 0) <= cap:
            async for chunk in response.content.iter_chunked(_READ_BYTES):
                body += chunk
                if len(body) > cap:
                    break
        if len(body) > cap or (response.content_length or 0) > cap:
            response.close()
            raise _Fault(Reason.OUTPUT_TOO_LARGE, f"the response is larger than {cap} bytes")
        content_type = response.headers.get("Content-Type", "")
        return _Answer(response.status, content_type, bytes(body), _pause_s(response))

    def _limits(self, url: URL) -> _HostLimits:
        settings = self._settings
        key = f"{url.raw_host}:{url.port}"
        if key not in self._hosts:
            rate = settings.per_host_rate
            slots = asyncio.Semaphore(settings.per_host_concurrency)
            self._hosts[key] = _HostLimits(slots, 1 / rate if rate else 0.0)
        return self._hosts[key]

    def _connect(self) -> aiohttp.ClientSession:
        """Open the session at its first use: it belongs to the event loop that is running then."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=_HEADERS,
                connector=aiohttp.TCPConnector(
                    resolver=_PinningResolver(self._policy, self._lookup),
                    socket_factory=self._socket,
                    use_dns_cache=False,
                    limit=0,
                ),
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                requote_redirect_url=False,
            )
        return self._session

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Every connection passes here with the address that is dialled, also for IP literals."""
        family, kind, proto, _, address = info
        self._policy.check_address(str(address[0]), int(address[1]))
        return socket.socket(family, kind, proto)


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.raw_host, url.port


def _pause_s(response: aiohttp.ClientResponse) -> float | None:
    if response.status not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return None
    seconds = retry_after_s(response.headers.get("Retry-After"))
    return seconds if seconds is not None and seconds <= RETRY_AFTER_CAP_S else None


def _error_message(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
