"""Schemas with a discriminator: an object of one is an object of one of its children.

A child names its parent in `allOf`, so the parent alone does not say which members there may be.
Here the parent becomes `oneOf` the children, who get its own members under another name.
"""

from collections.abc import Callable, Mapping
from typing import Any


def with_alternatives(root: dict[str, Any]) -> dict[str, Any]:
    """The document with the children of its discriminated schemas as their alternatives."""
    if isinstance(root.get("definitions"), dict):
        return root | {"definitions": _replaced(root["definitions"], "#/definitions/")}
    components = root.get("components")
    if isinstance(components, dict) and isinstance(components.get("schemas"), dict):
        schemas = _replaced(components["schemas"], "#/components/schemas/")
        return root | {"components": components | {"schemas": schemas}}
    return root


def _replaced(schemas: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    children = {
        name: found
        for name, schema in schemas.items()
        if _is_parent(schema) and (found := _children(name, schema, schemas, prefix))
    }

    def own(reference: str) -> str:
        """The reference to what a schema says itself."""
        return f"{reference}.base" if reference.removeprefix(prefix) in children else reference

    result: dict[str, Any] = {}
    for name, schema in schemas.items():
        result[name] = alone = _with_own_parts(schema, own)
        if name in children:
            result[f"{name}.base"] = {k: v for k, v in alone.items() if k != "discriminator"}
            alternatives = {value: own(ref) for value, ref in children[name].items()}
            result[name] = _one_of(schema, alternatives)
    return result


def _with_own_parts(schema: Any, own: Callable[[str], str]) -> Any:
    """A schema whose parents are what they say themselves."""
    if not isinstance(schema, dict) or not isinstance(schema.get("allOf"), list):
        return schema
    parts = [
        {**part, "$ref": own(part["$ref"])} if _reference(part) else part
        for part in schema["allOf"]
    ]
    return {**schema, "allOf": parts}


def _is_parent(schema: Any) -> bool:
    return (
        isinstance(schema, dict)
        and isinstance(schema.get("discriminator"), dict)
        and isinstance(schema["discriminator"].get("propertyName"), str)
        and not {"oneOf", "anyOf"} & schema.keys()
    )


def _children(
    parent: str, schema: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str
) -> dict[str, str]:
    """The references to the children of a schema, by what its discriminator says for each."""
    mapping = schema["discriminator"].get("mapping")
    if isinstance(mapping, dict) and mapping:
        bare = {str(target): f"{prefix}{target}" for target in schemas}
        return {str(value): bare.get(str(ref), str(ref)) for value, ref in mapping.items()}
    found = {f"{prefix}{parent}"}
    for _ in schemas:  # children of children count, too
        more = {
            f"{prefix}{name}"
            for name, child in schemas.items()
            if isinstance(child, dict) and found & set(map(_reference, child.get("allOf") or ()))
        }
        if more <= found:
            break
        found |= more
    names = sorted(ref.removeprefix(prefix) for ref in found)
    return {name: f"{prefix}{name}" for name in names if name != parent}


def _reference(part: Any) -> str:
    reference = part.get("$ref") if isinstance(part, dict) else None
    return reference if isinstance(reference, str) else ""


def _one_of(schema: Mapping[str, Any], children: Mapping[str, str]) -> dict[str, Any]:
    """The alternatives, each with its own value of the discriminator."""
    key = schema["discriminator"]["propertyName"]
    declared = (schema.get("properties") or {}).get(key)
    described = {"type": "string"} | (declared if isinstance(declared, dict) else {})
    return {
        **{name: schema[name] for name in ("description", "title") if name in schema},
        "type": "object",
        "properties": {key: described | {"enum": list(children)}},
        "required": [key],
        "oneOf": [
            {"allOf": [{"$ref": reference}, {"properties": {key: {"enum": [value]}}}]}
            for value, reference in children.items()
        ],
    }
