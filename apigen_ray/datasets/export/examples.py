"""Verified data points as examples, and what a format makes of them.

Where a format has JSON as text (xLAM's columns, a function call of ShareGPT, OpenAI's arguments),
it stays text; everything else is nested JSON. Records of one format may have different keys inside
their nested parts: no key is added to make them alike, and no value is null because it is missing.
"""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from apigen_ray.datasets.export.conversation import (
    AS_IT_IS,
    View,
    seen,
)
from apigen_ray.records import JsonObject, Outcome, Style
from apigen_ray.run_folder.rows import with_value
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.messages import chain_messages, pair_messages

COLUMNS_WITHOUT_TOOLS = ("id", "query", "answers", "outcome")
COLUMNS = (
    *COLUMNS_WITHOUT_TOOLS,
    "style",
    "tools",
    "messages",
    "execution_results",
    "reasoning",
    "solutions",
)

Kind: TypeAlias = Literal["text", "flag", "number", "json", "list"]
"""What a key of a record holds; a `list` has JSON values, `json` is any one."""
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
    style: str | None = None
    conversation: Sequence[JsonObject] = ()
    """Its messages, where there is more than a query and its calls."""
    results: Sequence[Any] = ()
    """What each call returned, as rows hold it."""
    pass_rate: float | None = None
    """The share of solvers that agreed with the calls, if any was asked."""

    @property
    def messages(self) -> Sequence[JsonObject]:
        """The whole example as messages."""
        return self.conversation or pair_messages(self.query, self.calls)


NOTHING = Example("", "", [], [])


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write the data of a run folder."""

    keys: Mapping[str, Kind]
    """The keys of a record, which are the columns of the Parquet file, and what each holds."""
    records: Callable[[RunFolder, Container[str], View], Iterator[list[Record]]]
    """Yields the records of a run folder in batches, without the data points of the given ids."""
    contents: str = "examples that passed {checks}"
    """What the records are, for the data-set card, which fills in the checks of the run."""
    conversations: bool = True
    """Whether a record can hold several turns of calls; if not, such data points are left out."""


def format_of(
    record: Callable[[Example], Record],
    keys: Mapping[str, Kind],
    *,
    conversations: bool = True,
) -> Format:
    """The format that has one record for each verified example."""

    def records(folder: RunFolder, without: Container[str], view: View) -> Iterator[list[Record]]:
        for examples in read_examples(folder, COLUMNS, view):
            yield [record(example) for example in examples if example.id not in without]

    return Format(keys, records, conversations=conversations)


def read_examples(
    folder: RunFolder, columns: Sequence[str], view: View = AS_IT_IS
) -> Iterator[list[Example]]:
    """The verified data points of a run folder, as far as these columns have them."""
    for table in folder.tables(columns):
        verified = with_value(table, "outcome", Outcome.VERIFIED)
        yield [_example(row, view) for row in verified.to_pylist()]


def _example(row: Mapping[str, Any], view: View) -> Example:
    calls = msgspec.json.decode(row["answers"])
    results = msgspec.json.decode(row.get("execution_results") or "[]")
    thought = row.get("reasoning") if view.reasoning else None
    conversation: Sequence[JsonObject] = ()
    chained = row.get("style") == Style.SEQUENTIAL and bool(results)
    if row.get("messages") or view.until or thought or chained:
        known = row.get("messages")
        if chained and not known:
            messages = chain_messages(row["query"], calls, results)
        else:
            messages = msgspec.json.decode(known) if known else pair_messages(row["query"], calls)
        if thought and not known:
            messages[-1]["reasoning_content"] = thought
        conversation = seen(messages, results, view)
    return Example(
        id=row["id"],
        query=row["query"],
        calls=calls,
        tools=_tools(row.get("tools", "[]"), row.get("style")),
        style=row.get("style"),
        conversation=conversation,
        results=results,
        pass_rate=_pass_rate(row.get("solutions")),
    )


def _tools(listed: str, style: str | None) -> list[str]:
    """The tools of a row, without what they return: calls refer to nothing in messages."""
    if style != Style.SEQUENTIAL:
        return texts_of(listed)
    return [text(_without_returns(tool)) for tool in msgspec.json.decode(listed)]


def _without_returns(tool: JsonObject) -> JsonObject:
    """A tool as rows of other styles hold it."""
    return {key: value for key, value in tool.items() if key != "returns"}


def _pass_rate(solutions: str | None) -> float | None:
    listed = msgspec.json.decode(solutions or "[]")
    agreed = sum(bool(each["agrees"]) for each in listed)
    return agreed / len(listed) if listed else None


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
