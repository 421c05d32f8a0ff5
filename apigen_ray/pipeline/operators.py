"""The operators of the dataset: each runs a small block of rows through a stage.

Operators are async. Many blocks are in flight on each actor, and the request limiter of its model
client bounds the calls (measured: 98 % of the ideal rate; Ray's defaults reach 18 %). No row is
lost to an exception: the functions in `steps` don't raise. Rows have the columns of `samples`,
where everything that a model wrote is text: Arrow infers no types from it.
"""

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Protocol

import pyarrow as pa
import ray

from apigen_ray.models.caching_model import CachingModel
from apigen_ray.models.clients import client_of
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.structured_output import WITH_SCHEMA
from apigen_ray.pipeline import steps
from apigen_ray.pipeline.converse import Cast, converse_step
from apigen_ray.pipeline.executor import Executor, dispatcher_of
from apigen_ray.pipeline.metrics import MeteredModel
from apigen_ray.pipeline.poison_rows import CrashGuard
from apigen_ray.pipeline.shared_actors import RemoteCoordinator, RemotePools
from apigen_ray.prompting.follow_up import Turns
from apigen_ray.prompting.prompt_specs import PromptSpec, Task
from apigen_ray.prompting.sampler import PromptSampler
from apigen_ray.prompting.seed_pool import LAG
from apigen_ray.records import Reason, Stage, Style
from apigen_ray.report.activity import AGREE, CONVERSE
from apigen_ray.run_folder.event_log import forward_logs
from apigen_ray.run_folder.rows import Row, as_rows, as_table
from apigen_ray.stages.agreement import AgreementSettings, Solver
from apigen_ray.stages.ballot import Judge, Rule
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.grounding import GroundingSettings


class BlockStage(Protocol):
    """A stage that processes blocks."""

    crash_guard: CrashGuard

    async def __call__(self, block: pa.Table) -> pa.Table:
        """Process a block."""
        ...


ALLOCATIONS_PER_GC = 20_000
"""How many more objects than before are looked through for garbage. Python's 700 are less than
those of one row: most that is found is still in use."""
ENDING_POLL_S = 1.0
"""How often generating actors check whether the run is ending."""


@dataclass(frozen=True)
class Panel:
    """The solvers of a run, and how many of them must agree."""

    endpoints: tuple[Endpoint, ...]
    settings: AgreementSettings


@dataclass(frozen=True)
class Conversing:
    """What goes on with conversations: final answers, and further turns."""

    judges: tuple[Endpoint, ...]
    rule: Rule
    grounding: GroundingSettings
    check: CheckSettings
    turns: Turns
    writer: Endpoint | None
    """Of the final answers; None if none are wanted."""
    generators: tuple[Endpoint, ...]
    """Those that write further turns; none if no conversation has any."""

    @property
    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """Those of all models that are asked."""
        return (*self.judges, *self.generators, *([self.writer] if self.writer else []))


def _set_up_process(coordinator: RemoteCoordinator) -> None:
    """What each stage does first in its process."""
    forward_logs(coordinator.log)
    gc.freeze()  # what is loaded stays: looking for garbage in it took a seventh of a judge's time
    gc.set_threshold(ALLOCATIONS_PER_GC)


def _client(endpoint: Endpoint, coordinator: RemoteCoordinator) -> CachingModel:
    client = client_of(endpoint, coordinator.notice)
    model = MeteredModel(client, endpoint, coordinator.report_load)
    return CachingModel(model, endpoint, coordinator)


class GenerateBlock:
    """Generation and stage 1: from prompts to checked rows."""

    def __init__(
        self,
        sampler: Any,
        endpoint: Endpoint,
        coordinator: RemoteCoordinator,
        check: CheckSettings,
        pools: tuple[RemotePools, str],
    ) -> None:
        self._sampler: PromptSampler = ray.get(sampler)
        _set_up_process(coordinator)
        self._samplers: dict[int, asyncio.Task[PromptSampler | None]] = {}
        self._pools, self._owner = pools
        self._coordinator = coordinator
        self._model = _client(endpoint, coordinator)
        self._watch: asyncio.Task[None] | None = None
        self._name = endpoint.name
        self._check = check
        self._with_schema = endpoint.response_format in WITH_SCHEMA
        self.crash_guard = CrashGuard(f"generate({endpoint.name})", coordinator)

    async def __call__(self, block: pa.Table) -> pa.Table:
        """Process a block."""
        self._watch = self._watch or asyncio.create_task(self._watch_for_the_end())
        tasks = [_item_task(item) for item in block.to_pylist()]
        by_prompt = {str(task.spec.index): task for task in tasks}
        generated = await self.crash_guard.each(by_prompt, self._generate, self._refuse)
        rows = list(chain.from_iterable(generated))
        _report_settled(rows, self._coordinator)
        return as_table(rows)

    async def _generate(self, task: Task) -> list[Row]:
        sampler = await self._sampler_of(task.spec.round)
        if sampler is None:
            return []
        return await steps.generate_step(
            task, sampler, self._model, self._name, self._check, with_schema=self._with_schema
        )

    async def _refuse(self, task: Task) -> list[Row]:
        return steps.poison_task(task, self._name)

    async def _sampler_of(self, round_: int) -> PromptSampler | None:
        if round_ not in self._samplers:
            self._samplers.pop(round_ - LAG - 1, None)
            self._samplers[round_] = asyncio.create_task(self._with_pool(round_))
        return await self._samplers[round_]

    async def _with_pool(self, round_: int) -> PromptSampler | None:
        pairs = await self._pools.of(self._owner, round_)
        return None if pairs is None else self._sampler.with_pool(pairs)

    async def _watch_for_the_end(self) -> None:
        while not await self._coordinator.ending():  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(ENDING_POLL_S)
        self._model.end("the run is ending")


