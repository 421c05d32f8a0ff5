"""The steps of cleaning, and what becomes of a tool in them."""

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
    arguments_at_hand,
    first_success,
    proposed,
)
from apigen_ray.workflows.clean_tools.documentation import misread, noise, undocumented
from apigen_ray.workflows.clean_tools.model_requests import Unusable
from apigen_ray.workflows.clean_tools.rewriting import rewrite

HOPELESS = 20
"""When so many tools in a row fail for another cause than themselves, the rest is not tried."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Step(StrEnum):
    """What is looked at, in this order: what is dropped early costs no call, and no question."""

    DOCUMENTATION = "documentation"
    ACCESS = "access"
    REWRITE = "rewrite"


class Cause(StrEnum):
    """Why a tool was dropped or left, where it is not for the reason that its call failed."""

    UNDOCUMENTED = "undocumented"
    MISREAD = "misread"
    """Its documentation was not read as it was meant."""
    NO_PARAMETERS = "no_parameters"
    NOT_CALLABLE = "not_callable"
    """It has no backend."""
    UNSAFE = "unsafe"
    """A call might change something, and only reading is allowed."""
    NO_ARGUMENTS = "no_arguments"
    """Its documentation gives no arguments to try, and no model proposed any."""
    NO_DESCRIPTION = "no_description"
    """Its description is not usable, and no model wrote another."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is done."""

    steps: frozenset[Step] = frozenset(Step)
    keep_without_parameters: bool = False
    read_only: bool = False
    """Drop REST tools that may change something, uncalled."""
    review_all: bool = False
    """Ask the model about every description, not only those that a rule suspects."""
    concurrency: int = 32
    """How many tools are under way at a time."""


@dataclass(frozen=True, slots=True)
class Accessed:
    """A call that worked: its arguments, and the verdict as rows hold it."""

    arguments: JsonObject
    verdict: JsonObject


@dataclass(frozen=True, slots=True)
class Kept:
    """A tool that passed every step."""

    item: Imported
    accessed: Accessed | None
    before: str | None
    """Its description, if a model wrote another."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A tool that was dropped; or left, where that could not be decided."""

    item: Imported
    outcome: Literal["dropped", "left"]
    step: Step
    reason: str
    detail: str

    @property
    def failed(self) -> bool:
        """Whether it was left because something other than the tool failed."""
        return self.outcome == "left" and self.reason not in set(Cause)


def sift(items: Sequence[Imported], settings: Settings) -> tuple[list[Imported], list[Lost]]:
    """What can be decided without a call: which tools are worth one, and which are not."""
    fit, lost = [], []
    for item in items:
        problem = _unfit(item, settings)
        if problem is None:
            fit.append(item)
        else:
            step, cause, detail = problem
            lost.append(Lost(item, "dropped", step, cause.value, detail))
    return fit, lost


def _unfit(item: Imported, settings: Settings) -> tuple[Step, Cause, str] | None:
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
    """Takes tools through the steps that call and ask.

    Args:
        settings: What is done.
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
        self._faults: deque[bool] = deque(maxlen=HOPELESS)
        self._last_fault = ""

    async def clean(self, item: Imported) -> Kept | Lost:
        """What becomes of a tool."""
        async with self._slots:
            step = Step.ACCESS
            if len(self._faults) == HOPELESS and all(self._faults):
                return Lost(item, "left", step, "not_tried", f"after: {self._last_fault}")
            try:
                accessed: Accessed | Lost | None = None
                if Step.ACCESS in self._settings.steps:
                    accessed = await self._accessed(item)
                if isinstance(accessed, Lost):
                    result: Kept | Lost = accessed
                else:
                    step = Step.REWRITE
                    result = await self._rewritten(item, accessed)
            except InfrastructureError as error:
                self._faults.append(True)
                self._last_fault = str(error)
                return Lost(item, "left", step, error.reason.value, str(error))
            self._faults.append(False)
            return result

    async def _accessed(self, item: Imported) -> Accessed | Lost:
        candidates = arguments_at_hand(item.tool)
        why = "its documentation has none to try, and there is no model to propose any"
        if not candidates and self._model is None:
            return Lost(item, "left", Step.ACCESS, Cause.NO_ARGUMENTS.value, why)
        if not candidates and self._model is not None:
            try:
                candidates = await proposed(item.tool, self._model)
            except Unusable as problem:
                why = f"no proposal could be used: {problem}"
                return Lost(item, "dropped", Step.ACCESS, Cause.NO_ARGUMENTS.value, why)
        arguments, verdict = await first_success(item.tool, candidates, self._journal, self._runner)
        if verdict["ok"]:
            return Accessed(arguments, verdict)
        why = f"{verdict['message']} (called with {strict_json.dumps(arguments)[:200]})"
        return Lost(item, "dropped", Step.ACCESS, str(verdict["reason"]), why)

    async def _rewritten(self, item: Imported, accessed: Accessed | None) -> Kept | Lost:
        problem = noise(item.tool) if Step.REWRITE in self._settings.steps else None
        review = self._settings.review_all and Step.REWRITE in self._settings.steps
        if problem is None and not (review and self._model):
            return Kept(item, accessed, None)
        if self._model is None:
            why = f"{problem}, and there is no model to write another"
            return Lost(item, "left", Step.REWRITE, Cause.NO_DESCRIPTION.value, why)
        example: JsonObject | None = None
        if accessed is not None:
            example = {"arguments": accessed.arguments, "result": accessed.verdict.get("result")}
        try:
            tool = await rewrite(item.tool, example, self._model)
        except Unusable as unusable:
            why = f"{problem or 'reviewed'}, but no answer could be used: {unusable}"
            return Lost(item, "dropped", Step.REWRITE, Cause.NO_DESCRIPTION.value, why)
        before = item.tool.description if tool != item.tool else None
        return Kept(replace(item, tool=tool), accessed, before)


async def clean_all(
    items: Sequence[Imported], cleaner: Cleaner, seen: Callable[[Kept | Lost], None]
) -> dict[str, Kept | Lost]:
    """Clean tools side by side, host by host in turn, so that a slow one holds up no other.

    Args:
        items: The tools.
        cleaner: What is done to each.
        seen: Is told of each as it comes.

    Returns:
        What became of each, by its name.
    """

    async def one(item: Imported) -> tuple[str, Kept | Lost]:
        result = await cleaner.clean(item)
        seen(result)
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
