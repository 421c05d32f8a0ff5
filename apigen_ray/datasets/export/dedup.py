"""The examples that an export leaves out: duplicates, and those that resemble test data."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec

from apigen_ray import strict_json
from apigen_ray.datasets.export.examples import Example
from apigen_ray.datasets.near_duplicates import NearDuplicateIndex
from apigen_ray.datasets.xlam import json_field, read_rows
from apigen_ray.errors import BadInput
from apigen_ray.records import Tool
from apigen_ray.stages.similarity import functions_text, words_of
from apigen_ray.tools.read_forms import UnreadableTool, read_tool

NGRAM = 8
"""The number of consecutive words that a query may not share with test data. Shorter queries are
compared as a whole."""


class Cause(StrEnum):
    """Why an example is left out."""

    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    TESTED_QUERY = "tested_query"
    TESTED_TOOL = "tested_tool"
    SEVERAL_TURNS = "several_turns"
    """A conversation that the format has no place for."""
    NOT_RENDERED = "not_rendered"
    """What does not come back from the chat template that the export is for."""


@dataclass(frozen=True, slots=True)
class Removed:
    """An example left out, and what it resembles: the id of another, or a place in test data."""

    id: str
    cause: Cause
    of: str


@dataclass(frozen=True, slots=True)
class TestData:
    """Queries and tools that must not be trained on, each with the place it was read from."""

    __test__ = False  # not for pytest

    grams: dict[str, str] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)


def read_test_data(sources: Sequence[str]) -> TestData:
    """Read test data: BFCL's files, or rows with `query` and `tools` as in the xLAM format.

    Raises:
        BadInput: if a source can't be read, or a row has neither query nor tools.
    """
    data = TestData()
    for source in sources:
        for place, row in read_rows(source):
            queries, tools = list(_queries(row)), _tools(row, place)
            if not queries and not row.get("tools") and not row.get("function"):
                raise BadInput(f"{place}: neither `query`, `question`, `tools` nor `function`")
            for gram in (gram for query in queries for gram in _grams(query)):
                data.grams.setdefault(gram, place)
            for tool in tools:
                data.signatures.setdefault(_signature(tool), place)
    return data


@dataclass(frozen=True, slots=True)
class _Fingerprint:
    """The parts of an example that duplicates share, without its tools, which take the memory."""

    id: str
    query: str
    calls: bytes
    functions: str
    derived: bool


def clean(examples: Iterable[Example], tests: TestData) -> list[Removed]:
    """The examples to leave out.

    Of duplicates, the one with the earliest id is kept; a verified one before one that is derived.
    """
    removed = []
    fingerprints = []
    for example in examples:
        if found := _tested(example, tests):
            removed.append(Removed(example.id, *found))
        else:
            fingerprints.append(_fingerprint(example))
    return removed + list(_duplicates(sorted(fingerprints, key=_place)))


def _tested(example: Example, tests: TestData) -> tuple[Cause, str] | None:
    for gram in _grams(example.query) if tests.grams else ():
        if gram in tests.grams:
            return Cause.TESTED_QUERY, tests.grams[gram]
    for tool in example.tools if tests.signatures else ():
        if place := is_tested(tool, tests):
            return Cause.TESTED_TOOL, place
    return None


def is_tested(tool: str, tests: TestData) -> str | None:
    """Where test data has a tool, given as JSON text; None if it has not."""
    return tests.signatures.get(_signature_of(tool)) if tests.signatures else None


def _fingerprint(example: Example) -> _Fingerprint:
    return _Fingerprint(
        id=example.id,
        query=" ".join(words_of(example.query)),
        calls=msgspec.json.encode(example.calls, order="sorted"),
        functions=functions_text(str(call["name"]) for call in example.calls),
        derived=example.derived is not None,
    )


def _place(found: _Fingerprint) -> tuple[bool, list[tuple[int, str]]]:
    """Where an example stands among the others: of the ids 9 and 10, 9 comes first.

    What is derived from failed data points comes after all that is verified.
    """
    parts = re.split(r"0*([0-9]+)", found.id)  # every other one is a number
    places = [(len(part) if index % 2 else 0, part) for index, part in enumerate(parts)]
    return found.derived, places


def _duplicates(fingerprints: Iterable[_Fingerprint]) -> Iterator[Removed]:
    """Exact and near-duplicates, of examples in the order of their ids."""
    exact: dict[tuple[str, bytes], str] = {}
    index = NearDuplicateIndex()
    for found in fingerprints:
        same = exact.setdefault((found.query, found.calls), found.id)
        if same != found.id:
            yield Removed(found.id, Cause.EXACT_DUPLICATE, same)
        elif near := index.add(found.id, found.query, found.functions):
            yield Removed(found.id, Cause.NEAR_DUPLICATE, near)


def _grams(query: str) -> Iterator[str]:
    words = words_of(query)
    yield " ".join(words)
    for start in range(len(words) - NGRAM + 1):
        yield " ".join(words[start : start + NGRAM])


@cache
def _signature_of(tool: str) -> str:
    return _signature(read_tool(json.loads(tool)))


def _signature(tool: Tool) -> str:
    """A tool's name and the names of its parameters."""
    parameters: Any = tool.parameters.get("properties", {})
    return f"{tool.name}({', '.join(sorted(parameters))})".casefold()


def _queries(row: Mapping[str, Any]) -> Iterator[str]:
    """A row's query, or the user's turns in BFCL's `question`."""
    asked = [row.get("query"), row.get("question")]
    while asked:
        value = asked.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping) and value.get("role") == "user":
            asked.append(value.get("content"))
        elif isinstance(value, list):
            asked += value


def _tools(row: Mapping[str, Any], place: str) -> list[Tool]:
    """A row's tools; what is no tool in any form matches none of ours."""
    try:
        written = json_field(row, "tools") or json_field(row, "function") or []
    except strict_json.NotJson as error:
        raise BadInput(f"{place}: tools: {error}") from error
    tools = []
    for tool in written if isinstance(written, list) else [written]:
        with suppress(UnreadableTool):
            tools.append(read_tool(tool))
    return tools
