"""A run folder's verified data, written in a form, with a card."""

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import yaml

from apigen_ray.datasets.card import LICENSE, TAGS, checks, simulated_warning
from apigen_ray.datasets.export import distilabel
from apigen_ray.datasets.export.dedup import clean, read_test_data
from apigen_ray.datasets.export.formats import FORMS, NOTHING, Example, Form, Record, read_example
from apigen_ray.datasets.export.preferences import COLUMNS as PAIR_COLUMNS
from apigen_ray.datasets.export.preferences import KEYS, Preferences
from apigen_ray.errors import BadInput
from apigen_ray.records import Outcome
from apigen_ray.run_folder.rows import with_value
from apigen_ray.run_folder.store import RunFolder

COLUMNS_WITHOUT_TOOLS = ("id", "query", "answers", "outcome")
COLUMNS = (*COLUMNS_WITHOUT_TOOLS, "tools")
ROWS_PER_GROUP = 2048
"""Of the Parquet file: what is in memory at once."""
PREFERENCES = "dpo"
DISTILABEL = "distilabel"
REJECTIONS = (Outcome.FAIL_FORMAT, Outcome.FAIL_EXECUTION, Outcome.FAIL_SEMANTIC)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to."""

    written: int
    removed: Counter[str]
    """How many verified data points were left out, by cause."""
    passed_over: Sequence[str]
    """A line on each part of the run folder that can't be read."""


def export(source: str | Path, form: str, out: Path, against: Sequence[str] = ()) -> Exported:
    """Write the verified data of a run folder as JSONL and as Parquet, with a card.

    JSONL holds the records as they are. Parquet holds their nested parts as JSON text, which Arrow
    can't pad with nulls. `removed.jsonl` lists what was left out, and why.

    Args:
        source: A run folder.
        form: One of `FORMS`, or `dpo` for preference pairs, or `distilabel` for all data points
            in the columns of its tasks.
        out: The folder to write to.
        against: Test data; examples that resemble it are left out.

    Raises:
        BadInput: if the source is not a run folder or has nothing to export, test data can't be
            read, or the target is a run folder or can't be written.
    """
    folder = RunFolder(source)
    manifest = folder.read_manifest()
    if manifest is None:
        raise BadInput(f"{source}: not a run folder (no manifest.json)")
    if (out / "manifest.json").exists():
        raise BadInput(f"--out {out}: is a run folder, and stays as it is")
    tests = read_test_data(against)
    columns = COLUMNS if tests.signatures else COLUMNS_WITHOUT_TOOLS
    removed = clean(chain.from_iterable(_examples(folder, columns)), tests)
    without = {found.id for found in removed}
    if form == PREFERENCES:
        batches, keys = _pairs(folder, without), list(KEYS)
    elif form == DISTILABEL:
        batches, keys = _all(folder, without), list(distilabel.KEYS)
    else:
        batches, keys = _records(folder, FORMS[form], without), list(FORMS[form](NOTHING))
    try:
        out.mkdir(parents=True, exist_ok=True)
        causes: Counter[str] = Counter(found.cause for found in removed)
        exported = Exported(_write(batches, keys, out), causes, folder.passed_over)
        if not exported.written:
            nothing = f"{source}: nothing to export as {form}"
            raise BadInput("; ".join([nothing, *folder.passed_over]))
        lines = (f"{json.dumps(asdict(found))}\n" for found in removed)
        (out / "removed.jsonl").write_text("".join(lines), "utf-8")
        (out / "README.md").write_text(_card(form, exported, manifest), "utf-8")
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error
    return exported


def _examples(folder: RunFolder, columns: Sequence[str]) -> Iterator[list[Example]]:
    for table in folder.tables(columns):
        verified = with_value(table, "outcome", Outcome.VERIFIED)
        yield [read_example(row) for row in verified.to_pylist()]


def _records(folder: RunFolder, form: Form, without: Container[str]) -> Iterator[list[Record]]:
    for examples in _examples(folder, COLUMNS):
        yield [form(example) for example in examples if example.id not in without]


def _pairs(folder: RunFolder, without: Container[str]) -> Iterator[list[Record]]:
    preferences = Preferences(
        row
        for table in folder.tables(PAIR_COLUMNS)
        for row in with_value(table, "outcome", Outcome.VERIFIED).to_pylist()
        if row["id"] not in without
    )
    for table in folder.tables(PAIR_COLUMNS):
        rejected = table.filter(pa.compute.is_in(table["outcome"], pa.array(REJECTIONS)))
        yield list(filter(None, map(preferences.pair, rejected.to_pylist())))


def _all(folder: RunFolder, without: Container[str]) -> Iterator[list[Record]]:
    for table in folder.tables(distilabel.COLUMNS):
        yield [
            distilabel.distilabel(row)
            for row in table.to_pylist()
            if row["outcome"] != Outcome.ERROR and row["id"] not in without
        ]


def _write(batches: Iterator[list[Record]], keys: Iterable[str], out: Path) -> int:
    written = 0
    schema = pa.schema(
        [(key, pa.bool_() if key in distilabel.VERDICTS else pa.string()) for key in keys]
    )
    encoder = msgspec.json.Encoder()
    with (
        (out / "train.jsonl").open("wb") as lines,
        pq.ParquetWriter(out / "train.parquet", schema, compression="zstd") as parquet,
    ):
        waiting = chain.from_iterable(batches)
        while records := list(islice(waiting, ROWS_PER_GROUP)):
            lines.write(encoder.encode_lines(records))
            columns = {key: [_flat(record[key]) for record in records] for key in schema.names}
            parquet.write_table(pa.table(columns, schema))
            written += len(records)
    return written


def _flat(value: Any) -> Any:
    """A value as Parquet holds it: nested parts are JSON text."""
    plain = value is None or isinstance(value, str | bool)
    return value if plain else msgspec.json.encode(value)


def _card(form: str, exported: Exported, manifest: Mapping[str, Any]) -> str:
    what = f"examples that passed {checks(manifest)}"
    if form == DISTILABEL:
        what = "data points in the columns of distilabel's APIGen tasks, with what each check said"
    if form == PREFERENCES:
        what = "pairs of a verified data point and a rejected one, with the reason"
    left_out = ", ".join(f"{cause} {count:,}" for cause, count in exported.removed.items())
    front = {
        "configs": [{"config_name": "default", "data_files": "train.parquet"}],
        "license": LICENSE,
        "tags": TAGS,
    }
    return f"""---
{yaml.safe_dump(front, sort_keys=False).strip()}
---
# Verified function-calling data, in the form `{form}`
{simulated_warning(manifest)}
{exported.written:,} {what}.
Made after APIGen (arXiv 2406.18518). Left out: {left_out or "nothing"} (see `removed.jsonl`).

`train.jsonl` holds them as they are; `train.parquet` holds the same with nested parts as JSON text,
so that `load_dataset` adds no key that an example has not.

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")
```
"""
