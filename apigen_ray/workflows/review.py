"""`apigen-ray review`: a sample of the verified rows, read by people."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apigen_ray import strict_json
from apigen_ray.errors import BadInput
from apigen_ray.records import JsonObject
from apigen_ray.report.audit_record import REVIEW, Review
from apigen_ray.report.intervals import Rate
from apigen_ray.report.refresh import refresh
from apigen_ray.report.review_page import review_page
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.audit.sources import rows_of, sample_ids

PAGE = "review.html"
LABELLED = "labelled.jsonl"
"""The rows that were read, with their labels, for `apigen-ray audit --labels`."""
LABELS = ("right", "wrong", "unsure")


@dataclass(frozen=True, slots=True)
class Read:
    """What people said of rows of a run."""

    review: Review
    unknown: tuple[str, ...]
    """Ids of labels that are no rows of the run."""
    labelled: str
    """The file with the labelled rows."""


def write_page(run: str | Path, sample: int, out: str | Path | None = None) -> str:
    """Write the page for a random sample of the verified rows, and return where it is.

    Raises:
        BadInput: if this is no run folder, no row is verified, or the page can't be written.
    """
    folder = _run_folder(run)
    manifest: dict[str, Any] = dict(folder.read_manifest() or {})
    ids = sample_ids(folder, sample, (manifest.get("config") or {}).get("seed", 0))
    rows = {row["id"]: row for row in rows_of(folder, set(ids))}
    page = review_page(folder.path.resolve().name, [rows[id_] for id_ in ids])
    if out is None:
        folder.write_text(PAGE, page)
        return str(folder.path / PAGE)
    try:
        Path(out).write_text(page, "utf-8")
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error
    return str(out)


def read_labels(run: str | Path, labels: str | Path) -> Read:
    """Take the labels that the page saved: count them, and keep the labelled rows in the run.

    Raises:
        BadInput: if this is no run folder, or the labels can't be read, or none is for it.
    """
    folder = _run_folder(run)
    given = read_label_file(Path(labels))
    rows = {row["id"]: row for row in rows_of(folder, set(given))}
    unknown = tuple(id_ for id_ in given if id_ not in rows)
    if not rows:
        raise BadInput(f"{labels}: {len(given)} labels, none of them for a row of {folder.path}")
    counts = Counter(given[id_]["label"] for id_ in rows)
    review = Review(
        right=Rate(counts["right"], counts["right"] + counts["wrong"]),
        unsure=counts["unsure"],
        why={
            id_: label["why"]
            for id_ in sorted(rows)
            if (label := given[id_])["label"] == "wrong" and label.get("why")
        },
    )
    with folder.writing():
        folder.write_json(REVIEW, review.model_dump(mode="json"))
        lines = (strict_json.dumps(line) + "\n" for line in _labelled(rows, given))
        folder.write_text(LABELLED, "".join(lines))
        refresh(folder)
    return Read(review, unknown, str(folder.path / LABELLED))


def read_label_file(path: Path) -> dict[str, dict[str, str]]:
    """What was said of each row, by its id.

    Raises:
        BadInput: if the file is not what the page saves.
    """
    try:
        entries = json.loads(path.read_text("utf-8"))["labels"]
        found = {str(entry["id"]): entry for entry in entries}
        wrong = next((e for e in entries if e["label"] not in LABELS), None)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise BadInput(f"{path}: not the labels that the review page saves") from error
    if wrong is not None:
        raise BadInput(f"{path}: label: must be one of {', '.join(LABELS)}, not {wrong['label']!r}")
    return found


def _labelled(
    rows: Mapping[str, Any], given: Mapping[str, Mapping[str, str]]
) -> Iterator[JsonObject]:
    for id_, row in sorted(rows.items()):
        label = given[id_]
        yield {
            **{key: row[key] for key in ("id", "query", "answers", "tools", "style")},
            "execution_results": row["execution_results"],
            **({"messages": row["messages"]} if row["messages"] else {}),
            "label": label["label"],
            "why": label.get("why", ""),
        }


def _run_folder(run: str | Path) -> RunFolder:
    folder = RunFolder(run)
    if folder.read_manifest() is None:
        raise BadInput(f"{run}: not a run folder (no manifest.json)")
    return folder
