"""Pairs and chains as messages, with what the calls returned."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import JsonObject, Pair
from apigen_ray.run_folder.rows import calls_form
from apigen_ray.stages.conversation import NO_CALL, turns_of
from apigen_ray.tools.references import end_of_group


def pair_messages(query: str, calls: Sequence[JsonObject]) -> list[JsonObject]:
    """A query and its calls as messages."""
    return [{"role": "user", "content": query}, reply_with_calls(calls)]


def opening(query: str, calls: Sequence[JsonObject], results: Sequence[Any]) -> list[JsonObject]:
    """The messages of a data point: a pair, or calls one after the other where they refer."""
    if any("arguments" in result for result in results):
        return chain_messages(query, calls, results)
    return pair_messages(query, calls)


def clarified_messages(pair: Pair) -> list[JsonObject]:
    """The messages of a pair with something missing: query, question, reply, calls."""
    assert pair.clarification is not None
    made: list[Any] = calls_form(pair.calls)
    return [
        {"role": "user", "content": pair.query},
        {"role": "assistant", "content": pair.clarification.question},
        {"role": "user", "content": pair.clarification.reply},
        reply_with_calls(made),
    ]


def reply_with_calls(calls: Sequence[JsonObject], first: int = 0) -> JsonObject:
    """What the assistant says when it makes calls; the first has the number `first`."""
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
        messages.append(reply_with_calls(made[start:end], start))
        start = end
    return messages


def with_results(
    messages: Sequence[JsonObject], results: Sequence[Any], *, last: bool = True
) -> Iterator[JsonObject]:
    """The messages, with results where these give none.

    Args:
        messages: A conversation.
        results: What each of its calls returned, as rows hold it.
        last: Whether those of the last calls are shown, too.
    """
    ours = iter(results)
    turns = turns_of(messages)
    given = {turn.place for turn in turns if turn.given}
    end = turns[-1].place if turns else None
    for place, message in enumerate(messages):
        yield message
        made: Any = message.get("tool_calls", ())
        returned = list(islice(ours, len(made)))
        if place not in given and (last or place != end):
            for call, result in zip(made, returned, strict=False):
                text = result_text(result.get("result"))
                yield {"role": "tool", "tool_call_id": call["id"], "content": text}


def result_text(result: Any) -> str:
    """What a call returned, as the content of a message."""
    return result if isinstance(result, str) else strict_json.dumps(result)
