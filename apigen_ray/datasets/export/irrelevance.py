"""Examples in which no call is right, derived from verified ones without a model.

Either the tools that answer a query are taken away, and tools near them are shown that can't answer
it; or the tool loses a parameter whose value the query gives and which it can't do without.
"""

import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

from apigen_ray.datasets.export.examples import Derived, Example, text
from apigen_ray.datasets.export.unsuited import ALIKE, NEAR, Likeness, Request, unsuited
from apigen_ray.records import Call, Json, JsonObject, Style, Tool
from apigen_ray.stages.conversation import is_pair
from apigen_ray.stages.grounding.literals import literals
from apigen_ray.stages.grounding.matching import Support, support
from apigen_ray.stages.grounding.reading import Reading
from apigen_ray.tools.categories import OTHER
from apigen_ray.tools.read_forms import read_tool
from apigen_ray.tools.schema_paths import at, types_of

STYLES = frozenset({Style.SIMPLE, Style.MULTIPLE, Style.PARALLEL, Style.PARALLEL_MULTIPLE})
"""The styles of rows that examples are derived from."""
_FEWEST_TOOLS = 2
_LOOKED_AT = 200
"""Tools of the same categories, and as many of others, among which the nearest are found."""
_SPARE = 2
"""So many more are found than are shown, so that a query is not always shown the same."""
_PLAIN = frozenset(("type", "properties", "required", "examples", "additionalProperties", "title"))
"""The keywords of parameters of which one can be taken away."""


def may_be_derived_from(example: Example) -> bool:
    """Whether an example is a query and its calls, with results and an answer or not."""
    said = example.conversation
    return (
        example.derived is None
        and example.style in STYLES
        and bool(example.calls)
        and (not said or is_pair(said[:2]))
        and all(m["role"] in ("tool", "assistant") and "tool_calls" not in m for m in said[2:])
    )


class Deriving:
    """Derives examples over the tools of a run."""

    def __init__(self, tools: Mapping[str, Collection[str]]) -> None:
        """Take the tools that may be shown; of each name, the first counts.

        Args:
            tools: The JSON text of each, with the categories that it may be of: those of all rows
                in which it is shown.
        """
        self._texts: dict[str, str] = {}
        self._tools: dict[str, Tool] = {}
        self._by_category: dict[str, list[Tool]] = defaultdict(list)
        for written, categories in tools.items():
            known = next(iter(categories)) if len(categories) == 1 else OTHER
            tool = replace(read_tool(json.loads(written)), category=known)
            if tool.name not in self._tools:
                self._tools[tool.name] = tool
                self._texts[tool.name] = written
                self._by_category[tool.category].append(tool)
        self._likeness = Likeness(self._tools.values())

    def examples(self, sources: Sequence[Example], wanted: int) -> list[Example]:
        """So many examples, or as many as there can be: the same for the same sources."""
        found: list[Example] = []
        for source in sorted(sources, key=lambda each: (zlib.crc32(each.id.encode()), each.id)):
            if len(found) == wanted:
                break
            if derived := self.example(source):
                found.append(derived)
        return found

    def example(self, source: Example) -> Example | None:
        """An example from a verified one; None if none can be derived from it."""
        calls = [Call(str(call["name"]), call["arguments"]) for call in source.calls]  # type: ignore[arg-type]
        shown = {tool.name: tool for tool in (read_tool(json.loads(t)) for t in source.tools)}
        called = {call.name: shown[call.name] for call in calls if call.name in shown}
        if any(call.name not in called or call.name not in self._tools for call in calls):
            return None
        request = Request(source.query, calls, list(called.values()))
        random = Random(source.id)
        count = max(len(shown), _FEWEST_TOOLS)
        kept: list[str] = []
        if len(called) == 1 and random.random() < 0.5:
            tool = next(iter(called.values()))
            if names := list(removable(tool, calls, source.query)):
                kept = [text(without(tool_form(source, tool.name), random.choice(names)))]
        near = self._near(request, shown, random, count - len(kept))
        if not kept and not near:
            return None
        tools = [*kept, *(self._texts[name] for name in near)]
        random.shuffle(tools)
        return replace(
            source,
            id=f"{source.id}/{Derived.IRRELEVANT}",
            calls=[],
            tools=tools,
            style=Style.IRRELEVANCE,
            conversation=(),
            results=(),
            pass_rate=None,
            derived=Derived.IRRELEVANT,
        )

    def _near(
        self, request: Request, shown: Collection[str], random: Random, wanted: int
    ) -> list[str]:
        """The tools near those called that can't answer a request; as many shown as there are."""
        called = {tool.name for tool in request.called}
        own = [name for name in sorted(shown) if name in self._tools and name not in called]
        kept = [name for name in own if self._is_unlike(request, self._tools[name])][:wanted]
        categories = {self._tools[name].category for name in called} - {OTHER}
        same = [tool for each in sorted(categories) for tool in self._by_category[each]]
        others = [tool for tool in self._tools.values() if tool.category not in categories]
        ranked: list[tuple[bool, float, str]] = []
        for tools in (same, others):
            for tool in random.sample(tools, min(len(tools), _LOOKED_AT)):
                similar = self._similarity(request, tool)
                if tool.category in categories or similar >= NEAR:
                    ranked.append((tool.category in categories, similar, tool.name))
        fitting = (
            name
            for _, _, name in sorted(ranked, reverse=True)
            if name not in shown
            and name not in called
            and self._is_unlike(request, self._tools[name])
        )
        found = list(islice(fitting, wanted - len(kept) + _SPARE)) if len(kept) < wanted else []
        return kept + random.sample(found, min(len(found), wanted - len(kept)))

    def _is_unlike(self, request: Request, tool: Tool) -> bool:
        return self._similarity(request, tool) < ALIKE and unsuited(tool, request)

    def _similarity(self, request: Request, tool: Tool) -> float:
        return max(self._likeness.of(tool, self._tools[each.name]) for each in request.called)


