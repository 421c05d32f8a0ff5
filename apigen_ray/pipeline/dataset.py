"""A run on Ray: what its stages are, and how they share processes.

Each model has its own `tasks -> generate(model)`, stage 1 included, in actors of its own. From
there on, the streams of all models are one, `-> execute -> judge`, with shared actors. A small run
has all stages in one actor. Rows stream to the driver, the only process that writes.
"""

from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter

import pyarrow as pa
import ray

from apigen_ray.config import ActorCount, Actors
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.pipeline.executor import Executor
from apigen_ray.pipeline.one_process import stream_small
from apigen_ray.pipeline.operators import (
    AgreeBlock,
    ConverseBlock,
    Conversing,
    ExecuteBlock,
    GenerateBlock,
    JudgeBlock,
    Panel,
    task_item,
)
from apigen_ray.pipeline.session import ending
from apigen_ray.pipeline.shared_actors import RemoteCoordinator, RemotePools
from apigen_ray.pipeline.sidecars import check_sidecars, placement
from apigen_ray.pipeline.sizing import Operator, rows_per_block, share_for
from apigen_ray.prompting.prompt_specs import Task
from apigen_ray.prompting.sampler import PromptSampler
from apigen_ray.prompting.seed_pool import need_pools
from apigen_ray.report.activity import CONVERSE
from apigen_ray.stages.ballot import Rule
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.grounding import GroundingSettings

PROMPTS_PER_DATASET = 1 << 18
"""Ray holds some kilobytes for each block of a dataset until its end."""
SMALL_RUN = 3000
"""Data points up to which a run of one model has all stages in one process."""


@dataclass(frozen=True)
class Jury:
    """The judges of a run, and how their votes are combined."""

    endpoints: tuple[Endpoint, ...]
    rule: Rule
    grounding: GroundingSettings
    panel: Panel | None = None
    """The solvers of `agreement`, if it is wanted."""
    conversing: Conversing | None = None
    """What goes on with conversations, if any are wanted."""

    @property
    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """Those of judges and solvers, and of whoever goes on with conversations."""
        solvers = self.panel.endpoints if self.panel else ()
        conversing = self.conversing.all_endpoints if self.conversing else ()
        return (*self.endpoints, *solvers, *conversing)


@dataclass(frozen=True)
class Generation:
    """The tasks of one model, and the owner of the pools that its prompts use."""

    endpoint: Endpoint
    tasks: Sequence[Task]
    owner: str = ""


def generate(
    generations: Sequence[Generation],
    *,
    sampler: PromptSampler,
    check: CheckSettings,
    executor: Executor,
    jury: Jury,
    coordinator: RemoteCoordinator,
    pools: RemotePools,
    actors: Actors,
) -> Generator[pa.Table, None, None]:
    """Run the tasks of all models side by side. A prompt that is never sent has no rows.

    Yields:
        Tables of settled rows as they arrive, and now and then an empty one.
    """
    ending.clear()
    shared = ray.put(sampler)
    verifying = _verifying(executor, jury, coordinator, actors)
    sources = []
    for generation in generations:
        endpoint = generation.endpoint
        per_block = rows_per_block([endpoint], jury.all_endpoints)
        share = share_for(endpoint, actors.generate)
        generating = Operator(
            f"generate({endpoint.name})",
            GenerateBlock,
            (shared, share, coordinator, check, (pools, generation.owner)),
            actors.generate,
            share.concurrency,
        )
        if is_small(generations, [generating, *verifying]):
            blocks = _task_blocks(generation.tasks, per_block)
            yield from stream_small(blocks, [generating, *verifying], per_block)
            return
        sources.append((generation.tasks, generating, per_block))
    per_block = rows_per_block([g.endpoint for g in generations], jury.all_endpoints)
    yield from _stream_large(sources, verifying, per_block)


def _stream_large(
    sources: Sequence[tuple[Sequence[Task], Operator, int]],
    verifying: Sequence[Operator],
    per_block: int,
) -> Generator[pa.Table, None, None]:
    """Run the tasks of each model through its operator, and what comes of them through the rest.

    Millions of prompts are several datasets, one after the other, each with the same prompts of
    all models: those of later rounds may wait for rows of any.
    """
    from apigen_ray.pipeline import ray_data  # noqa: PLC0415 - takes two seconds

    prompts = 1 + max(tasks[-1].spec.index for tasks, _, _ in sources if tasks)
    for first in range(0, prompts, PROMPTS_PER_DATASET):
        points = []
        for tasks, generating, rows in sources:
            if within := _between(tasks, first, first + PROMPTS_PER_DATASET):
                blocks = ray_data.source(list(_task_blocks(within, rows)))
                points.append(ray_data.through(blocks, [generating], rows))
        if points and not ending.is_set():
            points_of_all = ray_data.union(points)
            yield from ray_data.stream(ray_data.through(points_of_all, verifying, per_block))


