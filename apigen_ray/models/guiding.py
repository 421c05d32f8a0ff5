"""Structured output: how a schema is asked for, and what is left of it where an engine refuses it.

Engines know JSON Schema to different depths, and say so with a 400 or 422. Then the same request
goes out with less and less of the schema; stage 1 checks all of it in any case.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from apigen_ray.records import Json, JsonObject

ResponseFormat: TypeAlias = Literal["none", "json_object", "json_schema", "guided_json"]

_STRUCTURAL = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf",
    "oneOf", "$ref", "$defs", "definitions",
}  # fmt: skip
"""What every engine with structured output understands."""

_JSON_OBJECT: JsonObject = {"response_format": {"type": "json_object"}}
_LEFT = (
    "the whole schema",
    "the schema without ranges, patterns and formats",
    "the schema without the tools' arguments",
    "JSON, of any form",
    "nothing",
)


class Guide:
    """What an engine is asked to hold its completions to; learns what it refuses."""

    def __init__(self, kind: ResponseFormat) -> None:
        self._kind = kind
        self._taken: set[int] = set()
        self._refused: set[int] = set()

    def fields(self, schema: JsonObject | None) -> Mapping[int, JsonObject]:
        """The fields of the request body that ask for it, the fullest first, by level."""
        levels: dict[int, JsonObject] = {4: {}}
        if self._kind != "none":
            levels = {3: _JSON_OBJECT} | levels
        if self._kind in ("json_schema", "guided_json") and schema is not None:
            shapes = (schema, structural(schema), without_arguments(schema))
            levels = {level: self._wrap(shape) for level, shape in enumerate(shapes)} | levels
        # A single schema may be beyond an engine that takes the others.
        return {
            level: fields
            for level, fields in levels.items()
            if level in self._taken or level not in self._refused
        }

    def _wrap(self, schema: JsonObject) -> JsonObject:
        if self._kind == "guided_json":
            return {"guided_json": schema}
        inner: JsonObject = {"name": "pairs", "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": inner}}

    def took(self, level: int, refused: set[int]) -> str | None:
        """Learn from a request; returns what the run should say, if it is new."""
        self._taken.add(level)
        new = refused - self._refused
        self._refused |= refused
        if not new:
            return None
        return f"does not take {_LEFT[min(new)]}; held to {_LEFT[level]} instead"


def structural(schema: Json) -> JsonObject:
    """A schema without the keywords that engines often refuse."""
    assert isinstance(schema, dict)
    return {key: _simple(key, value) for key, value in schema.items() if key in _STRUCTURAL}


def _simple(key: str, value: Json) -> Json:
    if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
        return {name: _schema(inner) for name, inner in value.items()}
    if key in ("anyOf", "oneOf") and isinstance(value, list):
        return [_schema(inner) for inner in value]
    if key in ("items", "additionalProperties"):
        return _schema(value)
    return value


def _schema(value: Json) -> Json:
    return structural(value) if isinstance(value, dict) else value


def without_arguments(schema: Json) -> JsonObject:
    """The frame of a pair's schema: what stands under `arguments` is any object."""

    def walk(value: Json) -> Json:
        if isinstance(value, dict):
            free: Json = {"type": "object"}
            return {k: free if k == "arguments" else walk(v) for k, v in value.items()}
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    walked = walk(structural(schema))
    assert isinstance(walked, dict)
    return walked
