"""Writes the verified data of a run folder in a format, with a card, and pushes it to the Hub."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from apigen_ray.datasets.card import checks, front_matter, simulated_warning
from apigen_ray.datasets.export.chat_template import load_template
from apigen_ray.datasets.export.choosing import Chosen, choose
from apigen_ray.datasets.export.columns import Columns, columns_of
from apigen_ray.datasets.export.conversation import Until, View
from apigen_ray.datasets.export.dedup import (
    Cause,
    Removed,
    read_test_data,
)
from apigen_ray.datasets.export.examples import (
    MEANINGS,
    Derived,
    Format,
    Record,
)
from apigen_ray.datasets.export.formats import load_format
from apigen_ray.datasets.export.made_for import ARGUMENTS, fitting
from apigen_ray.datasets.external.sources import REMOVED
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
    format: str
    """The format that was written: for a model, the one whose arguments its template takes."""
    derived: Counter[str]
    """How many of those written are no verified data points, by what they are: see `Derived`."""


def export(
    source: str | Path,
    format_name: str,
    out: str | Path,
    against: Sequence[str] = (),
    *,
    until: Until | str | None = None,
    reasoning: bool = False,
    weights: bool = False,
    prefixes: bool = False,
    irrelevance: float = 0.0,
    json_text: bool = False,
    for_model: str | None = None,
) -> Exported:
    """Write the verified data of a run folder as JSONL and as Parquet, with a card.

    `load_dataset` gives records as they are (`columns.py`); `removed.jsonl` has what is left out.

    Args:
        source: A run folder.
        format_name: The format, one of `format_names()`.
        out: The folder to write to.
        against: Test data; examples that resemble it are left out.
        until: Where examples end: with `calls`, `results` or `answer`; by default, as they are.
        reasoning: Whether the assistant's reasoning is kept, as `reasoning_content`.
        weights: Whether each of the assistant's messages has a `weight`, 1 or 0; wrong turns have
            0, and conversations that have right turns beside them are written.
        prefixes: Whether conversations that failed give the turns before (`right_turns.py`).
        irrelevance: How many examples are added in which no call is right, for each that is
            written: derived from verified ones (`irrelevance.py`).
        json_text: Whether the Parquet file has nested parts as JSON text: `datasets` before 4.8.
        for_model: A chat template, a folder with one, or a model: see `made_for.py`.

    Raises:
        BadInput: if the source is not a run folder or has nothing to export, there is no such
            format, it has no place for what is asked, test data can't be read, or the target is a
            run folder or can't be written.
    """
    out = Path(out)
    view = View(_until(until), reasoning, weights=weights, prefixes=prefixes)
    format_, folder = _format(format_name, view, irrelevance), RunFolder(source)
    manifest = _manifest(folder, out)
    chosen = choose(folder, format_, read_test_data(against), view, irrelevance)
    if for_model:
        format_name, format_ = _made_for(for_model, format_name, chosen)
    try:
        return _written(chosen, format_name, format_, out, manifest, json_text=json_text)
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error


def _written(
    chosen: Chosen,
    name: str,
    format_: Format,
    out: Path,
    manifest: Mapping[str, Any],
    *,
    json_text: bool,
) -> Exported:
    folder = chosen.folder
    written = _write(_records(format_, chosen), columns_of(format_, json_text=json_text), out)
    if not written:
        raise BadInput("; ".join([f"{folder.path}: nothing to export", *folder.passed_over]))
    _write_removed(chosen.removed, out)
    causes = Counter(str(found.cause) for found in chosen.removed)
    exported = Exported(written, causes, folder.passed_over, name, chosen.counts())
    _write_card(out, format_, exported, manifest, json_text=json_text)
    return exported


def _format(name: str, view: View, irrelevance: float) -> Format:
    """The format of a name.

    Raises:
        BadInput: if there is none, or it has no place for what is asked.
    """
    format_ = load_format(name)
    if not 0 <= irrelevance <= 1:
        raise BadInput(f"--irrelevance: must be a share from 0 to 1, not {irrelevance}")
    for option, wanted in (("prefixes", view.prefixes), ("irrelevance", irrelevance)):
        if wanted and not format_.record:
            raise BadInput(f"--{option}: {name} is not made of examples, one by one")
    if view.weights and not format_.weights:
        raise BadInput(f"--weights: {name} has no messages to learn from")
    return format_


def _records(format_: Format, chosen: Chosen) -> Iterator[Record]:
    if format_.records:
        return chain.from_iterable(format_.records(chosen.folder, chosen.without))
    assert format_.record
    return map(format_.record, chosen.examples())


def _manifest(folder: RunFolder, out: Path) -> Mapping[str, Any]:
    manifest = folder.read_manifest()
    if manifest is None:
        raise BadInput(f"{folder.path}: not a run folder (no manifest.json)")
    if (out / "manifest.json").exists():
        raise BadInput(f"--out {out}: is a run folder; choose another folder")
    return manifest


def _made_for(model: str, format_name: str, chosen: Chosen) -> tuple[str, Format]:
    """The format that a model's template takes; what it does not render joins what is removed."""
    if format_name not in ARGUMENTS:
        raise BadInput(f"--for: needs --format {' or '.join(ARGUMENTS)}, not {format_name}")
    found = fitting(chosen.examples(), load_template(model))
    for id_, why in found.differing.items():
        chosen.removed.append(Removed(id_, Cause.NOT_RENDERED, why))
    return found.form, load_format(found.form)


def _until(value: Until | str | None) -> Until | None:
    try:
        return None if value is None else Until(value)
    except ValueError as error:
        raise BadInput(f"--until: must be one of {', '.join(Until)}, not {value!r}") from error


def _write_removed(removed: Sequence[Removed], out: Path) -> None:
    lines = (f"{json.dumps(asdict(found))}\n" for found in removed)
    (out / REMOVED).write_text("".join(lines), "utf-8")


def _write(records: Iterator[Record], columns: Columns, out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    encoder = msgspec.json.Encoder()
    with (
        (out / "train.jsonl").open("wb") as lines,
        pq.ParquetWriter(out / "train.parquet", columns.schema, compression="zstd") as parquet,
    ):
        while group := list(islice(records, ROWS_PER_GROUP)):
            lines.write(encoder.encode_lines(group))
            parquet.write_table(columns.table(group))
            written += len(group)
    return written


def _write_card(
    out: Path,
    format_: Format,
    exported: Exported,
    manifest: Mapping[str, Any],
    *,
    json_text: bool,
) -> None:
    contents = format_.contents.format(checks=checks(manifest))
    nested = "JSON text" if json_text else "`Json` features (`datasets` 4.8 or newer)"
    left_out = ", ".join(f"{cause} {count:,}" for cause, count in exported.removed.items())
    derived = "".join(
        f"{count:,} of them {MEANINGS[Derived(kind)]}.\n"
        for kind, count in sorted(exported.derived.items())
    )
    card = f"""{front_matter([{"config_name": "default", "data_files": "train.parquet"}])}
# Verified function-calling data in the `{exported.format}` format
{simulated_warning(manifest)}
{exported.written:,} {contents}.
{derived}Made after APIGen (arXiv 2406.18518).
Left out: {left_out or "nothing"} (see `{REMOVED}`).

`train.jsonl` holds the records as they are; `train.parquet` holds the same with nested parts as
{nested}, so that `load_dataset` adds no key and no null.

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")
```
"""
    (out / "README.md").write_text(card, "utf-8")


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
