"""The parameters of tools, in the two forms that tool lists have: JSON Schema, and xLAM's flat one.

A value is a JSON Schema if its `type` is an object, or if a keyword has the form that it has in a
JSON Schema alone. In the flat form, each entry is a parameter with a schema of its own or a mere
description: a parameter may be called `type` or `properties`.

Both become an object's schema that declares its `properties` at the root, where prompts, drawn
calls and exports look for them, also if the source declares them behind `$ref`, `allOf` or `anyOf`.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from apigen_ray import strict_json
from apigen_ray.records import JsonObject
from apigen_ray.tools.members import MAX_DEPTH, members_of
from apigen_ray.tools.schemas import HOLDING_SCHEMAS, check_schema, to_draft_2020_12
from apigen_ray.tools.type_names import split_note, type_schema

_OF_SCHEMAS = ("$defs", "definitions", "patternProperties", "properties")
_TEXTS = ("$comment", "$id", "$ref", "$schema")
_LISTED = ("allOf", "anyOf", "examples", "oneOf", "required")
_FLAGS = ("additionalProperties", "unevaluatedProperties")
_BESIDE_TYPE = frozenset(
    {"const", "default", "description", "enum", "example", "examples", "format", "items", "title"}
)
_OBJECTS = frozenset(
    {*HOLDING_SCHEMAS, "const", "default", "dependencies", "dependentRequired", "discriminator",
     "example", "externalDocs", "xml"}
)  # fmt: skip
"""Keywords whose value may be an object."""
_DECLARING = frozenset({"description", "properties", "required", "title", "type"})


class NotParameters(ValueError):
    """The value is in neither form; the message says what is wrong."""


def read_parameters(written: object) -> JsonObject:
    """The parameters of a tool; of one without any, those of a function without arguments.

    Raises:
        NotParameters: saying what is wrong.
        InvalidSchema: if it is no valid JSON Schema.
    """
    if not written and isinstance(written, Mapping | list | None):  # PHP writes {} as []
        return {"type": "object", "properties": {}}
    if isinstance(written, str):
        try:
            return read_parameters(strict_json.parse(written))
        except strict_json.NotJson as error:
            raise NotParameters(f"are text, but not JSON: {error}") from None
    if not isinstance(written, Mapping):
        raise NotParameters("must be a JSON object")
    kind = written.get("type")
    other = type_schema(kind).get("type", "object") if isinstance(kind, str) else "object"
    if other != "object" and written.keys() <= _BESIDE_TYPE | {"type"}:
        raise NotParameters(f"must be an object's schema, not of type {kind!r}")
    if _may_be_object(kind) or any(_is_keyword(key, value) for key, value in written.items()):
        return _object(written)
    return _flat_list(written)


def _may_be_object(kind: Any) -> bool:
    kinds = kind if isinstance(kind, list) else [kind]
    return any(isinstance(k, str) and type_schema(k).get("type") == "object" for k in kinds)


def _is_keyword(key: str, value: Any) -> bool:
    """Whether this is a keyword of JSON Schema, and no parameter of that name."""
    if key in _OF_SCHEMAS:
        if not value:
            return key == "properties" and isinstance(value, Mapping | list | None)
        return isinstance(value, Mapping) and all(
            isinstance(inner, Mapping | bool) for inner in value.values()
        )
    return (
        (key in _TEXTS and isinstance(value, str))
        or (key in _LISTED and isinstance(value, list))
        or (key in _FLAGS and isinstance(value, bool))
    )


# --- JSON Schema


def _object(written: Mapping[str, Any]) -> JsonObject:
    if "properties" in written and not written["properties"]:  # null in Go, [] in PHP
        written = {**written, "properties": {}}
    schema: dict[str, Any] = to_draft_2020_12(written)
    check_schema(schema)
    if "$ref" in schema:
        schema = _inlined(schema)
    schema["type"] = "object"
    for key in ("anyOf", "oneOf"):  # arguments are an object, though the schema may allow null
        if key in schema:
            types = [_plain(branch, schema).get("type", "object") for branch in schema[key]]
            branches = zip(schema[key], types, strict=True)
            schema[key] = [branch for branch, kind in branches if _may_be_object(kind)]
            if not schema[key]:
                raise NotParameters(f"{key} allows no object")
    return _without_unused(_declared(schema, written))


def _declared(schema: dict[str, Any], written: Mapping[str, Any]) -> JsonObject:
    """The schema with the properties that it declares anywhere; free of form if it declares none.

    Raises:
        NotParameters: if properties seem to be declared at the root.
    """
    found = members_of(schema, lambda part: _plain(part, schema))
    if found is None:
        return schema
    declares = "properties" in schema
    if "additionalProperties" not in schema:
        if _only_declares(schema):
            schema.pop("allOf", None)
        schema["properties"] = found.properties | schema.get("properties", {})
        if required := list(dict.fromkeys([*schema.get("required", ()), *found.required])):
            schema["required"] = required
    if not declares and not schema.get("properties"):
        stray = [k for k, v in written.items() if isinstance(v, Mapping) and k not in _OBJECTS]
        if stray:
            raise NotParameters(f"{stray[0]!r} must stand inside `properties`")
        schema.setdefault("additionalProperties", True)
    return schema


def _only_declares(schema: dict[str, Any]) -> bool:
    """Whether `allOf` does no more than to declare properties, each of them once."""
    parts = [_plain(part, schema) for part in schema.get("allOf", ())]
    names = [name for part in (schema, *parts) for name in part.get("properties", ())]
    return all(part.keys() <= _DECLARING for part in parts) and len(names) == len(set(names))


def _without_unused(schema: dict[str, Any]) -> JsonObject:
    """The schema without definitions if it refers to none."""
    used = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    return schema if len(used) == len(schema) or '"$ref"' in json.dumps(used) else used


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the target of its root's reference in its place, or as a part of it."""
    target = _plain({"$ref": schema["$ref"]}, schema)
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    if "$ref" in target:
        return schema
    if target.keys() & beside.keys() <= _DECLARING - {"properties", "required"}:
        return {**target, **beside}
    return beside | {"allOf": [*beside.get("allOf", ()), target]}