def _between(tasks: Sequence[Task], first: int, end: int) -> Sequence[Task]:
    """The tasks of prompts from `first` to before `end`; they are in order."""
    places = [bisect_left(tasks, each, key=lambda task: task.spec.index) for each in (first, end)]
    return tasks[slice(*places)]


def end_early(
    coordinator: RemoteCoordinator | None = None, pools: RemotePools | None = None
) -> None:
    """Let work in flight finish, and start no more: `generate` and `verify` end soon."""
    ending.set()
    if coordinator:
        coordinator.end()
    if pools:
        pools.close()


def verify(
    rows: pa.Table,
    *,
    executor: Executor | None,
    jury: Jury | None,
    coordinator: RemoteCoordinator,
    actors: Actors,
) -> Generator[pa.Table, None, None]:
    """Run rows that passed stage 1 through the stages that are given; yields like `generate`."""
    ending.clear()
    per_block = rows_per_block(jury.all_endpoints if jury else ())
    blocks = [rows.slice(at, per_block) for at in range(0, len(rows), per_block)]
    verifying = _verifying(executor, jury, coordinator, actors)
    if len(rows) <= SMALL_RUN and _fit_together(verifying):
        yield from stream_small(blocks, verifying, per_block)
        return
    from apigen_ray.pipeline import ray_data  # noqa: PLC0415 - takes two seconds

    yield from ray_data.stream(ray_data.through(ray_data.source(blocks), verifying, per_block))


def _verifying(
    executor: Executor | None, jury: Jury | None, coordinator: RemoteCoordinator, actors: Actors
) -> list[Operator]:
    """The stages that are given, after the check."""
    operators = []
    if executor:
        check_sidecars(executor)
        operators.append(
            Operator(
                "execute",
                ExecuteBlock,
                (executor, coordinator),
                actors.execute,
                _concurrent_calls(executor),
                placement(executor),
            )
        )
    if jury:
        shares = [share_for(endpoint, actors.judge) for endpoint in jury.endpoints]
        operators.append(
            Operator(
                "judge",
                JudgeBlock,
                (shares, jury.rule, jury.grounding, coordinator),
                actors.judge,
                max(endpoint.concurrency for endpoint in shares),
            )
        )
    if jury and jury.panel:
        shares = [share_for(endpoint, actors.agree) for endpoint in jury.panel.endpoints]
        operators.append(
            Operator(
                "agree",
                AgreeBlock,
                (Panel(tuple(shares), jury.panel.settings), executor, coordinator),
                actors.agree,
                sum(endpoint.concurrency for endpoint in shares),
                placement(executor) if executor else {},
            )
        )
    if jury and jury.conversing and executor:
        operators.append(_conversing(jury.conversing, executor, coordinator, actors.converse))
    return operators


def _conversing(
    conversing: Conversing, executor: Executor, coordinator: RemoteCoordinator, actors: ActorCount
) -> Operator:
    """The stage that goes on with conversations: as busy as the models that it asks allow."""
    shared = replace(
        conversing,
        judges=tuple(share_for(endpoint, actors) for endpoint in conversing.judges),
        generators=tuple(share_for(endpoint, actors) for endpoint in conversing.generators),
        writer=conversing.writer and share_for(conversing.writer, actors),
    )
    return Operator(
        CONVERSE,
        ConverseBlock,
        (shared, executor, coordinator),
        actors,
        max(endpoint.concurrency for endpoint in shared.all_endpoints),
        placement(executor),
    )


def is_small(generations: Sequence[Generation], operators: Sequence[Operator]) -> bool:
    """Whether one process does for all stages.

    Each process takes seconds to start, which is most of the time of a small run. Prompts that wait
    for earlier ones need room of their own, and stages of several actors or places theirs.
    """
    if sum(len(generation.tasks) for generation in generations) > SMALL_RUN:
        return False
    points = sum(len(task.tried) for generation in generations for task in generation.tasks)
    return (
        points <= SMALL_RUN
        and len(generations) == 1
        and not need_pools(generation.tasks for generation in generations)
        and _fit_together(operators)
    )


def _fit_together(operators: Sequence[Operator]) -> bool:
    return all(o.actors.max == 1 and not o.options for o in operators)


def _concurrent_calls(executor: Executor) -> int:
    """How many calls an executor actor can have in flight: in its sandboxes, and to a few hosts."""
    return executor.sandbox.slots + (
        4 * executor.rest.per_host_concurrency if executor.rest_tools else 0
    )


def _task_blocks(tasks: Sequence[Task], per_block: int) -> Iterator[pa.Table]:
    """The tasks in blocks, each of one round: later rounds wait for the rows of whole blocks."""
    per_prompt = max((task.spec.count for task in tasks), default=1)
    items_per_block = max(1, per_block // per_prompt)
    for _, of_round in groupby(map(task_item, tasks), key=itemgetter("round")):
        while rows := list(islice(of_round, items_per_block)):
            yield pa.Table.from_pylist(rows)
