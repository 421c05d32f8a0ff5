"""An example as messages, as much of it as is asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import msgspec

from apigen_ray.records import JsonObject
from apigen_ray.stages.conversation import NO_CALL, turns_of
from apigen_ray.tools.references import end_of_group


class Until(StrEnum):
    """Where an example ends."""

    CALLS = "calls"
    """With the last calls."""
    RESULTS = "results"
    """With what they returned."""
    ANSWER = "answer"
    """With the answer, as far as there is one."""


@dataclass(frozen=True, slots=True)
class View:
    """What an example has of a data point."""

    until: Until | None = None
    """None: a pair ends with its calls, a conversation where it ends."""
    reasoning: bool = False
    """Whether the assistant's reasoning is kept, as `reasoning_content`."""


AS_IT_IS = View()


def pair_messages(query: str, calls: Sequence[JsonObject]) -> list[JsonObject]:
    """A query and its calls as messages."""
    return [{"role": "user", "content": query}, _reply(calls)]


def _reply(calls: Sequence[JsonObject], first: int = 0) -> JsonObject:
    reply: JsonObject = {"role": "assistant", "content": "" if calls else NO_CALL}
    if calls:
        reply["tool_calls"] = [
            # nine letters and digits, as Mistral's templates demand
            {"id": f"call{place:05}", "type": "function", "function": dict(call)}
            for place, call in enumerate(calls, first)
        ]
    return reply


def chain_messages(
    query: str, calls: Sequence[JsonObject], results: Sequence[Any]
) -> list[JsonObject]:
    """A query and calls that refer to results as messages: a turn for all that can be called then.

    Args:
        query: What the user asks.
        calls: The calls, with references.
        results: What each returned, as rows hold it: with the arguments it was run with.
    """
    made: list[JsonObject] = [
        call | {"arguments": result["arguments"]} if "arguments" in result else call
        for call, result in zip(calls, results, strict=True)
    ]
    arguments = [call["arguments"] for call in calls]
    messages: list[JsonObject] = [{"role": "user", "content": query}]
    start = 0
    while start < len(made):
        end = end_of_group(arguments, start)
        messages.append(_reply(made[start:end], start))
        start = end
    return messages


def seen(
    messages: Sequence[JsonObject], results: Sequence[Any], view: View
) -> Sequence[JsonObject]:
    """The messages of an example.

    Args:
        messages: All that there are.
        results: What each call returned, as rows hold it: shown where the messages give no results.
        view: What is asked for.
    """
    whole = list(_with_results(messages, iter(results), view.until))
    calls = [place for place, message in enumerate(whole) if message.get("tool_calls")]
    if calls and view.until in (Until.CALLS, Until.RESULTS):
        end = calls[-1] + 1
        while view.until is Until.RESULTS and end < len(whole) and whole[end]["role"] == "tool":
            end += 1
        whole = whole[:end]
    return whole if view.reasoning else list(map(_without_reasoning, whole))


def _with_results(
    messages: Sequence[JsonObject], results: Iterator[Any], until: Until | None
) -> Iterator[JsonObject]:
    turns = turns_of(messages)
    given = {turn.place for turn in turns if turn.given}
    last = turns[-1].place if turns else None
    for place, message in enumerate(messages):
        yield message
        made: Any = message.get("tool_calls", ())
        returned = list(islice(results, len(made)))
        if place not in given and (place != last or until in (Until.RESULTS, Until.ANSWER)):
            for call, result in zip(made, returned, strict=False):
                text = result_text(result.get("result"))
                yield {"role": "tool", "tool_call_id": call["id"], "content": text}


def result_text(result: Any) -> str:
    """What a call returned, as the content of a message."""
    return result if isinstance(result, str) else msgspec.json.encode(result).decode()


def _without_reasoning(message: JsonObject) -> JsonObject:
    return {key: value for key, value in message.items() if key != "reasoning_content"}
