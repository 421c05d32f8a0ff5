"""Files and data sets, read some megabytes at a time so that they are never all in memory."""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from apigen_ray import strict_json
from apigen_ray.datasets.tabular import count_parquet, read_hub, read_parquet
from apigen_ray.errors import BadInput
from apigen_ray.records import Json
from apigen_ray.run_folder.remote_files import local_copy, no_such_file

BYTES_PER_CHUNK = 4 << 20
_BETWEEN_ITEMS = re.compile(r"[\s,]*")
REMOVED = "removed.jsonl"
"""What an export has left out, beside what it has written."""
SUFFIXES = (".jsonl", ".json", ".parquet")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows: raw JSON lines, or a table."""

    place: str
    """The file or data set."""
    first: int
    """The index of the chunk's first row there."""
    before: int
    """How many rows the files before that file have."""
    rows: bytes | pa.Table

    def where(self, index: int) -> str:
        """The place of a row, for messages: `file:line` or `name[row]`."""
        if isinstance(self.rows, pa.Table):
            return f"{self.place}[{self.first + index}]"
        return f"{self.place}:{self.first + index + 1}"


class Source:
    """External data, ready to be read."""

    def __init__(self, count: int, chunks: Callable[["Source"], Iterator[Chunk]]) -> None:
        """Take the number of rows, and the function that reads them."""
        self.count = count
        self.chunks = chunks(self)
        self.unread: list[str] = []
        """A line on each file that could not be read, or not to its end."""
        self.lost = 0
        """How many rows these files have, as far as that is known."""


def open_source(name: str) -> Source:
    """Find a JSONL or Parquet file, a folder of such files, a URL of one, or a Hub data set.

    Raises:
        BadInput: if it does not exist, or can't be read at all.
    """
    path = local_copy(name)
    if path.is_dir():
        files = _data_files(path)
        if not files:
            raise BadInput(f"{name}: no {', '.join(SUFFIXES)} file in this folder")
        return _files(files)
    if path.is_file() or path.suffix in SUFFIXES:
        return _files([path])
    return _hub(name)


def _data_files(folder: Path) -> list[Path]:
    """The data files of a folder; one of those that hold the same rows, as exports have them."""
    found: dict[Path, Path] = {}
    for file in sorted(folder.rglob("*"), key=lambda each: (each.parent, each.name)):
        is_export = (file.parent / "train.jsonl").exists() and file.name == REMOVED
        if file.suffix in SUFFIXES and not is_export:
            found.setdefault(file.with_suffix(""), file)
    return list(found.values())


def read_answers(file: Path) -> dict[str, Json]:
    """The calls in a separate file of answers, by id: BFCL's `ground_truth`, or a model's `result`.

    Raises:
        BadInput: if the file can't be read, or a line has neither.
    """
    answers: dict[str, Json] = {}
    try:
        for number, line in enumerate(file.read_text("utf-8").split("\n"), 1):
            if line.strip():
                row = strict_json.parse(line)
                if not isinstance(row, dict) or not {"ground_truth", "result"} & row.keys():
                    raise BadInput(f"{file}:{number}: neither `ground_truth` nor `result`")
                answers[str(row.get("id"))] = row.get("ground_truth", row.get("result"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{file}: not a readable file of answers: {error}") from error
    return answers


def _files(files: list[Path]) -> Source:
    counts: dict[Path, int] = {}
    unread: list[BadInput] = []
    for file in files:
        try:
            counts[file] = _count(file)
        except BadInput as error:
            unread.append(error)
    if not counts:
        raise unread[0]

    def chunks(source: Source) -> Iterator[Chunk]:
        before = 0
        for file, count in counts.items():
            tables = file.suffix == ".parquet"
            first = 0
            try:
                for rows in read_parquet(file, str(file)) if tables else _lines(file):
                    yield Chunk(str(file), first, before, rows)
                    first += _count_lines(rows) if isinstance(rows, bytes) else len(rows)
            except BadInput as error:
                source.unread.append(f"{error}; {count - first:,} rows from [{first}] on are lost")
                source.lost += count - first
            before += max(first, count)

    source = Source(sum(counts.values()), chunks)
    source.unread += [f"{error}; the other files are read" for error in unread]
    return source


def _count(file: Path) -> int:
    if file.suffix == ".parquet":
        return count_parquet(file, str(file))
    try:
        return sum(bool(line.strip()) for chunk in _lines(file) for line in chunk.split(b"\n"))
    except FileNotFoundError as error:
        raise BadInput(no_such_file(file, "file")) from error
    except OSError as error:
        raise BadInput(f"{file}: not a readable file: {error}") from error


def _count_lines(text: bytes) -> int:
    return text.count(b"\n") + (not text.endswith(b"\n"))


def _lines(file: Path) -> Iterator[bytes]:
    """Chunks of whole lines; the last line of the file may lack its line break.

    A file that is one JSON array, as xlam-function-calling-60k is released, is read in one go.
    """
    with file.open("rb") as lines:
        chunk = lines.read(BYTES_PER_CHUNK).removeprefix(codecs.BOM_UTF8)
        if chunk.lstrip().startswith(b"["):
            yield from _chunks_of_array((chunk + lines.read()).decode(errors="surrogateescape"))
            return
        while chunk:
            yield chunk + lines.readline()
            chunk = lines.read(BYTES_PER_CHUNK)


def _chunks_of_array(text: str) -> Iterator[bytes]:
    chunk = bytearray()
    for item in _items(text):
        chunk += item.replace("\n", " ").encode(errors="surrogateescape") + b"\n"
        if len(chunk) > BYTES_PER_CHUNK:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def _items(text: str) -> Iterator[str]:
    """The items of a JSON array as text; one that can't be parsed comes with all after it."""
    decoder = json.JSONDecoder()
    place = text.index("[") + 1
    while True:
        between = _BETWEEN_ITEMS.match(text, place)
        place = between.end() if between else place
        if text[place : place + 1] in ("]", ""):
            return
        try:
            _, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = len(text)
        yield text[place:end]
        place = end


def _hub(name: str) -> Source:
    count, tables = read_hub(name)

    def chunks(_: Source) -> Iterator[Chunk]:
        first = 0
        for table in tables:
            yield Chunk(name, first, 0, table)
            first += len(table)

    return Source(count, chunks)
