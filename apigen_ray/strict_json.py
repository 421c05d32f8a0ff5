"""JSON as a program must read it when a model wrote it.

Python's `json` accepts duplicate keys (the last wins), `NaN`, numbers that overflow to infinity and
lone surrogates, and its recursion depth is the interpreter's. Each of these would make two readers
of one text see two values, so none is accepted.
"""

import json
import math
import re

import jiter
import msgspec

from apigen_ray.records import Json

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 64
_NO_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[^"\[\]{}]++', re.DOTALL)


class NotJson(ValueError):
    """The text is not JSON that every reader reads alike."""


class DuplicateKey(NotJson):
    """An object of the text names a key twice."""


def parse(text: str) -> Json:
    """Read one JSON value, with nothing but white space around it.

    Raises:
        DuplicateKey: if an object names a key twice.
        NotJson: for everything else, with the position where there is one.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotJson(f"{len(text)} characters, more than {MAX_CHARACTERS}")
    _check_depth(text)
    try:
        value: Json = jiter.from_json(
            text.encode("utf-8"), allow_inf_nan=False, catch_duplicate_keys=True
        )
    except UnicodeEncodeError as error:
        raise NotJson("a string holds half of a surrogate pair") from error
    except ValueError as error:
        said = str(error)
        raise (DuplicateKey if said.startswith("Detected duplicate key") else NotJson)(
            said
        ) from error
    if _is_infinite(value):
        raise NotJson("a number is too large")
    return value


def items(text: str) -> list[str]:
    """The texts of the items of a JSON array, each still to be parsed; or of a single value.

    Raises:
        NotJson: if the text is not JSON apart from these.
    """
    try:
        return [bytes(item).decode() for item in _ARRAY.decode(text)]
    except ValueError:  # no array, or not JSON
        value = parse(text)
        return [dumps(item) for item in value] if isinstance(value, list) else [text]


def dumps(value: Json) -> str:
    """The JSON text of a value, as rows hold it."""
    return _ENCODER.encode(value)


def canonical(value: Json) -> str:
    """A text that is equal for equal values: keys sorted, no white space."""
    return _CANONICAL_ENCODER.encode(value)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _NO_BRACKETS.sub("", text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise NotJson(f"nested deeper than {MAX_DEPTH} levels")


def _is_infinite(value: Json) -> bool:
    """Whether a number occurs that was too large to be read as one."""
    if isinstance(value, dict):
        return any(map(_is_infinite, value.values()))
    if isinstance(value, list):
        return any(map(_is_infinite, value))
    return isinstance(value, float) and math.isinf(value)


_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_CANONICAL_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
