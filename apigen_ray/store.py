"""The run folder: parts of rows committed whole, the manifest, the data set, and what is settled.

- `manifest.json`: what the run was made with
- `samples/part-*.parquet`: every data point, whatever became of it
- `dataset/`: the verified ones, in the released columns
- `replies/`: what the models answered, written by `models.replies`
- `stats.json`, `report.html`: the funnel
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypedDict

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from apigen_ray.errors import BadInput
from apigen_ray.records import JsonObject, Outcome

_TEXT, _COUNT, _REAL = pa.string(), pa.int64(), pa.float64()
SCHEMA = pa.schema(
    [
        ("id", _TEXT),
        ("model", _TEXT),
        ("style", _TEXT),
        ("round", _COUNT),
        ("prompt_id", _TEXT),
        ("query", _TEXT),
        ("answers", _TEXT),
        ("tools", _TEXT),
        ("categories", _TEXT),
        ("outcome", _TEXT),
        ("stage", _TEXT),
        ("reason", _TEXT),
        ("detail", _TEXT),
        ("execution_results", _TEXT),
        ("thought", _TEXT),
        ("votes", _TEXT),
        ("completion", _TEXT),
        ("messages_hash", _TEXT),
        ("input_tokens", _COUNT),
        ("output_tokens", _COUNT),
        ("cost_usd", _REAL),
        ("generate_s", _REAL),
        ("execute_s", _REAL),
        ("judge_s", _REAL),
        ("attempts", _COUNT),
    ]
)
"""The columns of `samples`. JSON stays text: Arrow must never type what a model wrote."""

RELEASED = (
    "id",
    "query",
    "answers",
    "tools",
    "style",
    "categories",
    "model",
    "execution_results",
)
"""The columns of `dataset`: those of xlam-function-calling-60k, then what is worth knowing."""


REPLIES = "replies"
"""The folder of a run folder that keeps every reply of a model."""

_LEFT_BY_AN_EARLY_END = {".lock", "samples", REPLIES, "ray.log"}
"""What a run folder may hold before it has a manifest."""


class Row(TypedDict):
    """One data point, in the columns of `samples`. `outcome` is None while it is in the pipeline.

    `answers`, `tools`, `categories`, `execution_results` and `votes` are JSON text. Tokens and cost
    are what the point took: its share of the completion, and its judging. `attempts` counts how
    often it was asked for, resumes included.
    """

    id: str
    model: str
    style: str | None
    round: int
    prompt_id: str
    query: str | None
    answers: str | None
    tools: str
    categories: str
    outcome: str | None
    stage: str | None
    reason: str | None
    detail: str | None
    execution_results: str | None
    thought: str | None
    votes: str | None
    completion: str | None
    messages_hash: str | None
    input_tokens: int
    output_tokens: int
    cost_usd: float
    generate_s: float | None
    execute_s: float | None
    judge_s: float | None
    attempts: int


class RunFolder:
    """A run folder. Anyone may read it; one process at a time may write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the folder if needed, and keep other writers out.

        Raises:
            BadInput: if it can't be written, or another process is writing to it.
        """
        try:
            (self.path / "samples").mkdir(parents=True, exist_ok=True)
            lock = _lock(self.path / ".lock")
            for stale in self.path.rglob(".*.tmp"):
                stale.unlink()
        except OSError as error:
            raise BadInput(f"{self.path}: not writable: {error.strerror or error}") from error
        attempts = [int(part.name.split("-")[1]) for part in self.parts()]
        self._attempt = max(attempts, default=0) + 1
        self._sequence = 0
        try:
            yield
        finally:
            lock.close()

    def parts(self) -> list[Path]:
        """The committed parts, oldest first."""
        return sorted((self.path / "samples").glob("part-*.parquet"))

    def commit(self, rows: Sequence[Row]) -> None:
        """Write a part: it is there as a whole, or not at all."""
        self._sequence += 1
        name = f"part-{self._attempt:04d}-{self._sequence:06d}.parquet"
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA)
        _write_parquet(self.path / "samples" / name, table)

    def spent(self) -> tuple[float, int]:
        """Dollars and tokens of all rows, superseded ones too: they were paid for."""
        columns = ["cost_usd", "input_tokens", "output_tokens"]
        cost_usd, tokens = 0.0, 0
        for part in self.parts():
            table = pq.read_table(part, columns=columns)
            cost_usd += pa.compute.sum(table["cost_usd"]).as_py()
            tokens += sum(pa.compute.sum(table[name]).as_py() for name in columns[1:])
        return cost_usd, tokens

    def attempts_by_id(self) -> tuple[set[str], dict[str, int]]:
        """The ids that are settled, and how often each id that ended in `error` was asked for."""
        settled: set[str] = set()
        tried: dict[str, int] = {}
        for part in self.parts():
            columns = pq.read_table(part, columns=["id", "outcome", "attempts"]).to_pydict()
            for id_, outcome, attempts in zip(*columns.values(), strict=True):
                tried[id_] = attempts
                if outcome != Outcome.ERROR:
                    settled.add(id_)
        return settled, {id_: tries for id_, tries in tried.items() if id_ not in settled}

    def tables(self, columns: Sequence[str] = tuple(SCHEMA.names)) -> Iterator[pa.Table]:
        """The rows that count, part by part: an `error` that was asked again is superseded."""
        last: dict[str, tuple[int, int]] = {}
        parts = self.parts()
        for number, part in enumerate(parts):
            ids = pq.read_table(part, columns=["id"])["id"].to_pylist()
            last.update((id_, (number, index)) for index, id_ in enumerate(ids))
        for number, part in enumerate(parts):
            table = pq.read_table(part, columns=list({*columns, "id"}))
            ids = table["id"].to_pylist()
            kept = [last[id_] == (number, index) for index, id_ in enumerate(ids)]
            yield table.filter(pa.array(kept, pa.bool_())).select(list(columns))

    # --- the manifest

    def read_manifest(self) -> JsonObject | None:
        """The manifest, or None in a new folder."""
        try:
            manifest: JsonObject = json.loads((self.path / "manifest.json").read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise BadInput(f"{self.path}/manifest.json: not JSON: {error}") from error
        return manifest

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file of the folder, whole or not at all."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file of the folder, whole or not at all."""
        _write_text(self.path / name, text)

    # --- the data set

    def first_verified(self) -> dict[str, Any] | None:
        """A row of the data set, to show what they are like."""
        for table in self._verified():
            if len(table):
                row: dict[str, Any] = table.slice(0, 1).to_pylist()[0]
                return row
        return None

    def write_dataset(self, card: str) -> int:
        """Write the verified rows, a file for each style, and their card; return their number."""
        folder = self.path / "dataset"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for stale in folder.rglob("*.parquet"):
            stale.unlink()
        schema = pa.schema([SCHEMA.field(name) for name in RELEASED])
        table = pa.concat_tables([schema.empty_table(), *self._verified()]).sort_by("id")
        for style in table["style"].unique().to_pylist():
            rows = table.filter(pa.compute.field("style") == style)
            _write_parquet(folder / "data" / f"{style}.parquet", rows)
        _write_text(folder / "README.md", card)
        return len(table)

    def _verified(self) -> Iterator[pa.Table]:
        verified = pa.compute.field("outcome") == Outcome.VERIFIED.value
        for table in self.tables([*RELEASED, "outcome"]):
            yield table.filter(verified).select(RELEASED)


