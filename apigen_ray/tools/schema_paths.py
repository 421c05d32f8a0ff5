"""What stands at a path inside the values of a schema, and whether it can be a value of another."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from apigen_ray.records import Json, JsonObject

Path: TypeAlias = tuple[str | int, ...]
"""The steps from a value to one inside it: keys of objects, indices of lists."""

_MOST_REFERENCES = 16
_DEPTH = 3
"""How far into lists and objects two schemas are compared."""
_TYPE_OF: dict[type, str] = {
    bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object",
    type(None): "null",
}  # fmt: skip


def at(schema: JsonObject, path: Sequence[str | int]) -> list[JsonObject]:
    """The schemas that a value at a path may have.

    None of them if there is no such value: a key that an object with named properties does not
    have. An empty schema says nothing about it. References point into the given schema.
    """
    found = [schema]
    for step in path:
        alternatives = [each for one in found for each in _alternatives(one, schema)]
        found = [inner for each in alternatives for inner in _inside(each, step)]
    return [each for one in found for each in _alternatives(one, schema)]


def _alternatives(schema: JsonObject, root: JsonObject) -> Iterator[JsonObject]:
    """A schema without references, as many as its `anyOf` or `oneOf` has."""
    schema = _resolved(schema, root)
    parts = schema.get("allOf")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            schema = _joined(schema, _resolved(part, root))
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict):
                    yield from _alternatives(choice, root)
            return
    yield schema


def _resolved(schema: JsonObject, root: JsonObject) -> JsonObject:
    for _ in range(_MOST_REFERENCES):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            return schema
        target: Any = root
        for step in filter(None, reference.removeprefix("#").split("/")):
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = (target if isinstance(target, dict) else {}) | beside
    return {}  # it refers to itself


def _joined(schema: JsonObject, part: JsonObject) -> JsonObject:
    """Both at once, as far as their properties go."""
    own, more = schema.get("properties"), part.get("properties")
    both = (own if isinstance(own, dict) else {}) | (more if isinstance(more, dict) else {})
    return part | schema | ({"properties": both} if both else {})


def _inside(schema: JsonObject, step: str | int) -> list[JsonObject]:
    types = types_of(schema)
    if isinstance(step, int):
        return [] if types and "array" not in types else _item(schema, step)
    return [] if types and "object" not in types else _property(schema, step)


def _item(schema: JsonObject, index: int) -> list[JsonObject]:
    first, items = schema.get("prefixItems"), schema.get("items")
    if isinstance(first, list) and 0 <= index < len(first):
        return [_as_schema(first[index])]
    return [] if items is False else [_as_schema(items)]


def _property(schema: JsonObject, key: str) -> list[JsonObject]:
    named = schema.get("properties")
    if isinstance(named, dict) and key in named:
        return [_as_schema(named[key])]
    if "patternProperties" in schema:
        return [{}]
    further = schema.get("additionalProperties", not named)
    return [] if further is False else [_as_schema(further)]


def _as_schema(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def types_of(schema: JsonObject) -> frozenset[str]:
    """The types that a schema without alternatives allows; none where it does not say."""
    written = schema.get("type")
    if isinstance(written, str):
        return frozenset([written])
    if isinstance(written, list):
        return frozenset(map(str, written))
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list):
        return frozenset(_TYPE_OF[type(value)] for value in values)
    return frozenset()


def may_fit(
    output: JsonObject,
    root: JsonObject,
    wanted: JsonObject,
    wanted_root: JsonObject,
    depth: int = 0,
) -> bool:
    """Whether some value of one schema can be a value of the other, by their types.

    Args:
        output: The schema of the value.
        root: The schema that it is part of, into which its references point.
        wanted: The schema of the place.
        wanted_root: The schema that this is part of.
        depth: How far inside the schemas both are.
    """
    return any(
        _same_kind(one, root, other, wanted_root, depth)
        for one in _alternatives(output, root)
        for other in _alternatives(wanted, wanted_root)
    )


def _same_kind(
    output: JsonObject, root: JsonObject, wanted: JsonObject, wanted_root: JsonObject, depth: int
) -> bool:
    given, taken = _numeric(types_of(output)), _numeric(types_of(wanted))
    if not given or not taken:
        return True
    common = given & taken
    if common == {"array"} and depth < _DEPTH:
        own, other = _item(output, 0), _item(wanted, 0)
        return not own or not other or may_fit(own[0], root, other[0], wanted_root, depth + 1)
    return bool(common)


def _numeric(types: frozenset[str]) -> frozenset[str]:
    """With integers as numbers: a number may be a whole one."""
    return frozenset("number" if each == "integer" else each for each in types)
