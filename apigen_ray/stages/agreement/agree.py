"""Ask other models for the calls of a query, until it is certain whether enough of them agree."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from apigen_ray.models import Model
from apigen_ray.models.clients import ModelSettings, check_names
from apigen_ray.models.settings import Settings
from apigen_ray.models.simulated import SimulatedEndpoint
from apigen_ray.records import Call, JsonObject, Pair, Rejected, Reply, Tool
from apigen_ray.stages.agreement.compare import (
    Ran,
    all_matched,
    differing,
    equal_results,
    same_calls,
)
from apigen_ray.stages.agreement.solve import Solved, solve
from apigen_ray.tools.references import references_of

Run: TypeAlias = Callable[[Sequence[Call]], Awaitable[Sequence[JsonObject]]]
"""Runs calls, and returns one result a call, as rows hold them."""


class AgreementSettings(Settings):
    """Whether other models, given the query alone, make the same calls."""

    models: Annotated[tuple[ModelSettings, ...], Field(min_length=1)]
    """The models that solve the query, asked in turn; the first again after the last."""
    samples: Annotated[int, Field(ge=1)] = 3
    """How many solutions there may be for a row. Fewer are asked for, if they decide."""
    require: Annotated[int, Field(ge=0)] = 2
    """How many of them must agree with the row; with 0, none is rejected, and all are asked for:
    the share that agrees is how easy the row is."""
    native_tools: bool = False
    """Give the tools in the request's own field instead of a prompt of ours."""

    @model_validator(mode="after")
    def _possible(self) -> "AgreementSettings":
        if self.require > self.samples:
            raise ValueError(f"require {self.require} is more than samples {self.samples}")
        if any(isinstance(model, SimulatedEndpoint) for model in self.models):
            raise ValueError("models: a simulated model can't solve queries; use a real one")
        check_names(self.models, "models")
        return self


@dataclass(frozen=True, slots=True)
class Solver:
    """A solving model, and its label."""

    name: str
    model: Model


@dataclass(frozen=True, slots=True)
class Solution:
    """What one solver answered."""

    solver: str
    calls: tuple[Call, ...] | Rejected
    agrees: Literal["calls", "results"] | None
    """Whether its calls are the row's, or return what those return; None if neither."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of the solvers that were asked agree with a row."""

    solutions: tuple[Solution, ...]
    replies: tuple[Reply, ...]
    """Every reply that was paid for."""

    @property
    def agreed(self) -> int:
        """How many agree."""
        return sum(solution.agrees is not None for solution in self.solutions)

    @property
    def text(self) -> str:
        """As rows hold it: `2 of 3`."""
        return f"{self.agreed} of {len(self.solutions)}"


async def agree(
    pair: Pair,
    results: Sequence[JsonObject],
    tools: Sequence[Tool],
    solvers: Sequence[Solver],
    settings: AgreementSettings,
    *,
    schema: JsonObject | None = None,
    run: Run | None = None,
    sample: str,
) -> Agreement:
    """Ask solvers until their solutions decide.

    Args:
        pair: The query and its calls.
        results: One result a call, as rows hold them; none if they were not run.
        tools: The tools that were shown.
        solvers: The models of `settings.models`.
        settings: How many must agree, of how many.
        schema: Of a solver's answer, if it is constrained.
        run: Runs the calls of solvers, to compare what they return; None compares calls only.
        sample: The id of the data point.

    Raises:
        InfrastructureError: if a solver can't be reached, or the sandbox is lost.
    """
    by_name = {tool.name: tool for tool in tools}
    chained = bool(references_of(pair.calls))

    native = settings.native_tools and not chained  # which has no place for references
    asked_for = partial(solve, schema=schema, native=native, chained=chained)

    async def ask(index: int, solver: Solver) -> tuple[Solution, Reply]:
        id_ = f"{sample}/solve/{index}"
        solved = await asked_for(pair.query, tools, solver.model, sample=id_)
        agrees = await _compare(pair.calls, results, solved, by_name, run)
        return Solution(solver.name, solved.calls, agrees), solved.reply

    waiting = list(enumerate(islice(cycle(solvers), settings.samples)))
    done: list[tuple[Solution, Reply]] = []
    asked = settings.require or settings.samples
    while asked:
        batch, waiting = waiting[:asked], waiting[asked:]
        done += await asyncio.gather(*(ask(*each) for each in batch))
        agreed = sum(solution.agrees is not None for solution, _ in done)
        lacking = settings.require - agreed
        # One at a time from here on: each may be the last that is needed.
        asked = 1 if 0 < lacking <= len(waiting) else 0
    return Agreement(tuple(s for s, _ in done), tuple(reply for _, reply in done))


async def _compare(
    calls: Sequence[Call],
    results: Sequence[JsonObject],
    solved: Solved,
    tools: Mapping[str, Tool],
    run: Run | None,
) -> Literal["calls", "results"] | None:
    theirs = solved.calls
    if isinstance(theirs, Rejected) or len(theirs) != len(calls):
        return None
    can_run = run is not None and len(results) == len(calls)
    if references_of(calls):
        ran = await run(theirs) if run is not None and can_run else None
        return _compare_chains(calls, results, theirs, ran, tools)
    own, other = differing(calls, theirs, tools)
    if not own:
        return "calls"
    if run is None or not can_run:
        return None
    ours = [Ran(calls[index], results[index]) for index in own]
    different = [theirs[index] for index in other]
    if sorted(ran.call.name for ran in ours) != sorted(call.name for call in different):
        return None
    returned = [*map(Ran, different, await run(different))]
    return "results" if all_matched(ours, returned, equal_results) else None


def _compare_chains(
    calls: Sequence[Call],
    results: Sequence[JsonObject],
    theirs: Sequence[Call],
    returned: Sequence[JsonObject] | None,
    tools: Mapping[str, Tool],
) -> Literal["calls", "results"] | None:
    """The same for calls that refer to results: by the values that these gave.

    In another order of the calls, the same reference means something else: without results, the
    order has to be the same.
    """
    if returned is None:
        pairs = zip(calls, theirs, strict=True)
        return "calls" if all(same_calls([a], [b], tools) for a, b in pairs) else None
    ours = [*map(_as_run, calls, results)]
    others = [*map(_as_run, theirs, returned)]
    if same_calls([ran.call for ran in ours], [ran.call for ran in others], tools):
        return "calls"
    return "results" if all_matched(ours, others, equal_results) else None


def _as_run(call: Call, result: JsonObject) -> Ran:
    arguments = result.get("arguments")
    return Ran(Call(call.name, arguments) if isinstance(arguments, dict) else call, result)
