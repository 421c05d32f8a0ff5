"""A run as one Ray dataset.

Each model has its own `tasks -> generate(model)`, stage 1 included, in actors of its own. From
there on, the streams of all models are one, `-> execute -> judge`, with shared actors. A small run
has all stages in one actor. Rows stream to the driver, the only process that writes.
"""

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data import ActorPoolStrategy, Dataset
from ray.data.read_api import (
    from_blocks,
)  # a millisecond a block; `from_arrow` runs a task for each

from apigen_ray.config import ActorCount, Actors
from apigen_ray.models.endpoints import Endpoint, share_of
from apigen_ray.pipeline.executor import Executor
from apigen_ray.pipeline.operators import (
    AgreeBlock,
    ConverseBlock,
    Conversing,
    ExecuteBlock,
    GenerateBlock,
    JudgeBlock,
    Panel,
    Stages,
    task_item,
)
from apigen_ray.pipeline.session import ending
from apigen_ray.pipeline.shared_actors import RemoteCoordinator, RemotePools
from apigen_ray.pipeline.sidecars import check_sidecars, placement
from apigen_ray.pipeline.stream import stream
from apigen_ray.prompting.sampler import PromptSampler, Task
from apigen_ray.prompting.seed_pool import need_pools
from apigen_ray.report.activity import CONVERSE
from apigen_ray.stages.ballot import Rule
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.grounding import GroundingSettings

MAX_ROWS_PER_BLOCK = 64
"""Even a small block costs about 5 ms of CPU at each operator, and twice that in the driver."""
SMALL_RUN = 1000
"""Data points up to which a run of one model has all stages in one process."""
FEW_REQUESTS = 16
"""Up to this concurrency, replies come so slowly that each row can have a block of its own."""


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
        See `stream`.
    """
    shared = ray.put(sampler)
    verifying = _verifying(executor, jury, coordinator, actors)
    streams = []
    for generation in generations:
        endpoint = generation.endpoint
        per_block = _rows_per_block([endpoint], jury.all_endpoints)
        per_prompt = max((task.spec.count for task in generation.tasks), default=1)
        items = [task_item(task) for task in generation.tasks]
        source = _source(items, max(1, per_block // per_prompt))
        share = _share(endpoint, actors.generate)
        generating = Operator(
            f"generate({endpoint.name})",
            GenerateBlock,
            (shared, share, coordinator, check, (pools, generation.owner)),
            actors.generate,
            share.concurrency,
        )
        if is_small(generations, [generating, *verifying]):
            together = _together([generating, *verifying], per_block)
            yield from stream(_through(source, [together], per_block))
            return
        streams.append(_through(source, [generating], per_block))
    points = streams[0].union(*streams[1:]) if len(streams) > 1 else streams[0]
    per_block = _rows_per_block([g.endpoint for g in generations], jury.all_endpoints)
    yield from stream(_through(points, verifying, per_block))


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
) -> Iterator[pa.Table]:
    """Run rows that passed stage 1 through the stages that are given; yields like `generate`."""
    per_block = _rows_per_block(jury.all_endpoints if jury else ())
    blocks = [rows.slice(at, per_block) for at in range(0, len(rows), per_block)]
    verifying = _verifying(executor, jury, coordinator, actors)
    yield from stream(_through(from_blocks(blocks), verifying, per_block))


@dataclass(frozen=True)
class Operator:
    """A stage of the dataset, or several in one."""

    name: str
    stage: type
    arguments: tuple[Any, ...]
    actors: ActorCount
    concurrency: int
    """How many calls an actor has in flight."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Where Ray may place its actors."""
    blocks: int | None = None
    """How many blocks an actor has in flight, if its concurrency does not say it."""


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
        shares = [_share(endpoint, actors.judge) for endpoint in jury.endpoints]
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
        shares = [_share(endpoint, actors.agree) for endpoint in jury.panel.endpoints]
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
        judges=tuple(_share(endpoint, actors) for endpoint in conversing.judges),
        generators=tuple(_share(endpoint, actors) for endpoint in conversing.generators),
        writer=conversing.writer and _share(conversing.writer, actors),
    )
    return Operator(
        CONVERSE,
        ConverseBlock,
        (shared, executor, coordinator),
        actors,
        max(endpoint.concurrency for endpoint in shared.all_endpoints),
        placement(executor),
    )


