"""Questions about a JSON Schema that both drawing and spoiling arguments need answered."""

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NoReturn

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from apigen_ray.records import Json, JsonObject, Tool

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
    """Whether the arguments satisfy the tool's schema."""
    quick, strict = _validators(json.dumps(tool.parameters))
    if quick and not _has_whole_float(arguments):
        return quick.is_valid(arguments)
    return strict.is_valid(arguments)


# JSON Schema counts 5.0 as an integer, where a function that takes an int may not.
_StrictValidator: Callable[..., Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


@lru_cache(maxsize=1024)
def _validators(parameters: str) -> tuple[jsonschema_rs.Draft202012Validator | None, Validator]:
    """A fast validator, where the two can't differ, and the strict one."""
    schema = json.loads(parameters)
    quick = None
    if not any(f'"{keyword}' in parameters for keyword in ("pattern", "multipleOf")):
        with contextlib.suppress(jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
            quick = jsonschema_rs.Draft202012Validator(schema, retriever=_no_retrieval)
    # An empty registry: a `$ref` to a URL is not fetched.
    return quick, _StrictValidator(schema, registry=Registry())


def _no_retrieval(uri: str) -> NoReturn:
    raise LookupError(f"{uri} is outside the schema")


def _has_whole_float(value: Json) -> bool:
    if isinstance(value, dict):
        return any(map(_has_whole_float, value.values()))
    if isinstance(value, list):
        return any(map(_has_whole_float, value))
    return isinstance(value, float) and value.is_integer()
