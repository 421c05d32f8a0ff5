"""Stage 2 (paper §3.2): run the calls for real, and record their results."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Protocol, TypeAlias

from apigen_ray.models.settings import Settings
from apigen_ray.records import (
    Call,
    CallResult,
    Failed,
    JsonObject,
    Reason,
    Rejected,
    RestBackend,
    Returned,
    VirtualBackend,
)
from apigen_ray.stages.execute.mcp import McpCaller, McpTools
from apigen_ray.stages.execute.mcp.servers import Lease
from apigen_ray.stages.execute.rest import RestCaller
from apigen_ray.stages.execute.rest.envelopes import ErrorPattern, error_in
from apigen_ray.stages.execute.sandbox import Sandbox
from apigen_ray.strict_json import canonical

RestTools = Mapping[str, RestBackend | VirtualBackend]
NO_MCP_TOOLS = McpTools()
REPEATABLE = {"GET", "HEAD", "OPTIONS"}
PYTHON_ERRORS = (
    ErrorPattern(key="error", matches=r"^(?!(false|null|none|no|ok|\[\]|\{\}|[-+\d.e]*)$)"),
)
"""An `error` that says something; a number there is the error bound of a result."""


_ERROR_TEXT = r"^(\S+ ){0,2}error\b\s*[:!](?!\s*[-+]?[\d.])|^\S{1,80}: error\b"
MCP_ERRORS = (
    ErrorPattern(matches=_ERROR_TEXT),
    ErrorPattern(key="content|text|message|result|output", matches=_ERROR_TEXT),
)
"""Servers tell a model of an error in words, often without `isError`: `Database error: near ...`,
`notes.txt: Error - ENOENT`. A text about the size of an error is none."""


class ExecuteSettings(Settings):
    """What stage 2 does beyond running each call once."""

    check_determinism: bool = False
    """Run each call twice, and mark the results that differ; REST calls only where GET is.
    Calls of MCP servers are run on another fresh server."""
    skip_unreachable: bool = False
    """Leave out tools that can't be called: without a backend, without their API key, or on an
    address that `rest` does not allow. A run with such tools does not start otherwise."""
    errors: tuple[ErrorPattern, ...] = PYTHON_ERRORS
    """How to recognise a Python tool's result that reports an error instead of raising it;
    `rest.errors` does the same for REST tools."""


Run: TypeAlias = Callable[[Sequence[Call]], Awaitable[list[CallResult]]]
"""Runs some of the calls of a data point, in order: one result a call."""


class Runner(Protocol):
    """Runs the calls of one data point, in order, and tries all of them."""

    async def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """One result a call.

        Raises:
            InfrastructureError: if the runner failed, which says nothing about the calls.
        """
        ...


@dataclass(frozen=True, slots=True)
class Executed:
    """The results of a data point's calls, in order, and the wall time of them all."""

    results: tuple[CallResult, ...]
    seconds: float

    @property
    def rejection(self) -> Rejected | None:
        """The first failure decides; None if all calls returned."""
        for index, result in enumerate(self.results):
            if isinstance(result, Failed):
                return Rejected(result.reason, f"calls[{index}]: {result.message}")
        return None


