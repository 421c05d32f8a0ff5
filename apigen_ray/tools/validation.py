"""Validates values against JSON Schema 2020-12, without fetching anything.

JSON Schema counts 5.0 as an integer. But Python's range(5.0) raises, and BFCL's checker refuses it:
here, an integer is a number written without a fraction.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cached_property, lru_cache

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from apigen_ray.records import Json, JsonObject
from apigen_ray.tools.patterns import ENGINE, matches
from apigen_ray.tools.schemas import mapped, no_retrieval


def _multiple_of(
    validator: Validator, factor: float, value: Json, _schema: JsonObject
) -> Iterator[ValidationError]:
    """Exact, unlike float arithmetic: 0.3 is a multiple of 0.1."""
    if validator.is_type(value, "number") and Fraction(str(value)) % Fraction(str(factor)):
        yield ValidationError(f"{value!r} is not a multiple of {factor!r}")


def _pattern(
    validator: Validator, pattern: str, value: Json, _schema: JsonObject
) -> Iterator[ValidationError]:
    """In the engine of the fast validator: Python's `re` may take for ever."""
    if isinstance(value, str) and not matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_StrictValidator: Callable[..., Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={"multipleOf": _multiple_of, "pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


class SchemaValidator:
    """Checks whether values satisfy a schema, and says what is wrong with those that don't."""

    def __init__(self, schema: JsonObject) -> None:
        self.schema = schema

    @cached_property
    def _quick(self) -> jsonschema_rs.Draft202012Validator | None:
        with contextlib.suppress(jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
            return jsonschema_rs.Draft202012Validator(
                self.schema, retriever=no_retrieval, pattern_options=ENGINE
            )
        return None

    @cached_property
    def _plain(self) -> Validator | None:
        return None if '"patternProperties"' in json.dumps(self.schema) else _strict(self.schema)

    def _strict_for(self, value: Json) -> Validator:
        return self._plain or _strict(_of_names(self.schema, set(_names(value))))

    def accepts(self, value: Json) -> bool:
        """Whether the value satisfies the schema; uses the fast validator where it can."""
        if self._quick and not _has_whole_float(value):
            return self._quick.is_valid(value)
        return self._strict_for(value).is_valid(value)

    def flaws(self, value: Json) -> Iterator[ValidationError]:
        """What is wrong with a value."""
        return self._strict_for(value).iter_errors(value)


def _strict(schema: JsonObject) -> Validator:
    return _StrictValidator(schema, registry=Registry())  # an empty one fetches nothing


@lru_cache(maxsize=8192)
def validator_of(schema: str) -> SchemaValidator:
    """The cached validator of a schema that is JSON text."""
    return SchemaValidator(json.loads(schema))


def _of_names(schema: JsonObject, names: Iterable[str]) -> JsonObject:
    """The schema with `properties` in place of `patternProperties`, for these names.

    `jsonschema` would match names in several places, with Python's `re`.
    """
    inner = mapped(schema, lambda part: _of_names(part, names))
    patterns = inner.pop("patternProperties", None)
    if not isinstance(patterns, dict):
        return inner
    declared = inner.get("properties")
    properties: JsonObject = dict(declared) if isinstance(declared, dict) else {}
    for name in names:
        found = [part for pattern, part in patterns.items() if matches(pattern, name)]
        if found:
            own = [properties[name]] if name in properties else []
            properties[name] = {"allOf": [*own, *found]}
    return inner | {"properties": properties}


def _names(value: Json) -> Iterator[str]:
    """The keys of all objects in a value."""
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def _has_whole_float(value: Json) -> bool:
    """Whether a number such as 5.0 occurs, which other validators take for an integer."""
    if isinstance(value, dict):
        return any(map(_has_whole_float, value.values()))
    if isinstance(value, list):
        return any(map(_has_whole_float, value))
    return isinstance(value, float) and value.is_integer()
