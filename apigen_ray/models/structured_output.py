"""Structured output: how a schema is sent, and what is sent where an engine refuses it.

Engines support different parts of JSON Schema, and answer 400 or 422 to the rest. Then the same
request is sent with less and less of the schema; stage 1 checks all of it in any case.
"""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from apigen_ray.records import Json, JsonObject

ResponseFormat: TypeAlias = Literal["none", "json_object", "json_schema", "guided_json"]

_STRUCTURAL = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf",
    "oneOf", "$ref", "$defs", "definitions",
}  # fmt: skip
"""Keywords that every engine with structured output supports."""

_RARE = {
    "uniqueItems", "contains", "minContains", "maxContains", "not", "if", "then", "else",
    "dependentRequired", "dependentSchemas", "propertyNames", "patternProperties", "multipleOf",
    "unevaluatedProperties", "unevaluatedItems", "minProperties", "maxProperties", "format",
    "minLength", "maxLength",
}  # fmt: skip
"""Keywords that few engines support."""

_JSON_OBJECT: JsonObject = {"response_format": {"type": "json_object"}}
_LEVELS = (
    "the whole schema",
    "the schema without its rare keywords",
    "the schema without ranges, lengths, patterns and formats",
    "the schema without the tools' arguments",
    "JSON of any shape",
    "no constraint",
)


WITH_SCHEMA: frozenset[ResponseFormat] = frozenset({"json_schema", "guided_json"})
"""The formats that take a schema."""


class StructuredOutput:
    """The constraint that an engine is asked to put on completions; learns what it refuses."""

    def __init__(self, kind: ResponseFormat) -> None:
        self._kind = kind
        self._accepted: set[int] = set()
        self._refused: set[int] = set()

    def fields(self, schema: JsonObject | None) -> Mapping[int, JsonObject]:
        """The fields of the request body that ask for it, by level, the strictest first."""
        levels: dict[int, JsonObject] = {5: {}}
        if self._kind != "none":
            levels = {4: _JSON_OBJECT} | levels
        if self._kind in WITH_SCHEMA and schema is not None:
            shapes = (schema, common(schema), structural(schema), without_arguments(schema))
            different = [n for n, shape in enumerate(shapes) if shape not in shapes[:n]]
            levels = {level: self._wrap(shapes[level]) for level in different} | levels
        # An engine may refuse a single schema and accept others.
        return {
            level: fields
            for level, fields in levels.items()
            if level in self._accepted or level not in self._refused
        }

    def _wrap(self, schema: JsonObject) -> JsonObject:
        if self._kind == "guided_json":
            return {"guided_json": schema}
        inner: JsonObject = {"name": "answer", "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": inner}}

    def fallback_used(self, level: int, refused: set[int]) -> str | None:
        """Learn from a request; returns a notice for the user, if a fallback was used anew."""
        self._accepted.add(level)
        new = refused - self._refused
        self._refused |= refused
        if not new:
            return None
        return f"does not accept {_LEVELS[min(new)]}; falls back to {_LEVELS[level]}"


def common(schema: Json) -> JsonObject:
    """A schema without the keywords that few engines support."""
    return _filtered(schema, lambda key: key not in _RARE)


def structural(schema: Json) -> JsonObject:
    """A schema without the keywords that engines often refuse."""
    return _filtered(schema, lambda key: key in _STRUCTURAL)


def _filtered(schema: Json, kept: Callable[[str], bool]) -> JsonObject:
    """A schema with only the keywords for which `kept` is true, at every depth."""
    assert isinstance(schema, dict)

    def inner(key: str, value: Json) -> Json:
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            return {name: below(schema) for name, schema in value.items()}
        if key in ("enum", "const", "default", "examples"):
            return value
        return [below(item) for item in value] if isinstance(value, list) else below(value)

    def below(value: Json) -> Json:
        return _filtered(value, kept) if isinstance(value, dict) else value

    return {key: inner(key, value) for key, value in schema.items() if kept(key)}


def without_arguments(schema: Json) -> JsonObject:
    """The outline of a pair's schema: `arguments` may be any object."""

    def walk(value: Json) -> Json:
        if isinstance(value, dict):
            free: Json = {"type": "object"}
            return {k: free if k == "arguments" else walk(v) for k, v in value.items()}
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    assert isinstance(schema, dict)
    walked = walk({key: value for key, value in schema.items() if key != "$defs"})
    assert isinstance(walked, dict)
    return walked
