"""Verified data points as examples, and what a format makes of them.

Where a format has JSON as text (xLAM's columns, a function call of ShareGPT, OpenAI's arguments),
it stays text; everything else is nested JSON. Records of one format may have different keys inside
their nested parts: no key is added to make them alike, and no value is null because it is missing.
"""

import json
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from apigen_ray.records import JsonObject, Outcome
from apigen_ray.run_folder.rows import with_value
from apigen_ray.run_folder.store import RunFolder

COLUMNS_WITHOUT_TOOLS = ("id", "query", "answers", "outcome")
COLUMNS = (*COLUMNS_WITHOUT_TOOLS, "tools")

Record: TypeAlias = dict[str, Any]
"""What is written: texts, flags, and nested parts, some of which are JSON text already."""
text = json.JSONEncoder(ensure_ascii=False).encode
"""The JSON text of a value, as in rows and in trainers' data."""


@dataclass(frozen=True, slots=True)
class Example:
    """A verified data point."""

    id: str
    query: str
    calls: list[JsonObject]
    tools: Sequence[str]
    """The JSON text of each. They are many times longer than the rest, and few are distinct."""


NOTHING = Example("", "", [], [])


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write the data of a run folder."""

    keys: Sequence[str]
    """The keys of a record, which are the columns of the Parquet file."""
    records: Callable[[RunFolder, Container[str]], Iterator[list[Record]]]
    """Yields the records of a run folder in batches, without the data points of the given ids."""
    flags: Collection[str] = ()
    """The keys whose values are true, false or None."""
    contents: str = "examples that passed {checks}"
    """What the records are, for the data-set card, which fills in the checks of the run."""


def format_of(record: Callable[[Example], Record]) -> Format:
    """The format that has one record for each verified example."""

    def records(folder: RunFolder, without: Container[str]) -> Iterator[list[Record]]:
        for examples in read_examples(folder, COLUMNS):
            yield [record(example) for example in examples if example.id not in without]

    return Format(tuple(record(NOTHING)), records)


def read_examples(folder: RunFolder, columns: Sequence[str]) -> Iterator[list[Example]]:
    """The verified data points of a run folder; without tools, if these are not in the columns."""
    for table in folder.tables(columns):
        verified = with_value(table, "outcome", Outcome.VERIFIED)
        yield [_example(row) for row in verified.to_pylist()]


def _example(row: Mapping[str, Any]) -> Example:
    tools = texts_of(row.get("tools", "[]"))
    return Example(row["id"], row["query"], msgspec.json.decode(row["answers"]), tools)


def texts_of(listed: str) -> list[str]:
    """The JSON text of each item, from the JSON text of a list."""
    return [bytes(part).decode() for part in _PARTS.decode(listed)]


_PARTS = msgspec.json.Decoder(list[msgspec.Raw])


def list_of(texts: Iterable[str]) -> str:
    """The JSON text of a list, from the JSON text of each item."""
    return f"[{', '.join(texts)}]"


def function_of(tool: str) -> str:
    """The JSON text of a tool as OpenAI's API wraps it, from the tool's own."""
    return f'{{"type": "function", "function": {tool}}}'