def tool_form(example: Example, name: str) -> JsonObject:
    """A tool of an example, as it is shown."""
    tools: Iterator[JsonObject] = map(json.loads, example.tools)
    return next(tool for tool in tools if tool["name"] == name)


def removable(tool: Tool, calls: Sequence[Call], query: str) -> Iterator[str]:
    """The parameters without which a tool can't do what a query asks.

    A tool requires them, the query gives their values, and no other parameter that the calls leave
    free could take these.
    """
    properties: Any = tool.parameters.get("properties", {})
    required: Any = tool.parameters.get("required", ())
    if not tool.parameters.keys() <= _PLAIN or len(required) < 2:
        return
    reading = Reading(query)
    free = [name for name in properties if any(name not in call.arguments for call in calls)]
    taken = {kind for name in free for kind in _kinds(tool, (name,))}
    for name in required:
        found = [
            literal
            for index, call in enumerate(calls)
            for literal in literals(index, call, tool)
            if literal.argument == f"calls[{index}].arguments.{name}"
        ]
        given = found and all(support(each, reading) is Support.STRONG for each in found)
        if given and not taken & {_KIND_OF[type(each.value)] for each in found}:
            yield name


_KIND_OF = {bool: "boolean", int: "number", float: "number", str: "string"}


def _kinds(tool: Tool, path: tuple[str | int, ...], depth: int = 3) -> Iterator[str]:
    """The kinds of values that a parameter takes, inside lists and objects, too."""
    for schema in at(tool.parameters, path):
        if "enum" in schema or "const" in schema:
            continue
        for kind in types_of(schema) or ("string", "number"):
            yield "number" if kind == "integer" else kind
        if "items" in schema and depth:
            yield from _kinds(tool, (*path, 0), depth - 1)
        inner = schema.get("properties")
        for name in inner if isinstance(inner, dict) and depth else ():
            yield from _kinds(tool, (*path, name), depth - 1)


def without(tool: Mapping[str, Json], name: str) -> JsonObject:
    """A tool as it is shown, without a parameter."""
    parameters: Any = tool["parameters"]
    properties = {key: value for key, value in parameters["properties"].items() if key != name}
    fewer = parameters | {"properties": properties}
    fewer["required"] = [each for each in parameters["required"] if each != name]
    fewer.pop("examples", None)
    return {**tool, "parameters": fewer}
