"""Files and data sets, a few thousand rows at a time: what is read is never all in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from apigen_ray import jsontext
from apigen_ray.errors import BadInput
from apigen_ray.fetching import local_copy
from apigen_ray.records import Json

ROWS_PER_CHUNK = 2000
SUFFIXES = (".jsonl", ".json", ".parquet")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that stand together: lines of JSON, or a table."""

    place: str
    """The file or data set."""
    first: int
    """The number of its first row there, from 0."""
    before: int
    """How many rows of other files come before that file's."""
    rows: list[bytes] | pa.Table

    def where(self, index: int) -> str:
        """Where a row of the chunk stands, for people: `file:line` or `name[row]`."""
        if isinstance(self.rows, pa.Table):
            return f"{self.place}[{self.first + index}]"
        return f"{self.place}:{self.first + index + 1}"


@dataclass(frozen=True, slots=True)
class Source:
    """Data that can be read."""

    count: int
    """Its rows."""
    chunks: Iterable[Chunk]


def open_source(name: str) -> Source:
    """Find a JSONL or Parquet file, a folder of such files, a URL of one, or a Hub data set.

    Raises:
        BadInput: if it is not there, or a Parquet file is none.
    """
    path = local_copy(name)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
        if not files:
            raise BadInput(f"{name}: no {', '.join(SUFFIXES)} in this folder")
        return _files(files)
    if path.is_file() or path.suffix in SUFFIXES:
        return _files([path])
    return _hub(name)


def read_answers(file: Path) -> dict[str, Json]:
    """The calls of a file of answers, by id: BFCL's `ground_truth`, or a model's `result`.

    Raises:
        BadInput: if a line is none of these.
    """
    answers: dict[str, Json] = {}
    try:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.strip():
                row = jsontext.parse(line)
                if not isinstance(row, dict) or not {"ground_truth", "result"} & row.keys():
                    raise BadInput(f"{file}:{number}: neither `ground_truth` nor `result`")
                answers[str(row.get("id"))] = row.get("ground_truth", row.get("result"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{file}: not a readable file of answers: {error}") from error
    return answers


def _files(files: list[Path]) -> Source:
    def chunks() -> Iterator[Chunk]:
        before = 0
        for file in files:
            parts = _tables(file) if file.suffix == ".parquet" else _lines(file)
            first = 0
            for rows in parts:
                yield Chunk(str(file), first, before, rows)
                first += len(rows)
            before += first

    return Source(sum(map(_count, files)), chunks())


def _count(file: Path) -> int:
    try:
        if file.suffix == ".parquet":
            with pq.ParquetFile(file) as parquet:
                return int(parquet.metadata.num_rows)
        with file.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    except FileNotFoundError as error:
        raise BadInput(f"{file}: no such file") from error
    except (OSError, pa.ArrowException) as error:
        kind = "Parquet " if file.suffix == ".parquet" else ""
        raise BadInput(f"{file}: not a readable {kind}file: {error}") from error


def _lines(file: Path) -> Iterator[list[bytes]]:
    with file.open("rb") as lines:
        while chunk := list(islice(lines, ROWS_PER_CHUNK)):
            yield chunk


def _tables(file: Path) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(ROWS_PER_CHUNK):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{file}: not a readable Parquet file: {error}") from error


def _hub(name: str) -> Source:
    import datasets  # noqa: PLC0415 (takes a second, and most sources are files)

    try:
        rows = datasets.load_dataset(name, split="train")
    except Exception as error:  # datasets and the hub client raise a dozen types here
        first = str(error).splitlines()[0]
        raise BadInput(
            f"{name}: neither a file nor a data set that can be loaded: {first}"
        ) from error
    tables = rows.with_format("arrow").iter(ROWS_PER_CHUNK)
    chunks = (Chunk(name, place * ROWS_PER_CHUNK, 0, table) for place, table in enumerate(tables))
    return Source(len(rows), chunks)
