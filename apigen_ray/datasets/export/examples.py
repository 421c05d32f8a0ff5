"""Verified data points as examples, and what a format makes of them.

Where a format has JSON as text (xLAM's columns, a function call of ShareGPT, OpenAI's arguments),
it stays text; everything else is nested JSON. Records of one format may have different keys inside
their nested parts: no key is added to make them alike, and no value is null because it is missing.
"""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute

from apigen_ray.datasets.export.conversation import AS_IT_IS, View, seen
from apigen_ray.datasets.export.right_turns import Part, last_stage, right_part, weighted
from apigen_ray.datasets.xlam import style_of
from apigen_ray.records import JsonObject, Outcome, Style
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.conversation import query_of
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
_OF_FAILED = ("messages", "turns", "stage", "reason", "style", "execution_results", "tools")
"""What tells which turns of a conversation that failed are right."""

Kind: TypeAlias = Literal["text", "flag", "number", "json", "list"]
"""What a key of a record holds; a `list` has JSON values, `json` is any one."""
Record: TypeAlias = dict[str, Any]
"""What is written: texts, flags, and nested parts, some of which are JSON text already."""
text = json.JSONEncoder(ensure_ascii=False).encode
"""The JSON text of a value, as in rows and in trainers' data."""


class Derived(StrEnum):
    """What an example is, if it is no verified data point as it stands."""

    PREFIX = "prefix"
    """The turns of a conversation before the one that failed."""
    MASKED = "masked"
    """A conversation with wrong turns, which are not to be learnt from."""
    IRRELEVANT = "irrelevant"
    """A query that the tools shown can't answer: see `irrelevance.py`."""


MEANINGS: Mapping[Derived, str] = {
    Derived.PREFIX: "are conversations that failed, up to their last right turn",
    Derived.MASKED: "have wrong turns, with `weight` 0 in what is not to be learnt from",
    Derived.IRRELEVANT: "are verified queries whose tool, or a parameter of it, was taken away, so "
    "that no call is right",
}
"""What a card says of so many examples."""


@dataclass(frozen=True, slots=True)
class Example:
    """A verified data point, or what is right of one that failed."""

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
    categories: Sequence[str] = ()
    """Those of its tools."""
    derived: Derived | None = None

    @property
    def messages(self) -> Sequence[JsonObject]:
        """The whole example as messages."""
        return self.conversation or pair_messages(self.query, self.calls)


NOTHING = Example("", "", [], [])


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write the data of a run folder: each example as a record, or a way of its own."""

    keys: Mapping[str, Kind]
    """The keys of a record, which are the columns of the Parquet file, and what each holds."""
    record: Callable[[Example], Record] | None = None
    records: Callable[[RunFolder, Container[str]], Iterator[list[Record]]] | None = None
    """Yields the records of a run folder in batches, without the data points of the given ids."""
    contents: str = "examples that passed {checks}"
    """What the records are, for the data-set card, which fills in the checks of the run."""
    conversations: bool = True
    """Whether a record can hold several turns of calls; if not, such data points are left out."""
    weights: bool = False
    """Whether a record has messages that can say whether they are to be learnt from."""


def read_examples(
    folder: RunFolder, columns: Sequence[str], view: View = AS_IT_IS
) -> Iterator[Example]:
    """The verified data points of a run folder, as far as these columns have them.

    Those that failed follow, part by part, as far as the view has some of them.
    """
    last = last_stage(folder) if view.parts else None
    for table in folder.tables([*dict.fromkeys([*columns, *(_OF_FAILED if view.parts else ())])]):
        verified = pa.compute.equal(table["outcome"], Outcome.VERIFIED)
        for row in table.filter(verified).to_pylist():
            yield _example(row, view)
        if view.parts:
            failed = pa.compute.and_(
                pa.compute.invert(verified), pa.compute.is_valid(table["messages"])
            )
            for row in table.filter(failed).to_pylist():
                if found := right_part(row, view, last):
                    yield _of_part(row, found, view)


def _example(row: Mapping[str, Any], view: View) -> Example:
    calls = msgspec.json.decode(row["answers"])
    results = msgspec.json.decode(row.get("execution_results") or "[]")
    thought = row.get("reasoning") if view.reasoning else None
    conversation: Sequence[JsonObject] = ()
    chained = row.get("style") == Style.SEQUENTIAL and bool(results)
    if row.get("messages") or view.until or view.weights or thought or chained:
        known = row.get("messages")
        if chained and not known:
            messages = chain_messages(row["query"], calls, results)
        else:
            messages = msgspec.json.decode(known) if known else pair_messages(row["query"], calls)
        if thought and not known:
            messages[-1]["reasoning_content"] = thought
        if view.weights:
            messages = list(weighted(messages))
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
        categories=msgspec.json.decode(row.get("categories") or "[]"),
    )


def _of_part(row: Mapping[str, Any], part: Part, view: View) -> Example:
    """What is right of a data point that failed."""
    derived = Derived.MASKED if part.wrong else Derived.PREFIX
    tools = _tools(row["tools"], row["style"])
    style = row["style"]
    if not part.complete:
        style = Style.MULTI_TURN
    elif not part.whole and len(part.turns) == 1:
        style = style_of(len(tools), [str(call["name"]) for call in part.calls])
    messages = list(weighted(part.messages, part.wrong)) if view.weights else part.messages
    return Example(
        id=f"{row['id']}/{derived}",
        query=row["query"] if part.whole else query_of(part.messages),
        calls=msgspec.json.decode(row["answers"]) if part.whole else part.calls,
        tools=tools,
        style=style,
        conversation=seen(messages, part.results, view),
        results=part.results,
        derived=derived,
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
