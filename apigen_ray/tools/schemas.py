"""Schemas in other dialects, turned into JSON Schema 2020-12.

Supported are the older drafts (4 to 7), OpenAPI 3.0 (`nullable`, `example`), and the type names of
Python, Java and JavaScript that lists of tools use (`dict`, `float`, `List[int]`, `HashMap`).
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jsonschema_rs

from apigen_ray.records import JsonObject
from apigen_ray.tools.patterns import is_pattern
from apigen_ray.tools.type_names import type_schema

_ONE = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
HOLDING_SCHEMAS = frozenset({*_ONE, *_LISTS, *_MAPS})
"""The keywords whose value is a schema, or has schemas in it."""
_NUMBERS = frozenset(
    {"exclusiveMaximum", "exclusiveMinimum", "maxItems", "maxLength", "maxProperties", "maximum",
     "minItems", "minLength", "minProperties", "minimum", "multipleOf", "uniqueItems"}
)  # fmt: skip
"""Keywords whose value is not text, though some write it as text."""
_DROPPED = frozenset(
    {"$anchor", "$comment", "$id", "$schema", "additionalItems", "discriminator", "externalDocs",
     "nullable", "xml"}
)  # fmt: skip
_ANY_VALUE = ("const", "default", "example")

Reference = Callable[[str, bool], JsonObject]
"""What a `$ref` becomes, given its text and whether it has sibling keywords."""


def to_draft_2020_12(schema: Mapping[str, Any], reference: Reference | None = None) -> JsonObject:
    """The same schema in JSON Schema 2020-12, at every depth; unknown keywords are kept."""
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if value is None and key not in _ANY_VALUE:  # as some programs write what is not set
            continue
        if key == "type":
            result |= _typed(value)
        elif key == "$ref" and isinstance(value, str):
            result |= reference(value, len(schema) > 1) if reference else {"$ref": value}
        elif key in _MAPS and isinstance(value, Mapping):
            result[key] = {str(name): _inner(sub, reference) for name, sub in value.items()}
        elif key in _LISTS and isinstance(value, list):
            result[key] = [_inner(sub, reference) for sub in value]
        elif key == "items" and isinstance(value, list):  # until draft 2019-09
            result["prefixItems"] = [_inner(sub, reference) for sub in value]
            if "additionalItems" in schema:
                result["items"] = _inner(schema["additionalItems"], reference)
        elif key in _ONE:
            result[key] = _inner(value, reference)
        elif key == "dependencies" and isinstance(value, Mapping):
            _dependencies(value, result, reference)
        elif key not in _DROPPED and not str(key).startswith("x-"):
            _keyword(str(key), value, result)
    _older_bounds(result)
    _enum_of_items(result)
    return _nullable(result) if schema.get("nullable") is True else result


def _inner(value: Any, reference: Reference | None) -> Any:
    if isinstance(value, Mapping):
        return to_draft_2020_12(value, reference)
    return (
        {"true": True, "false": False}.get(value.lower(), value)
        if isinstance(value, str)
        else value
    )


def _keyword(key: str, value: Any, result: dict[str, Any]) -> None:
    match key:
        case "required":
            if isinstance(value, list):  # in some lists it is a flag beside the type
                result[key] = list(dict.fromkeys(str(name) for name in value))
        case "enum":
            if isinstance(value, list):
                result[key] = value
        case "example":
            result.setdefault("examples", [value])
        case "examples":
            if isinstance(value, list):
                result[key] = value
        case "description" | "title":
            result[key] = str(value)
        case "pattern":
            if isinstance(value, str) and is_pattern(value):
                result[key] = value
        case _ if key in _NUMBERS and isinstance(value, str):
            with contextlib.suppress(ValueError):
                result[key] = json.loads(value)
        case _:
            result[key] = value


def _dependencies(
    value: Mapping[str, Any], result: dict[str, Any], reference: Reference | None
) -> None:
    for name, needed in value.items():
        key = "dependentRequired" if isinstance(needed, list) else "dependentSchemas"
        result.setdefault(key, {})[name] = _inner(needed, reference)


def _older_bounds(result: dict[str, Any]) -> None:
    """Up to draft 4 and in OpenAPI 3.0, `exclusiveMinimum` is a flag beside `minimum`."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        flag = result.get(exclusive)
        if isinstance(flag, bool):
            del result[exclusive]
            if flag and bound in result:
                result[exclusive] = result.pop(bound)


