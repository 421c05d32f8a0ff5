"""Conversations as the text that a chat template has rendered: ChatML, Llama 3.1's and Mistral's.

Qwen and Hermes models use ChatML. What the templates add (tools, instructions, dates) is left in
the system's message, for `system.py` to tell apart.
"""

import re
from collections.abc import Iterator
from typing import Any

from apigen_ray import strict_json
from apigen_ray.datasets.external.system import embedded_tools
from apigen_ray.datasets.external.unreadable import Unreadable
from apigen_ray.records import JsonObject, Reason

_CHATML = re.compile(r"<\|im_start\|>(\w+)\n?(.*?)(?:<\|im_end\|>|\Z)", re.DOTALL)
_LLAMA = re.compile(
    r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n\n(.*?)(?:<\|eot_id\|>|<\|eom_id\|>|\Z)",
    re.DOTALL,
)
_MISTRAL = re.compile(r"\[(/?)(AVAILABLE_TOOLS|SYSTEM_PROMPT|INST|TOOL_RESULTS)\]")
_MISTRAL_ROLES = {"SYSTEM_PROMPT": "system", "INST": "user"}
_LLAMA_TOOLS = "Given the following functions,"


def messages_of_text(text: str) -> list[JsonObject]:
    """The messages of a rendered text, whose content may still hold calls in a model's form.

    Raises:
        Unreadable: if the text is in none of the forms.
    """
    if "<|im_start|>" in text:
        return [_message(role, content.strip()) for role, content in _CHATML.findall(text)]
    if "<|start_header_id|>" in text:
        turns = [_message(role, content.strip()) for role, content in _LLAMA.findall(text)]
        return list(_without_tools(turns))
    if "[/INST]" in text:
        return list(_mistral(text))
    raise Unreadable(Reason.MISSING_FIELD, "text: of no chat template that is known")


def _message(role: str, content: str) -> JsonObject:
    return {"role": role, "content": content}


def _without_tools(turns: list[JsonObject]) -> Iterator[JsonObject]:
    """Llama's messages; its template puts the tools before the user's first words."""
    for turn in turns:
        content = str(turn["content"])
        if turn["role"] == "user" and content.startswith(_LLAMA_TOOLS):
            tools = list(embedded_tools(content))
            yield _message("system", f"<tools>\n{strict_json.dumps(tools)}\n</tools>")
            content = content.rsplit("}\n\n", 1)[-1]
        elif turn["role"] == "ipython" and content.startswith('"'):
            value: Any = strict_json.parse(content)  # the template writes a text as JSON
            content = value
        yield {**turn, "content": content}


def _mistral(text: str) -> Iterator[JsonObject]:
    """The parts between markers; what stands in none is the assistant's."""
    pieces = _MISTRAL.split(text.replace("<s>", "").replace("</s>", ""))
    kind = ""
    for place in range(0, len(pieces), 3):
        content = pieces[place].strip()
        if kind == "AVAILABLE_TOOLS":
            yield _message("system", f"<tools>\n{content}\n</tools>")
        elif kind == "TOOL_RESULTS":
            yield _mistral_result(content)
        elif content:
            yield _message(_MISTRAL_ROLES.get(kind, "assistant"), content)
        closing, name = pieces[place + 1 : place + 3] or ("", "")
        kind = "" if closing else name


def _mistral_result(content: str) -> JsonObject:
    try:
        value = strict_json.parse(content)
    except strict_json.NotJson:
        value = None
    if not isinstance(value, dict) or "content" not in value:
        return _message("tool", content)
    said = value["content"]
    result = said if isinstance(said, str) else strict_json.dumps(said)
    given = {"tool_call_id": value["call_id"]} if "call_id" in value else {}
    return {"role": "tool", "content": result, **given}
