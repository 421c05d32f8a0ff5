"""Arguments that take their value from the result of an earlier call: `sequential` data points.

    {"$ref": "calls[0].result.items[0].id"}

The path is JSONPath's simple subset (RFC 9535): keys and indices, `["a key"]` for one with spaces.
Stage 1 checks that a reference has something to refer to, stage 2 puts the value in its place.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apigen_ray.records import Call, Failed, Json, JsonObject, Reason, Returned
from apigen_ray.stages.arguments import Flaw
from apigen_ray.tools.schema_paths import Path, at, may_fit
from apigen_ray.tools.schemas import mapped
from apigen_ray.tools.validation import SchemaValidator

KEY = "$ref"
FORM = r"^calls\[\d+\]\.result(\.[A-Za-z_][\w-]*|\[-?\d+\]|\[\"[^\"]*\"\]|\['[^']*'\])*$"
"""The form of a reference, as a pattern."""
SIMPLE_FORM = r"^calls\[[0-9]\]\.result(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]\]){0,4}$"
"""What engines that constrain a model's output let it write."""
_FORM = re.compile(FORM)
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(-?\d+)\]|\[\"([^\"]*)\"\]|\['([^']*)'\]")
_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Reference:
    """A value inside the result of a call."""

    call: int
    """The index of the call."""
    path: Path
    """From its result to the value."""

    def __str__(self) -> str:
        return f"calls[{self.call}].result{path_text(self.path)}"


def path_text(path: Path) -> str:
    """A path as references write it."""
    return "".join(map(_step_text, path))


def _step_text(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if re.fullmatch(r"[A-Za-z_][\w-]*", step) else f'["{step}"]'


def reference_form(reference: Reference) -> JsonObject:
    """A reference as arguments hold it."""
    return {KEY: str(reference)}


def read_reference(value: Json) -> Reference | None:
    """The reference that a value is; None if it is a value of its own."""
    text = value.get(KEY) if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(text, str) or not _FORM.match(text):
        return None
    start, _, path = text.partition(".result")
    return Reference(int(start[6:-1]), tuple(map(_step, _STEP.finditer(path))))


def _step(found: re.Match[str]) -> str | int:
    key, index, *quoted = found.groups()
    if index is not None:
        return int(index)
    return next(text for text in (key, *quoted) if text is not None)


def placed(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Every object in a value that is a reference or means to be one, with its place."""
    if isinstance(value, dict):
        if KEY in value:
            yield path, value
            return
        for key, inner in value.items():
            yield from placed(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from placed(inner, (*path, index))


def references_of(calls: Sequence[Call]) -> list[Reference]:
    """The references in the arguments of calls."""
    found = (read_reference(value) for call in calls for _, value in placed(call.arguments))
    return [reference for reference in found if reference]


def has_references(arguments: Json) -> bool:
    """Whether a value has a reference in it."""
    return any(read_reference(value) for _, value in placed(arguments))


# --- stage 1


@lru_cache(maxsize=2048)
def referring(validator: SchemaValidator) -> SchemaValidator:
    """The validator of arguments in which a reference may stand for any value."""
    return SchemaValidator(_open(validator.schema))


_IS_REFERENCE: JsonObject = {"type": "object", "required": [KEY]}


def _open(schema: JsonObject) -> JsonObject:
    opened = mapped(schema, lambda inner: {"if": _IS_REFERENCE, "else": _open(inner)})
    if "not" in schema:
        opened["not"] = schema["not"]
    if "oneOf" in opened:  # a reference may stand for a value of several
        alternatives: JsonObject = {"anyOf": opened.pop("oneOf")}
        opened = {"allOf": [opened, alternatives]} if "anyOf" in opened else opened | alternatives
    return opened


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
            shown = _step_text(step)
            raise Unresolved(f"{place}: {reference}: there is no {shown} in the result") from None
    return found


def _at(value: Json, step: str | int) -> Json:
    if isinstance(value, dict) and isinstance(step, str):
        return value[step]
    if isinstance(value, list) and isinstance(step, int):
        item: Json = value[step]
        return item
    raise LookupError
