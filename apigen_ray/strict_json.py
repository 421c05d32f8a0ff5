"""The strict reader of JSON that a model or a tool wrote.

Python's `json` accepts duplicate keys (the last wins), `NaN`, numbers that overflow to infinity and
lone surrogates, and its recursion depth is the interpreter's. Each of these lets two readers of the
same text see different values, so none is accepted.
"""

import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import jiter
import msgspec

from apigen_ray.records import Json

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 64
_NO_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[^"\[\]{}]++', re.DOTALL)


class NotJson(ValueError):
    """The text is not JSON, or JSON that readers may read differently."""


class DuplicateKey(NotJson):
    """An object of the text names a key twice."""


def parse(text: str, *, max_characters: int = MAX_CHARACTERS, max_depth: int = MAX_DEPTH) -> Json:
    """Read one JSON value, with nothing but white space around it.

    Args:
        text: The JSON text.
        max_characters: A longer text is refused unread.
        max_depth: How many objects and lists may be nested.

    Raises:
        DuplicateKey: if an object names a key twice.
        NotJson: for every other problem, with its position where it has one.
    """
    if len(text) > max_characters:
        raise NotJson(f"{len(text)} characters, more than {max_characters}")
    _check_depth(text, max_depth)
    try:
        value: Json = jiter.from_json(
            text.encode("utf-8"), allow_inf_nan=False, catch_duplicate_keys=True
        )
    except UnicodeEncodeError as error:
        raise NotJson("a string holds half of a surrogate pair") from error
    except ValueError as error:
        message = str(error)
        duplicate = message.startswith("Detected duplicate key")
        raise (DuplicateKey if duplicate else NotJson)(message) from error
    if _is_infinite(value):
        raise NotJson("a number is too large")
    return value


def embedded(text: str, opening: str = "{[") -> Iterator[Json]:
    """The JSON values that stand in a text, in order. Those inside another value don't count.

    Args:
        text: Prose, or whatever surrounds the values.
        opening: The brackets that a value may begin with.
    """
    bracket = re.compile(f"[{re.escape(opening)}]")
    position = 0
    while match := bracket.search(text, position):
        try:
            _, end = _DECODER.raw_decode(text, match.start())
            value = parse(text[match.start() : end])
        except (ValueError, RecursionError):
            position = match.end()
            continue
        yield value
        position = end


def items(text: str) -> list[str]:
    """The texts of the items of a JSON array, not yet parsed; or the text itself if it is no array.

    Raises:
        NotJson: if the text is not JSON. The items may still have problems of their own.
    """
    try:
        return [bytes(item).decode() for item in _ARRAY.decode(text)]
    except ValueError:  # not an array, or not JSON
        value = parse(text)
        return [dumps(item) for item in value] if isinstance(value, list) else [text]


def dumps(value: Json) -> str:
    """The JSON text of a value, as rows hold it."""
    return _ENCODER.encode(value)


def canonical(value: Json) -> str:
    """A text that is equal for equal values: keys sorted, no white space."""
    return _CANONICAL_ENCODER.encode(value)


def equal(one: Any, other: Any, *, tolerance: float = 0.0) -> bool:
    """Whether two values are equal as JSON has it: 5 is 5.0, and neither is true or "5".

    Args:
        one: A value; tuples count as lists.
        other: Another.
        tolerance: How far numbers may be apart, relative to the larger one.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            equal(one[key], other[key], tolerance=tolerance) for key in one
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(
            equal(mine, yours, tolerance=tolerance) for mine, yours in zip(one, other, strict=True)
        )
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        # An integer may be too large for a float, and then for a tolerance.
        near = tolerance if max(abs(one), abs(other)) <= sys.float_info.max else 0.0
        return one == other or (near > 0 and math.isclose(one, other, rel_tol=near))
    return type(one) is type(other) and bool(one == other)


def leaves(value: Json) -> Iterator[Json]:
    """The values inside a value that are no lists or objects, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def _check_depth(text: str, max_depth: int) -> None:
    if text.count("[") + text.count("{") <= max_depth:
        return
    depth = 0
    for bracket in _NO_BRACKETS.sub("", text):
        depth += 1 if bracket in "[{" else -1
        if depth > max_depth:
            raise NotJson(f"nested deeper than {max_depth} levels")


def _is_infinite(value: Json) -> bool:
    """Whether a number in it was too large to be read."""
    if isinstance(value, dict):
        return any(map(_is_infinite, value.values()))
    if isinstance(value, list):
        return any(map(_is_infinite, value))
    return isinstance(value, float) and math.isinf(value)


_DECODER = json.JSONDecoder()
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_CANONICAL_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
