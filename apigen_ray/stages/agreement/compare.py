"""When two lists of calls mean the same: by what they say, or else by what they return.

The order of calls doesn't count. Arguments are compared by value, after those are dropped that say
nothing: defaults, and optional ones that are empty.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from apigen_ray import strict_json
from apigen_ray.records import Call, Json, JsonObject, Tool
from apigen_ray.stages.agreement.defaults import defaults
from apigen_ray.stages.grounding.text import fold, unify, vocabulary

One = TypeVar("One")
Other = TypeVar("Other")

_DIGITS = 12
"""Numbers that agree to this many significant digits are equal: 0.1 + 0.2 is 0.3."""
LONGEST_TEXT = 2000
"""Longer texts are compared as they are."""
_EMPTY: tuple[Json, ...] = (None, "", [], {})
_SPACES = re.compile(r"[\s_]+")
_OPERATOR = re.compile(r"\s*(\*\*|[*/^=])\s*|(?<=\S)\s+([-+])\s+")
"""Of a formula, with the space around it; `1 -2` may be two numbers."""
_FUNCTIONS = frozenset(vocabulary("sin cos tan exp log ln sqrt abs pi lambda"))
_TIMES = re.compile(r"(?<=[\d)])\s*\*\s*(?=[a-zA-Z(])")
"""Of a formula: `3*x` is `3x`. Between numbers it stays."""
_PUNCTUATION = re.compile(r"(?<!\d)(?:[,;:!?'\"()/]|[-.](?!\d))+|[.,;:!?'\"()/-]+(?!\d)")
"""What can be left out: not what stands between digits, nor a sign or a point before them."""


def same_calls(ours: Sequence[Call], theirs: Sequence[Call], tools: Mapping[str, Tool]) -> bool:
    """Whether two lists hold the same calls, in any order."""
    return not differing(ours, theirs, tools)[0] and len(ours) == len(theirs)


def differing(
    ours: Sequence[Call], theirs: Sequence[Call], tools: Mapping[str, Tool]
) -> tuple[list[int], list[int]]:
    """The calls on each side, by index, that have no equal on the other."""
    left: dict[str, list[int]] = {}
    for index, call in enumerate(theirs):
        left.setdefault(call_key(call, tools.get(call.name)), []).append(index)
    missing = []
    for index, call in enumerate(ours):
        equals = left.get(call_key(call, tools.get(call.name)))
        if equals:
            equals.pop()
        else:
            missing.append(index)
    return missing, sorted(index for rest in left.values() for index in rest)


def call_key(call: Call, tool: Tool | None) -> str:
    """A text that is the same for calls that mean the same."""
    schema = tool.parameters if tool else {}
    return strict_json.canonical([call.name, _standard_object(call.arguments, schema)])


def value_key(value: Json) -> str:
    """A text that is the same for values that mean the same."""
    return strict_json.canonical(_standard(value, {}))


def _standard(value: Json, schema: JsonObject) -> Json:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        if abs(value) > sys.float_info.max:
            return value
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, str):
        return standard_text(value)
    if isinstance(value, dict):
        return _standard_object(value, schema)
    given = schema.get("items")
    items = given if isinstance(given, dict) else {}
    standard = [_standard(each, items) for each in value]
    # Texts name things, in any order. Numbers may be coordinates: they keep their places.
    return sorted(map(str, standard)) if all(isinstance(v, str) for v in value) else standard


def _standard_object(value: JsonObject, schema: JsonObject) -> JsonObject:
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, dict) else {}
    needed = required if isinstance(required, list) else []
    standard: JsonObject = {}
    for name, each in value.items():
        own = known.get(name)
        declared = own if isinstance(own, dict) else {}
        formed = _standard(each, declared)
        is_empty = name not in needed and formed in _EMPTY
        unsaid = (_standard(default, declared) for default in defaults(declared))
        if not is_empty and not any(strict_json.equal(formed, each) for each in unsaid):
            standard[name] = formed
    return standard


def standard_text(text: str) -> str:
    """A text without what two writers would not agree on: case, accents, spaces, punctuation.

    The case of a word that mixes both stays: it may be a code, as `SGVsbG8` is. `x**2` is `x^2`.
    """
    if len(text) > LONGEST_TEXT:
        return text
    closed = _OPERATOR.sub(r"\1\2", text) if _is_formula(text) else text
    plain = " ".join(_without_case(word) for word in _SPACES.split(closed.strip()))
    formula = _TIMES.sub("", plain.replace("**", "^"))
    return _SPACES.sub(" ", _PUNCTUATION.sub(" ", formula)).strip() or plain


def _is_formula(text: str) -> bool:
    if not re.fullmatch(r"[\w\s+\-*/^=().,:]+", text) or not re.search(r"\d|\(", text):
        return False
    words = re.findall(r"[^\W\d_]+", text)
    is_maths = all(len(word) == 1 or word in _FUNCTIONS for word in words)
    return is_maths and re.search(r"[*/^=]|\s[-+]\s", text) is not None


def _without_case(word: str) -> str:
    return fold(word) if word.islower() or word.isupper() or word.istitle() else unify(word)


@dataclass(frozen=True, slots=True)
class Ran:
    """A call and what it returned, as rows hold results."""

    call: Call
    result: JsonObject


def equal_results(one: Ran, other: Ran) -> bool:
    """Whether two calls of a function did the same, seen by what they returned.

    A result that many calls return says little: `is_prime` is true for 7 and for 11. It counts
    only if the calls have the same values, perhaps in other places, as in `gcd(12, 18)`.
    """
    if one.call.name != other.call.name:
        return False
    if not (one.result.get("ok") and other.result.get("ok")):
        return False
    result = one.result.get("result")
    if value_key(result) != value_key(other.result.get("result")):
        return False
    return is_telling(result) or _values(one.call) == _values(other.call)


def is_telling(result: Json) -> bool:
    """Whether few calls return this: not yes or no, a small number, a short word, or nothing."""
    if isinstance(result, bool) or result is None:
        return False
    if isinstance(result, int | float):
        return abs(result) >= 10 or result != int(result)
    if isinstance(result, str):
        return len(result) >= 10 or any(character.isdigit() for character in result)
    values = result.values() if isinstance(result, dict) else result
    return any(map(is_telling, values))


def _values(call: Call) -> list[str]:
    return sorted(value_key(leaf) for leaf in strict_json.leaves(call.arguments))


def all_matched(
    ours: Sequence[One], theirs: Sequence[Other], same: Callable[[One, Other], bool]
) -> bool:
    """Whether each of ours has one of theirs for itself: a maximum matching, not a greedy one."""
    matched: dict[int, int] = {}

    def augment(mine: int, seen: set[int]) -> bool:
        for index, each in enumerate(theirs):
            if index in seen or not same(ours[mine], each):
                continue
            seen.add(index)
            if index not in matched or augment(matched[index], seen):
                matched[index] = mine
                return True
        return False

    return all(augment(mine, set()) for mine in range(len(ours)))
