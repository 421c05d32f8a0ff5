"""Preference pairs: a verified data point, and a rejected one that was asked for in the same way.

A model that is asked for data writes the query itself, so what is preferred is a whole pair of
query and calls, and the prompt is the request for one over the tools shown.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from typing import Any

from apigen_ray.datasets.export.formats import Record, text
from apigen_ray.run_folder.store import digest

KEYS = ("id", "prompt", "chosen", "rejected", "chosen_id", "shared", "outcome", "reason", "detail")
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
REQUEST = """\
Write a query that a user could have for the functions below, and the calls that answer it. Its \
style: {style}. Answer with one JSON object and nothing else:
{{"query": ..., "answers": [{{"name": ..., "arguments": {{...}}}}]}}

{tools}"""


class Preferences:
    """The verified points of a run, to set rejected ones against."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in verified points."""
        self._by_key: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in rows:
            found = row["id"], _answer(row)
            for key in _keys(row).values():
                self._by_key[key].append(found)

    def pair(self, row: Mapping[str, Any]) -> Record | None:
        """A rejected point and a verified one of the same prompt, or else of the same tools."""
        rejected = _answer(row)
        for shared, key in _keys(row).items():
            counterparts = self._by_key.get(key, [])
            # Any other will do: a hash spreads the choice, and makes it the same every time.
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
    """What a counterpart has in common with a point, the best first; hashed, as tools are long."""
    tools = row["style"] or "", row["tools"]
    prompt = row["prompt_id"], row["messages_hash"] or ""
    return {"prompt": digest((*prompt, *tools)), "tools": digest(tools)}


def _answer(row: Mapping[str, Any]) -> str:
    """The pair as the model gave it, or the whole completion if no pair could be read."""
    if row["query"] is None or row["answers"] is None:
        return str(row["completion"] or row["answers"] or "")
    return f'{{"query": {text(row["query"])}, "answers": {row["answers"]}}}'