def _through(rows: Dataset, operators: Sequence[Operator], per_block: int) -> Dataset:
    for operator in operators:
        rows = rows.map_batches(
            _named(operator.name, operator.stage),
            fn_constructor_args=operator.arguments,
            compute=_pool(operator, per_block),
            **_BLOCKWISE,
            **operator.options,
        )
    return rows


def is_small(generations: Sequence[Generation], operators: Sequence[Operator]) -> bool:
    """Whether one process does for all stages.

    Each process takes seconds to start, which is most of the time of a small run. Prompts that wait
    for earlier ones need room of their own, and stages of several actors or places theirs.
    """
    points = sum(len(task.tried) for generation in generations for task in generation.tasks)
    return (
        points <= SMALL_RUN
        and len(generations) == 1
        and not need_pools(generation.tasks for generation in generations)
        and all(o.actors.max == 1 and not o.options for o in operators)
    )


def _together(operators: Sequence[Operator], per_block: int) -> Operator:
    """Stages in one process, with as many blocks in flight as they have by themselves."""
    return Operator(
        "->".join(operator.name for operator in operators),
        Stages,
        tuple((operator.stage, operator.arguments) for operator in operators),
        operators[0].actors,
        sum(operator.concurrency for operator in operators),
        blocks=sum(_blocks_in_flight(operator, per_block) for operator in operators),
    )


def _concurrent_calls(executor: Executor) -> int:
    """How many calls an executor actor can have in flight: in its sandboxes, and to a few hosts."""
    return executor.sandbox.slots + (
        4 * executor.rest.per_host_concurrency if executor.rest_tools else 0
    )


# Actors are idle nearly all of the time. With whole CPUs, a small machine could not run all stages
# at once, and would deadlock; with none, Ray would put all actors on the head node.
_BLOCKWISE: dict[str, Any] = {"num_cpus": 0.1, "batch_size": None, "batch_format": "pyarrow"}


def _named(name: str, operator: type) -> type:
    """The operator class, renamed: Ray's metrics, logs and dashboard show its name."""
    return type(name, (operator,), {})


def _rows_per_block(endpoints: Sequence[Endpoint], judges: Sequence[Endpoint] = ()) -> int:
    """Small blocks at a low concurrency, so that rows move on soon; larger ones at a high one.

    Single rows where any model works on few requests at a time, as a local engine does: its replies
    take seconds or minutes, and no row should wait for those of others.
    """
    if any(endpoint.concurrency <= FEW_REQUESTS for endpoint in (*endpoints, *judges)):
        return 1
    concurrency = max((endpoint.concurrency for endpoint in endpoints), default=MAX_ROWS_PER_BLOCK)
    return min(concurrency // 2, MAX_ROWS_PER_BLOCK)


def _pool(operator: Operator, rows_per_block: int) -> ActorPoolStrategy:
    """Actors, each with enough blocks in flight.

    No block queues at an actor: actor calls may start in another order than they were sent, and a
    block that waits for the pool of its round could block those that the pool is made from.
    """
    blocks = _blocks_in_flight(operator, rows_per_block)
    return ActorPoolStrategy(
        min_size=operator.actors.min,
        max_size=operator.actors.max,
        max_concurrent_calls_per_actor=blocks,
        max_tasks_in_flight_per_actor=blocks,
    )


def _blocks_in_flight(operator: Operator, rows_per_block: int) -> int:
    """Enough blocks for the calls that an actor has in flight, whose times vary widely.

    A block ends with its slowest call: with log-normal times (sigma 1), the factor below is how
    much longer that takes than the mean call.
    """
    slowest = max(1.0, 0.5 + math.log2(rows_per_block))
    return operator.blocks or 4 + math.ceil(operator.concurrency * slowest / rows_per_block)


def _share(endpoint: Endpoint, actors: ActorCount) -> Endpoint:
    """Each actor's share of an endpoint's limits and price.

    Shares are fixed: actors notice each other only by the latency and the refusals that they see.
    """
    concurrency = max(1, endpoint.concurrency // actors.max)
    return share_of(endpoint, actors.max).model_copy(update={"concurrency": concurrency})


def _source(items: Sequence[Mapping[str, Any]], items_per_block: int) -> Dataset:
    """The tasks in blocks, each of one round: later rounds wait for the rows of whole blocks."""
    blocks = []
    for _, of_round in groupby(items, key=itemgetter("round")):
        rows = [dict(item) for item in of_round]
        starts = range(0, len(rows), items_per_block)
        blocks += [pa.Table.from_pylist(rows[start : start + items_per_block]) for start in starts]
    return from_blocks(blocks)
