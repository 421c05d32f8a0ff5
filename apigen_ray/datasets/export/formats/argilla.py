"""`argilla`: records for Argilla, in which people label verified rows as right or wrong.

`argilla.Record.from_dict` reads each line. The data set there needs the text fields `query`,
`calls`, `results` and `tools`, and a label question `label` with `right`, `wrong` and `unsure`.
The judge's verdict is a suggestion.
"""

import json
from collections.abc import Container, Iterator, Mapping
from typing import Any

from apigen_ray.datasets.export.examples import Format, Kind, Record, text
from apigen_ray.records import Outcome
from apigen_ray.run_folder.rows import with_value
from apigen_ray.run_folder.store import RunFolder

KEYS: dict[str, Kind] = {
    "id": "text",
    "fields": "json",
    "metadata": "json",
    "suggestions": "json",
}
COLUMNS = (
    "id",
    "model",
    "style",
    "query",
    "answers",
    "tools",
    "execution_results",
    "votes",
    "outcome",
)


def _records(folder: RunFolder, without: Container[str]) -> Iterator[list[Record]]:
    for table in folder.tables(COLUMNS):
        rows = with_value(table, "outcome", Outcome.VERIFIED).to_pylist()
        yield [argilla(row) for row in rows if row["id"] not in without]


def argilla(row: Mapping[str, Any]) -> Record:
    """The record of a verified row."""
    results = json.loads(row["execution_results"] or "[]")
    return {
        "id": row["id"],
        "fields": {
            "query": row["query"],
            "calls": "\n".join(map(text, json.loads(row["answers"]))) or "no call",
            "results": "\n".join(text(result.get("result")) for result in results) or "none",
            "tools": "\n".join(map(_tool, json.loads(row["tools"]))),
        },
        "metadata": {"model": row["model"], "style": row["style"] or "unknown"},
        "suggestions": _suggestions(json.loads(row["votes"] or "[]")),
    }


def _tool(tool: Mapping[str, Any]) -> str:
    return f"{tool['name']}: {tool['description']}"


def _suggestions(votes: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The verdict of the last judge, which decided."""
    if not votes:
        return {}
    value = "right" if votes[-1]["pass"] else "wrong"
    return {"label": {"value": value, "score": None, "agent": votes[-1]["judge"]}}


FORMAT = Format(
    KEYS, records=_records, contents="rows to be labelled in Argilla, which passed {checks}"
)
