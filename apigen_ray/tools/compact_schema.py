"""Schemas as prompts show them: the same meaning in fewer tokens."""

import json
from collections import Counter
from collections.abc import Iterator

from apigen_ray.records import Json, JsonObject
from apigen_ray.tools.schemas import mapped

SMALL = 400
"""A definition of no more characters is written where it is used, if that is one place."""
_PREFIX = "#/$defs/"


def compact_schema(schema: JsonObject) -> JsonObject:
    """A schema without titles and defaults of null, its small definitions inlined once."""
    definitions = schema.get("$defs")
    known = definitions if isinstance(definitions, dict) else {}
    uses = Counter(_references(schema))
    inlined = {
        name: definition
        for name, definition in known.items()
        if uses[name] == 1 and isinstance(definition, dict) and _is_small(definition, name)
    }

    def shorten(inner: JsonObject) -> JsonObject:
        name = _name(inner.get("$ref"))
        if name in inlined:
            beside = {key: value for key, value in inner.items() if key != "$ref"}
            inner = inlined[name] | beside
        kept = {key: _short(value) for key, value in inner.items() if not _says_nothing(key, value)}
        return mapped(kept, shorten)

    result = shorten({key: value for key, value in schema.items() if key != "$defs"})
    left: JsonObject = {
        n: shorten(d) for n, d in known.items() if n not in inlined and isinstance(d, dict)
    }
    return result | ({"$defs": left} if left else {})


def _says_nothing(key: str, value: Json) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def _short(value: Json) -> Json:
    """`1000.0` as `1000`: in JSON Schema they are one number."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if is_whole and isinstance(value, float) else value


def _is_small(definition: JsonObject, name: str) -> bool:
    return len(json.dumps(definition)) <= SMALL and name not in set(_references(definition))


def _references(value: Json) -> Iterator[str]:
    """The definitions that a schema refers to, as often as it does."""
    if isinstance(value, dict):
        name = _name(value.get("$ref"))
        if name:
            yield name
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _name(reference: Json) -> str:
    """The name of a definition that stands at the top of the schema; else the empty string."""
    if isinstance(reference, str) and reference.startswith(_PREFIX):
        return reference.removeprefix(_PREFIX)
    return ""
