"""The steps of cleaning, and their result for each tool."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, zip_longest
from typing import Literal
from urllib.parse import urlsplit

from apigen_ray import strict_json
from apigen_ray.errors import InfrastructureError
from apigen_ray.models import Model
from apigen_ray.records import JsonObject, RestBackend, VirtualBackend
from apigen_ray.stages.execute.dispatch import Runner
from apigen_ray.tools.importers.findings import Imported
from apigen_ray.workflows.clean_tools.access import (
    Journal,
    documented_arguments,
    first_success,
    propose_arguments,
)
from apigen_ray.workflows.clean_tools.documentation import (
    description_problem,
    misread,
    undocumented,
)
from apigen_ray.workflows.clean_tools.model_requests import UnusableAnswer
from apigen_ray.workflows.clean_tools.rewriting import rewrite

GIVE_UP_AFTER = 20
"""After this many failures in a row that are not the tools' fault, the rest is not tried."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Step(StrEnum):
    """The steps, in this order: what is dropped early costs neither a call nor a model request."""

    DOCUMENTATION = "documentation"
    ACCESS = "access"
    REWRITE = "rewrite"


class Cause(StrEnum):
    """Why a tool was dropped or left, other than by the reason for which its call failed."""

    UNDOCUMENTED = "undocumented"
    MISREAD = "misread"
    """Its source was misread: texts or names are garbled."""
    NO_PARAMETERS = "no_parameters"
    NOT_CALLABLE = "not_callable"
    """It has no backend."""
    UNSAFE = "unsafe"
    """A call might change something, and only safe methods are allowed."""
    NO_ARGUMENTS = "no_arguments"
    """Its documentation has no example arguments, and no model proposed usable ones."""
    NO_DESCRIPTION = "no_description"
    """Its description is not usable, and no model wrote a better one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The steps to take, and how."""

    steps: frozenset[Step] = frozenset(Step)
    keep_without_parameters: bool = False
    read_only: bool = False
    """Drop REST tools that may change something, uncalled."""
    review_all: bool = False
    """Ask the model about every description, not only those that a rule suspects."""
    concurrency: int = 32
    """How many tools are cleaned at the same time."""


@dataclass(frozen=True, slots=True)
class WorkingCall:
    """A call that succeeded: its arguments, and its result as rows have it."""

    arguments: JsonObject
    verdict: JsonObject


@dataclass(frozen=True, slots=True)
class Kept:
    """A tool that passed every step."""

    item: Imported
    call: WorkingCall | None
    original_description: str | None
    """Set if a model wrote a new one."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A tool that was dropped, or left undecided."""

    item: Imported
    outcome: Literal["dropped", "left"]
    step: Step
    reason: str
    detail: str

    @property
    def failed(self) -> bool:
        """Whether something other than the tool failed, so that trying again may decide it."""
        return self.outcome == "left" and self.reason not in set(Cause)


def select(items: Sequence[Imported], settings: Settings) -> tuple[list[Imported], list[Excluded]]:
    """Drop the tools that can be judged without a call."""
    fit, excluded = [], []
    for item in items:
        problem = _drop_reason(item, settings)
        if problem is None:
            fit.append(item)
        else:
            step, cause, detail = problem
            excluded.append(Excluded(item, "dropped", step, cause.value, detail))
    return fit, excluded


def _drop_reason(item: Imported, settings: Settings) -> tuple[Step, Cause, str] | None:
    tool = item.tool
    if Step.DOCUMENTATION in settings.steps:
        if detail := undocumented(tool):
            return Step.DOCUMENTATION, Cause.UNDOCUMENTED, detail
        if detail := misread(tool):
            return Step.DOCUMENTATION, Cause.MISREAD, detail
        if not tool.parameters.get("properties") and not settings.keep_without_parameters:
            return Step.DOCUMENTATION, Cause.NO_PARAMETERS, "it takes no parameters"
    if Step.ACCESS in settings.steps:
        backend = tool.backend
        if backend is None:
            return Step.ACCESS, Cause.NOT_CALLABLE, "it has no backend to call"
        unsafe = isinstance(backend, RestBackend) and backend.method not in _READING
        if settings.read_only and unsafe:
            return Step.ACCESS, Cause.UNSAFE, "a call might change something"
    return None


