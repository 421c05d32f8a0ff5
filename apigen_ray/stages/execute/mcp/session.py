"""A conversation with one server: the SDK's client, its exceptions sorted into whose fault it is.

What a server asks of us (sampling, elicitation, roots) the SDK declines in our name, since we give
it nobody to ask. Progress, logs and changes of lists are read and dropped.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import anyio

from apigen_ray.errors import McpUnavailable
from apigen_ray.records import CallResult, Failed, JsonObject, McpBackend, Reason
from apigen_ray.stages.execute.mcp.results import result_of, short
from apigen_ray.tools.backends import schema_digest

MAX_PAGES = 100
MAX_TOOLS = 5_000

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens the streams of messages to and from a server."""
Died: TypeAlias = Callable[[], Awaitable[tuple[Reason, str] | None]]
"""What is known about a server that answers no more; None if nothing is."""


class ServerFault(McpUnavailable):
    """A server did not come to the point where it takes calls; the message says why."""


class Session:
    """A server that takes calls.

    The SDK's client lives in a task of its own: whoever opens it need not be who closes it.
    """

    def __init__(self, name: str, connect: Connect, mode: str, died: Died) -> None:
        self.name = name
        self.mode = mode
        self.tools: Sequence[Mapping[str, Any]] = ()
        """What it lists, as it lists it."""
        self.title = ""
        """What it calls itself."""
        self._connect = connect
        self._died = died
        self._client: Any = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self, timeout_s: float) -> None:
        """Agree on a protocol, and list the tools.

        Raises:
            ServerFault: if that fails, or takes longer.
        """
        self._task = asyncio.create_task(self._live())
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._ready)
        except TimeoutError as error:
            await self.close()
            raise ServerFault(f"no list of tools within {timeout_s:g} s") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the conversation."""
        self._closing.set()
        if self._task is not None and not self._task.done():
            if not self._ready.done():
                self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def ended(self) -> bool:
        """Whether it takes no more calls."""
        return self._task is None or self._task.done()

    async def call(
        self, tool: str, arguments: JsonObject, timeout_s: float, result_bytes: int
    ) -> CallResult:
        """Call a tool."""
        from mcp import MCPError  # noqa: PLC0415 - the SDK takes half a second
        from mcp_types import CONNECTION_CLOSED  # noqa: PLC0415

        started = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._client.call_tool(tool, arguments)
        except TimeoutError:
            seconds = time.monotonic() - started
            return Failed(Reason.TIMEOUT, f"no result in {timeout_s:g} s", seconds)
        except MCPError as error:
            seconds = time.monotonic() - started
            if error.code == CONNECTION_CLOSED:
                return await self._failed(seconds)
            return Failed(Reason.RAISED, short(str(error)), seconds)
        except (RuntimeError, ValueError) as error:
            # what the SDK finds wrong with an answer: it doesn't fit the protocol or its own schema
            return Failed(Reason.NOT_SERIALIZABLE, short(str(error)), time.monotonic() - started)
        except Exception as error:  # streams raise their own kinds when the server is gone
            if not _is_end(error):
                raise
            return await self._failed(time.monotonic() - started)
        return result_of(answer, time.monotonic() - started, result_bytes)

    async def _failed(self, seconds: float) -> Failed:
        reason, message = await self._died() or (Reason.CRASHED, "the server ended")
        return Failed(reason, short(message), seconds)

    async def _live(self) -> None:
        try:
            async with self._make_client() as client:
                self._client = client
                self.tools = await _list(client)
                self.title = client.server_info.name if client.server_info else ""
                self.mode = _mode_of(client.protocol_version)
                self._ready.set_result(None)
                await self._closing.wait()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if self._ready.done():
                return  # the server's end: its calls have been told
            died = await self._died() if _is_end(error) else None
            fault = ServerFault(short(died[1] if died else str(_first(error))))
            if not self._ready.done():
                self._ready.set_exception(fault)

    def _make_client(self) -> Any:
        from mcp import Client  # noqa: PLC0415 - the SDK takes half a second

        return Client(self._connect(), mode=self.mode, cache=None)


def changes(tools: Sequence[Mapping[str, Any]], imported: Sequence[McpBackend]) -> str | None:
    """How the tools that a server lists differ from what was imported; None if they don't."""
    listed = {str(tool.get("name")): tool for tool in tools}
    for backend in imported:
        if backend.tool not in listed:
            names = ", ".join(sorted(listed)[:5]) or "none"
            return f"it no longer lists the tool {backend.tool!r} (it lists {names})"
        if backend.schema and backend.schema != schema_digest(
            listed[backend.tool].get("inputSchema")
        ):
            return f"the inputSchema of its tool {backend.tool!r} has changed since the import"
    return None


async def _list(client: Any) -> list[dict[str, Any]]:
    """The tools of all pages."""
    tools: list[dict[str, Any]] = []
    cursor = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += (tool.model_dump(by_alias=True, mode="json") for tool in page.tools)
        cursor = page.next_cursor
        if not cursor:
            return tools
        if len(tools) > MAX_TOOLS:
            break
    raise ServerFault(f"its list of tools has no end: over {len(tools):,} tools")


def _mode_of(version: str) -> str:
    """How the same version is agreed on without asking twice."""
    from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS  # noqa: PLC0415

    return "legacy" if version in HANDSHAKE_PROTOCOL_VERSIONS else version


def _first(error: BaseException) -> BaseException:
    """An error; of a group, its first member."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _is_end(error: BaseException) -> bool:
    """Whether an error says no more than that the connection is closed."""
    from mcp import MCPError  # noqa: PLC0415 - the SDK takes half a second
    from mcp_types import CONNECTION_CLOSED  # noqa: PLC0415

    first = _first(error)
    if isinstance(first, MCPError):
        return bool(first.code == CONNECTION_CLOSED)
    return isinstance(first, anyio.ClosedResourceError | anyio.BrokenResourceError | OSError)
