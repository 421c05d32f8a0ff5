"""Results that a conversation gives, compared with those of our own calls.

A difference is a finding and no failure: the conversation may be from another day, or its results
be written in another way. It is only looked for where a function repeats itself.
"""

from collections.abc import Sequence

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
        and not runner.may_change(calls[place])
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
    if strict_json.equal(value, ours, tolerance=_RELATIVE):
        return True
    if isinstance(value, dict) and len(value) == 1:
        [inner] = value.values()
        return strict_json.equal(inner, ours, tolerance=_RELATIVE)
    return False


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
