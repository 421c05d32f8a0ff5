"""Verified data points in the forms that trainers read.

JSON that is text in a form (xLAM's columns, a function call of ShareGPT, OpenAI's arguments) stays
text, and the rest is ragged JSON: no key is ever added, no value is ever null for want of one.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import msgspec

from apigen_ray.records import Json, JsonObject
from apigen_ray.tools.read_forms import read_tool
from apigen_ray.tools.write_forms import xlam_form

NO_CALL = "None of the available functions can answer this request."
"""What the assistant says where no tool fits, in the forms that need it to say something."""

HERMES_PROMPT = """\
You are a function calling AI model. The functions you may call are described as JSON within \
<tools></tools> tags:
<tools>
{tools}
</tools>
Call one or more of them to answer the user, and invent no argument that the user did not give. \
Write each call as a JSON object within <tool_call></tool_call> tags:
<tool_call>
{{"name": <function name>, "arguments": <object of arguments>}}
</tool_call>"""


@dataclass(frozen=True, slots=True)
class Example:
    """A verified data point."""

    id: str
    query: str
    calls: list[JsonObject]
    tools: Sequence[str]
    """The JSON text of each. They are many times longer than the rest, and few are distinct."""


NOTHING = Example("", "", [], [])
text = json.JSONEncoder(ensure_ascii=False).encode
"""The JSON text of a value, as rows and trainers have it."""
Record: TypeAlias = dict[str, Any]
"""What is written: texts, flags, and nested parts, of which some are JSON text already."""
Form: TypeAlias = Callable[[Example], Record]


def read_example(row: Mapping[str, Any]) -> Example:
    """The data point of a row of `dataset`; without tools, if it has no such column."""
    tools = texts_of(row.get("tools", "[]"))
    return Example(row["id"], row["query"], msgspec.json.decode(row["answers"]), tools)


def texts_of(listed: str) -> list[str]:
    """The JSON text of each value in the JSON text of a list."""
    return [bytes(part).decode() for part in _PARTS.decode(listed)]


_PARTS = msgspec.json.Decoder(list[msgspec.Raw])


def list_of(texts: Iterable[str]) -> str:
    """The JSON text of a list of values, from theirs."""
    return f"[{', '.join(texts)}]"


def function_of(tool: str) -> str:
    """The JSON text of a tool as OpenAI's API wraps it, from its own."""
    return f'{{"type": "function", "function": {tool}}}'


def xlam(example: Example) -> Record:
    """The columns of xlam-function-calling-60k, with its flat parameters."""
    return {
        "id": example.id,
        "query": example.query,
        "answers": text(example.calls),
        "tools": list_of(map(_xlam_tool, example.tools)),
    }


@cache
def _xlam_tool(tool: str) -> str:
    return text(xlam_form(read_tool(json.loads(tool))))


def openai(example: Example) -> Record:
    """Messages and tools as in OpenAI's API, where arguments are JSON text."""
    return _messages(example, text)


def openai_objects(example: Example) -> Record:
    """Messages and tools as chat templates take them, where arguments are an object."""
    return _messages(example, lambda arguments: arguments)


def sharegpt(example: Example) -> Record:
    """Conversations with `function_call` turns, as LLaMA-Factory reads them.

    A single call stands alone, as its older versions need it, and several in a list.
    """
    calls = example.calls
    answer = {"from": "function_call", "value": text(calls[0] if len(calls) == 1 else calls)}
    if not calls:
        answer = {"from": "gpt", "value": NO_CALL}
    return {
        "id": example.id,
        "conversations": [{"from": "human", "value": example.query}, answer],
        "tools": list_of(example.tools),
    }


def hermes(example: Example) -> Record:
    """Conversations with tagged calls, as the Hermes models are trained on."""
    tools = list_of(map(function_of, example.tools))
    calls = [f"<tool_call>\n{_tagged(text(call))}\n</tool_call>" for call in example.calls]
    return {
        "id": example.id,
        "conversations": [
            {"from": "system", "value": HERMES_PROMPT.format(tools=_tagged(tools))},
            {"from": "human", "value": example.query},
            {"from": "gpt", "value": "\n".join(calls) or NO_CALL},
        ],
        "tools": tools,
    }


FORMS: dict[str, Form] = {
    "xlam": xlam,
    "openai": openai,
    "openai-objects": openai_objects,
    "sharegpt": sharegpt,
    "hermes": hermes,
}


def assistant_message(
    calls: list[JsonObject], arguments_form: Callable[[Json], Json]
) -> JsonObject:
    """The message of an assistant that makes calls, or says that none fits.

    Ids have nine letters and digits, as Mistral's templates demand.
    """
    if not calls:
        return {"role": "assistant", "content": NO_CALL}
    written: list[JsonObject] = [
        {
            "id": f"call{place:05}",
            "type": "function",
            "function": {"name": call["name"], "arguments": arguments_form(call["arguments"])},
        }
        for place, call in enumerate(calls)
    ]
    return {"role": "assistant", "content": "", "tool_calls": written}


def _messages(example: Example, arguments_form: Callable[[Json], Json]) -> Record:
    user = {"role": "user", "content": example.query}
    return {
        "id": example.id,
        "messages": [user, assistant_message(example.calls, arguments_form)],
        "tools": msgspec.Raw(list_of(map(function_of, example.tools)).encode()),
    }


def _tagged(json_text: str) -> str:
    r"""JSON that can't close the tag it stands in: `</` occurs in strings only, as `<\/` there."""
    return json_text.replace("</", r"<\/")
