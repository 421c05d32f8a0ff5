"""Stage 2 (paper §3.2): really run the calls, and see what they give."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

from apigen_ray.records import (
    Call,
    CallResult,
    Failed,
    JsonObject,
    Reason,
    Rejected,
    RestBackend,
    Returned,
    Settings,
    VirtualBackend,
)
from apigen_ray.stages.execute.rest import RestCaller
from apigen_ray.stages.execute.rest.envelopes import ErrorPattern, error_in
from apigen_ray.stages.execute.sandbox import Sandbox
from apigen_ray.strict_json import canonical

RestTools = Mapping[str, RestBackend | VirtualBackend]
REPEATABLE = {"GET", "HEAD", "OPTIONS"}
PYTHON_ERRORS = (
    ErrorPattern(key="error", matches=r"^(?!(false|null|none|no|ok|\[\]|\{\}|[-+\d.e]*)$)"),
)
"""An `error` that says something; a number is how exact a result is."""


class ExecuteSettings(Settings):
    """What stage 2 does beyond running each call once."""

    check_determinism: bool = False
    """Run each call twice, and mark the results that differ; REST calls only where GET is."""
    errors: tuple[ErrorPattern, ...] = PYTHON_ERRORS
    """How a Python tool's result looks that tells of an error in place of raising it; `rest.errors`
    says the same of REST tools."""


class Runner(Protocol):
    """Runs the calls of one data point, in order, and tries all of them."""

    async def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """One result a call.

        Raises:
            InfrastructureError: if the runner failed, whatever the calls are worth.
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
    """Runs Python calls in the sandbox and REST calls through the guarded client."""

    def __init__(
        self,
        rest_tools: RestTools,
        rest: RestCaller,
        opened: Callable[[], Awaitable[Sandbox]],
        errors: Sequence[ErrorPattern] = PYTHON_ERRORS,
    ) -> None:
        """Take where REST calls go, and what gives the sandbox once a Python call needs it."""
        self._rest_tools = rest_tools
        self._rest = rest
        self._opened = opened
        self._errors = errors

    async def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """One result a call; neighbouring Python calls go to the sandbox together."""
        results: list[CallResult] = []
        for over_rest, group in groupby(calls, key=lambda call: call.name in self._rest_tools):
            if over_rest:
                for call in group:
                    backend = self._rest_tools[call.name]
                    results.append(await self._rest.call(backend, call.arguments))
            else:
                sandbox = await self._opened()
                returned = await sandbox.run(list(group))
                results += [_judged(result, self._errors) for result in returned]
        return results

    def repeatable(self, call: Call) -> bool:
        """Whether running the call again does no harm."""
        backend = self._rest_tools.get(call.name)
        return not isinstance(backend, RestBackend) or backend.method.upper() in REPEATABLE


async def execute(calls: Sequence[Call], runner: Runner) -> Executed:
    """Run every call, in order, each with a verdict of its own.

    Raises:
        InfrastructureError: if the runner failed, whatever the calls are worth.
    """
    start = time.monotonic()
    results = await runner.run(calls) if calls else []
    return Executed(tuple(results), time.monotonic() - start)


async def execute_twice(calls: Sequence[Call], runner: Dispatcher) -> Executed:
    """As `execute`, and mark results that differ when the calls are run again.

    Raises:
        InfrastructureError: if the runner failed, whatever the calls are worth.
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


def _judged(result: CallResult, errors: Sequence[ErrorPattern]) -> CallResult:
    """A call that returns nothing, or tells of an error in place of raising it, did not succeed."""
    if isinstance(result, Failed):
        return result
    if result.result is None:
        return Failed(Reason.EMPTY_RESULT, "returned null", result.seconds)
    error = error_in(result.result, errors)
    if error is None:
        return result
    return Failed(Reason.ERROR_IN_BODY, f"returned an error: {error[:500]}", result.seconds)


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