def _plain(schema: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without a reference at its root; an external or broken one stays, to be refused."""
    plain = schema if isinstance(schema, dict) else {}
    for _ in range(MAX_DEPTH):
        reference = plain.get("$ref")
        target = _target(root, reference) if isinstance(reference, str) else None
        if target is None:
            break
        plain = {**target, **{key: value for key, value in plain.items() if key != "$ref"}}
    return plain


def _target(root: Any, reference: str) -> dict[str, Any] | None:
    """What a reference inside the schema points to."""
    document, _, pointer = reference.partition("#")
    node = None if document else root
    for step in filter(None, unquote(pointer).split("/")):
        key = step.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None


# --- the flat form


def _flat_list(written: Mapping[str, Any]) -> JsonObject:
    # Where some parameters are flagged as required, those without the flag are not.
    flagged = any(
        isinstance(spec, Mapping) and isinstance(spec.get("required"), bool)
        for spec in written.values()
    )
    properties: JsonObject = {}
    required = []
    for parameter, described in written.items():
        if isinstance(described, str):  # which does not say whether it is required
            properties[parameter] = {"description": described}
            continue
        if not isinstance(described, Mapping):
            raise NotParameters(f"parameter {parameter!r} must be a text or an object")
        kind = described.get("type")
        noted = isinstance(kind, str) and split_note(kind)[1]
        properties[parameter] = to_draft_2020_12(described)
        optional = not described.get("required") if flagged else noted or "default" in described
        if not optional:
            required.append(parameter)
    schema: JsonObject = {"type": "object", "properties": properties}
    return schema | {"required": required} if required else schema
