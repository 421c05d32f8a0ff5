"""The values that stand for an argument that is left out, by its schema or its description."""

import re
from collections.abc import Iterator
from functools import lru_cache

from apigen_ray import strict_json
from apigen_ray.records import Json, JsonObject

_QUOTED = r"'([^']*)'|\"([^\"]*)\"|`([^`]*)`"
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.-]*\d)"
_WORD = r"[^\s.,;()'\"]+"
_PHRASE = (
    rf"{_WORD}(?: {_WORD}){{0,3}}?"
    r"(?=\s*(?:[,;()]|\.\s|\.?$|\b(?:if|unless|when|for|which)\b))"
)
"""A few words, up to where the clause ends: `square meters`."""
_VALUE = rf"(?:{_QUOTED}|({_NUMBER}|\w+))"
_STATED = (
    # "Default is 'km'", "defaults to 3", "(default: 500)", "set to false by default"
    re.compile(
        r"\bdefault(?:s|ed)?(?:\s+(?:value|setting|unit))?(?:\s+(?:this|it) is)?"
        r"(?:\s+(?:to be|set to))?\s*(?:to|is|=|:|of)?\s*(?:(?:approximately|about|around)\s+)?"
        rf"(?:{_QUOTED}|({_NUMBER}|{_PHRASE}|\w+))",
        re.IGNORECASE,
    ),
    re.compile(_VALUE + r"\s+(?:as|by|to)\s+(?:the\s+)?default\b", re.IGNORECASE),
    re.compile(_VALUE + r"\s+\(default\)", re.IGNORECASE),
)
_NO_VALUE = frozenset({"is", "to", "if", "the", "a", "value", "when", "and", "set", "used", "it"})


def defaults(schema: JsonObject) -> tuple[Json, ...]:
    """What an argument is taken to be if it is left out; several readings, if it is not certain."""
    described = schema.get("description")
    if "default" in schema:
        stated = schema["default"]
        values = _as_said(stated) if isinstance(stated, str) else (stated,)
    else:
        values = _described(described) if isinstance(described, str) else ()
    if schema.get("type") == "array":  # of one item, that says it without the brackets
        return (*values, *([value] for value in values if not isinstance(value, list)))
    return values


@lru_cache(maxsize=8192)
def _described(text: str) -> tuple[Json, ...]:
    return tuple(dict.fromkeys(_readings(text)))


def _readings(text: str) -> Iterator[Json]:
    for pattern in _STATED:
        found = pattern.search(text)
        said = next((g for g in found.groups() if g is not None), None) if found else None
        if said is not None and said.lower() not in _NO_VALUE:
            yield from _as_said(said)


def _as_said(text: str) -> tuple[Json, ...]:
    """A text, and the number or the truth value that it may stand for."""
    try:
        value = strict_json.parse(text.lower())
    except strict_json.NotJson:
        return (text,)
    return (text, value) if isinstance(value, bool | int | float) else (text,)
