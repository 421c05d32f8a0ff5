"""Rows put in order that are too many to be in memory at once."""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

Places: TypeAlias = npt.NDArray[np.int64]
"""Of each row, the place where it is to stand: all numbers from 0 on."""


def places_of(keys: pa.ChunkedArray) -> Places:
    """The places of rows that are put in the order of a key."""
    places = np.empty(len(keys), np.int64)
    places[pa.compute.sort_indices(keys).to_numpy()] = np.arange(len(keys))
    return places


def in_order(
    tables: Iterable[pa.Table], places: Places, size: int, folder: Path | None = None
) -> Iterator[pa.Table]:
    """The rows in their places, `size` of them at a time.

    They wait in a file without a name, which is gone with the process, however that ends.

    Args:
        tables: The rows.
        places: Their places.
        size: How many rows are in memory at once.
        folder: Where the file is; by default, where the system keeps temporary files.
    """
    tables = iter(tables)
    if (first := next(tables, None)) is None:
        return
    memory = pa.default_memory_pool()
    bounds = np.arange(size, len(places), size)
    held: list[list[Places]] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        with pa.ipc.new_file(file, first.schema, options=_COMPRESSED) as writer:
            for chunk in _chunks(chain([first], tables), size):
                memory.release_unused()  # Arrow keeps what is freed, of every slice anew
                own, places = places[: len(chunk)], places[len(chunk) :]
                held.append(_write(chunk, own, bounds, writer))
        reader = pa.ipc.open_file(file)
        for number, pieces in enumerate(zip(*held, strict=True)):
            numbers = range(number, reader.num_record_batches, len(bounds) + 1)
            memory.release_unused()
            table = pa.Table.from_batches(map(reader.get_batch, numbers))
            yield table.take(np.argsort(np.concatenate(pieces)))


def _chunks(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows, at least `size` at a time, but for the last."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= size:
            yield pa.concat_tables(waiting)
            waiting = []
    if any(map(len, waiting)):
        yield pa.concat_tables(waiting)


def _write(
    chunk: pa.Table, places: Places, bounds: Places, writer: pa.ipc.RecordBatchFileWriter
) -> list[Places]:
    """Write rows in order, cut into batches where slices of the whole end; return their places."""
    order = np.argsort(places)
    [batch] = chunk.take(order).combine_chunks().to_batches()
    pieces = np.split(places[order], np.searchsorted(places[order], bounds))
    for piece in pieces:
        writer.write_batch(batch.slice(0, len(piece)))
        batch = batch.slice(len(piece))
    return pieces


_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")
