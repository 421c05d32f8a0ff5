"""The arguments of a call against the schema of its tool, as a part of stage 1."""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from jsonschema import ValidationError

from apigen_ray import strict_json
from apigen_ray.records import Json, JsonObject, Reason
from apigen_ray.tools.validation import SchemaValidator

_PRECEDENCE = (
    Reason.UNKNOWN_ARGUMENT,
    Reason.MISSING_ARGUMENT,
    Reason.WRONG_TYPE,
    Reason.CONSTRAINT,
)
_KEYWORD_REASON = {
    "additionalProperties": Reason.UNKNOWN_ARGUMENT,
    "unevaluatedProperties": Reason.UNKNOWN_ARGUMENT,
    "propertyNames": Reason.UNKNOWN_ARGUMENT,
    "required": Reason.MISSING_ARGUMENT,
    "dependentRequired": Reason.MISSING_ARGUMENT,
    "type": Reason.WRONG_TYPE,
}


class Flaw(Exception):
    """What is wrong with one data point; leaves the nested readers of it, and goes no further."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def check_arguments(
    arguments: JsonObject, validator: SchemaValidator, where: str, *, coerce: bool
) -> tuple[JsonObject, list[str]]:
    """The arguments that satisfy a schema, and what was coerced in them.

    Args:
        arguments: As the model wrote them.
        validator: Of the tool's parameters.
        where: The call, as details name it.
        coerce: Whether values of the wrong type are converted where nothing is lost by it.

    Raises:
        Flaw: naming the gravest of what is wrong.
    """
    if validator.accepts(arguments):
        return arguments, []
    coerced: list[str] = []
    if coerce:
        arguments, coerced = _coerced(arguments, validator, where)
    flaws = [_classify(error, where) for error in validator.flaws(arguments)]
    if flaws:
        raise min(flaws, key=lambda flaw: (_PRECEDENCE.index(flaw.reason), flaw.detail))
    return arguments, coerced


def _classify(error: ValidationError, where: str) -> Flaw:
    """The reason of a schema error: for `anyOf`, that of the branch the value was meant for."""
    if error.validator in ("anyOf", "oneOf") and error.context:
        branches: dict[Any, list[ValidationError]] = {}
        for inner in error.context:
            branches.setdefault(inner.relative_schema_path[0], []).append(inner)
        meant = [
            branch
            for branch in branches.values()
            if not any(e.validator == "type" and not e.relative_path for e in branch)
        ]
        if not meant:
            return Flaw(Reason.WRONG_TYPE, _detail(error, where))
        return _classify(meant[0][0], where)
    reason = _KEYWORD_REASON.get(str(error.validator), Reason.CONSTRAINT)
    return Flaw(reason, _detail(error, where))


def _detail(error: ValidationError, where: str) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    path = f"{where}.arguments{''.join(steps)}"
    message = error.message
    if len(message) > 300:  # the message repeats the value, which may be megabytes
        message = f"{message[:150]} ... {message[-140:]}"
    return f"{path}: {message}"


def _coerced(
    arguments: JsonObject, validator: SchemaValidator, where: str
) -> tuple[JsonObject, list[str]]:
    """Convert scalars of the wrong type where their text is a value of the right one; name them."""
    result = deepcopy(arguments)
    changed = []
    for error in _type_errors(validator.flaws(arguments)):
        expected: Any = error.validator_value
        wanted = expected if isinstance(expected, list) else [expected]
        instance: Any = error.instance
        value, converted = _converted(instance, wanted)
        if converted and error.absolute_path:
            *parents, last = error.absolute_path
            container: Any = result
            for step in parents:
                container = container[step]
            container[last] = value
            changed.append(_detail(error, where))
    return result, changed


def _type_errors(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        if error.validator == "type":
            yield error
        elif error.validator in ("anyOf", "oneOf"):
            yield from _type_errors(error.context)


def _converted(value: Json, wanted: Sequence[str]) -> tuple[Json, bool]:
    if isinstance(value, float) and "integer" in wanted and value.is_integer():
        return int(value), True
    if not isinstance(value, str):
        return value, False
    try:
        read = strict_json.parse(value)
    except strict_json.NotJson:
        return value, False
    kinds: list[str] = ["boolean"] if isinstance(read, bool) else []
    if isinstance(read, int) and not isinstance(read, bool):
        kinds = ["integer", "number"]
    elif isinstance(read, float):
        kinds = ["number"]
    return (read, True) if set(kinds) & set(wanted) else (value, False)
