"""The rows of a Ray dataset, from the thread that runs it."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa
from ray.data import Dataset

from apigen_ray.pipeline import steps
from apigen_ray.pipeline.metrics import RowMeter
from apigen_ray.pipeline.session import QUEUED_BLOCKS, ending
from apigen_ray.run_folder.rows import SCHEMA

_END = object()


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
