"""The members of an object's schema, also where its parts (allOf, oneOf, anyOf) declare them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

MAX_DEPTH = 20

Plain: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""What a schema is without a reference at its root."""


@dataclass(slots=True)
class Members:
    """The members of an object schema, with those of its parts (allOf, oneOf, anyOf)."""

    properties: dict[str, Any] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    free: bool = False
    """Whether other members are allowed."""
    known: bool = False
    """Whether it is said to be an object."""


def members_of(schema: dict[str, Any], plain: Plain) -> Members | None:
    """The members of an object; None if the schema also allows other types.

    Of alternatives (oneOf, anyOf), all members are taken; those that all require are required.
    """
    result = _members(schema, plain, 0)
    if result is None or not result.known:
        return None
    named = dict.fromkeys(result.required)
    result.required = [name for name in named if name in result.properties]
    return result


def _members(schema: dict[str, Any], plain: Plain, depth: int) -> Members | None:
    """The members of one part; it may require members that another part describes."""
    schema = plain(schema)
    kind = schema.get("type")
    if depth > MAX_DEPTH or not (kind is None or kind == "object" or "object" in kind):
        return None
    result = Members(free=schema.get("additionalProperties") is not False)
    result.known = kind is not None or bool({"properties", "required"} & schema.keys())
    for inner in schema.get("allOf") or []:
        part = _members(inner, plain, depth + 1)
        if part is None:
            return None
        _merge(result, part)
        result.required += part.required
    for key in ("oneOf", "anyOf"):
        parts = [_members(inner, plain, depth + 1) for inner in schema.get(key) or []]
        ways = [part for part in parts if part is not None and part.known]
        if len(ways) < len(parts):
            return None
        for part in ways:
            _merge(result, part)
        if ways:
            first, *others = ways
            result.required += [
                name for name in first.required if all(name in o.required for o in others)
            ]
    own = {n: s for n, s in (schema.get("properties") or {}).items() if isinstance(s, dict)}
    hidden = {name for name, s in own.items() if plain(s).get("readOnly") is True}
    visible = {name: s for name, s in own.items() if name not in hidden}
    result.properties.update(visible)
    result.required += schema.get("required") or []
    return result


def _merge(into: Members, part: Members) -> None:
    """Add members; one with two descriptions may be either."""
    into.known = into.known or bool(part.properties)
    for name, schema in part.properties.items():
        known = into.properties.get(name)
        if known is None or known == schema:
            into.properties[name] = schema
            continue
        ways = known["anyOf"] if set(known) == {"anyOf"} else [known]
        into.properties[name] = {"anyOf": ways if schema in ways else [*ways, schema]}
