"""A run as one Ray dataset.

Each model has its own `tasks -> generate(model)`, stage 1 included, in actors of its own. From
there on, the streams of all models are one, `-> execute -> judge`, with shared actors. Rows stream
to the driver, the only process that writes.
"""

import math
import queue
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
from apigen_ray.pipeline import steps
from apigen_ray.pipeline.metrics import RowMeter
from apigen_ray.pipeline.operators import (
    AgreeBlock,
    ExecuteBlock,
    Executor,
    GenerateBlock,
    JudgeBlock,
    Panel,
    task_item,
)
from apigen_ray.pipeline.session import QUEUED_BLOCKS, ending
from apigen_ray.pipeline.shared_actors import RemoteCoordinator, RemotePools
from apigen_ray.pipeline.sidecars import check_sidecars, placement
from apigen_ray.prompting.sampler import PromptSampler, Task
from apigen_ray.run_folder.rows import SCHEMA
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.grounding import GroundingSettings
from apigen_ray.stages.judge import Rule

MAX_ROWS_PER_BLOCK = 64
"""Even a small block costs about 5 ms of CPU at each operator, and twice that in the driver."""
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

    @property
    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """Those of judges and solvers."""
        return self.endpoints + (self.panel.endpoints if self.panel else ())


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
        Tables of settled rows as they arrive, and an empty one when half a second passes without
        any, so that the caller can check the time.
    """
    shared = ray.put(sampler)
    streams = []
    for generation in generations:
        endpoint = generation.endpoint
        per_block = _rows_per_block([endpoint], jury.all_endpoints)
        per_prompt = max((task.spec.count for task in generation.tasks), default=1)
        items = [task_item(task) for task in generation.tasks]
        source = _source(items, max(1, per_block // per_prompt))
        share = _share(endpoint, actors.generate)
        streams.append(
            source.map_batches(
                _named(f"generate({endpoint.name})", GenerateBlock),
                fn_constructor_args=(shared, share, coordinator, check, (pools, generation.owner)),
                compute=_pool(actors.generate, share.concurrency, per_block),
                **_BLOCKWISE,
            )
        )
    points = streams[0].union(*streams[1:]) if len(streams) > 1 else streams[0]
    per_block = _rows_per_block([g.endpoint for g in generations], jury.all_endpoints)
    yield from _stream(_verified(points, executor, jury, coordinator, actors, per_block=per_block))


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
    source = from_blocks(blocks)
    yield from _stream(_verified(source, executor, jury, coordinator, actors, per_block=per_block))


def _verified(
    rows: Dataset,
    executor: Executor | None,
    jury: Jury | None,
    coordinator: RemoteCoordinator,
    actors: Actors,
    *,
    per_block: int,
) -> Dataset:
    if executor:
        check_sidecars(executor)
        rows = rows.map_batches(
            _named("execute", ExecuteBlock),
            fn_constructor_args=(executor, coordinator),
            compute=_pool(actors.execute, _concurrent_calls(executor), per_block),
            **_BLOCKWISE,
            **placement(executor),
        )
    if jury:
        shares = [_share(endpoint, actors.judge) for endpoint in jury.endpoints]
        rows = rows.map_batches(
            _named("judge", JudgeBlock),
            fn_constructor_args=(shares, jury.rule, jury.grounding, coordinator),
            compute=_pool(actors.judge, max(e.concurrency for e in shares), per_block),
            **_BLOCKWISE,
        )
    if jury and jury.panel:
        shares = [_share(endpoint, actors.agree) for endpoint in jury.panel.endpoints]
        rows = rows.map_batches(
            _named("agree", AgreeBlock),
            fn_constructor_args=(
                Panel(tuple(shares), jury.panel.settings),
                executor,
                coordinator,
            ),
            compute=_pool(actors.agree, sum(e.concurrency for e in shares), per_block),
            **_BLOCKWISE,
            **(placement(executor) if executor else {}),
        )
    return rows


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


def _pool(actors: ActorCount, concurrency: int, rows_per_block: int) -> ActorPoolStrategy:
    """Actors, each with enough blocks in flight for `concurrency` calls, whose times vary widely.

    A block ends with its slowest call: with log-normal times (sigma 1), the factor below is how
    much longer that takes than the mean call. No block queues at an actor: actor calls may start in
    another order than they were sent, and a block that waits for the pool of its round could block
    those that the pool is made from.
    """
    slowest = max(1.0, 0.5 + math.log2(rows_per_block))
    blocks = 4 + math.ceil(concurrency * slowest / rows_per_block)
    return ActorPoolStrategy(
        min_size=actors.min,
        max_size=actors.max,
        max_concurrent_calls_per_actor=blocks,
        max_tasks_in_flight_per_actor=blocks,
    )


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


_END = object()


def _stream(dataset: Dataset) -> Iterator[pa.Table]:
    """The rows of a dataset as they arrive; it runs in a thread of its own."""
    # Bounded: while the driver can't write, as with a full disk, no more replies are paid for.
    arrived: queue.Queue[Any] = queue.Queue(QUEUED_BLOCKS)
    stopped = threading.Event()
    meter = RowMeter()

    def consume() -> None:
        try:
            # Prefetching would hold a block back until the next arrives, which may depend on it.
            for block in dataset.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            ):
                arrived.put(block)
                if stopped.is_set():
                    break
            arrived.put(_END)
        except BaseException as error:  # raised again in the caller's thread, below
            arrived.put(error)

    ending.clear()
    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    try:
        while True:
            try:
                item = arrived.get(timeout=0.5)
            except queue.Empty:
                yield SCHEMA.empty_table()
                continue
            if item is _END:
                return
            if isinstance(item, BaseException):
                raise item
            rows = steps.finished(item)
            meter.count(rows)
            yield rows
    finally:
        stopped.set()  # the caller is done: blocks in flight are the last
        with suppress(queue.Empty):
            while True:  # the thread may be waiting for room in the queue
                arrived.get_nowait()
        consumer.join(2.0)  # it should end before Ray is shut down
