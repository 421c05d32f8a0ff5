"""`dpo`: preference pairs of a verified and a rejected data point for the same request.

The model writes the query itself, so a completion here is a whole pair of query and calls, and the
prompt is the request for such a pair over the tools shown.
"""

import zlib
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute

from apigen_ray.datasets.export.examples import Format, Kind, Record, text
from apigen_ray.records import Outcome
from apigen_ray.run_folder.rows import with_value
from apigen_ray.run_folder.store import RunFolder, digest

KEYS: dict[str, Kind] = {
    "id": "text",
    "prompt": "list",
    "chosen": "list",
    "rejected": "list",
    "chosen_id": "text",
    "shared": "text",
    "outcome": "text",
    "reason": "text",
    "detail": "text",
}
COLUMNS = (
    "id",
    "style",
    "prompt_id",
    "messages_hash",
    "query",
    "answers",
    "tools",
    "outcome",
    "reason",
    "detail",
    "completion",
)
REJECTED = (Outcome.FAIL_FORMAT, Outcome.FAIL_EXECUTION, Outcome.FAIL_SEMANTIC)
REQUEST = """\
Write a query that a user could have for the functions below, and the calls that answer it. Its \
style: {style}. Answer with one JSON object and nothing else:
{{"query": ..., "answers": [{{"name": ..., "arguments": {{...}}}}]}}

{tools}"""


def _records(folder: RunFolder, without: Container[str]) -> Iterator[list[Record]]:
    preferences = Preferences(
        row
        for table in folder.tables(COLUMNS)
        for row in with_value(table, "outcome", Outcome.VERIFIED).to_pylist()
        if row["id"] not in without
    )
    for table in folder.tables(COLUMNS):
        rejected = table.filter(pa.compute.is_in(table["outcome"], pa.array(REJECTED)))
        yield list(filter(None, map(preferences.pair, rejected.to_pylist())))


class Preferences:
    """The verified data points of a run, as counterparts of rejected ones."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Index verified data points."""
        self._by_key: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in rows:
            found = row["id"], _answer(row)
            for key in _keys(row).values():
                self._by_key[key].append(found)

    def pair(self, row: Mapping[str, Any]) -> Record | None:
        """A rejected data point with a verified one of the same prompt, else of the same tools."""
        rejected = _answer(row)
        for shared, key in _keys(row).items():
            counterparts = self._by_key.get(key, [])
            # Any other will do; a hash spreads the choice and makes it reproducible.
            start = zlib.crc32(row["id"].encode()) % max(len(counterparts), 1)
            others = chain(islice(counterparts, start, None), counterparts)
            found = next((found for found in others if found[1] != rejected), None)
            if rejected and found:
                chosen_id, chosen = found
                request = REQUEST.format(style=row["style"], tools=row["tools"])
                return {
                    "id": row["id"],
                    "prompt": [{"role": "user", "content": request}],
                    "chosen": [{"role": "assistant", "content": chosen}],
                    "rejected": [{"role": "assistant", "content": rejected}],
                    "chosen_id": chosen_id,
                    "shared": shared,
                    **{name: row[name] for name in ("outcome", "reason", "detail")},
                }
        return None


def _keys(row: Mapping[str, Any]) -> dict[str, str]:
    """What a counterpart may share with a point, best first; hashed, because tools are long."""
    tools = row["style"] or "", row["tools"]
    prompt = row["prompt_id"], row["messages_hash"] or ""
    return {"prompt": digest((*prompt, *tools)), "tools": digest(tools)}


def _answer(row: Mapping[str, Any]) -> str:
    """The pair that the model wrote, or its whole completion if no pair could be read."""
    if row["query"] is None or row["answers"] is None:
        return str(row["completion"] or row["answers"] or "")
    return f'{{"query": {text(row["query"])}, "answers": {row["answers"]}}}'


FORMAT = Format(
    KEYS,
    records=_records,
    conversations=False,
    contents="pairs of a verified data point and a rejected one, with the reason",
)
