"""Judges a pair by looking for every value of the calls in the query.

Of queries that it knows by heart, it knows the calls, too: hand-written queries give their values
in words that only a language model understands.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from apigen_ray import strict_json
from apigen_ray.errors import BadInput
from apigen_ray.models.simulated.writing import task
from apigen_ray.records import Call, Json, Tool
from apigen_ray.run_folder.remote_files import local_copy
from apigen_ray.tools.references import has_references

Known: TypeAlias = Mapping[str, frozenset[str]]
"""The calls of queries that are known by heart."""


def read_known(path: str) -> Known:
    """The right pairs of a file of JSON lines with `query` and `answers`.

    Raises:
        BadInput: if it can't be read.
    """
    try:
        lines = local_copy(path).read_text("utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line.strip()]
        return {row["query"]: frozenset(map(strict_json.canonical, row["answers"])) for row in rows}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadInput(f"known: {path}: not lines with query and answers: {error}") from error


def objection(
    query: str,
    calls: Sequence[Call],
    tools: Sequence[Tool],
    *,
    a_call_failed: bool = False,
    known: Known | None = None,
) -> str | None:
    """The objection to a pair, in a sentence; None if it is good."""
    if a_call_failed:
        return "The execution results show that a call was not executed successfully."
    if known and query in known:
        made = [strict_json.canonical({"name": c.name, "arguments": c.arguments}) for c in calls]
        same = len(made) == len(known[query]) and set(made) == known[query]
        return None if same else "Other calls than these answer the query."
    if not calls:
        return _missed_tool(query, tools)
    names = {tool.name for tool in tools}
    stated = _Stated(query)
    for index, call in enumerate(calls):
        if call.name not in names:
            return f"The function {call.name} is not available."
        if call in calls[:index]:
            return f"The call of {call.name} is made twice."
        for argument, value in call.arguments.items():
            if not has_references(value) and not stated.holds(value):
                return f"The query does not give the value of {argument} for {call.name}."
    return None


def _missed_tool(query: str, tools: Sequence[Tool]) -> str | None:
    for tool in tools:
        words = task(tool).lower()
        if len(words.split()) >= 3 and words in query.lower():
            return f"The query asks for what {tool.name} does, but nothing is called."
    return None


_NUMBER = re.compile(r"(?:(?<![\w.])-)?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


@dataclass
class _Stated:
    """The values that a query states."""

    query: str
    _numbers: list[tuple[int, float]] = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = [
            (match.end(), _number(match.group())) for match in _NUMBER.finditer(self.query)
        ]

    def holds(self, value: Json) -> bool:
        if isinstance(value, list | dict):
            return value in strict_json.embedded(self.query) or self._in_order(value)
        return self._end_of(value, 0) is not None

    def _in_order(self, value: Json) -> bool:
        position: int | None = 0
        for scalar in strict_json.leaves(value):
            assert position is not None
            position = self._end_of(scalar, position)
            if position is None:
                return False
        return value not in ([], {})

    def _end_of(self, scalar: Json, start: int) -> int | None:
        """Where the scalar's first mention from `start` on ends."""
        if isinstance(scalar, int | float) and not isinstance(scalar, bool):
            ends = (end for end, number in self._numbers if end > start and number == scalar)
            return next(ends, None)
        text = scalar if isinstance(scalar, str) else json.dumps(scalar)
        found = self.query.find(text, start)
        return None if found < 0 else found + len(text)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
