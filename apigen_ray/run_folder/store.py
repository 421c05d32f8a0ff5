"""The run folder: parts of rows, each committed atomically, the manifest and the data set.

- `manifest.json`: what the run was made with
- `samples/part-*.parquet`: every data point, with its outcome
- `dataset/`: the verified ones, in the released columns
- `replies/`: the replies of the models, written by `models.reply_store`
- `pools/`: the verified pairs that prompts of each round may show, by `prompting.seed_pool`
- `asked.json`: how many data points were asked for, wave by wave, by `workflows.resume`
- `stats.json`, `report.html`: the funnel
- `log.jsonl`: the event log, written by `event_log`

It is a local folder, or a URL of an object store; see `storage`.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from upath import UPath

from apigen_ray.errors import BadInput
from apigen_ray.records import JsonObject, Outcome
from apigen_ray.run_folder.hashed_keys import HashedKeys
from apigen_ray.run_folder.rows import LATER, RELEASED, SCHEMA, with_value
from apigen_ray.run_folder.sorting import in_order, ranks_of
from apigen_ray.run_folder.storage import (
    LEASES,
    LOCK,
    atomic_write,
    is_local,
    lock,
    remove,
    resolve_path,
)

ROWS_IN_MEMORY = 20_000
"""Rows of the data set that are sorted in memory at once."""

REPLIES = "replies"
"""The subfolder with every reply of a model."""

_BEFORE_THE_MANIFEST = {LOCK, LEASES, "samples", REPLIES, "ray.log", "log.jsonl"}
"""What a run folder may contain before it has a manifest."""


class RunFolder:
    """A run folder. Any process may read it; one at a time may write."""

    def __init__(self, path: str | Path | UPath) -> None:
        self.path = resolve_path(path)
        self._passed_over: dict[str, str] = {}
        self._counting: tuple[list[UPath], dict[str, pa.Array]] = [], {}

    @property
    def passed_over(self) -> list[str]:
        """A line for each part so far that can't be read: its rows count as missing."""
        return list(self._passed_over.values())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Create the folder if needed, and lock it for writing.

        Raises:
            BadInput: if it can't be written, or another process is writing to it.
        """
        try:
            attempts = [int(part.name.split("-")[1]) for part in self.parts()]
            self._lock = lock(self.path, after=max(attempts, default=0))
            if is_local(self.path):
                for stale in self.path.rglob(".*.tmp"):
                    stale.unlink()
        except BadInput:
            raise
        except Exception as error:  # each store's client raises its own types
            why = getattr(error, "strerror", None) or error
            raise BadInput(f"{self.path}: not writable: {why}") from error
        self._sequence = 0
        try:
            yield
        finally:
            self._lock.release()

    def parts(self) -> list[UPath]:
        """The committed parts, oldest first."""
        return sorted((self.path / "samples").glob("part-*.parquet"))

    def commit(self, rows: pa.Table) -> None:
        """Write a part, completely or not at all.

        Args:
            rows: In the columns of `SCHEMA`.

        Raises:
            StoreLost: if it can't be written, or this process has lost the right to write.
        """
        self._lock.check()
        self._sequence += 1
        name = f"part-{self._lock.attempt:04d}-{self._sequence:06d}.parquet"
        _write_parquet(self.path / "samples" / name, rows)

    def spent(self) -> tuple[float, int]:
        """Dollars and tokens of all rows; superseded rows count, since they were paid for."""
        columns = ["cost_usd", "input_tokens", "output_tokens"]
        cost_usd, tokens = 0.0, 0
        for part in self.parts():
            table = self._read(part, columns)
            cost_usd += pa.compute.sum(table["cost_usd"]).as_py() or 0.0
            tokens += sum(pa.compute.sum(table[name]).as_py() or 0 for name in columns[1:])
        return cost_usd, tokens

    def attempts_by_id(self) -> tuple[HashedKeys, dict[str, int]]:
        """The ids that are settled, and how often each id that ended in `error` was asked for."""
        tried: dict[str, int] = {}

        def settled_ids() -> Iterator[str]:
            for part in self.parts():
                columns = self._read(part, ["id", "outcome", "attempts"]).to_pydict()
                for id_, outcome, attempts in zip(*columns.values(), strict=True):
                    if outcome == Outcome.ERROR:
                        tried[id_] = attempts
                    else:
                        yield id_

        settled = HashedKeys.of(settled_ids())
        return settled, {id_: tries for id_, tries in tried.items() if id_ not in settled}

    def tables(self, columns: Sequence[str] = tuple(SCHEMA.names)) -> Iterator[pa.Table]:
        """The current rows, part by part: an `error` that was retried is superseded.

        Args:
            columns: The columns to read.
        """
        parts = self.parts()
        if parts != self._counting[0]:  # parts never change: ids are compared once
            ids = {part.name: self._read(part, ["id"])["id"].combine_chunks() for part in parts}
            self._counting = parts, _last_of_each(ids)
        for part in parts:
            table = self._read(part, columns)
            counting = self._counting[1].get(part.name)
            yield table.filter(counting) if counting is not None and len(table) else table

    def _read(self, part: UPath, columns: Sequence[str]) -> pa.Table:
        """Columns of a part; no rows, if it is truncated, or written by another version."""
        schema = pa.schema([SCHEMA.field(name) for name in columns])
        try:
            # Not `read_table`: threads of Arrow's data sets may outlive it, and release a Python
            # object after the interpreter has ended, which aborts the process.
            with part.open("rb") as handle, pq.ParquetFile(handle) as parquet:
                missing = {*columns}.difference(parquet.schema_arrow.names)
                if unknown := sorted(missing - LATER):
                    raise pa.ArrowInvalid(
                        f"written by another version, without {', '.join(unknown)}"
                    )
                table = parquet.read([*{*columns} - missing], use_threads=False)
            for name in missing:
                table = table.append_column(name, pa.nulls(len(table)))
            return table.select(list(columns)).cast(schema)
        except (OSError, pa.ArrowException) as error:
            if isinstance(error, OSError) and error.errno:  # a fault of the disk, not of the file
                raise
            why = str(error).splitlines()[0]
            line = f"{part}: skipped, a resume generates its rows again: {why}"
            self._passed_over[part.name] = line
            return schema.empty_table()

    # --- the manifest

    def read_manifest(self) -> JsonObject | None:
        """The manifest, or None in a new folder."""
        try:
            manifest: JsonObject = json.loads((self.path / "manifest.json").read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:
            raise BadInput(f"{self.path}/manifest.json: not JSON: {error}") from error
        return manifest

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file of the folder, completely or not at all."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def read_text(self, name: str) -> str | None:
        """A text file of the folder, or None if it does not exist."""
        try:
            return str((self.path / name).read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write_text(self, name: str, text: str) -> None:
        """Write a text file of the folder, completely or not at all."""
        with atomic_write(self.path / name) as handle:
            handle.write(text.encode())

    # --- the data set

    def first_verified(self) -> dict[str, Any] | None:
        """A row of the data set, as an example: a conversation, if it has any."""
        columns = self._released()
        for table in self._verified(columns):
            wanted = pa.compute.is_valid(table[columns[-1]])
            if rows := table.filter(wanted).slice(0, 1).to_pylist():
                return cast("dict[str, Any]", rows[0])
        return None

    def _released(self) -> tuple[str, ...]:
        """The columns of the data set."""
        tables = self._verified(["id", "messages"])
        conversations = any(table["messages"].null_count < len(table) for table in tables)
        return (*RELEASED, "messages") if conversations else RELEASED

    def write_dataset(self, card: str, excluding: Collection[str] = ()) -> int:
        """Write the verified rows, one file per style, and their card; return their number.

        They are sorted by id, with one slice in memory at a time.
        """
        folder = self.path / "dataset"
        for stale in folder.rglob("*.parquet"):
            stale.unlink()
        ids = [table["id"].combine_chunks() for table in self._verified(["id"], excluding)]
        ranks = ranks_of(pa.chunked_array(ids, pa.string()))
        rows = self._verified(self._released(), excluding)
        beside = Path(str(self.path)) if is_local(self.path) else None
        writers: dict[str, pq.ParquetWriter] = {}
        with ExitStack() as stack:
            for slice_ in in_order(rows, ranks, ROWS_IN_MEMORY, beside):
                for style in slice_["style"].unique().to_pylist():
                    if style not in writers:
                        file = stack.enter_context(
                            atomic_write(folder / "data" / f"{style}.parquet")
                        )
                        writer = pq.ParquetWriter(file, slice_.schema, compression="zstd")
                        writers[style] = stack.enter_context(writer)
                    writers[style].write_table(with_value(slice_, "style", style))
        self.write_text("dataset/README.md", card)
        return len(ranks)

    def _verified(
        self, columns: Sequence[str] = RELEASED, excluding: Collection[str] = ()
    ) -> Iterator[pa.Table]:
        for table in self.tables([*columns, "outcome"]):
            verified = pa.compute.equal(table["outcome"], Outcome.VERIFIED)
            wanted = pa.compute.and_not(verified, _among(table["id"], excluding))
            yield table.filter(wanted).select(columns)


def clear(path: str | Path | UPath, keeping: Collection[str] = ()) -> None:
    """Delete the content of a run folder, for `--fresh`, except for the names to keep.

    Raises:
        BadInput: if the folder is not a run folder.
    """
    folder = resolve_path(path)
    if not folder.exists():
        return
    names = {entry.name for entry in folder.iterdir()}
    if "manifest.json" not in names and names - _BEFORE_THE_MANIFEST:
        raise BadInput(f"{folder}: not a run folder (no manifest.json); it is not deleted")
    held = lock(folder)
    for name in {*names, LOCK}.difference(keeping, [LEASES]):
        remove(folder / name)
    if is_local(folder) and not any(folder.iterdir()):
        folder.rmdir()
    held.release()


def digest(value: Iterable[str]) -> str:
    """SHA-256 of texts, in order."""
    hashed = hashlib.sha256()
    for text in value:
        hashed.update(text.encode() + b"\0")
    return hashed.hexdigest()


def _last_of_each(ids: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """For each part with superseded rows, which of its rows are the last with their id.

    Few ids occur more than once, and only these become Python objects.
    """
    counts = pa.chunked_array(ids.values(), pa.string()).value_counts()
    several = counts.field("values").filter(pa.compute.greater(counts.field("counts"), 1))
    later: set[str] = set()
    found = {}
    for part, own in reversed(ids.items()):
        if rows := pa.compute.indices_nonzero(_among(own, several)).to_pylist():
            kept = [True] * len(own)
            for row in reversed(rows):
                kept[row] = own[row].as_py() not in later
                later.add(own[row].as_py())
            found[part] = pa.array(kept)
    return found


def _among(ids: pa.Array, wanted: pa.Array | Collection[str]) -> pa.Array:
    return pa.compute.is_in(ids, value_set=pa.array(wanted, pa.string()))


def _write_parquet(path: UPath, table: pa.Table) -> None:
    with atomic_write(path) as handle:
        pq.write_table(table, handle, compression="zstd")
