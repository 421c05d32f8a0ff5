"""The values that stand for an argument that is left out, by its schema or its description."""

import re
from collections.abc import Iterator
from functools import lru_cache

from apigen_ray import strict_json
from apigen_ray.records import Json, JsonObject

_VALUE = r"(?:'([^']*)'|\"([^\"]*)\"|`([^`]*)`|(-?\d+(?:\.\d+)?(?![\w.]*\d)|\w+))"
_STATED = (
    # "Default is 'km'", "defaults to 3", "(default: 500)", "set to false by default"
    re.compile(
        r"\bdefault(?:s|ed)?(?:\s+(?:value|setting|unit))?(?:\s+(?:to be|set to))?"
        r"\s*(?:to|is|=|:|of)?\s*" + _VALUE,
        re.IGNORECASE,
    ),
    re.compile(_VALUE + r"\s+(?:as|by|to)\s+(?:the\s+)?default\b", re.IGNORECASE),
    re.compile(_VALUE + r"\s+\(default\)", re.IGNORECASE),
)
_NO_VALUE = frozenset({"is", "to", "if", "the", "a", "value", "when", "and", "set", "used", "it"})


def defaults(schema: JsonObject) -> tuple[Json, ...]:
    """What an argument is taken to be if it is left out; several readings, if it is not certain."""
    if "default" in schema:
        return (schema["default"],)
    described = schema.get("description")
    return _described(described) if isinstance(described, str) else ()


@lru_cache(maxsize=8192)
def _described(text: str) -> tuple[Json, ...]:
    return tuple(dict.fromkeys(_readings(text)))


def _readings(text: str) -> Iterator[Json]:
    for pattern in _STATED:
        found = pattern.search(text)
        said = next((g for g in found.groups() if g is not None), None) if found else None
        if said is None or said.lower() in _NO_VALUE:
            continue
        yield said
        try:
            value = strict_json.parse(said.lower())
        except strict_json.NotJson:
            continue
        if isinstance(value, bool | int | float):
            yield value
