"""`openai`: messages and tools as in OpenAI's API, where arguments are JSON text."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from apigen_ray.datasets.export.examples import (
    Example,
    Format,
    Kind,
    Record,
    function_of,
    list_of,
    text,
)
from apigen_ray.records import Json, JsonObject

KEYS: dict[str, Kind] = {"id": "text", "messages": "list", "tools": "list"}


def openai(example: Example) -> Record:
    """The record of an example."""
    return record_of(example, text)


def record_of(example: Example, arguments_form: Callable[[Json], Json]) -> Record:
    """The record of an example, with each call's arguments in a form."""
    return {
        "id": example.id,
        "messages": messages_of(example.messages, arguments_form),
        "tools": openai_tools(example),
    }


def openai_tools(example: Example) -> msgspec.Raw:
    """The tools of an example as OpenAI's API wraps them."""
    return msgspec.Raw(list_of(map(function_of, example.tools)).encode())


def messages_of(
    messages: Sequence[JsonObject], arguments_form: Callable[[Json], Json] = lambda given: given
) -> list[JsonObject]:
    """Messages with arguments in a form, and the name of its function in each result."""
    names: dict[Any, Any] = {}
    written: list[JsonObject] = []
    for message in messages:
        if calls := message.get("tool_calls"):
            assert isinstance(calls, list)
            names |= {call["id"]: call["function"]["name"] for call in calls}
            made = [_with_arguments(call, arguments_form) for call in calls]
            written.append({**message, "tool_calls": made})
        elif message["role"] == "tool":
            name = names[message["tool_call_id"]]
            written.append({"role": "tool", "name": name, **message})
        else:
            written.append(message)
    return written


def _with_arguments(call: Any, arguments_form: Callable[[Json], Json]) -> JsonObject:
    function = call["function"]
    arguments = arguments_form(function["arguments"])
    return {**call, "function": {"name": function["name"], "arguments": arguments}}


FORMAT = Format(KEYS, openai, weights=True)
