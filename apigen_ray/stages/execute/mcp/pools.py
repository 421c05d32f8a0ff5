"""Which server a data point gets: a fresh one of its own, or one that all share.

The next fresh server starts while this one works, so that a data point finds one that is ready.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Protocol

from apigen_ray.errors import SandboxLost
from apigen_ray.records import CallResult, Failed, JsonObject, McpBackend, Reason
from apigen_ray.stages.execute.mcp.running import Boxes, Running
from apigen_ray.stages.execute.mcp.sidecars import Sidecars

log = logging.getLogger(__name__)

IDLE_S = 60.0
"""The boxes of a server that no data point has used for so long are closed."""


class Answering(Protocol):
    """A server as a data point sees it."""

    async def call(self, tool: str, arguments: JsonObject, result_bytes: int) -> CallResult:
        """Call a tool.

        Raises:
            InfrastructureError: if the failure is not the call's.
        """
        ...


class Servers(Protocol):
    """Gives a server to each data point that needs it."""

    def lease(self) -> contextlib.AbstractAsyncContextManager[Answering]:
        """A server, for as long as a data point is worked on."""
        ...

    async def close(self) -> None:
        """End what is running."""
        ...


class FreshServers:
    """A server of its own for each data point."""

    def __init__(
        self,
        boxes: Boxes,
        imported: Sequence[McpBackend],
        slots: int,
        sidecars: Sidecars | None = None,
    ) -> None:
        """Take how boxes are made, the tools expected, and how many data points run at once.

        In sidecars, servers of other names may need the next box.
        """
        self._boxes = boxes
        self._imported = imported
        self._sidecars = sidecars
        self._most = slots + 1
        self._count = 0
        self._leased = 0
        # Servers that are ready, or about to be.
        self._next: asyncio.Queue[asyncio.Task[Running]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Running]] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[Running]:
        """A fresh server.

        Raises:
            McpUnavailable: if it does not start, or has other tools than at its import.
            SandboxLost: if its box can't be started.
        """
        self._leased += 1
        if self._idle:
            self._idle.cancel()
        try:
            try:
                running = await self._take()
            except SandboxLost:  # nothing has been called yet: another box may do
                running = await self._take()
            try:
                yield running
            finally:
                self._start(self._anew(running))
        finally:
            self._leased -= 1
            if not self._leased:
                loop = asyncio.get_running_loop()
                self._idle = loop.call_later(IDLE_S, self._free)

    async def close(self) -> None:
        """End all servers."""
        self._closed = True
        if self._idle:
            self._idle.cancel()
        self._free()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._ends, return_exceptions=True)
        self._boxes.close()

    async def _take(self) -> Running:
        if self._closed:
            raise SandboxLost("the sandbox is closed")
        if self._sidecars and self._next.empty():
            await self._sidecars.make_room()
        if self._next.empty() and self._count < self._most:
            self._start_in_new_box()
        task = await self._next.get()
        if not self._sidecars and self._next.empty() and self._count < self._most:
            self._start_in_new_box()  # for who comes next
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._next.put_nowait(task)
            raise
        except BaseException:
            self._count -= 1
            raise

    def _start_in_new_box(self) -> None:
        self._count += 1
        self._start(_started(self._boxes, self._imported))

    def _start(self, starting: Coroutine[None, None, Running]) -> None:
        task = asyncio.create_task(starting)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_seen)
        self._next.put_nowait(task)

    async def _anew(self, before: Running) -> Running:
        """The next server in the same box; in another one if this has not come clean."""
        box = before.box
        try:
            ended = await before.stop()
            if not ended.clean:
                raise SandboxLost("its scratch could not be wiped")
            running = Running(self._boxes.server, box)
            await running.start(self._imported)
        except SandboxLost as error:
            log.warning("MCP sandbox replaced", extra={"why": str(error)})
        except BaseException:
            await asyncio.shield(box.close())
            raise
        else:
            return running
        await asyncio.shield(box.close())
        return await _started(self._boxes, self._imported)

    @property
    def boxes(self) -> int:
        """How many boxes there are."""
        return self._count

    async def give_up(self) -> bool:
        """Close a box whose server waits for a data point; returns whether there was one."""
        if self._next.empty():
            return False
        await self._free_one()
        return True

    def _free(self) -> None:
        """Close the boxes whose server waits for a data point."""
        while not self._next.empty():
            self._free_one()

    def _free_one(self) -> asyncio.Task[None]:
        task = self._next.get_nowait()
        self._count -= 1
        end = asyncio.create_task(_closed(task))
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)
        return end


class SharedServer:
    """One server for all data points, started again if it has ended or hangs."""

    def __init__(
        self,
        boxes: Boxes,
        imported: Sequence[McpBackend],
        slots: int,
        sidecars: Sidecars | None = None,
    ) -> None:
        """Take what `FreshServers` takes; the slots don't matter."""
        self._boxes = boxes
        self._imported = imported
        self._sidecars = sidecars
        self._current: Running | None = None
        self._starting = asyncio.Lock()
        self._opening = False
        self._in_flight = 0
        self._leased = 0
        self._idle: asyncio.TimerHandle | None = None
        self._ends: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator["SharedServer"]:
        """The server that all share."""
        self._leased += 1
        if self._idle:
            self._idle.cancel()
        try:
            yield self
        finally:
            self._leased -= 1
            if not self._leased:
                self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._retire)

    async def call(self, tool: str, arguments: JsonObject, result_bytes: int) -> CallResult:
        """Call a tool.

        Raises:
            McpUnavailable: if the server does not start, or has other tools than at its import.
            SandboxLost: if it ended while others' calls were in flight: any may be to blame.
        """
        running = await self._get()
        self._in_flight += 1
        others = self._in_flight > 1
        try:
            result = await running.call(tool, arguments, result_bytes)
            others = others or self._in_flight > 1
        finally:
            self._in_flight -= 1
        died = isinstance(result, Failed) and result.reason in (Reason.CRASHED, Reason.MEMORY)
        if died and others:
            raise SandboxLost(f"a shared MCP server failed with several calls in flight: {result}")
        return result

    async def close(self) -> None:
        """End the server."""
        if self._idle:
            self._idle.cancel()
        self._retire()
        await asyncio.gather(*self._ends, return_exceptions=True)
        self._boxes.close()

    async def _get(self) -> Running:
        async with self._starting:
            running = self._current
            if running is not None and running.is_usable:
                return running
            self._retire()
            if self._sidecars:
                await self._sidecars.make_room()
            self._opening = True
            try:
                self._current = await _started(self._boxes, self._imported)
            finally:
                self._opening = False
            return self._current

    @property
    def boxes(self) -> int:
        """How many boxes there are: the one that it is in, or is about to be."""
        return int(self._current is not None or self._opening)

    async def give_up(self) -> bool:
        """Close its box, unless a data point needs it; returns whether there was one."""
        if self._leased or self._current is None:
            return False
        self._retire()
        await asyncio.gather(*self._ends, return_exceptions=True)
        return True

    def _retire(self) -> None:
        if self._current is not None:
            end = asyncio.create_task(self._current.close())
            self._ends.add(end)
            end.add_done_callback(self._ends.discard)
            self._current = None


async def _started(boxes: Boxes, imported: Sequence[McpBackend]) -> Running:
    """A server that takes calls, in a box of its own."""
    box = await boxes.open(imported)
    running = Running(boxes.server, box)
    try:
        await running.start(imported)
    except BaseException:
        await asyncio.shield(box.close())
        raise
    return running


def _seen(task: asyncio.Task[Running]) -> None:
    """Nobody may ever wait for this server: its failure is not worth a traceback."""
    if not task.cancelled():
        task.exception()


async def _closed(task: asyncio.Task[Running]) -> None:
    task.cancel()
    with contextlib.suppress(BaseException):
        await (await task).close()
