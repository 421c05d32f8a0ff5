"""JSON as a program must read it when a model wrote it.

Python's `json` accepts duplicate keys (the last wins), `NaN`, numbers that overflow to infinity and
lone surrogates, and its recursion depth is the interpreter's. Each of these would make two readers
of one text see two values, so none is accepted.
"""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

import msgspec

from apigen_ray.records import Json

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 64
_NO_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[^"\[\]{}]++', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


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
        value: Json = _DECODER.decode(text)
        written = dumps(value) if _SURROGATE.search(text) else text
        written.encode("utf-8")
    except NotJson:
        raise
    except UnicodeEncodeError as error:
        raise NotJson("a string holds half of a surrogate pair") from error
    except ValueError as error:  # JSONDecodeError, and integers too long for the interpreter
        raise NotJson(str(error)) from error
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


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise DuplicateKey(f"key {twice[:80]!r} stands twice in one object")
    return result


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NotJson(f"number {text[:40]} is too large")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not JSON")


_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_CANONICAL_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
)
