"""Validates values against JSON Schema 2020-12, without fetching anything.

JSON Schema counts 5.0 as an integer. But Python's range(5.0) raises, and BFCL's checker refuses it:
here, an integer is a number written without a fraction.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import NoReturn

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from apigen_ray.records import Json, JsonObject


def _multiple_of(
    validator: Validator, factor: float, value: Json, _schema: JsonObject
) -> Iterator[ValidationError]:
    """Exact, unlike float arithmetic: 0.3 is a multiple of 0.1."""
    if validator.is_type(value, "number") and Fraction(str(value)) % Fraction(str(factor)):
        yield ValidationError(f"{value!r} is not a multiple of {factor!r}")


_StrictValidator: Callable[..., Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={"multipleOf": _multiple_of},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


class SchemaValidator:
    """Checks whether values satisfy a schema, and says what is wrong with those that don't."""

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema

    @cached_property
    def _quick(self) -> jsonschema_rs.Draft202012Validator | None:
        if '"pattern' not in json.dumps(self._schema):  # two dialects of regular expressions
            with contextlib.suppress(jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
                return jsonschema_rs.Draft202012Validator(self._schema, retriever=no_retrieval)
        return None

    @cached_property
    def _strict(self) -> Validator:
        return _StrictValidator(self._schema, registry=Registry())  # an empty one fetches nothing

    def accepts(self, value: Json) -> bool:
        """Whether the value satisfies the schema; uses the fast validator where it can."""
        if self._quick and not _has_whole_float(value):
            return self._quick.is_valid(value)
        return self._strict.is_valid(value)

    def flaws(self, value: Json) -> Iterator[ValidationError]:
        """What is wrong with a value."""
        return self._strict.iter_errors(value)


@lru_cache(maxsize=8192)
def validator_of(schema: str) -> SchemaValidator:
    """The cached validator of a schema that is JSON text."""
    return SchemaValidator(json.loads(schema))


def no_retrieval(uri: str) -> NoReturn:
    """Refuse to fetch a `$ref` to another document."""
    raise LookupError(f"{uri} is outside the schema")


def _has_whole_float(value: Json) -> bool:
    """Whether a number such as 5.0 occurs, which other validators take for an integer."""
    if isinstance(value, dict):
        return any(map(_has_whole_float, value.values()))
    if isinstance(value, list):
        return any(map(_has_whole_float, value))
    return isinstance(value, float) and value.is_integer()
