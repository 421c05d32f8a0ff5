"""The SDK's HTTP requests, carried by the guarded client's connections and held to its caps."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeAlias

import aiohttp
import httpx2

from apigen_ray.records import Reason
from apigen_ray.stages.execute.rest.client import Client
from apigen_ray.stages.execute.rest.policy import Denied

Note: TypeAlias = Callable[[Reason, str], None]
"""Told why a request failed."""

_OURS = frozenset({"accept-encoding", "connection", "content-length", "host"})
_FRAMING = frozenset({"content-encoding", "content-length", "set-cookie", "transfer-encoding"})


def guarded_client(
    client: Client, headers: Mapping[str, str], response_bytes: int, note: Note
) -> httpx2.AsyncClient:
    """An HTTP client for the SDK.

    Args:
        client: Checks and dials addresses.
        headers: Headers of every request.
        response_bytes: The largest response that is read.
        note: Told why a request failed.
    """
    transport = _Guarded(client, response_bytes, note)
    return httpx2.AsyncClient(
        transport=transport, headers=dict(headers), trust_env=False, timeout=None
    )


class _Body(httpx2.AsyncByteStream):
    """A response as it comes, until it is too long."""

    def __init__(self, response: aiohttp.ClientResponse, cap: int, note: Note) -> None:
        self._response = response
        self._cap = cap
        self._note = note

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._response.content.iter_any():
                size += len(chunk)
                if size > self._cap:
                    detail = f"the response is larger than {self._cap} bytes"
                    self._note(Reason.OUTPUT_TOO_LARGE, detail)
                    raise httpx2.ReadError(detail)
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            self._note(Reason.CONNECTION, f"{type(error).__name__}: {error}")
            raise httpx2.ReadError(str(error)) from error

    async def aclose(self) -> None:
        self._response.close()


class _Guarded(httpx2.AsyncBaseTransport):
    """Sends requests where the policy allows it."""

    def __init__(self, client: Client, response_bytes: int, note: Note) -> None:
        self._client = client
        self._response_bytes = response_bytes
        self._note = note

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _OURS]
        body = await request.aread()
        try:
            response = await self._client.open(
                request.method, str(request.url), headers, body or None
            )
        except Denied as denied:
            self._note(Reason.EGRESS_DENIED, str(denied))
            raise httpx2.ConnectError(str(denied)) from denied
        except (aiohttp.ClientError, OSError) as error:
            self._note(Reason.CONNECTION, f"{type(error).__name__}: {error}")
            raise httpx2.ConnectError(str(error)) from error
        kept = [(k, v) for k, v in response.headers.items() if k.lower() not in _FRAMING]
        stream = _Body(response, self._response_bytes, self._note)
        return httpx2.Response(response.status, headers=kept, stream=stream, request=request)
