"""`sharegpt`: conversations with `function_call` turns, as LLaMA-Factory reads them.

Its turns must alternate, so an assistant's turn is either words or calls: words beside calls are
left out, and the results of several calls are one `observation`, as a list of texts.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from apigen_ray.datasets.export.examples import Example, Format, Record, list_of, text
from apigen_ray.datasets.export.right_turns import weight_of
from apigen_ray.records import Json, JsonObject

_FROM = {"system": "system", "user": "human", "assistant": "gpt"}


def sharegpt(example: Example) -> Record:
    """The record of an example.

    A single call is an object, as older versions of LLaMA-Factory need it; several are a list.
    """
    return {
        "id": example.id,
        "conversations": list(_turns(example.messages)),
        "tools": list_of(example.tools),
    }


def _turns(messages: Sequence[JsonObject]) -> Iterator[JsonObject]:
    for role, group in groupby(messages, key=lambda message: message["role"]):
        if role == "tool":
            yield {"from": "observation", "value": _one_or_list([m["content"] for m in group])}
            continue
        for message in group:
            if calls := message.get("tool_calls"):
                assert isinstance(calls, list)
                made = [call["function"] for call in calls]
                value = text(made[0] if len(made) == 1 else made)
                yield {"from": "function_call", "value": value, **weight_of(message)}
            else:
                said = {"from": _FROM[str(role)], "value": message["content"]}
                yield said | weight_of(message)


def _one_or_list(contents: list[Json]) -> Json:
    return contents[0] if len(contents) == 1 else text(contents)


FORMAT = Format({"id": "text", "conversations": "list", "tools": "text"}, sharegpt, weights=True)
