"""A run folder's verified data, written in a form, with a card."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import yaml

from apigen_ray.card import LICENSE, TAGS, simulated_warning
from apigen_ray.errors import BadInput
from apigen_ray.export.formats import FORMS, NOTHING, Form, Record, read_example
from apigen_ray.records import Outcome
from apigen_ray.store import RunFolder

COLUMNS = ("id", "query", "answers", "tools", "outcome")


def export(source: Path, form: str, out: Path) -> int:
    """Write the verified data of a run folder as JSONL and as Parquet, with a card.

    JSONL holds the records as they are. Parquet holds their nested parts as JSON text, which Arrow
    can't pad with nulls.

    Returns:
        The number of records.

    Raises:
        BadInput: if the source is not a run folder or has nothing verified, or the target can't be
            written.
    """
    folder = RunFolder(source)
    manifest = folder.read_manifest()
    if manifest is None:
        raise BadInput(f"{source}: not a run folder (no manifest.json)")
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = _write(_records(folder, FORMS[form]), FORMS[form](NOTHING), out)
        if not written:
            raise BadInput(f"{source}: no verified data point to export")
        (out / "README.md").write_text(_card(form, written, manifest), "utf-8")
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error
    return written


def _records(folder: RunFolder, form: Form) -> Iterator[list[Record]]:
    verified = pa.compute.field("outcome") == Outcome.VERIFIED.value
    for table in folder.tables(COLUMNS):
        yield [form(read_example(row)) for row in table.filter(verified).to_pylist()]


def _write(batches: Iterator[list[Record]], keys: Iterable[str], out: Path) -> int:
    written = 0
    schema = pa.schema([(key, pa.string()) for key in keys])
    with (
        (out / "train.jsonl").open("w", encoding="utf-8") as lines,
        pq.ParquetWriter(out / "train.parquet", schema, compression="zstd") as parquet,
    ):
        for records in filter(None, batches):
            lines.writelines(f"{_text(record)}\n" for record in records)
            flat = [{key: _text(value) for key, value in record.items()} for record in records]
            parquet.write_table(pa.Table.from_pylist(flat, schema))
            written += len(records)
    return written


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _card(form: str, written: int, manifest: Mapping[str, Any]) -> str:
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
{written:,} examples that passed a format check, an execution of their calls, and a judge, after
APIGen (arXiv 2406.18518). `train.jsonl` holds them as they are; `train.parquet` holds the same with
nested parts as JSON text, so that `load_dataset` adds no key that an example has not.

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")
```
"""
