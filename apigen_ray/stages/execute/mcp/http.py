"""Servers that are reached by HTTP, through the guarded client: one session that all share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp

from apigen_ray.errors import McpUnavailable
from apigen_ray.records import CallResult, Failed, JsonObject, McpBackend, Reason
from apigen_ray.stages.execute.mcp.prepared import PreparedServer
from apigen_ray.stages.execute.mcp.session import ServerFault, Session, changes
from apigen_ray.stages.execute.rest.client import Client
from apigen_ray.stages.execute.rest.policy import Denied, Policy
from apigen_ray.stages.execute.rest.settings import RestSettings

SESSION_ENDED = ("session", "not initialized")


class HttpServer:
    """A streamable-HTTP server."""

    def __init__(
        self,
        server: PreparedServer,
        imported: Sequence[McpBackend],
        rest: RestSettings,
        env: Mapping[str, str],
    ) -> None:
        """Take the server, the tools expected, the rules for HTTP, and where keys come from."""
        self._server = server
        self._imported = imported
        settings = server.settings
        self._url = settings.filled(settings.url or "", env)
        self._headers = {name: settings.filled(text, env) for name, text in settings.headers.items()}
        self._client = Client(rest, Policy(rest.allow, rest.hosts))
        self._response_bytes = rest.response_bytes
        self._in_flight = asyncio.Semaphore(rest.per_host_concurrency)
        self._starting = asyncio.Lock()
        self._session: Session | None = None
        self._problem: tuple[Reason, str] | None = None

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator["HttpServer"]:
        """The server, which all share."""
        yield self

    async def call(self, tool: str, arguments: JsonObject, result_bytes: int) -> CallResult:
        """Call a tool.

        Raises:
            McpUnavailable: if the server can't be reached, or has other tools than when imported.
        """
        async with self._in_flight:
            session = await self._get()
            self._problem = None
            timeout_s = self._server.settings.timeout_s
            result = await session.call(tool, arguments, timeout_s, result_bytes)
        if isinstance(result, Failed) and result.reason in (Reason.CRASHED, Reason.CONNECTION):
            await self._drop(session)
            result = Failed(Reason.CONNECTION, result.message, result.seconds)
        return result

    async def list_tools(self) -> Sequence[Mapping[str, Any]]:
        """The tools that the server lists.

        Raises:
            McpUnavailable: if it can't be reached.
        """
        return (await self._get()).tools

    async def close(self) -> None:
        """End the session and the connections."""
        if self._session is not None:
            await self._session.close()
        await self._client.close()

    async def _get(self) -> Session:
        async with self._starting:
            if self._session is not None and not self._session.ended:
                return self._session
            name, mode = self._server.name, self._server.mode
            session = Session(name, self._connect, mode, self._cause)
            try:
                await session.open(self._server.settings.start_timeout_s)
            except ServerFault as fault:
                raise McpUnavailable(f"MCP server {name}: {fault}") from fault
            if problem := changes(session.tools, self._imported):
                await session.close()
                raise McpUnavailable(f"MCP server {name}: {problem}: import its tools again")
            self._session = session
            return session

    async def _drop(self, session: Session) -> None:
        if self._session is session:
            self._session = None
            await session.close()

    async def _cause(self) -> tuple[Reason, str] | None:
        return self._problem

    @contextlib.asynccontextmanager
    async def _connect(self) -> AsyncIterator[Any]:
        """The SDK's transport, over the guarded client."""
        import httpx2  # noqa: PLC0415 - comes with the SDK, which takes half a second
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

        transport = self._transport(httpx2)
        client = httpx2.AsyncClient(transport=transport, headers=self._headers, trust_env=False)
        async with client, streamable_http_client(self._url, http_client=client) as streams:
            yield streams

    def _transport(self, httpx2: Any) -> Any:
        """What carries the SDK's requests: the guarded client's connections, with its caps."""
        outer = self

        class Body(httpx2.AsyncByteStream):  # type: ignore[misc]
            def __init__(self, response: aiohttp.ClientResponse) -> None:
                self._response = response

            async def __aiter__(self) -> AsyncIterator[bytes]:
                size = 0
                try:
                    async for chunk in self._response.content.iter_any():
                        size += len(chunk)
                        if size > outer._response_bytes:
                            cap = outer._response_bytes
                            detail = f"the response is larger than {cap} bytes"
                            outer._problem = (Reason.OUTPUT_TOO_LARGE, detail)
                            raise httpx2.ReadError(detail)
                        yield chunk
                except (aiohttp.ClientError, OSError) as error:
                    outer._problem = (Reason.CONNECTION, str(error))
                    raise httpx2.ReadError(str(error)) from error

            async def aclose(self) -> None:
                self._response.close()

        class Guarded(httpx2.AsyncBaseTransport):  # type: ignore[misc]
            async def handle_async_request(self, request: Any) -> Any:
                dropped = ("host", "content-length", "accept-encoding", "connection")
                headers = [(k, v) for k, v in request.headers.items() if k.lower() not in dropped]
                body = await request.aread()
                try:
                    response = await outer._client.open(
                        request.method, str(request.url), headers, body or None
                    )
                except Denied as denied:
                    outer._problem = (Reason.EGRESS_DENIED, str(denied))
                    raise httpx2.ConnectError(str(denied)) from denied
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    outer._problem = (Reason.CONNECTION, f"{type(error).__name__}: {error}")
                    raise httpx2.ConnectError(str(error)) from error
                kept = [
                    (name, value)
                    for name, value in response.headers.items()
                    if name.lower() not in ("content-encoding", "content-length", "set-cookie")
                ]
                return httpx2.Response(
                    response.status, headers=kept, stream=Body(response), request=request
                )

        return Guarded()
