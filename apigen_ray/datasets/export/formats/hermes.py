"""`hermes`: conversations with tagged calls, as the Hermes models are trained on."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from apigen_ray.datasets.export.examples import (
    Example,
    Format,
    Record,
    function_of,
    list_of,
    text,
)
from apigen_ray.datasets.export.right_turns import weight_of
from apigen_ray.records import Json, JsonObject

_FROM = {"system": "system", "user": "human", "assistant": "gpt"}
PROMPT = """\
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


def hermes(example: Example) -> Record:
    """The record of an example."""
    return {
        "id": example.id,
        "conversations": list(conversation(example.messages, example.tools)),
        "tools": list_of(map(function_of, example.tools)),
    }


def conversation(messages: Sequence[JsonObject], tools: Sequence[str]) -> Iterator[JsonObject]:
    """Messages as turns, after a system's that shows the tools, each given as JSON text."""
    prompt = PROMPT.format(tools=_tagged(list_of(map(function_of, tools))))
    has_own = bool(messages) and messages[0]["role"] == "system"
    if has_own:
        prompt = f"{messages[0]['content']}\n\n{prompt}"
    yield {"from": "system", "value": prompt}
    yield from _turns(messages[has_own:])


def _turns(messages: Sequence[JsonObject]) -> Iterator[JsonObject]:
    names: dict[Json, str] = {}
    for role, group in groupby(messages, key=lambda message: message["role"]):
        if role == "tool":
            results = [_result(names[m["tool_call_id"]], m["content"]) for m in group]
            yield {"from": "tool", "value": "\n".join(results)}
            continue
        for message in group:
            value = str(message["content"])
            if thought := message.get("reasoning_content"):
                value = f"<think>\n{thought}\n</think>\n\n{value}"
            calls: Any = message.get("tool_calls", ())
            names |= {call["id"]: call["function"]["name"] for call in calls}
            tagged = [f"<tool_call>\n{_tagged(text(c['function']))}\n</tool_call>" for c in calls]
            value = "\n".join(filter(None, [value, *tagged]))
            yield {"from": _FROM[str(role)], "value": value, **weight_of(message)}


def _result(name: str, content: Json) -> str:
    written = _tagged(text({"name": name, "content": content}))
    return f"<tool_response>\n{written}\n</tool_response>"


def _tagged(json_text: str) -> str:
    r"""JSON that can't close the tag around it: `</` occurs in strings only, as `<\/` there."""
    return json_text.replace("</", r"<\/")


FORMAT = Format({"id": "text", "conversations": "list", "tools": "text"}, hermes, weights=True)
