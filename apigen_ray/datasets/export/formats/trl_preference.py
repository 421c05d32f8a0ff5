"""`trl-preference`: verified and rejected calls for the same question, with the tools.

The prompt is what comes before the first calls. `dpo` has preferences for whole pairs, which a
model writes itself; here, the question is given, as in data that several models have answered.
"""

import json
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute

from apigen_ray.datasets.export.examples import (
    Format,
    Kind,
    Record,
    function_of,
    list_of,
    texts_of,
)
from apigen_ray.datasets.export.formats.dpo import REJECTED
from apigen_ray.records import JsonObject, Outcome, Style
from apigen_ray.run_folder.rows import with_value
from apigen_ray.run_folder.store import RunFolder, digest
from apigen_ray.stages.conversation import turns_of
from apigen_ray.stages.messages import pair_messages

COLUMNS = (
    "id", "style", "query", "answers", "tools", "messages", "outcome", "reason", "detail",
)  # fmt: skip
KEYS: dict[str, Kind] = {
    "id": "text",
    "prompt": "list",
    "chosen": "list",
    "rejected": "list",
    "tools": "list",
    "chosen_id": "text",
    "outcome": "text",
    "reason": "text",
    "detail": "text",
}


def _records(folder: RunFolder, without: Container[str]) -> Iterator[list[Record]]:
    chosen: dict[str, list[tuple[str, JsonObject]]] = defaultdict(list)
    for table in folder.tables(COLUMNS):
        for row in with_value(table, "outcome", Outcome.VERIFIED).to_pylist():
            if row["id"] not in without and (found := _asked_and_made(row)):
                chosen[_key(found[0], row)].append((row["id"], found[1]))
    for table in folder.tables(COLUMNS):
        rejected = table.filter(pa.compute.is_in(table["outcome"], pa.array(REJECTED)))
        yield [record for row in rejected.to_pylist() if (record := _preference(row, chosen))]


def _preference(
    row: Mapping[str, Any], chosen: Mapping[str, list[tuple[str, JsonObject]]]
) -> Record | None:
    found = _asked_and_made(row)
    if not found:
        return None
    prompt, made = found
    for id_, better in chosen.get(_key(prompt, row), ()):
        if better["tool_calls"] != made["tool_calls"]:
            return {
                "id": row["id"],
                "prompt": prompt,
                "chosen": [better],
                "rejected": [made],
                "tools": msgspec.Raw(list_of(map(function_of, texts_of(row["tools"]))).encode()),
                "chosen_id": id_,
                **{name: row[name] for name in ("outcome", "reason", "detail")},
            }
    return None


def _key(prompt: list[JsonObject], row: Mapping[str, Any]) -> str:
    return digest((json.dumps(prompt), row["tools"]))


def _asked_and_made(row: Mapping[str, Any]) -> tuple[list[JsonObject], JsonObject] | None:
    """The messages before the first calls, and the message with these; None if there is none."""
    messages = json.loads(row["messages"]) if row["messages"] else None
    if row["style"] == Style.SEQUENTIAL and messages is None:
        return None  # what is rejected has no values in the place of its references
    if messages is None:
        calls = json.loads(row["answers"] or "[]")
        whole = isinstance(calls, list) and all(
            isinstance(call, dict) and {"name", "arguments"} <= call.keys() for call in calls
        )
        if not (row["query"] and calls and whole):
            return None
        messages = pair_messages(row["query"], calls)
    turns = turns_of(messages)
    return (messages[: turns[0].place], messages[turns[0].place]) if turns else None


FORMAT = Format(
    KEYS,
    records=_records,
    contents="pairs of verified and rejected calls for the same question, with the reason",
)
