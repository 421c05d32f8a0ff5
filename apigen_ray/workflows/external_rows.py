"""External data as it is read: ids made unique, rows that an earlier attempt settled left out."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from apigen_ray.datasets.external import Batch, Source, open_source
from apigen_ray.datasets.external.sources import Chunk
from apigen_ray.errors import BadInput
from apigen_ray.report.terminal import print_warnings
from apigen_ray.run_folder.rows import with_column
from apigen_ray.run_folder.store import RunFolder, digest

ROWS_PER_CHUNK = 2000
MOST_UNREAD_SHOWN = 10
_PADDING = {
    "keep": "`--padded-nulls drop` reads them without",
    "drop": "they are read without",
}


def open_data(data: str | Path | Iterable[Mapping[str, Any]]) -> tuple[Source, str]:
    """Find the rows of a file, a folder, a URL or a data set, or take those of this process.

    Returns:
        The rows, and a name for them that changes with them.

    Raises:
        BadInput: if there are none, or they can't be read.
    """
    if isinstance(data, str | Path):
        source, name = open_source(str(data)), str(data)
    else:
        lines = [_line(index, row) for index, row in enumerate(data)]
        source, name = _in_memory(lines), f"{len(lines)} rows, SHA-256 {digest(lines)}"
    if not source.count and not source.unread:
        raise BadInput(f"{name}: holds no rows")
    return source, name


def _line(index: int, row: Mapping[str, Any]) -> str:
    if not isinstance(row, Mapping):
        raise BadInput(f"rows[{index}]: must be a mapping, not of type {type(row).__name__!r}")
    try:
        return json.dumps(dict(row))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"rows[{index}]: not JSON: {error}") from error


def _in_memory(lines: list[str]) -> Source:
    def chunks(_: Source) -> Iterator[Chunk]:
        for first in range(0, len(lines), ROWS_PER_CHUNK):
            text = "\n".join(lines[first : first + ROWS_PER_CHUNK])
            yield Chunk("rows", first, 0, text.encode())

    return Source(len(lines), chunks)


class UnsettledRows:
    """Rows as stage 1 leaves them, without those that an earlier attempt has settled."""

    def __init__(self, batches: Iterable[Batch], folder: RunFolder) -> None:
        self.count = 0
        """Data points read so far, settled ones too."""
        self.exhausted = False
        """Whether all were read."""
        self.stopped = False
        """Whether the rest is not to be read."""
        self._batches = batches
        self._settled, self._tried = folder.attempts_by_id()
        self._seen = IdSet()
        self._unread: list[str] = []
        self._unread_count = 0
        self._padded: Counter[str] = Counter()
        self._renamed = 0
        self._first_renamed: str | None = None

    def stop(self) -> None:
        """Read no more."""
        self.stopped = True

    def __iter__(self) -> Iterator[pa.Table]:
        for batch in self._batches:
            if self.stopped:
                return
            self._unread += batch.unread[: MOST_UNREAD_SHOWN - len(self._unread)]
            self._unread_count += len(batch.unread)
            self._padded.update(batch.padded)
            yield self._unsettled(self._with_unique_ids(batch.rows))
        self.exhausted = True

    def print_notices(self, console: Console) -> None:
        """Print which rows could not be read, and which were given another id."""
        print_warnings(console, self._unread)
        if self._unread_count > len(self._unread):
            console.print(f"... {self._unread_count:,} rows could not be read", style="yellow")
        for how, said in _PADDING.items():
            if count := self._padded[how]:
                line = f"{count:,} rows have nulls in arguments that look like padding: {said}"
                console.print(line, style="yellow", markup=False, soft_wrap=True)
        if self._renamed:
            console.print(
                f"{self._renamed:,} rows repeat an id, the first of them {self._first_renamed!r}: "
                "they are kept as ID@PLACE",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )

    def _with_unique_ids(self, rows: pa.Table) -> pa.Table:
        ids = rows["id"].to_pylist()
        repeated = [place for place, id_ in enumerate(ids) if not self._seen.add(id_)]
        if repeated:
            self._first_renamed = self._first_renamed or ids[repeated[0]]
            self._renamed += len(repeated)
            for place in repeated:
                ids[place] = f"{ids[place]}@{self.count + place + 1}"
            rows = with_column(rows, "id", ids)
        self.count += len(rows)
        return rows

    def _unsettled(self, rows: pa.Table) -> pa.Table:
        """The rows that are not settled, with how often they were asked for."""
        if not self._settled and not self._tried:
            return rows
        ids = rows["id"].to_pylist()
        rows = with_column(rows, "attempts", [self._tried.get(id_, 0) + 1 for id_ in ids])
        return rows.filter(pa.array([id_ not in self._settled for id_ in ids], pa.bool_()))


class IdSet:
    """A set of ids. Consecutive numbers, which most data sets use, take no memory."""

    def __init__(self) -> None:
        self._consecutive = range(0)
        self._others: set[str] = set()

    def add(self, id_: str) -> bool:
        """Add an id; returns whether it is new."""
        number = int(id_) if len(id_) < 18 and id_.isascii() and id_.isdigit() else -1
        if str(number) != id_:  # such as 007
            number = -1
        if number in self._consecutive or id_ in self._others:
            return False
        if number >= 0 and (not self._consecutive or number == self._consecutive.stop):
            start = self._consecutive.start if self._consecutive else number
            self._consecutive = range(start, number + 1)
        else:
            self._others.add(id_)
        return True
