"""References: arguments that take their value from the result of an earlier call.

    {"$ref": "calls[0].result.items[0].id"}

The path is JSONPath's simple subset (RFC 9535): keys and indices, `["a key"]` for one with spaces.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apigen_ray.records import Call, Json, JsonObject
from apigen_ray.tools.schema_paths import Path
from apigen_ray.tools.schemas import mapped
from apigen_ray.tools.validation import SchemaValidator

KEY = "$ref"
FORM = r"^calls\[\d+\]\.result(\.[A-Za-z_][\w-]*|\[-?\d+\]|\[\"[^\"]*\"\]|\['[^']*'\])*$"
"""The form of a reference, as a pattern."""
SIMPLE_FORM = r"^calls\[[0-9]\]\.result(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]\]){0,4}$"
"""What engines that constrain a model's output let it write."""
_FORM = re.compile(FORM)
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(-?\d+)\]|\[\"([^\"]*)\"\]|\['([^']*)'\]")


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
    return [reference for call in calls for reference in _references(call.arguments)]


def _references(arguments: Json) -> Iterator[Reference]:
    found = (read_reference(value) for _, value in placed(arguments))
    return (reference for reference in found if reference)


def has_references(arguments: Json) -> bool:
    """Whether a value has a reference in it."""
    return any(True for _ in _references(arguments))


def end_of_group(arguments: Sequence[Json], start: int) -> int:
    """Where the calls end that can be made together: before one that refers to one of them."""
    end = start + 1
    while end < len(arguments) and all(each.call < start for each in _references(arguments[end])):
        end += 1
    return end


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
