"""Results that a conversation gives, compared with those of our own calls.

A difference is a finding and no failure: the conversation may be from another day, or its results
be written in another way. It is only looked for where a function repeats itself.
"""

import math
from collections.abc import Sequence
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import Call, CallResult, Failed, Json, Returned
from apigen_ray.stages.conversation import Turn, calls_of
from apigen_ray.stages.execute.dispatch import Dispatcher

_LONGEST_SHOWN = 100
_RELATIVE = 1e-6
"""How far two numbers may be apart and still be written from the same one."""


async def mismatches(
    turns: Sequence[Turn], calls: Sequence[Call], results: Sequence[CallResult], runner: Dispatcher
) -> dict[int, str]:
    """What differs, by the place of the call among all calls.

    Where it does, the call is run once more: a function that doesn't repeat itself proves nothing.

    Raises:
        InfrastructureError: if the runner failed, which says nothing about the calls.
    """
    suspects = {
        place: (turn, index)
        for place, (turn, index) in enumerate(calls_of(turns))
        if index in turn.given
        and _may_differ(results[place])
        and not runner.over_rest(calls[place])
        and not agrees(turn.given[index], _result(results[place]))
    }
    again = await runner.run([calls[place] for place in suspects]) if suspects else []
    return {
        place: f"{turn.where(index)}: the result is given as {_shown(turn.given[index])}, but "
        f"{calls[place].name} returns {_shown(strict_json.dumps(_result(results[place])))}"
        for (place, (turn, index)), second in zip(suspects.items(), again, strict=True)
        if isinstance(second, Returned) and second.result == _result(results[place])
    }


def _may_differ(result: CallResult) -> bool:
    return isinstance(result, Returned) and result.deterministic is not False


def _result(result: CallResult) -> Json:
    return None if isinstance(result, Failed) else result.result


def agrees(given: str, ours: Json) -> bool:
    """Whether a text gives a result: as JSON or as it is, alone or in an object with one key."""
    if given.strip() == ours or given.strip() == str(ours):
        return True
    try:
        value = strict_json.parse(given)
    except strict_json.NotJson:
        return False
    if _same(value, ours):
        return True
    if isinstance(value, dict) and len(value) == 1:
        [inner] = value.values()
        return _same(inner, ours)
    return False


def _same(given: Any, ours: Any) -> bool:
    if isinstance(given, bool) or isinstance(ours, bool):
        return given is ours
    if isinstance(given, int | float) and isinstance(ours, int | float):
        return math.isclose(given, ours, rel_tol=_RELATIVE)
    if isinstance(given, dict) and isinstance(ours, dict):
        return given.keys() == ours.keys() and all(_same(given[k], ours[k]) for k in given)
    if isinstance(given, list) and isinstance(ours, list):
        return len(given) == len(ours) and all(
            _same(a, b) for a, b in zip(given, ours, strict=True)
        )
    same: bool = given == ours
    return same


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
