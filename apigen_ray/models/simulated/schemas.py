"""Questions about a JSON Schema that both drawing and spoiling arguments need answered."""

from collections.abc import Iterator
from typing import Any

from apigen_ray.records import JsonObject, Tool
from apigen_ray.strict_json import canonical
from apigen_ray.tools.references import has_references, referring
from apigen_ray.tools.validation import validator_of

Schema = dict[str, Any]
MAX_REFERENCES = 16


def properties(tool: Tool) -> dict[str, Schema]:
    """The schemas of the tool's arguments, by name."""
    declared: Any = tool.parameters.get("properties", {})
    return {name: schema if isinstance(schema, dict) else {} for name, schema in declared.items()}


def required(tool: Tool) -> frozenset[str]:
    """The names of the arguments that can't be left out."""
    names: Any = tool.parameters.get("required", [])
    return frozenset(names)


def resolve(schema: Schema, root: JsonObject) -> Schema:
    """Follow `$ref` to its target in the same document, but not in a circle."""
    for _ in range(MAX_REFERENCES):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            break
        target: Any = root
        for step in reference.removeprefix("#").strip("/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")] if step else target
        schema = {key: value for key, value in schema.items() if key != "$ref"} | target
    return schema


def branches(schema: Schema, root: JsonObject) -> Iterator[Schema]:
    """The alternatives of a schema, or itself if it has none."""
    schema = resolve(schema, root)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            for branch in schema[keyword]:
                yield from branches(branch, root)
            return
    yield schema


def types(schema: Schema) -> tuple[str, ...]:
    """The types that a schema without alternatives names."""
    declared = schema.get("type", ())
    return (declared,) if isinstance(declared, str) else tuple(declared)


def accepts(tool: Tool, arguments: JsonObject) -> bool:
    """Whether the arguments satisfy the tool's schema; a reference may stand for any value."""
    validator = validator_of(canonical(tool.parameters))
    if has_references(arguments):
        validator = referring(validator)
    return validator.accepts(arguments)
