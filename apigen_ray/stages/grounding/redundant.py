"""Calls that nobody asked for: another one does the same, or has the value that the query says."""

from collections.abc import Sequence

from apigen_ray import strict_json
from apigen_ray.records import Call, Json
from apigen_ray.stages.grounding.literals import GENERIC, Literal
from apigen_ray.stages.grounding.matching import support
from apigen_ray.stages.grounding.reading import Reading
from apigen_ray.stages.grounding.text import fold, split_identifier, stem, words_of

_MOST = 50
"""More calls than these are not compared: each pair of them would be."""


def redundant(calls: Sequence[Call], query: Reading, requests: int) -> tuple[int, ...]:
    """The calls, by index, that the query has no request for.

    Args:
        calls: All that are made.
        query: What is asked.
        requests: How many things it asks for: with as many, no call is one too many.
    """
    if requests >= len(calls) or len(calls) > _MOST:
        return ()
    is_count = query.numbers.states(float(len(calls)))  # `Roll the dice three times`
    return tuple(
        index
        for index, call in enumerate(calls)
        if any(
            (not is_count and _is_contained(call, other))
            or _is_swapped(call, other)
            or _is_unsaid_variant(call, other, query)
            or _is_unnamed_twin(call, other, query)
            for place, other in enumerate(calls)
            if place != index
        )
    )


def _is_contained(call: Call, other: Call) -> bool:
    """Whether `other` does what `call` does, or could with a longer list."""
    if call.name != other.name or not call.arguments.keys() <= other.arguments.keys():
        return False
    differing = _differing(call, other)
    if not differing:
        return True
    if len(differing) > 1 or len(call.arguments) < 2:
        return False
    pair = (call.arguments[differing[0]], other.arguments[differing[0]])
    return all(isinstance(v, list) and v and not isinstance(v[0], int | float) for v in pair)


def _differing(call: Call, other: Call) -> list[str]:
    return [key for key, value in call.arguments.items() if other.arguments.get(key) != value]


def _is_swapped(call: Call, other: Call) -> bool:
    """The same values in other places: `gcd(36, 48)` and `gcd(48, 36)`."""
    is_other = call.arguments != other.arguments
    return call.name == other.name and is_other and _values(call) == _values(other)


def _is_unsaid_variant(call: Call, other: Call, query: Reading) -> bool:
    """The other call with one value changed to one that the query doesn't say."""
    if call.name != other.name or call.arguments.keys() != other.arguments.keys():
        return False
    differing = _differing(call, other)
    return len(differing) == 1 and _is_unsaid(differing[0], call.arguments[differing[0]], query)


def _is_unsaid(name: str, value: Json, query: Reading) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    return not support(Literal("", name, value), query)


def _is_unnamed_twin(call: Call, other: Call, query: Reading) -> bool:
    """The values of another call, given to a function too that the query has no word for."""
    if call.name == other.name or not call.arguments:
        return False
    own = _name_stems(call) - _name_stems(other)
    left = _values(other)
    is_part = all(value in left for value in _values(call))
    return is_part and bool(own) and own.isdisjoint(query.stems)


def _name_stems(call: Call) -> set[str]:
    words = words_of(fold(split_identifier(call.name)))
    return {stem(word) for word in words if word not in GENERIC}


def _values(call: Call) -> list[str]:
    return sorted(map(strict_json.canonical, strict_json.leaves(call.arguments)))
