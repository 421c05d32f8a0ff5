"""Writes the verified data of a run folder in a format, with a card, and pushes it to the Hub."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from apigen_ray.datasets.card import checks, front_matter, simulated_warning
from apigen_ray.datasets.export.dedup import clean, read_test_data
from apigen_ray.datasets.export.examples import (
    COLUMNS,
    COLUMNS_WITHOUT_TOOLS,
    Format,
    Record,
    read_examples,
)
from apigen_ray.datasets.export.formats import load_format
from apigen_ray.errors import BadInput
from apigen_ray.run_folder.store import RunFolder

ROWS_PER_GROUP = 2048
"""Row-group size of the Parquet file, and how many records are in memory at once."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export."""

    written: int
    removed: Counter[str]
    """How many verified data points were left out, by cause."""
    passed_over: Sequence[str]
    """A line on each part of the run folder that can't be read."""


def export(
    source: str | Path, format_name: str, out: str | Path, against: Sequence[str] = ()
) -> Exported:
    """Write the verified data of a run folder as JSONL and as Parquet, with a card.

    The JSONL file holds the records as they are. The Parquet file holds their nested parts as JSON
    text, which Arrow can't pad with nulls. `removed.jsonl` lists what was left out, and why.

    Args:
        source: A run folder.
        format_name: The format, one of `format_names()`.
        out: The folder to write to.
        against: Test data; examples that resemble it are left out.

    Raises:
        BadInput: if the source is not a run folder or has nothing to export, there is no such
            format, test data can't be read, or the target is a run folder or can't be written.
    """
    out = Path(out)
    format_ = load_format(format_name)
    folder = RunFolder(source)
    manifest = folder.read_manifest()
    if manifest is None:
        raise BadInput(f"{source}: not a run folder (no manifest.json)")
    if (out / "manifest.json").exists():
        raise BadInput(f"--out {out}: is a run folder; choose another folder")
    tests = read_test_data(against)
    columns = COLUMNS if tests.signatures else COLUMNS_WITHOUT_TOOLS
    removed = clean(chain.from_iterable(read_examples(folder, columns)), tests)
    records = chain.from_iterable(format_.records(folder, {found.id for found in removed}))
    causes: Counter[str] = Counter(found.cause for found in removed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        exported = Exported(_write(records, format_, out), causes, folder.passed_over)
        if not exported.written:
            nothing = f"{source}: nothing to export as {format_name}"
            raise BadInput("; ".join([nothing, *folder.passed_over]))
        lines = (f"{json.dumps(asdict(found))}\n" for found in removed)
        (out / "removed.jsonl").write_text("".join(lines), "utf-8")
        contents = format_.contents.format(checks=checks(manifest))
        (out / "README.md").write_text(_card(format_name, contents, exported, manifest), "utf-8")
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error
    return exported


def _write(records: Iterator[Record], format_: Format, out: Path) -> int:
    written = 0
    schema = pa.schema(
        [(key, pa.bool_() if key in format_.flags else pa.string()) for key in format_.keys]
    )
    encoder = msgspec.json.Encoder()
    with (
        (out / "train.jsonl").open("wb") as lines,
        pq.ParquetWriter(out / "train.parquet", schema, compression="zstd") as parquet,
    ):
        while group := list(islice(records, ROWS_PER_GROUP)):
            lines.write(encoder.encode_lines(group))
            columns = {key: [_flat(record[key]) for record in group] for key in schema.names}
            parquet.write_table(pa.table(columns, schema))
            written += len(group)
    return written


def _flat(value: Any) -> Any:
    """A value for Parquet: nested parts become JSON text."""
    plain = value is None or isinstance(value, str | bool)
    return value if plain else msgspec.json.encode(value)


def _card(format_name: str, contents: str, exported: Exported, manifest: Mapping[str, Any]) -> str:
    left_out = ", ".join(f"{cause} {count:,}" for cause, count in exported.removed.items())
    return f"""{front_matter([{"config_name": "default", "data_files": "train.parquet"}])}
# Verified function-calling data in the `{format_name}` format
{simulated_warning(manifest)}
{exported.written:,} {contents}.
Made after APIGen (arXiv 2406.18518). Left out: {left_out or "nothing"} (see `removed.jsonl`).

`train.jsonl` holds the records as they are; `train.parquet` holds the same with nested parts as
JSON text, so that `load_dataset` adds no keys that a record does not have.

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")
```
"""


def push(folder: Path, repo: str) -> str:
    """Upload a folder to the Hugging Face Hub as a data set, and return its address.

    A new data set is private. The token is that of `hf auth login`, or in $HF_TOKEN.

    Raises:
        BadInput: if the Hub refuses it, or can't be reached.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - takes half a second to import

    hub = HfApi()
    try:
        address = hub.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        hub.upload_folder(repo_id=address.repo_id, repo_type="dataset", folder_path=folder)
    except Exception as error:  # the hub client and its HTTP library raise a dozen types here
        raise BadInput(f"--push {repo}: {str(error).splitlines()[0]}") from error
    return str(address)