class ExecuteBlock:
    """Stage 2."""

    def __init__(self, executor: Executor, coordinator: RemoteCoordinator) -> None:
        _set_up_process(coordinator)
        self._settings = executor.settings
        self._coordinator = coordinator
        self.crash_guard = CrashGuard("execute", coordinator)
        self._runner = dispatcher_of(executor)

    async def __call__(self, block: pa.Table) -> pa.Table:
        """Process a block."""
        return await _process(
            block, self._execute, self.crash_guard, Stage.EXECUTE, self._coordinator
        )

    async def _execute(self, row: Row) -> Row:
        return await steps.execute_step(row, self._runner, self._settings)


class JudgeBlock:
    """Stage 3."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        rule: Rule,
        grounding: GroundingSettings,
        coordinator: RemoteCoordinator,
    ) -> None:
        _set_up_process(coordinator)
        self._judges = _judges(endpoints, coordinator)
        self._rule = rule
        self._grounding = grounding
        self._coordinator = coordinator
        self.crash_guard = CrashGuard("judge", coordinator)

    async def __call__(self, block: pa.Table) -> pa.Table:
        """Process a block."""
        return await _process(block, self._judge, self.crash_guard, Stage.JUDGE, self._coordinator)

    async def _judge(self, row: Row) -> Row:
        return await steps.judge_step(row, self._judges, self._rule, self._grounding)


class AgreeBlock:
    """The end of stage 3: whether other models make the same calls."""

    def __init__(
        self, panel: Panel, executor: Executor | None, coordinator: RemoteCoordinator
    ) -> None:
        _set_up_process(coordinator)
        self._solvers = [
            Solver(endpoint.name, _client(endpoint, coordinator)) for endpoint in panel.endpoints
        ]
        self._settings = panel.settings
        self._with_schema = any(e.response_format in WITH_SCHEMA for e in panel.endpoints)
        self._runner = dispatcher_of(executor) if executor else None
        self._coordinator = coordinator
        self.crash_guard = CrashGuard(AGREE, coordinator)

    async def __call__(self, block: pa.Table) -> pa.Table:
        """Process a block."""
        return await _process(block, self._agree, self.crash_guard, Stage.JUDGE, self._coordinator)

    async def _agree(self, row: Row) -> Row:
        return await steps.agree_step(
            row, self._solvers, self._settings, self._runner, with_schema=self._with_schema
        )


class ConverseBlock:
    """After stage 3: final answers, and further turns."""

    def __init__(
        self, conversing: Conversing, executor: Executor, coordinator: RemoteCoordinator
    ) -> None:
        _set_up_process(coordinator)
        generators, writer = conversing.generators, conversing.writer
        self._cast = Cast(
            judges=_judges(conversing.judges, coordinator),
            rule=conversing.rule,
            grounding=conversing.grounding,
            writer=_client(writer, coordinator) if writer else None,
            generators={each.name: _client(each, coordinator) for each in generators},
            constrained=frozenset(e.name for e in generators if e.response_format in WITH_SCHEMA),
            turns=conversing.turns,
            check=conversing.check,
            execute=executor.settings,
            runner=dispatcher_of(executor),
        )
        self._coordinator = coordinator
        self.crash_guard = CrashGuard(CONVERSE, coordinator)

    async def __call__(self, block: pa.Table) -> pa.Table:
        """Process a block."""
        guard, coordinator = self.crash_guard, self._coordinator
        return await _process(block, self._converse, guard, Stage.JUDGE, coordinator)

    async def _converse(self, row: Row) -> Row:
        return await converse_step(row, self._cast)


def _judges(endpoints: Sequence[Endpoint], coordinator: RemoteCoordinator) -> list[Judge]:
    return [
        Judge(endpoint.name, _client(endpoint, coordinator), endpoint.lists_requests)
        for endpoint in endpoints
    ]


def _report_settled(rows: Sequence[Row], coordinator: RemoteCoordinator) -> None:
    """Tell the progress of rows that are settled before the last stage.

    Rows without a model are no data points: calls that are tried before they are asked about.
    """
    settled = [
        row["outcome"]
        for row in rows
        if row["outcome"] and row["model"] and row["reason"] != Reason.BUDGET
    ]
    if settled:
        coordinator.report_settled(settled)


async def _process(
    block: pa.Table,
    step: Callable[[Row], Awaitable[Row]],
    crash_guard: CrashGuard,
    stage: Stage,
    coordinator: RemoteCoordinator,
) -> pa.Table:
    """Run the rows of a block that are not settled yet through a stage, all at once."""

    async def refuse(row: Row) -> Row:
        return steps.poison_row(row, stage)

    rows = as_rows(block)
    pending = {row["id"]: row for row in rows if not row["outcome"]}
    processed = dict(zip(pending, await crash_guard.each(pending, step, refuse), strict=True))
    _report_settled(list(processed.values()), coordinator)
    return as_table([processed.get(row["id"], row) for row in rows])


def task_item(task: Task) -> dict[str, Any]:
    """A task as a row of the dataset."""
    return asdict(task.spec) | {"tried": json.dumps(dict(task.tried))}


def _item_task(item: Mapping[str, Any]) -> Task:
    tried = {int(point): times for point, times in json.loads(item["tried"]).items()}
    index, count, round_ = (int(item[key]) for key in ("index", "count", "round"))
    spec = PromptSpec(index, Style(item["style"]), count, round_, item["category"])
    return Task(spec, tried)
