"""The single values of a case's calls: what their schemas say, whether the query states them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from pydantic_core import to_json

from apigen_ray.records import Call, Json, JsonObject, Pair, Tool
from apigen_ray.stages.check import forbid_extra_properties
from apigen_ray.tools.validation import validator_of
from apigen_ray.workflows.audit.cases import Case

Step: TypeAlias = str | int
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|\.\d+")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is no list or object, with where it stands and what its schema says."""

    call: int
    path: tuple[Step, ...]
    value: Json
    schema: JsonObject

    @property
    def name(self) -> Step:
        """The argument that it is, or is part of."""
        return self.path[0]

    @property
    def is_argument(self) -> bool:
        """Whether it is a whole argument."""
        return len(self.path) == 1

    @property
    def default(self) -> Json:
        """The schema's default; None if it has none."""
        return self.schema.get("default")

    @property
    def choices(self) -> list[Json]:
        """The values that an enum allows; none where any is."""
        allowed = self.schema.get("enum")
        return allowed if isinstance(allowed, list) else []


def leaves(case: Case) -> list[Leaf]:
    """The leaves of the arguments of all calls."""
    return [
        leaf
        for index, call in enumerate(case.pair.calls)
        if (tool := case.tool(call.name))
        for leaf in _walk(index, (), call.arguments, tool.parameters, tool)
    ]


def _walk(
    call: int, path: tuple[Step, ...], value: Json, schema: JsonObject, tool: Tool
) -> Iterator[Leaf]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _walk(call, (*path, key), each, _inner(schema, key, tool), tool)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _walk(call, (*path, place), each, _inner(schema, place, tool), tool)
    else:
        yield Leaf(call, path, value, schema)


def _inner(schema: JsonObject, step: Step, tool: Tool) -> JsonObject:
    """What a schema says of a property or an item; nothing, where it is not plain."""
    found: Json = None
    if isinstance(step, int):
        found = schema.get("items")
    elif isinstance(properties := schema.get("properties"), dict):
        found = properties.get(step)
    if isinstance(found, dict) and isinstance(reference := found.get("$ref"), str):
        definitions = tool.parameters.get("$defs")
        name = reference.removeprefix("#/$defs/")
        found = definitions.get(name) if isinstance(definitions, dict) else None
    return found if isinstance(found, dict) else {}


def with_calls(case: Case, calls: Sequence[Call]) -> Case:
    """The case with other calls, which have not been run."""
    return replace(case, pair=Pair(case.pair.query, tuple(calls)), results=None)


def with_arguments(case: Case, index: int, arguments: JsonObject) -> Case:
    """The case with other arguments in one call."""
    calls = list(case.pair.calls)
    calls[index] = Call(calls[index].name, arguments)
    return with_calls(case, calls)


def with_value(case: Case, leaf: Leaf, value: Json) -> Case:
    """The case with another value in the place of a leaf."""
    arguments = _set(case.pair.calls[leaf.call].arguments, leaf.path, value)
    assert isinstance(arguments, dict)
    return with_arguments(case, leaf.call, arguments)


def _set(holder: Json, path: Sequence[Step], value: Json) -> Json:
    if not path:
        return value
    first, *rest = path
    if isinstance(holder, dict):
        return {k: _set(v, rest, value) if k == first else v for k, v in holder.items()}
    assert isinstance(holder, list)
    return [_set(each, rest, value) if at == first else each for at, each in enumerate(holder)]


def fits(tool: Tool | None, arguments: JsonObject) -> bool:
    """Whether stage 1 finds nothing wrong with arguments."""
    if tool is None:
        return False
    schema = to_json(forbid_extra_properties(tool.parameters)).decode()
    return validator_of(schema).accepts(arguments)


def all_fit(case: Case) -> bool:
    """Whether stage 1 finds nothing wrong with the arguments of any call."""
    return all(fits(case.tool(call.name), call.arguments) for call in case.pair.calls)


def stated_numbers(query: str) -> frozenset[float]:
    """The numbers that a query has in digits, without their signs."""
    return frozenset(float(found.replace(",", "")) for found in NUMBER.findall(query))


def states(query: str, value: Json) -> bool:
    """Whether a query has a number in digits, or a text word for word."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return abs(value) in stated_numbers(query)
    return isinstance(value, str) and value.strip() != "" and value.casefold() in query.casefold()


def is_number(value: Json) -> bool:
    """Whether a value is a number: Python counts booleans among them."""
    return isinstance(value, int | float) and not isinstance(value, bool)