class Cleaner:
    """Takes tools through the steps that call them or ask a model.

    Args:
        settings: The steps, and how they are done.
        runner: Calls the tools.
        journal: Keeps the verdicts.
        model: Proposes arguments and writes descriptions; None if there is none.
    """

    def __init__(
        self, settings: Settings, runner: Runner, journal: Journal, model: Model | None
    ) -> None:
        self._settings = settings
        self._runner = runner
        self._journal = journal
        self._model = model
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._faults: deque[bool] = deque(maxlen=GIVE_UP_AFTER)
        self._last_fault = ""

    async def clean(self, item: Imported) -> Kept | Excluded:
        """Clean one tool."""
        async with self._slots:
            step = Step.ACCESS
            if len(self._faults) == GIVE_UP_AFTER and all(self._faults):
                why = f"{GIVE_UP_AFTER} failures in a row; last error: {self._last_fault}"
                return Excluded(item, "left", step, "not_tried", why)
            try:
                call: WorkingCall | Excluded | None = None
                if Step.ACCESS in self._settings.steps:
                    call = await self._try_call(item)
                if isinstance(call, Excluded):
                    result: Kept | Excluded = call
                else:
                    step = Step.REWRITE
                    result = await self._rewrite(item, call)
            except InfrastructureError as error:
                self._faults.append(True)
                self._last_fault = str(error)
                return Excluded(item, "left", step, error.reason.value, str(error))
            self._faults.append(False)
            return result

    async def _try_call(self, item: Imported) -> WorkingCall | Excluded:
        candidates = documented_arguments(item.tool)
        why = "its documentation has no examples, and there is no model to propose arguments"
        if not candidates and self._model is None:
            return Excluded(item, "left", Step.ACCESS, Cause.NO_ARGUMENTS.value, why)
        if not candidates and self._model is not None:
            try:
                candidates = await propose_arguments(item.tool, self._model)
            except UnusableAnswer as problem:
                why = f"no usable proposal: {problem}"
                return Excluded(item, "dropped", Step.ACCESS, Cause.NO_ARGUMENTS.value, why)
        arguments, verdict = await first_success(item.tool, candidates, self._journal, self._runner)
        if verdict["ok"]:
            return WorkingCall(arguments, verdict)
        why = f"{verdict['message']} (called with {strict_json.dumps(arguments)[:200]})"
        return Excluded(item, "dropped", Step.ACCESS, str(verdict["reason"]), why)

    async def _rewrite(self, item: Imported, call: WorkingCall | None) -> Kept | Excluded:
        problem = description_problem(item.tool) if Step.REWRITE in self._settings.steps else None
        review = self._settings.review_all and Step.REWRITE in self._settings.steps
        if problem is None and not (review and self._model):
            return Kept(item, call, None)
        if self._model is None:
            why = f"{problem}, and there is no model to rewrite it"
            return Excluded(item, "left", Step.REWRITE, Cause.NO_DESCRIPTION.value, why)
        example: JsonObject | None = None
        if call is not None:
            example = {"arguments": call.arguments, "result": call.verdict.get("result")}
        try:
            tool = await rewrite(item.tool, example, self._model)
        except UnusableAnswer as unusable:
            why = f"{problem or 'reviewed'}, but the model gave no usable answer: {unusable}"
            return Excluded(item, "dropped", Step.REWRITE, Cause.NO_DESCRIPTION.value, why)
        original = item.tool.description if tool != item.tool else None
        return Kept(replace(item, tool=tool), call, original)


async def clean_all(
    items: Sequence[Imported], cleaner: Cleaner, on_result: Callable[[Kept | Excluded], None]
) -> dict[str, Kept | Excluded]:
    """Clean tools concurrently, taking hosts in turn so that a slow one does not delay others.

    Args:
        items: The tools.
        cleaner: Cleans each.
        on_result: Called with each result as it comes.

    Returns:
        The result of each, by its name.
    """

    async def one(item: Imported) -> tuple[str, Kept | Excluded]:
        result = await cleaner.clean(item)
        on_result(result)
        return item.tool.name, result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in _in_turn(items)]
    return dict(task.result() for task in tasks)


def _in_turn(items: Sequence[Imported]) -> list[Imported]:
    by_host: dict[str, list[Imported]] = {}
    for item in items:
        backend = item.tool.backend
        host = ""
        if isinstance(backend, RestBackend | VirtualBackend):
            host = urlsplit(backend.url).netloc
        by_host.setdefault(host, []).append(item)
    rounds = zip_longest(*by_host.values())
    return [item for item in chain.from_iterable(rounds) if item is not None]
