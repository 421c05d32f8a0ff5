"""Verified data points in the forms that trainers read.

JSON that is text in a form (xLAM's columns, a function call of ShareGPT, OpenAI's arguments) stays
text, and the rest is ragged JSON: no key is ever added, no value is ever null for want of one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeAlias

from pydantic_core import to_json

from apigen_ray.records import Json, JsonObject
from apigen_ray.tools.forms import read_tool
from apigen_ray.tools.writers import xlam_form

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
    """A verified data point, its JSON read."""

    id: str
    query: str
    calls: list[JsonObject]
    tools: list[JsonObject]


NOTHING = Example("", "", [], [])
text = json.JSONEncoder(ensure_ascii=False).encode
"""The JSON text of a value, as rows and trainers have it."""
Record: TypeAlias = dict[str, Any]
Form: TypeAlias = Callable[[Example], Record]


def read_example(row: Mapping[str, Any]) -> Example:
    """The data point of a row of `dataset`; without tools, if it has no such column."""
    tools = _listed(row.get("tools", "[]"))
    return Example(row["id"], row["query"], json.loads(row["answers"]), tools)


@lru_cache(maxsize=1024)
def _listed(tools_text: str) -> list[JsonObject]:
    """The data points of a prompt show the same tools, as do the prompts with a single one."""
    tools: list[JsonObject] = json.loads(tools_text)
    return tools


def xlam(example: Example) -> Record:
    """The columns of xlam-function-calling-60k, with its flat parameters."""
    return {
        "id": example.id,
        "query": example.query,
        "answers": text(example.calls),
        "tools": f"[{', '.join(_xlam_tool(to_json(tool)) for tool in example.tools)}]",
    }


@cache
def _xlam_tool(tool: bytes) -> str:
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
        "tools": text(example.tools),
    }


def hermes(example: Example) -> Record:
    """Conversations with tagged calls, as the Hermes models are trained on."""
    tools = [{"type": "function", "function": tool} for tool in example.tools]
    calls = [f"<tool_call>\n{_tagged(call)}\n</tool_call>" for call in example.calls]
    return {
        "id": example.id,
        "conversations": [
            {"from": "system", "value": HERMES_PROMPT.format(tools=_tagged(tools))},
            {"from": "human", "value": example.query},
            {"from": "gpt", "value": "\n".join(calls) or NO_CALL},
        ],
        "tools": text(tools),
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
        "tools": [{"type": "function", "function": tool} for tool in example.tools],
    }


def _tagged(value: Any) -> str:
    r"""JSON that can't close the tag it stands in: `</` occurs in strings only, as `<\/` there."""
    return text(value).replace("</", r"<\/")
