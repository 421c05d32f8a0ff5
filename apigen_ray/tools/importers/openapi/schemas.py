"""The schemas of an OpenAPI document, and the members of objects."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from apigen_ray.tools.importers.documents import References, Unusable
from apigen_ray.tools.importers.findings import RefusalReason
from apigen_ray.tools.importers.names import legal
from apigen_ray.tools.members import Members, members_of
from apigen_ray.tools.schemas import to_draft_2020_12

_NESTED = frozenset(
    {"$ref", "additionalProperties", "allOf", "anyOf", "items", "not", "oneOf", "prefixItems",
     "properties"}
)  # fmt: skip


class Schemas:
    """The schemas of a document, converted once; references become `#/$defs/...`."""

    def __init__(self, references: References, *, ref_stands_alone: bool) -> None:
        self._references = references
        # In 3.0, a $ref hides the keywords beside it.
        self._ref_stands_alone = ref_stands_alone
        self._names: dict[str, str] = {}
        self._targets: dict[str, tuple[Any, str]] = {}
        self._converted: dict[str, dict[str, Any]] = {}
        self._needs: dict[str, frozenset[str]] = {}

    def converted(self, raw: Any, base: str) -> dict[str, Any]:
        """A schema in JSON Schema 2020-12."""
        if raw is True or raw is None:
            return {}
        if raw is False:
            return {"not": {}}
        if not isinstance(raw, dict):
            raise Unusable(RefusalReason.INVALID_SCHEMA, f"{str(raw)[:60]!r} is not a schema")
        if self._ref_stands_alone and isinstance(raw.get("$ref"), str):
            raw = {"$ref": raw["$ref"]}
        elif raw.get("examples") is not None and not isinstance(raw["examples"], list):
            raw = {key: value for key, value in raw.items() if key != "examples"}

        def reference(text: str, beside: bool) -> dict[str, Any]:
            return self._reference(text, base, beside)

        return to_draft_2020_12(raw, reference)

    def _reference(self, text: str, base: str, beside: bool) -> dict[str, Any]:
        target, uri = self._references.follow(text, base)
        if isinstance(target, dict) and not beside and _is_small(target):
            return self.converted(target, uri)
        return {"$ref": f"#/$defs/{self._name(uri, target)}"}

    def _name(self, uri: str, target: Any) -> str:
        if uri not in self._names:
            wanted = legal(re.split(r"[/#]", uri.rstrip("/#"))[-1], "schema")
            name, number = wanted, 2
            while name in self._targets:
                name, number = f"{wanted}_{number}", number + 1
            self._names[uri] = name
            self._targets[name] = (target, uri)
        return self._names[uri]

    def definition(self, name: str) -> dict[str, Any]:
        """The schema behind `#/$defs/<name>`."""
        if name not in self._converted:
            target, uri = self._targets[name]
            self._converted[name] = self.converted(target, uri)
        return self._converted[name]

    def plain(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema without a reference at its root; keywords beside the reference are kept."""
        hops = 0
        while isinstance(schema.get("$ref"), str) and hops < 20:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**self.definition(schema["$ref"].removeprefix("#/$defs/")), **rest}
            hops += 1
        return schema

    def closure(self, schema: Any) -> dict[str, Any]:
        """All definitions that a schema needs, directly or through others."""
        result: dict[str, Any] = {}
        waiting = list(_needed(schema))
        while waiting:
            name = waiting.pop()
            if name not in result:
                result[name] = self.definition(name)
                if name not in self._needs:
                    self._needs[name] = frozenset(_needed(result[name]))
                waiting += self._needs[name]
        return dict(sorted(result.items()))

    def members(self, raw: Any, base: str) -> Members | None:
        """The members of an object; None if the schema also allows other types."""
        return self.members_of(self.converted(raw, base))

    def members_of(self, schema: dict[str, Any]) -> Members | None:
        """The members of a converted schema."""
        return members_of(schema, self.plain)

    def kinds(self, schema: Any, depth: int = 0) -> set[str]:
        """The types a schema allows; empty if it names none."""
        if not isinstance(schema, dict) or depth > 20:
            return set()
        plain = self.plain(schema)
        kind = plain.get("type")
        if isinstance(kind, str):
            return {kind}
        if isinstance(kind, list):
            return {str(name) for name in kind}
        if isinstance(plain.get("enum"), list):
            return {kind_of(value) for value in plain["enum"]}
        if "const" in plain:
            return {kind_of(plain["const"])}
        if "properties" in plain or "additionalProperties" in plain:
            return {"object"}
        if "items" in plain:
            return {"array"}
        found: set[str] = set()
        for key in ("allOf", "anyOf", "oneOf"):
            for inner in plain.get(key) or []:
                found |= self.kinds(inner, depth + 1)
        return found


def _is_small(target: Mapping[str, Any]) -> bool:
    """Whether a schema reads more easily inlined than by reference."""
    return not target.keys() & _NESTED


def _needed(schema: Any) -> Iterator[str]:
    """The definitions that a schema names."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix("#/$defs/")
            elif key not in ("enum", "const", "default", "examples"):
                yield from _needed(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _needed(value)


def kind_of(value: Any) -> str:
    """The JSON type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
