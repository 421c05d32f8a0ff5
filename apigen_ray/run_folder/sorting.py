"""External sorting, for rows that don't fit into memory."""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

Ranks: TypeAlias = npt.NDArray[np.int64]
"""For each row, its position in the sorted order, from 0 on."""


def ranks_of(keys: pa.ChunkedArray) -> Ranks:
    """The ranks of rows that are sorted by a key."""
    ranks = np.empty(len(keys), np.int64)
    ranks[pa.compute.sort_indices(keys).to_numpy()] = np.arange(len(keys))
    return ranks


def in_order(
    tables: Iterable[pa.Table], ranks: Ranks, size: int, folder: Path | None = None
) -> Iterator[pa.Table]:
    """The rows in sorted order, `size` of them at a time.

    They are stored in an unnamed temporary file, which vanishes with the process, however it ends.

    Args:
        tables: The rows.
        ranks: Their ranks.
        size: How many rows are in memory at once.
        folder: Where the file is; by default, in the system's folder for temporary files.
    """
    tables = iter(tables)
    if (first := next(tables, None)) is None:
        return
    memory = pa.default_memory_pool()
    bounds = np.arange(size, len(ranks), size)
    held: list[list[Ranks]] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        with pa.ipc.new_file(file, first.schema, options=_COMPRESSED) as writer:
            for chunk in _chunks(chain([first], tables), size):
                memory.release_unused()  # Arrow keeps freed memory, that of every slice
                own, ranks = ranks[: len(chunk)], ranks[len(chunk) :]
                held.append(_write(chunk, own, bounds, writer))
        reader = pa.ipc.open_file(file)
        for number, pieces in enumerate(zip(*held, strict=True)):
            numbers = range(number, reader.num_record_batches, len(bounds) + 1)
            memory.release_unused()
            table = pa.Table.from_batches(map(reader.get_batch, numbers))
            yield table.take(np.argsort(np.concatenate(pieces)))


def _chunks(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows, at least `size` at a time, except for the last chunk."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= size:
            yield pa.concat_tables(waiting)
            waiting = []
    if any(map(len, waiting)):
        yield pa.concat_tables(waiting)


def _write(
    chunk: pa.Table, ranks: Ranks, bounds: Ranks, writer: pa.ipc.RecordBatchFileWriter
) -> list[Ranks]:
    """Write rows in order, in one batch per slice of the whole; return the ranks of each batch."""
    order = np.argsort(ranks)
    [batch] = chunk.take(order).combine_chunks().to_batches()
    pieces = np.split(ranks[order], np.searchsorted(ranks[order], bounds))
    for piece in pieces:
        writer.write_batch(batch.slice(0, len(piece)))
        batch = batch.slice(len(piece))
    return pieces


_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")