def _enum_of_items(result: dict[str, Any]) -> None:
    """Move an `enum` beside `array` into its items, whose values it means."""
    values, items = result.get("enum"), result.get("items", {})
    if result.get("type") != "array" or not values or not isinstance(items, dict):
        return
    if not any(isinstance(value, list) for value in values):
        result["items"] = {"enum": result.pop("enum")} | items


def _nullable(schema: dict[str, Any]) -> JsonObject:
    written = schema.get("type")
    if isinstance(written, str | list):
        types = [written] if isinstance(written, str) else list(written)
        schema["type"] = types if "null" in types else [*types, "null"]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return schema
    if not schema.keys() & {"$ref", "allOf", "anyOf", "oneOf", "enum", "const"}:
        return schema
    beside = {key: schema.pop(key) for key in ("default", "description", "title") if key in schema}
    either: JsonObject = {"anyOf": [schema, {"type": "null"}]}
    return either | beside


def _typed(written: Any) -> JsonObject:
    if isinstance(written, str):
        return type_schema(written)
    if not isinstance(written, list):
        return {}
    members = [type_schema(str(name)) for name in written]
    if not all(members):
        return {}
    if all(set(member) == {"type"} for member in members):
        types = list(dict.fromkeys(str(member["type"]) for member in members))
        return {"type": types if len(types) > 1 else types[0]}
    return {"anyOf": members}


def mapped(schema: Mapping[str, Any], change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """The schema with each schema directly inside it changed."""
    result: dict[str, Any] = dict(schema)
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, Mapping):
            result[key] = {n: change(s) if isinstance(s, dict) else s for n, s in value.items()}
        elif key in _LISTS and isinstance(value, list):
            result[key] = [change(s) if isinstance(s, dict) else s for s in value]
        elif key in _ONE and isinstance(value, dict):
            result[key] = change(value)
    return result


MAX_RETURNS = 20_000
"""Characters of the schema of a result: it stands in prompts, where calls may refer to it."""


class InvalidSchema(ValueError):
    """The value is not JSON Schema 2020-12; the message says where and why."""


def check_schema(schema: JsonObject) -> None:
    """Check a schema against the meta-schema, and that its references have targets inside it.

    Raises:
        InvalidSchema: saying what is wrong.
    """
    _validator(schema)


def usable_returns(written: Mapping[str, Any] | None) -> JsonObject | None:
    """The schema of a result; None if it says nothing or is not valid: nothing depends on it."""
    if not written:
        return None
    try:
        returns = to_draft_2020_12(written)
        if len(json.dumps(returns)) > MAX_RETURNS:
            return None
        check_schema(returns)
    except (InvalidSchema, TypeError, ValueError, RecursionError):
        return None
    return returns


def _validator(schema: JsonObject) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(schema, retriever=no_retrieval)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        lines = str(error).strip().splitlines()
        raise InvalidSchema(" ".join(lines[0].split())[:300]) from None


def no_retrieval(uri: str) -> NoReturn:
    """Refuse to fetch a `$ref` to another document."""
    raise LookupError(f"{uri} is outside the schema")


def without_bad_examples(schema: JsonObject) -> tuple[JsonObject, int]:
    """The schema without `examples` that violate it, and how many were dropped."""
    dropped = 0
    defs = schema.get("$defs")

    def cleaned(node: JsonObject) -> JsonObject:
        nonlocal dropped
        result = mapped(node, cleaned)
        examples = result.pop("examples", None)
        if isinstance(examples, list):
            validator = _validator(result | ({"$defs": defs} if defs else {}))
            kept = [example for example in examples if validator.is_valid(example)]
            dropped += len(examples) - len(kept)
            if kept:
                result["examples"] = kept
        return result

    return (cleaned(schema), dropped) if _has_examples(schema) else (schema, 0)


def _has_examples(schema: Any) -> bool:
    found = "examples" in schema

    def look(inner: JsonObject) -> JsonObject:
        nonlocal found
        found = found or _has_examples(inner)
        return inner

    mapped(schema, look)
    return found
