"""Tools that can't answer a request for sure: what makes an example in which no call is right.

No model is asked, so a tool counts as unsuited only where its own schema says so: it requires a
value that the request does not give. A tool that resembles the one that answers the request may do
the same in another way, and is never unsuited.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import Call, Json, JsonObject, Tool
from apigen_ray.stages.grounding.reading import Reading
from apigen_ray.stages.grounding.text import (
    STOP_WORDS,
    fold,
    pieces_of,
    split_identifier,
    stem,
    words_of,
)
from apigen_ray.tools.schema_paths import at
from apigen_ray.tools.validation import validator_of

ALIKE = 0.3
"""Tools whose words are as similar as this may do the same."""
NEAR = 0.05
"""The lowest similarity of tools of different categories that are near each other."""
_GENERIC_TEXT = """
a amount argument count data date day document end first input item key kind length level list max
min mode name number object of option per point rate record result second size source start string
target text time to total type unit value x y
"""
_GENERIC = frozenset(map(stem, _GENERIC_TEXT.split()))
"""Words of names that any value may be meant by."""
_FREE = ("enum", "const")
_DEPTH = 4


@dataclass(frozen=True)
class Request:
    """What a user asks, with the calls that answer it, of tools that are not left."""

    query: str
    calls: Sequence[Call]
    called: Sequence[Tool]

    @cached_property
    def numbers(self) -> int:
        """How many numbers it gives: those of its calls, and others that the query has."""
        own = [
            float(leaf)
            for leaf in self._leaves
            if isinstance(leaf, int | float) and not isinstance(leaf, bool)
        ]
        return len(own) + len(set(Reading(self.query).numbers.stated) - {*own})

    @cached_property
    def texts(self) -> list[str]:
        """The texts of its calls."""
        return [leaf for leaf in self._leaves if isinstance(leaf, str)]

    @cached_property
    def _leaves(self) -> list[Json]:
        return [leaf for call in self.calls for leaf in strict_json.leaves(call.arguments)]

    @cached_property
    def words(self) -> frozenset[str]:
        """The stems of what it speaks of: in the query, and in what its arguments are."""
        said = [self.query]
        for call in self.calls:
            said += _keys(call.arguments)
        for tool in self.called:
            said += [str(schema.get("description", "")) for schema in _properties(tool).values()]
        return Reading(self.query).stems | _stems(" ".join(said))


def unsuited(tool: Tool, request: Request) -> bool:
    """Whether a tool requires a value that a request does not give."""
    required = tool.parameters.get("required")
    properties = _properties(tool)
    names = [name for name in required if name in properties] if isinstance(required, list) else []
    needed = [need for name in names for need in _needed(tool, (name,), _DEPTH)]
    if sum("string" not in _types(need) for need in needed) > request.numbers:
        return True
    return any(_is_missing(tool, name, request) for name in names)


def _is_missing(tool: Tool, name: str, request: Request) -> bool:
    """Whether a request does not give a parameter: nothing of its form, or of its name."""
    needed = list(_needed(tool, (name,), _DEPTH))
    for need in needed:
        if "string" in _types(need):
            accepts = validator_of(strict_json.canonical(need)).accepts
            if not any(accepts(text) for text in request.texts):
                return True
    scalar = len(needed) == 1 and not _types(_properties(tool)[name]) & {"array", "object"}
    words = _stems(name)
    return scalar and not words & _GENERIC and not words & request.words


def _needed(tool: Tool, path: tuple[str | int, ...], depth: int) -> Iterator[JsonObject]:
    """The schemas of the values that a parameter can't do without; none if there are alternatives.

    Choices, and texts of any form, can be made up.
    """
    alternatives = [list(_of(tool, path, schema, depth)) for schema in at(tool.parameters, path)]
    if all(each == alternatives[0] for each in alternatives):
        yield from alternatives[0] if alternatives else ()


def _of(
    tool: Tool, path: tuple[str | int, ...], schema: JsonObject, depth: int
) -> Iterator[JsonObject]:
    types = _types(schema)
    if any(key in schema for key in _FREE) or not types or types & {"boolean", "null"} or not depth:
        return
    if "array" in types:
        yield from _needed(tool, (*path, 0), depth - 1)
    elif "object" in types:
        required = schema.get("required")
        for name in required if isinstance(required, list) else ():
            yield from _needed(tool, (*path, name), depth - 1)
    elif types & {"number", "integer"}:
        yield {"type": "number"}
    elif "format" in schema or "pattern" in schema:
        yield {key: schema[key] for key in ("type", "format", "pattern") if key in schema}


def _types(schema: Any) -> frozenset[str]:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return frozenset([kind] if isinstance(kind, str) else kind or ())


def _properties(tool: Tool) -> Mapping[str, Any]:
    found = tool.parameters.get("properties")
    return found if isinstance(found, dict) else {}


def _keys(value: Json) -> Iterator[str]:
    """The names of all arguments, inside lists and objects, too."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _keys(each)


def _stems(text: str) -> frozenset[str]:
    """The stems of its words, without digits: `latitude1` is a latitude."""
    words = [piece for word in words_of(fold(split_identifier(text))) for piece in pieces_of(word)]
    return frozenset(stem(word) for word in words if not word.isdigit() and word not in STOP_WORDS)


class Likeness:
    """How similar tools are, by the words of their names, descriptions and parameters."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        """Weigh words: what many tools have in common says little."""
        words = {tool.name: _words_of_tool(tool) for tool in tools}
        shared = Counter(word for found in words.values() for word in found)
        weight = {word: math.log((1 + len(words)) / count) for word, count in shared.items()}
        self._weights = {
            name: {word: weight[word] for word in found} for name, found in words.items()
        }

    def of(self, first: Tool, second: Tool) -> float:
        """The similarity of two of the tools, from 0 to 1."""
        one, other = self._weights[first.name], self._weights[second.name]
        shared = sum(one[word] ** 2 for word in one.keys() & other.keys())
        size = math.sqrt(sum(w**2 for w in one.values()) * sum(w**2 for w in other.values()))
        return shared / size if size else 0.0


def _words_of_tool(tool: Tool) -> frozenset[str]:
    return _stems(" ".join([tool.name, tool.description, *_properties(tool)]))
