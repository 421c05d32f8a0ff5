"""References of `sequential` data points: checked in stage 1, replaced by values in stage 2."""

from collections.abc import Mapping, Sequence

from apigen_ray.records import Failed, Json, JsonObject, Reason, Returned
from apigen_ray.stages.arguments import Flaw
from apigen_ray.tools.references import Reference, path_text, placed, read_reference
from apigen_ray.tools.schema_paths import at, may_fit
from apigen_ray.tools.validation import SchemaValidator

_LONGEST_SHOWN = 80


def check_references(
    arguments: JsonObject,
    validator: SchemaValidator,
    earlier: Sequence[tuple[str, JsonObject | None]],
    where: str,
) -> None:
    """Check what the arguments of a call refer to.

    Args:
        arguments: As the model wrote them.
        validator: Of the tool's parameters.
        earlier: The name of each call before, and the schema of what it returns, where known.
        where: The call, as details name it.

    Raises:
        Flaw: of the first reference that has one.
    """
    for path, value in placed(arguments):
        place = f"{where}.arguments{path_text(path)}"
        reference = read_reference(value)
        if reference is None:
            raise _bad(place, f"{_shown(value)} is not of the form calls[0].result.key[0]")
        if reference.call >= len(earlier):
            raise _bad(place, f"{reference} is not the result of an earlier call")
        name, returns = earlier[reference.call]
        if returns is None:
            continue
        outputs = at(returns, reference.path)
        if not outputs:
            shown = path_text(reference.path)
            raise _bad(place, f"{reference}: {name} returns nothing at {shown}")
        wanted = at(validator.schema, path)
        if wanted and not any(
            may_fit(one, returns, other, validator.schema) for one in outputs for other in wanted
        ):
            raise _bad(place, f"{reference} is {_types(outputs)}, where {_types(wanted)} belongs")


def _bad(place: str, what: str) -> Flaw:
    return Flaw(Reason.BAD_REFERENCE, f"{place}: {what}")


def _types(schemas: Sequence[JsonObject]) -> str:
    return " or ".join(dict.fromkeys(str(schema.get("type", "something")) for schema in schemas))


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


# --- stage 2


class Unresolved(Exception):
    """A reference has no value; the message says why."""


def resolved(value: Json, results: Mapping[int, Returned | Failed], place: str = "") -> Json:
    """A value with what its references refer to.

    Args:
        value: Arguments, or a part of them.
        results: Those of the earlier calls, by their index.
        place: The value, as messages name it.

    Raises:
        Unresolved: if a result does not have what is referred to.
    """
    reference = read_reference(value)
    if reference:
        return _value_of(reference, results, place)
    if isinstance(value, dict):
        return {k: resolved(inner, results, f"{place}.{k}") for k, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, results, f"{place}[{i}]") for i, inner in enumerate(value)]
    return value


def _value_of(reference: Reference, results: Mapping[int, Returned | Failed], place: str) -> Json:
    result = results.get(reference.call)
    if not isinstance(result, Returned):
        raise Unresolved(f"{place}: {reference}: calls[{reference.call}] returned nothing")
    found: Json = result.result
    for step in reference.path:
        try:
            found = _at(found, step)
        except LookupError:
            shown = path_text((step,))
            raise Unresolved(f"{place}: {reference}: there is no {shown} in the result") from None
    return found


def _at(value: Json, step: str | int) -> Json:
    if isinstance(value, dict) and isinstance(step, str):
        return value[step]
    if isinstance(value, list) and isinstance(step, int):
        item: Json = value[step]
        return item
    raise LookupError