class Dispatcher:
    """Runs Python calls in the sandbox, REST calls through the guarded client, MCP calls by server.

    Args:
        rest_tools: The REST tools, by name.
        rest: Calls them.
        open_sandbox: Opens the sandbox once a Python call needs it.
        errors: How results of Python and MCP tools report errors.
        mcp_tools: The tools of MCP servers.
        mcp: Calls them.
    """

    def __init__(
        self,
        rest_tools: RestTools,
        rest: RestCaller,
        open_sandbox: Callable[[], Awaitable[Sandbox]],
        errors: Sequence[ErrorPattern] = PYTHON_ERRORS,
        *,
        mcp_tools: McpTools = NO_MCP_TOOLS,
        mcp: McpCaller | None = None,
    ) -> None:
        self._rest_tools = rest_tools
        self._rest = rest
        self._open_sandbox = open_sandbox
        self._errors = errors
        self._mcp_tools = mcp_tools
        self._mcp = mcp

    async def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """One result a call of a data point; neighbouring Python calls go to the sandbox together.

        The data point keeps its MCP servers from its first call to its last.
        """
        async with self.data_point(calls) as run:
            return await run(calls)

    @asynccontextmanager
    async def data_point(self, calls: Sequence[Call]) -> AsyncIterator[Run]:
        """What runs the calls of a data point, some at a time: it keeps its MCP servers."""
        async with AsyncExitStack() as stack:
            lease = None
            tools = {call.name for call in calls} & self._mcp_tools.tools.keys()
            if self._mcp and tools:
                lease = await stack.enter_async_context(self._mcp.data_point(tools))
            yield partial(self._run, lease)

    async def _run(self, lease: Lease | None, calls: Sequence[Call]) -> list[CallResult]:
        results: list[CallResult] = []
        for kind, group in groupby(calls, key=self._kind):
            if kind == "python":
                sandbox = await self._open_sandbox()
                returned = await sandbox.run(list(group))
                results += [_checked(result, self._errors) for result in returned]
                continue
            for call in group:
                if lease is not None and kind == "mcp":
                    answered = await lease.call(call)
                    results.append(_checked(answered, (*self._errors, *MCP_ERRORS)))
                else:
                    backend = self._rest_tools[call.name]
                    results.append(await self._rest.call(backend, call.arguments))
        return results

    def _kind(self, call: Call) -> str:
        if call.name in self._mcp_tools.tools:
            return "mcp"
        return "rest" if call.name in self._rest_tools else "python"

    def may_change(self, call: Call) -> bool:
        """Whether it goes to an API, or a server with a state: it may answer otherwise later."""
        return self._kind(call) != "python"

    def keeps_state(self, call: Call) -> bool:
        """Whether later calls of the data point depend on it: its server remembers."""
        return self._kind(call) == "mcp"

    def repeatable(self, call: Call) -> bool:
        """Whether the call can be run again without harm."""
        if call.name in self._mcp_tools.tools:
            return self._mcp_tools.repeatable(call.name)
        backend = self._rest_tools.get(call.name)
        return not isinstance(backend, RestBackend) or backend.method.upper() in REPEATABLE


async def execute(calls: Sequence[Call], runner: Runner) -> Executed:
    """Run every call, in order; each has a result of its own.

    Raises:
        InfrastructureError: if the runner failed, which says nothing about the calls.
    """
    start = time.monotonic()
    results = await runner.run(calls) if calls else []
    return Executed(tuple(results), time.monotonic() - start)


class RepeatableRunner(Runner, Protocol):
    """A runner that knows which calls it may run again."""

    def repeatable(self, call: Call) -> bool:
        """Whether the call can be run again without harm."""
        ...


async def execute_twice(calls: Sequence[Call], runner: RepeatableRunner) -> Executed:
    """Like `execute`, but run the calls again and mark the results that differ.

    Raises:
        InfrastructureError: if the runner failed, which says nothing about the calls.
    """
    first = await execute(calls, runner)
    if first.rejection or not all(runner.repeatable(call) for call in calls):
        return first
    second = await execute(calls, runner)
    marked = tuple(
        replace(
            a, deterministic=isinstance(b, Returned) and canonical(a.result) == canonical(b.result)
        )
        if isinstance(a, Returned)
        else a
        for a, b in zip(first.results, second.results, strict=True)
    )
    return Executed(marked, first.seconds + second.seconds)


def _checked(result: CallResult, errors: Sequence[ErrorPattern]) -> CallResult:
    """A call that returns nothing, or reports an error instead of raising it, has failed."""
    if isinstance(result, Failed):
        return result
    if result.result is None:
        return Failed(Reason.EMPTY_RESULT, "returned null", result.seconds)
    error = error_in(result.result, errors)
    if error is None:
        return result
    return Failed(Reason.ERROR_IN_BODY, f"returned an error: {error[:500]}", result.seconds)


def result_forms(
    results: Iterable[CallResult], arguments: Mapping[int, JsonObject]
) -> list[JsonObject]:
    """Results as rows hold them, with the arguments that took values from earlier results.

    Args:
        results: One a call.
        arguments: What calls with references were run with, by their index.
    """
    forms: list[JsonObject] = []
    for index, result in enumerate(results):
        form = result_form(result)
        forms.append(form | {"arguments": arguments[index]} if index in arguments else form)
    return forms


def result_form(result: CallResult) -> JsonObject:
    """A result as rows hold it."""
    if isinstance(result, Failed):
        return {
            "ok": False,
            "reason": result.reason.value,
            "message": result.message,
            "seconds": round(result.seconds, 6),
        }
    form: JsonObject = {"ok": True, "result": result.result, "seconds": round(result.seconds, 6)}
    return form if result.deterministic is None else form | {"deterministic": result.deterministic}
