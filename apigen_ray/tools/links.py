"""Which tool's result fits which tool's argument, by type and name: what chains of calls are of."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import Json, JsonObject, Tool
from apigen_ray.tools.schema_paths import Path, at, types_of
from apigen_ray.tools.validation import validator_of

_DEPTH = 3
_MOST_FIELDS = 40
"""Of one result that are looked at."""
_GENERIC_TEXT = """
a add an and annual as available by calculate change compute convert count create current daily data
decode delete detail encode end estimate final find first for format free from get in info
information initial into item key last list lower make max mean min monthly name new next number of
on or out per point result return search set start style target text the to total type unit update
upper value weekly with yearly
"""
_GENERIC = frozenset(_GENERIC_TEXT.split())
"""Words of names that do not say what a value is."""
_UNITS_TEXT = """
id percent second minute hour day week month year mm cm m km mile m2 kg gram lb litre ml kmh mph hz
bpm dpi kwh degree celsius fahrenheit pixel byte megabyte gigabyte megabit word frame
"""
_UNITS = frozenset(_UNITS_TEXT.split())
"""Words that say what it is measured in: a share of one thing is no share of another."""


@dataclass(frozen=True, slots=True)
class Link:
    """An argument that can take its value from the result of another tool's call."""

    source: str
    """The tool whose result has the value."""
    path: Path
    """From the result to the value."""
    target: str
    """The tool that takes it."""
    argument: str


def links_of(tools: Sequence[Tool]) -> list[Link]:
    """The links between tools, in their order: types fit, and the names mean the same.

    Names do if they have a word in common other than a unit, or are the same. Units must be the
    same, too. Where an example of the value is known, the argument's schema must accept it.
    """
    taking: dict[str, list[tuple[Tool, str]]] = {}
    for tool in tools:
        properties = tool.parameters.get("properties")
        for name in properties if isinstance(properties, dict) else ():
            for word in _words(name):
                taking.setdefault(word, []).append((tool, name))
    return [
        Link(source.name, found.path, target.name, argument)
        for source in tools
        for found in _fields(source)
        for target, argument in _of_words(taking, found.words)
        if target.name != source.name
        and _means(found.words, _words(argument))
        and _fits(found, argument, target)
    ]


def links_from(links: Iterable[Link]) -> Mapping[str, list[Link]]:
    """Links by the name of the tool whose result they take."""
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(link.source, []).append(link)
    return found


def together(link: Link, links: Iterable[Link]) -> list[Link]:
    """A link, with those that take other values from the same place, as a latitude's longitude."""
    found = [link]
    for other in links:
        if (
            (other.source, other.target) == (link.source, link.target)
            and link.path
            and other.path[:-1] == link.path[:-1]
            and all(other.path != x.path and other.argument != x.argument for x in found)
        ):
            found.append(other)
    return found


@dataclass(frozen=True, slots=True)
class _Field:
    """A value inside a result."""

    path: Path
    words: frozenset[str]
    types: frozenset[str]
    examples: tuple[Json, ...]
    format: Json


def _of_words(
    taking: Mapping[str, list[tuple[Tool, str]]], words: Iterable[str]
) -> Iterator[tuple[Tool, str]]:
    """The arguments whose names have one of the words, each once."""
    found = {
        (tool.name, name): (tool, name)
        for word in sorted(words)
        for tool, name in taking.get(word, ())
    }
    return iter(found.values())


def _fields(tool: Tool) -> Iterator[_Field]:
    """The values in a tool's result whose place and type are known, the outermost first."""
    if tool.returns is None:
        return
    examples = tool.returns.get("examples")
    shown = tuple(examples) if isinstance(examples, list) else ()
    waiting: list[tuple[Path, tuple[Json, ...]]] = [((), shown)]
    found = 0
    while waiting and found < _MOST_FIELDS:
        path, values = waiting.pop(0)
        types = _types(tool.returns, path, values)
        if len(types) == 1:
            found += 1
            format_ = next((each.get("format") for each in at(tool.returns, path)), None)
            yield _Field(path, _words_at(tool, path), types, values, format_)
        if len(path) < _DEPTH:
            for step in _steps(tool.returns, path, values):
                inner = tuple(v for value in values for v in _inside(value, step))
                waiting.append(((*path, step), inner))


def _types(returns: JsonObject, path: Path, values: Sequence[Json]) -> frozenset[str]:
    """What a value may be: as examples show it, else as the schema says."""
    if values:
        return frozenset(_TYPE_OF[type(value)] for value in values)
    return frozenset(name for schema in at(returns, path) for name in types_of(schema))


_TYPE_OF: dict[type, str] = {
    bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object",
    type(None): "null",
}  # fmt: skip


def _steps(returns: JsonObject, path: Path, values: Sequence[Json]) -> Iterator[str | int]:
    """The keys that are always there, and the first item of a list."""
    keys: dict[str, None] = {}
    for schema in at(returns, path):
        properties = schema.get("properties")
        keys |= dict.fromkeys(properties if isinstance(properties, dict) else ())
        if "array" in types_of(schema) and all(isinstance(value, list) for value in values):
            yield 0
            return
    shown = [value for value in values if isinstance(value, dict)]
    if shown:
        keys |= {key: None for key in shown[0] if all(key in value for value in shown)}
    yield from (key for key in keys if re.fullmatch(r"[A-Za-z_][\w-]*", key))


def _inside(value: Any, step: str | int) -> Iterator[Json]:
    if isinstance(step, int):
        yield from value[:1] if isinstance(value, list) else ()
    elif isinstance(value, dict) and step in value:
        yield value[step]


def _words_at(tool: Tool, path: Path) -> frozenset[str]:
    """What a value is called: by its key; one such as `id` also by what is around it."""
    keys = [step for step in path if isinstance(step, str)]
    words = _words(keys[-1]) if keys else frozenset[str]()
    if words - _UNITS:
        return words
    return words | _words(keys[-2] if len(keys) > 1 else tool.name)


def _means(given: frozenset[str], wanted: frozenset[str]) -> bool:
    units, wanted_units = given & _UNITS, wanted & _UNITS
    if "percent" in wanted_units - units or (units and wanted_units != units):
        return False
    return given == wanted or bool((given & wanted) - _UNITS)


def _words(name: str) -> frozenset[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    words = re.findall(r"m2(?![a-z])|[a-z]+", spaced)
    singular = {w[:-1] if len(w) > 3 and w.endswith("s") and w[-2] != "s" else w for w in words}
    return frozenset(singular) - _GENERIC


def _fits(found: _Field, argument: str, target: Tool) -> bool:
    places = at(target.parameters, (argument,))
    wanted = frozenset(name for place in places for name in types_of(place))
    whole = frozenset(["number"]) if found.types == {"integer"} else frozenset[str]()
    if not (found.types | whole) & wanted:
        return False
    if found.examples:
        return all(_accepts(target, argument, example) for example in found.examples)
    narrow = any(
        {"enum", "const", "pattern"} & place.keys() or place.get("format") != found.format
        for place in places
    )
    return not narrow and not found.types & {"array", "object"}


def _accepts(target: Tool, argument: str, value: Json) -> bool:
    alone: JsonObject = {
        key: target.parameters[key] for key in _OF_EACH if key in target.parameters
    }
    return validator_of(strict_json.canonical(alone)).accepts({argument: value})


_OF_EACH = ("type", "properties", "$defs")
"""The parameters of a tool without what depends on several."""
