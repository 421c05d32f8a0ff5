"""Values that a schema rules out, and values that it should have."""

from collections.abc import Iterator

from apigen_ray.models.simulated.schemas import Schema, types
from apigen_ray.records import Json
from apigen_ray.tools.patterns import matches

_NO_SUCH_DAY = "2024-02-30"


def outside(value: Json, schema: Schema) -> Iterator[Json]:
    """Values of the type of `value` that a constraint of the schema rules out."""
    match value:
        case bool() | None:
            return
        case int() | float():
            yield from _outside_number(value, schema)
        case str():
            yield from _outside_text(value, schema)
        case list() if types(schema) == ("array",):
            if smallest := schema.get("minItems"):
                yield value[: smallest - 1]
            if (largest := schema.get("maxItems")) and value:
                yield [*value, *[value[-1]] * (largest + 1 - len(value))]


def _outside_number(value: float, schema: Schema) -> Iterator[Json]:
    if set(types(schema)) - {"integer", "number"} or not types(schema):
        return
    if "enum" in schema:
        yield max(schema["enum"]) + 1
        return
    for keyword, step in (("minimum", -1), ("maximum", 1)):
        if keyword in schema:
            yield schema[keyword] + step
    for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
        if keyword in schema:
            yield schema[keyword]


def _outside_text(value: str, schema: Schema) -> Iterator[Json]:
    if types(schema) not in (("string",), ()):
        return
    if "enum" in schema:
        if all(isinstance(allowed, str) for allowed in schema["enum"]):
            yield f"{value}_other"
        return
    if types(schema) != ("string",):
        return
    if pattern := schema.get("pattern"):
        yield from (text for text in ("?", "not this", "~ 0") if not matches(pattern, text))
    if smallest := schema.get("minLength"):
        yield value[: smallest - 1]
    if largest := schema.get("maxLength"):
        yield value + "x" * (largest + 1 - len(value))


def impossible(schema: Schema) -> Iterator[Json]:
    """Values that a schema allows and no implementation can do anything with."""
    if schema.get("format") == "date":
        yield _NO_SUCH_DAY
    if types(schema) == ("array",) and "minItems" not in schema:
        yield []
