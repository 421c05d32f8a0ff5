"""Stages as a Ray Data pipeline: each in actors of its own, with rows streaming between them.

Importing Ray Data takes two seconds, and so is left to the runs that need it.
"""

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.data._internal.execution.backpressure_policy import (
    ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY,
    BackpressurePolicy,
)
from ray.data._internal.execution.operators.input_data_buffer import InputDataBuffer
from ray.data._internal.execution.operators.union_operator import UnionOperator
from ray.data.read_api import (
    from_blocks,
)  # a millisecond a block; `from_arrow` runs a task for each

from apigen_ray.pipeline import steps
from apigen_ray.pipeline.metrics import RowMeter
from apigen_ray.pipeline.session import ending
from apigen_ray.pipeline.sizing import ACTOR_CPUS, Operator, blocks_in_flight
from apigen_ray.run_folder.rows import SCHEMA

QUEUED_BLOCKS = 6
"""An operator pauses while the next one has this many blocks queued, so that rows that are paid for
are soon written. Ray's own back-pressure counts bytes, and rows are small."""

POOL_UPSCALING_THRESHOLD = 0.9
"""The utilization of a pool above which Ray Data adds an actor."""

_END = object()


def source(blocks: Sequence[pa.Table]) -> Dataset:
    """A dataset of blocks."""
    _set_up()
    return from_blocks(list(blocks))


def union(streams: Sequence[Dataset]) -> Dataset:
    """Several datasets side by side as one."""
    return streams[0].union(*streams[1:]) if len(streams) > 1 else streams[0]


def through(rows: Dataset, operators: Sequence[Operator], per_block: int) -> Dataset:
    """The rows behind some operators."""
    for operator in operators:
        rows = rows.map_batches(
            _named(operator.name, operator.stage),
            fn_constructor_args=operator.arguments,
            compute=_pool(operator, per_block),
            num_cpus=ACTOR_CPUS,
            batch_size=None,
            batch_format="pyarrow",
            **operator.options,
        )
    return rows


def _named(name: str, operator: type) -> type:
    """The operator class, renamed: Ray's metrics, logs and dashboard show its name."""
    return type(name, (operator,), {})


def _pool(operator: Operator, rows_per_block: int) -> ActorPoolStrategy:
    """Actors, each with enough blocks in flight.

    No block queues at an actor: actor calls may start in another order than they were sent, and a
    block that waits for the pool of its round could block those that the pool is made from.
    """
    blocks = blocks_in_flight(operator, rows_per_block)
    return ActorPoolStrategy(
        min_size=operator.actors.min,
        max_size=operator.actors.max,
        max_concurrent_calls_per_actor=blocks,
        max_tasks_in_flight_per_actor=blocks,
    )


def stream(dataset: Dataset) -> Iterator[pa.Table]:
    """Run a dataset in a thread of its own.

    Yields:
        Tables of settled rows as they arrive, and an empty one when half a second passes without
        any, so that the caller can check the time.
    """
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


def _set_up() -> None:
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = 24 * 3600  # our own timeouts end what hangs
    context.issue_detectors_config.detectors = []
    # The queue cap below bounds memory by itself. Ray's budgets take a third of the driver's time
    # here, and its memory monitoring starts a thread for each task.
    context.op_resource_reservation_enabled = False
    context.memory_usage_poll_interval_s = None
    # No block queues at an actor: a pool is full, and may grow, when its actors' slots are taken.
    context.autoscaling_config.actor_pool_util_upscaling_threshold = POOL_UPSCALING_THRESHOLD
    context.set_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY, [_QueueCap])
    logging.getLogger("ray.data").setLevel(logging.ERROR)


class _QueueCap(BackpressurePolicy):  # type: ignore[misc]
    @property
    def name(self) -> str:
        return "QueueCap"

    def can_add_input(self, op: Any) -> bool:
        if ending.is_set() and all(isinstance(d, InputDataBuffer) for d in op.input_dependencies):
            for queued in self._topology[op].input_queues:
                queued.clear()  # as if the dataset ended here
        following = list(_downstream(op))
        waiting = [self._topology[d].total_enqueued_input_blocks() for d in following]
        if not following:  # what the driver has not fetched yet
            waiting = [self._topology[op].output_queue.num_blocks]
        return all(blocks < QUEUED_BLOCKS for blocks in waiting)

    def max_task_output_bytes_to_read(self, op: Any) -> None:
        return None


def _downstream(op: Any) -> Iterator[Any]:
    """The operators that process the output of `op`; a union only passes it on."""
    for following in op.output_dependencies:
        if isinstance(following, UnionOperator):
            yield from _downstream(following)
        else:
            yield following
