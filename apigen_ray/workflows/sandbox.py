"""Tools called by hand, as stage 2 calls them: Python in the sandbox, REST through the client."""

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console

from apigen_ray.errors import BadInput
from apigen_ray.pipeline.executor import Executor
from apigen_ray.records import Call, CallResult, Tool
from apigen_ray.stages.execute import sandbox as isolated
from apigen_ray.stages.execute.dispatch import Dispatcher, ExecuteSettings
from apigen_ray.stages.execute.mcp import as_servers
from apigen_ray.stages.execute.rest import RestCaller, RestSettings
from apigen_ray.workflows.prepare import QUIET, prepare_executor
from apigen_ray.workflows.tools import ToolSources, as_library

T = TypeVar("T")


class Sandbox:
    """Calls tools safely, by name.

    A context manager, sync or async, that starts the sandbox on entry and stops it on exit:

        with Sandbox("my_functions.py") as sandbox:
            sandbox.call("add", {"a": 1, "b": 2})

        async with Sandbox("my_functions.py") as sandbox:
            await sandbox.acall("add", {"a": 1, "b": 2})

    Several calls may be in flight at once, from any threads or tasks.
    """

    def __init__(
        self,
        tools: ToolSources,
        *,
        settings: isolated.SandboxSettings | None = None,
        rest: RestSettings | None = None,
        mcp_servers: Mapping[str, Any] | str | None = None,
        console: Console = QUIET,
    ) -> None:
        """Choose tools and limits.

        Args:
            tools: A tool library, or its sources.
            settings: Which kind of sandbox isolates Python calls, and what each call may use.
            rest: What REST calls may reach.
            mcp_servers: The servers of MCP tools: as in a config, or a file with `mcpServers`.
            console: Where the kind of sandbox that was chosen is shown; nowhere by default.
        """
        self._library = as_library(tools)
        self._settings = settings or isolated.SandboxSettings()
        self._rest = rest or RestSettings()
        self._mcp_servers = as_servers(mcp_servers or {})
        self._console = console
        self._running: _Running | None = None

    @property
    def tools(self) -> Sequence[Tool]:
        """The tools of its library."""
        return self._library.tools

    def call(self, tool: str, arguments: Mapping[str, Any]) -> CallResult:
        """Call a tool, its arguments bound by name.

        Each call is a data point: it has MCP servers of its own.

        Returns:
            `Returned` with the result, or `Failed` with the reason: a call that fails is no
            exception.

        Raises:
            BadInput: if there is no such tool, or no code for it.
            InfrastructureError: if the sandbox or the REST client failed, rather than the call.
        """
        return self._up.submit(self._checked(tool, arguments)).result()

    async def acall(self, tool: str, arguments: Mapping[str, Any]) -> CallResult:
        """As `call`, without blocking the event loop."""
        future = self._up.submit(self._checked(tool, arguments))
        return await asyncio.wrap_future(future)

    @property
    def _up(self) -> "_Running":
        if self._running is None:
            raise RuntimeError("the sandbox is not running: use it in a `with` statement")
        return self._running

    def _checked(self, tool: str, arguments: Mapping[str, Any]) -> Call:
        if not self._up.executor.can_run(tool):
            known = tool in self._library.by_name()
            raise BadInput(f"tool {tool!r}: {'has no code' if known else 'no such tool'}")
        return Call(tool, dict(arguments))

    def __enter__(self) -> "Sandbox":
        with ExitStack() as stack:
            executor, _ = prepare_executor(
                self._library,
                self._console,
                execute=ExecuteSettings(),
                sandbox=self._settings,
                rest=self._rest,
                mcp_servers=self._mcp_servers,
            )
            loop = stack.enter_context(_background_loop())
            self._running = stack.enter_context(_dispatching(executor, loop))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running = None
        self._stack.close()

    async def __aenter__(self) -> "Sandbox":
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, traceback)


@dataclass(frozen=True, slots=True)
class _Running:
    """What calls tools, and the event loop it lives in."""

    executor: Executor
    dispatcher: Dispatcher
    loop: asyncio.AbstractEventLoop

    def submit(self, call: Call) -> Future[CallResult]:
        return asyncio.run_coroutine_threadsafe(self._run(call), self.loop)

    async def _run(self, call: Call) -> CallResult:
        [result] = await self.dispatcher.run([call])
        return result


@contextmanager
def _dispatching(executor: Executor, loop: asyncio.AbstractEventLoop) -> Iterator[_Running]:
    def wait_for(coroutine: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    async def opened() -> isolated.Sandbox:
        assert pool, "only tools with code in the sandbox are called there"
        return pool

    rest = RestCaller(executor.rest, os.environ)
    pool = None
    with ExitStack() as stack:
        stack.callback(lambda: wait_for(rest.close()))
        if executor.code.functions:
            pool = wait_for(isolated.open_sandbox(executor.sandbox, executor.code))
            stack.callback(lambda: wait_for(pool.close()))
        runner, mcp = executor.dispatcher(rest, opened)
        stack.callback(lambda: wait_for(mcp.close()))
        yield _Running(executor, runner, loop)


@contextmanager
def _background_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread: the caller may have none, or one that is running already."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