def clear(path: Path, sparing: Collection[str] = ()) -> None:
    """Delete what is in a run folder, for `--fresh`, except what is named.

    Raises:
        BadInput: if the folder holds something else than a run.
    """
    if not path.exists():
        return
    names = {entry.name for entry in path.iterdir()}
    if "manifest.json" not in names and names - _LEFT_BY_AN_EARLY_END:
        raise BadInput(f"{path}: not a run folder (no manifest.json); it is not deleted")
    lock = _lock(path / ".lock")
    for entry in path.iterdir():
        if entry.is_dir() and entry.name not in sparing:
            shutil.rmtree(entry)
        elif not entry.is_dir():
            entry.unlink()
    if not any(path.iterdir()):
        path.rmdir()
    lock.close()


def digest(value: Iterable[str]) -> str:
    """SHA-256 of texts, in order."""
    hashed = hashlib.sha256()
    for text in value:
        hashed.update(text.encode() + b"\0")
    return hashed.hexdigest()


def _lock(path: Path) -> IO[str]:
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise BadInput(f"{path.parent}: another process is writing to this run folder") from error
    return handle


def _write_parquet(path: Path, table: pa.Table) -> None:
    with _whole(path) as handle:
        pq.write_table(table, handle, compression="zstd")


def _write_text(path: Path, text: str) -> None:
    with _whole(path) as handle:
        handle.write(text.encode())


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Write aside, sync, rename: readers see the old file or the new one."""
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("wb") as handle:
        yield handle
        handle.flush()
        os.fsync(handle.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
