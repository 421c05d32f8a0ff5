"""Servers that are reached by HTTP, through the guarded client: one session that all share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from apigen_ray.errors import McpUnavailable
from apigen_ray.records import CallResult, Failed, JsonObject, McpBackend, Reason
from apigen_ray.stages.execute.mcp.prepared import PreparedServer
from apigen_ray.stages.execute.mcp.session import ServerFault, Session, changes
from apigen_ray.stages.execute.rest.client import Client
from apigen_ray.stages.execute.rest.policy import Policy
from apigen_ray.stages.execute.rest.settings import RestSettings


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
        self._headers = {
            name: settings.filled(text, env) for name, text in settings.headers.items()
        }
        self._client = Client(rest, Policy(rest.allow, rest.hosts))
        self._response_bytes = rest.response_bytes
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
        async with self._client.turn(self._url):
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

    @property
    def title(self) -> str:
        """What the server calls itself."""
        return self._session.title if self._session else ""

    @property
    def mode(self) -> str:
        """How the protocol's version was agreed on."""
        return self._session.mode if self._session else self._server.mode

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
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - slow

        from apigen_ray.stages.execute.mcp.guarded import guarded_client  # noqa: PLC0415

        client = guarded_client(self._client, self._headers, self._response_bytes, self._note)
        async with client, streamable_http_client(self._url, http_client=client) as streams:
            yield streams

    def _note(self, reason: Reason, message: str) -> None:
        """Keep the first thing that went wrong: what the SDK says of it is less."""
        self._problem = self._problem or (reason, message)
