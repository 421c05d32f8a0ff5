"""All stages of a small run in one process.

Each process takes seconds to start, and Ray Data two more to import, in the driver and in each
process: most of the time of a small run.
"""

import asyncio
import queue
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any

import pyarrow as pa
import ray

from apigen_ray.pipeline import steps
from apigen_ray.pipeline.metrics import RowMeter
from apigen_ray.pipeline.operators import BlockStage
from apigen_ray.pipeline.session import ending
from apigen_ray.pipeline.sizing import ACTOR_CPUS, Operator, blocks_in_flight
from apigen_ray.run_folder.rows import SCHEMA


class Stages:
    """Several stages, one after the other: an actor."""

    def __init__(self, stages: Any) -> None:
        """Start the stages; `stages` is a reference to these with their arguments, in a list."""
        given: Sequence[tuple[Callable[..., BlockStage], tuple[Any, ...]]] = ray.get(stages[0])
        self._stages = [stage(*arguments) for stage, arguments in given]
        alone = asyncio.Lock()
        for each in self._stages:
            each.crash_guard.alone = alone

    async def process(self, block: pa.Table) -> pa.Table:
        """Process a block."""
        for stage in self._stages:
            block = await stage(block)
        return block


def stream_small(
    blocks: Iterable[pa.Table], operators: Sequence[Operator], per_block: int
) -> Generator[pa.Table, None, None]:
    """Run blocks through all operators, as many at a time as they have by themselves.

    Yields:
        Tables of settled rows as they arrive, and an empty one when half a second passes without
        any, so that the caller can check the time. No new block begins before the caller has taken
        what has come.
    """
    at_once = sum(blocks_in_flight(operator, per_block) for operator in operators)
    name = "->".join(operator.name for operator in operators)  # Ray's logs and metrics show it
    # Kept: Ray frees what it has stored of an actor's arguments itself, but a restart needs them.
    stages = ray.put([(operator.stage, operator.arguments) for operator in operators])
    actor = (
        ray.remote(type(name, (Stages,), {}))
        .options(num_cpus=ACTOR_CPUS, max_restarts=-1, max_task_retries=-1, max_concurrency=at_once)
        .remote([stages])
    )
    meter = RowMeter()
    waiting = iter(blocks)
    in_flight = 0
    # Waiting for Ray itself, Python would not see a Ctrl-C, and take two for one.
    arrived: queue.SimpleQueue[Future[pa.Table]] = queue.SimpleQueue()
    try:
        while True:
            room = 0 if ending.is_set() else at_once - in_flight
            for block in islice(waiting, room):
                actor.process.remote(block).future().add_done_callback(arrived.put)
                in_flight += 1
            if not in_flight:
                return
            try:
                rows = steps.finished(arrived.get(timeout=0.5).result())
            except queue.Empty:
                yield SCHEMA.empty_table()
                continue
            in_flight -= 1
            meter.count(rows)
            yield rows
    finally:
        if in_flight:  # else it ends by itself, and what it has measured is exported
            ray.kill(actor)
