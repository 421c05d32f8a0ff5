"""A run as one dataset.

Each model has its `tasks -> generate(model)`, stage 1 within, in actors of its own; the streams of
all models are one from there on, `-> execute -> judge`, through actors that they share. Rows stream
into the driver, which alone writes.
"""

import math
import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data import ActorPoolStrategy, Dataset

from apigen_ray.config import ActorCount, Actors
from apigen_ray.models.endpoints import Endpoint, part_of
from apigen_ray.pipeline import steps
from apigen_ray.pipeline.metrics import RowMeter
from apigen_ray.pipeline.operators import (
    ExecuteBlock,
    Executor,
    GenerateBlock,
    JudgeBlock,
    task_item,
)
from apigen_ray.pipeline.session import QUEUED_BLOCKS, ending
from apigen_ray.pipeline.shared_actors import RemoteCoordinator, RemotePools
from apigen_ray.pipeline.sidecars import placed, try_sidecars
from apigen_ray.prompting.sampler import PromptSampler, Task
from apigen_ray.run_folder.rows import SCHEMA
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.judge import Rule

MOST_ROWS_PER_BLOCK = 64
"""A block takes some 5 ms of CPU at each operator and twice that of the driver, however small."""


@dataclass(frozen=True)
class Jury:
    """What a judge actor needs."""

    endpoints: tuple[Endpoint, ...]
    rule: Rule


@dataclass(frozen=True)
class Generation:
    """The tasks of one model, and whose pools its prompts draw from."""

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
    """Run the tasks of all models side by side. A prompt that is not asked after all has no row.

    Yields:
        Tables of settled rows as they come, and an empty one when a moment passes without any, so
        that the caller's clock goes on.
    """
    shared = ray.put(sampler)
    streams = []
    for generation in generations:
        endpoint = generation.endpoint
        per_block = _rows_per_block([endpoint])
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
    per_block = _rows_per_block(generation.endpoint for generation in generations)
    yield from _stream(_verified(points, executor, jury, coordinator, actors, per_block=per_block))


def end_early(
    coordinator: RemoteCoordinator | None = None, pools: RemotePools | None = None
) -> None:
    """Have what is in flight finish, and nothing more asked: `generate` and `verify` end soon."""
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
    """Take rows that passed stage 1 through the stages that are given; yields like `generate`."""
    per_block = _rows_per_block(jury.endpoints if jury else ())
    blocks = [rows.slice(at, per_block) for at in range(0, len(rows), per_block)]
    source = ray.data.from_arrow(blocks)
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
        try_sidecars(executor)
        rows = rows.map_batches(
            _named("execute", ExecuteBlock),
            fn_constructor_args=(executor, coordinator),
            compute=_pool(actors.execute, _calls_at_once(executor), per_block),
            **_BLOCKWISE,
            **placed(executor),
        )
    if jury:
        shares = [_share(endpoint, actors.judge) for endpoint in jury.endpoints]
        rows = rows.map_batches(
            _named("judge", JudgeBlock),
            fn_constructor_args=(shares, jury.rule, coordinator),
            compute=_pool(actors.judge, max(e.concurrency for e in shares), per_block),
            **_BLOCKWISE,
        )
    return rows


def _calls_at_once(executor: Executor) -> int:
    """How many calls an executor actor can have under way: in its sandboxes, and to a few hosts."""
    return executor.sandbox.slots + (
        4 * executor.rest.per_host_concurrency if executor.rest_tools else 0
    )


# Actors wait for others nearly all of their time: with whole CPUs, a small machine would deadlock
# before all stages run at once; with none, Ray would put them all on the head node.
_BLOCKWISE: dict[str, Any] = {"num_cpus": 0.1, "batch_size": None, "batch_format": "pyarrow"}


def _named(name: str, operator: type) -> type:
    """An operator by the name that Ray's metrics, logs and dashboard show."""
    return type(name, (operator,), {})


def _rows_per_block(endpoints: Iterable[Endpoint]) -> int:
    """Few where replies are few, so that they get on soon; more where a block costs more."""
    concurrency = max((endpoint.concurrency for endpoint in endpoints), default=MOST_ROWS_PER_BLOCK)
    return min(max(4, concurrency // 2), MOST_ROWS_PER_BLOCK)


def _pool(actors: ActorCount, concurrency: int, rows_per_block: int) -> ActorPoolStrategy:
    """Actors, each with enough blocks in flight for `concurrency` calls, whose times vary widely.

    A block ends with its slowest call: as many times later than the mean call, with log-normal
    times (sigma 1), as the factor below says. None queues at an actor: calls may start in another
    order than they were sent, and a block that waits for the pool of its round would stand before
    those that the pool is made of.
    """
    slowest = 0.5 + math.log2(rows_per_block)
    blocks = 4 + math.ceil(concurrency * slowest / rows_per_block)
    return ActorPoolStrategy(
        min_size=actors.min,
        max_size=actors.max,
        max_concurrent_calls_per_actor=blocks,
        max_tasks_in_flight_per_actor=blocks,
    )


def _share(endpoint: Endpoint, actors: ActorCount) -> Endpoint:
    """What each of the actors may ask of an endpoint, and pays for its time.

    Shares are fixed: what the others do shows itself in the latency and the refusals that each
    one sees.
    """
    concurrency = max(1, endpoint.concurrency // actors.max)
    return part_of(endpoint, actors.max).model_copy(update={"concurrency": concurrency})


def _source(items: Sequence[Mapping[str, Any]], items_per_block: int) -> Dataset:
    """Blocks of one round each: rows leave with their block, and later rounds wait for them."""
    blocks = []
    for _, of_round in groupby(items, key=itemgetter("round")):
        rows = [dict(item) for item in of_round]
        starts = range(0, len(rows), items_per_block)
        blocks += [pa.Table.from_pylist(rows[start : start + items_per_block]) for start in starts]
    return ray.data.from_arrow(blocks)


_END = object()


def _stream(dataset: Dataset) -> Iterator[pa.Table]:
    """The rows of a dataset as they come; a thread of its own runs it."""
    # Bounded: while the driver can't write, as with a full disk, nothing more is paid for.
    arrived: queue.Queue[Any] = queue.Queue(QUEUED_BLOCKS)
    stopped = threading.Event()
    meter = RowMeter()

    def consume() -> None:
        try:
            # Prefetching would hold back a block until the next one comes, which may wait for it.
            for block in dataset.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            ):
                arrived.put(block)
                if stopped.is_set():
                    break
            arrived.put(_END)
        except BaseException as error:  # raised again by the caller's thread, below
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
        stopped.set()  # the caller has enough: what is in flight ends with its block
        with suppress(queue.Empty):
            while True:  # the thread may be waiting for a place in the queue
                arrived.get_nowait()
        consumer.join(2.0)  # so that Ray is not, if possible, shut down under it
