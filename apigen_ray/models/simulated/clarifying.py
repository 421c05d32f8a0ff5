"""Queries of the style `clarify`: a value is left out, asked for, and given."""

from collections.abc import Callable, Sequence
from random import Random

from apigen_ray.models.simulated.drawing import draw_call
from apigen_ray.models.simulated.judging import objection
from apigen_ray.models.simulated.schemas import required
from apigen_ray.models.simulated.writing import shown, words_of_name
from apigen_ray.records import Call, Json, JsonObject, Tool

Ask = Callable[[Sequence[Call]], str]
"""Words a query for calls."""


def draw_omissible(
    random: Random, tools: Sequence[Tool], ask: Ask
) -> tuple[tuple[Call, ...], str | None]:
    """A call, and the required argument that is left out of its query.

    It is None where every value of all calls can be read from, or guessed by, the rest of the
    query: then the model can't do what it is asked for.
    """
    drawn = [draw_call(random, tool) for tool in random.sample(list(tools), len(tools))]
    calls = [call for call in drawn if call is not None]
    for call in calls:
        tool = next(tool for tool in tools if tool.name == call.name)
        for name in sorted(required(tool)):
            rest = ask([_without(call, name)])
            if _is_telling(call.arguments[name]) and objection(rest, [call], tools):
                return (call,), name
    return tuple(calls[:1]), None


def write_clarification(missing: str, calls: Sequence[Call], ask: Ask) -> JsonObject:
    """The query without an argument, what the assistant asks, and what the user says then."""
    name = words_of_name(missing) or "one"
    values = [call.arguments[missing] for call in calls if missing in call.arguments]
    reply = ", ".join(shown(value) for value in values) or "The usual one, please."
    return {
        "query": ask([_without(call, missing) for call in calls]),
        "question": f"Which {name} do you mean?",
        "reply": reply,
    }


def _without(call: Call, name: str) -> Call:
    return Call(call.name, {key: each for key, each in call.arguments.items() if key != name})


def _is_telling(value: Json) -> bool:
    """Whether no query has the value by chance."""
    if isinstance(value, str):
        return len(value) > 3
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > 12
