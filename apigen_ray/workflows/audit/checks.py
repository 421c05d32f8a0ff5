"""The checks that need no judge, each asked about a case as a run would ask it."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from apigen_ray import strict_json
from apigen_ray.pipeline.executor import Executor
from apigen_ray.records import Checked, Json, Rejected, Style
from apigen_ray.run_folder.rows import pair_form
from apigen_ray.stages.answer import unfounded_answers
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.stages.conversation import check_conversation, turns_of
from apigen_ray.stages.execute.chained import ChainedRunner
from apigen_ray.stages.execute.dispatch import Dispatcher, execute, result_forms
from apigen_ray.stages.execute.given import mismatches
from apigen_ray.stages.execute.rest import RestCaller
from apigen_ray.stages.execute.sandbox import Sandbox, open_sandbox
from apigen_ray.stages.grounding import (
    Examined,
    GroundingSettings,
    cover,
    examine,
    examine_conversation,
)
from apigen_ray.tools.write_forms import shown_form
from apigen_ray.workflows.audit.cases import Case

FORMAT, EXECUTION = "format", "execution"
BY_CALL, BY_ARGUMENT = "grounding: call", "grounding: argument"
EXACT = "grounding: exact"
COVERAGE = "coverage"
GROUNDING = (BY_CALL, BY_ARGUMENT, EXACT)
ANSWERS = "answers"
STAGES = (FORMAT, EXECUTION, *GROUNDING, COVERAGE, ANSWERS)
"""What is asked, in order. Grounding is measured at all its settings, whichever the run has.
Coverage refuses nothing: it tells the judge. Answers are refused where they are generated."""


@dataclass(frozen=True, slots=True)
class Examination:
    """A case with the results of its calls, and which of the stages that it reached refused it."""

    case: Case
    refused: Mapping[str, bool]

    def is_caught(self, grounding: str) -> bool:
        """Whether a run whose `grounding.reject` is this one would refuse it without a judge."""
        stages = (FORMAT, EXECUTION, f"grounding: {grounding}")
        return any(self.refused.get(stage, False) for stage in stages)

    @property
    def is_clean(self) -> bool:
        """Whether no stage has anything against it. `exact` is for queries of another kind."""
        return not any(refused for stage, refused in self.refused.items() if stage != EXACT)


class Runner:
    """Runs the calls of cases in the sandbox, or over HTTP where that can do no harm."""

    def __init__(self, executor: Executor, dispatcher: Dispatcher) -> None:
        self._executor = executor
        self._dispatcher = dispatcher

    def can_run(self, case: Case) -> bool:
        """Whether there is code for all calls, and none of them changes something elsewhere."""
        return all(
            self._executor.can_run(call.name) and self._dispatcher.repeatable(call)
            for call in case.pair.calls
        )

    async def run(self, case: Case) -> Case:
        """The case with what its calls returned."""
        chain = None
        if case.style is Style.SEQUENTIAL:
            chain = ChainedRunner(self._dispatcher, signatures_of(case.tools))
        done = await execute(case.pair.calls, chain or self._dispatcher)
        results = result_forms(done.results, chain.arguments if chain else {})
        case = replace(case, results=tuple(results))
        if case.messages is None:
            return case
        turns = turns_of(case.messages)
        differing = await mismatches(turns, case.pair.calls, done.results, self._dispatcher)
        return replace(case, mismatches=tuple(differing.values()))


@asynccontextmanager
async def open_runner(executor: Executor | None) -> AsyncIterator[Runner | None]:
    """What runs calls, with a warm sandbox; None where nothing can be run.

    Sidecars are beside the workers, and not here.
    """
    if executor is None or (executor.sandbox.kind == "sidecar" and executor.code.functions):
        yield None
        return
    async with AsyncExitStack() as stack:
        rest = RestCaller(executor.rest, os.environ)
        stack.push_async_callback(rest.close)
        pool: Sandbox | None = None
        if executor.code.functions:
            pool = await open_sandbox(executor.sandbox, executor.code)
            stack.push_async_callback(pool.close)

        async def opened() -> Sandbox:
            assert pool, "only tools with code in the sandbox are called there"
            return pool

        dispatcher, mcp = executor.dispatcher(rest, opened)
        stack.push_async_callback(mcp.close)
        yield Runner(executor, dispatcher)


async def examine_case(case: Case, settings: CheckSettings, runner: Runner | None) -> Examination:
    """Ask the stages in order; those after a refusal by format or execution are not reached.

    Raises:
        InfrastructureError: if the sandbox failed, which says nothing about the calls.
    """
    refused: dict[str, bool] = {}
    refused[FORMAT] = isinstance(_checked(case, settings), Rejected)
    if refused[FORMAT]:
        return Examination(case, refused)
    if case.results is None and runner and runner.can_run(case):
        case = await runner.run(case)
    if case.results is not None:
        refused[EXECUTION] = not all(result["ok"] for result in case.results)
        if refused[EXECUTION]:
            return Examination(case, refused)
    answers = unfounded_answers(case.messages or ())
    if answers:
        refused[ANSWERS] = any(answers.values())
    return Examination(case, refused | _grounding(case))


def _checked(case: Case, settings: CheckSettings) -> Checked | Rejected:
    signatures = signatures_of(case.tools)
    if case.messages is not None:
        return check_conversation(
            case.messages, style=case.style, signatures=signatures, settings=settings
        ).result
    form = pair_form(case.pair)
    return check_pair(form, style=case.style, signatures=signatures, settings=settings)


def _grounding(case: Case) -> dict[str, bool]:
    """What the comparison of query and calls finds; nothing where a run would not look."""
    found: dict[str, Examined | None] = {}
    stricter: Examined | None = None
    for stage in reversed(GROUNDING):  # what passes one of them passes the looser ones
        if stricter is None or stricter.rejection:
            stricter = examined(case, stage.partition(": ")[2])
        found[stage] = stricter
    refused = {stage: each.rejection is not None for stage, each in found.items() if each}
    strict = found[BY_ARGUMENT]
    if strict is None:
        return {}
    if strict.unused is not None:
        by_name = {tool.name: tool for tool in case.tools}
        refused[COVERAGE] = cover(case.pair.query, case.pair.calls, by_name).doubtful
    return refused


def examined(case: Case, reject: str) -> Examined | None:
    """What a run with this setting finds before it asks a judge."""
    settings = GroundingSettings.model_validate({"reject": reject})
    if case.messages is not None:
        return examine_conversation(case.messages, case.pair, shown(case), settings)
    return examine(case.pair, shown(case), settings)


def shown(case: Case) -> list[Json]:
    """The tools of a case, as rows hold them."""
    chained = case.style is Style.SEQUENTIAL
    return [shown_form(tool, returns=chained) for tool in case.tools]


def returned(case: Case) -> Sequence[str] | None:
    """What the calls returned, to compare; None if they were not run."""
    if case.results is None:
        return None
    return [
        strict_json.canonical({k: v for k, v in result.items() if k != "seconds"})
        for result in case.results
    ]
