"""`openai`: messages and tools as in OpenAI's API, where arguments are JSON text."""

from collections.abc import Callable

import msgspec

from apigen_ray.datasets.export.examples import (
    Example,
    Record,
    format_of,
    function_of,
    list_of,
    text,
)
from apigen_ray.records import Json, JsonObject
from apigen_ray.stages.conversation import NO_CALL


def openai(example: Example) -> Record:
    """The record of an example."""
    return messages(example, text)


def messages(example: Example, arguments_form: Callable[[Json], Json]) -> Record:
    """The record of an example, with each call's arguments in a form."""
    user = {"role": "user", "content": example.query}
    return {
        "id": example.id,
        "messages": [user, _assistant(example.calls, arguments_form)],
        "tools": msgspec.Raw(list_of(map(function_of, example.tools)).encode()),
    }


def _assistant(calls: list[JsonObject], arguments_form: Callable[[Json], Json]) -> JsonObject:
    if not calls:
        return {"role": "assistant", "content": NO_CALL}
    written: list[JsonObject] = [
        {
            "id": f"call{place:05}",  # nine letters and digits, as Mistral's templates demand
            "type": "function",
            "function": {"name": call["name"], "arguments": arguments_form(call["arguments"])},
        }
        for place, call in enumerate(calls)
    ]
    return {"role": "assistant", "content": "", "tool_calls": written}


FORMAT = format_of(openai)
