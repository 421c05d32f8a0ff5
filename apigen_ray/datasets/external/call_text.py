"""Calls in the text of an assistant: the forms in which models write them.

- Hermes, Qwen: `<tool_call>{"name", "arguments"}</tool_call>`, one for each call
- Llama 3.1: `{"name", "parameters"}` as the whole message, after `<|python_tag|>` or not, several
  with `;` between; or `<function=NAME>{...}</function>`
- Mistral: `[TOOL_CALLS] [{"name", "arguments"}]`, or `[TOOL_CALLS]NAME[ARGS]{...}` for each call
- ToolBench: `Thought: ...`, `Action: NAME`, `Action Input: {...}`
"""

import ast
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from apigen_ray import strict_json
from apigen_ray.models.reasoning import split
from apigen_ray.records import Json, JsonObject


class Said(NamedTuple):
    """What an assistant's text says."""

    content: str
    """What is not in a call."""
    calls: list[Json]
    reasoning: str = ""


_TAGGED = re.compile(r"<tool_call>\s*")
_CLOSING = re.compile(r"\s*(?:</tool_call>|\Z)")
_NAMED = re.compile(r"<function=([^>\n]{1,200})>\s*(?=\{)")
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*")
_MISTRAL_ARGS = re.compile(r"([\w.:/-]+)(?:\[CALL_ID\]\w*)?\[ARGS\]\s*")
_PYTHON_TAG = "<|python_tag|>"
_ACTION = re.compile(r"^\s*Action:[ \t]*(\S[^\n]*)\n\s*Action Input:\s*", re.MULTILINE)
_DECODER = json.JSONDecoder()


def read_said(text: str) -> Said:
    """The content, the calls and the reasoning of an assistant's text.

    Raises:
        NotJson: if a marker of a call is not followed by a call.
    """
    thought = split(text)
    reply = thought.text
    for marker, read in _FORMS:
        if marker in reply:
            content, calls = read(reply)
            if calls:
                return Said(content.strip(), calls, thought.reasoning)
    bare = _bare(reply.strip())
    return Said("" if bare else reply, bare, thought.reasoning)


def read_calls(text: str) -> list[Json]:
    """The calls of a text that is nothing but calls, as JSON: one, a list, or several with `;`.

    Raises:
        NotJson: if it is anything else.
    """
    value, end = _value_at(text, 0)
    calls = list(value) if isinstance(value, list) else [value]
    rest = text[end:].lstrip("; \n\t")
    return [_call(call) for call in calls] + (read_calls(rest) if rest else [])


def _call(value: Json) -> Json:
    """A call whose arguments may be named `parameters`, as Llama does."""
    if not isinstance(value, dict):
        raise strict_json.NotJson(f"{str(value)[:80]!r} is not a call")
    function = value.get("function")
    found = function if isinstance(function, dict) else value
    if "arguments" not in found and "parameters" in found:
        return {"name": found.get("name"), "arguments": found["parameters"]}
    return {key: found[key] for key in ("name", "arguments") if key in found}


def _bare(text: str) -> list[Json]:
    """The calls of a message that is nothing else; empty if it is anything else."""
    if not text.startswith(("{", "[")) or '"name"' not in text:
        return []
    try:
        calls = read_calls(text)
    except strict_json.NotJson:
        return []
    are = all(isinstance(call, dict) and call.keys() == {"name", "arguments"} for call in calls)
    return calls if are else []


def _value_at(text: str, start: int) -> tuple[Json, int]:
    """The JSON value at a place, and where it ends; Python's spelling of it is read, too."""
    while start < len(text) and text[start].isspace():
        start += 1
    try:
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        return _python_at(text, start, error)
    return strict_json.parse(text[start:end]), end


def _python_at(text: str, start: int, error: Exception) -> tuple[Json, int]:
    end = text.find("</tool_call>", start)
    end = len(text) if end < 0 else end
    try:
        value = ast.literal_eval(text[start:end].strip())
        return strict_json.parse(strict_json.dumps(value)), end
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise strict_json.NotJson(f"{text[start : start + 60]!r} is not JSON: {error}") from error


def _tagged(text: str) -> tuple[str, list[Json]]:
    calls: list[Json] = []
    first = place = 0
    while match := _TAGGED.search(text, place):
        value, place = _value_at(text, match.end())
        if not (closed := _CLOSING.match(text, place)):
            raise strict_json.NotJson(f"{text[place : place + 60]!r} follows the call in its tags")
        place = closed.end()
        calls.append(_call(value))
        first = first or match.start() + 1
    return text[: first - 1] if first else text, calls


def _named(text: str) -> tuple[str, list[Json]]:
    calls: list[Json] = []
    first = place = 0
    while match := _NAMED.search(text, place):
        arguments, place = _value_at(text, match.end())
        calls.append({"name": match.group(1), "arguments": arguments})
        first = first or match.start() + 1
    return text[: first - 1] if first else text, calls


def _mistral(text: str) -> tuple[str, list[Json]]:
    calls: list[Json] = []
    content, *_ = text.partition("[TOOL_CALLS]")
    place = len(content)
    while match := _MISTRAL.match(text, place):
        if named := _MISTRAL_ARGS.match(text, match.end()):
            arguments, place = _value_at(text, named.end())
            calls.append({"name": named.group(1), "arguments": arguments})
        else:
            value, place = _value_at(text, match.end())
            calls += [_call(call) for call in (value if isinstance(value, list) else [value])]
    return content, calls


def _python_tag(text: str) -> tuple[str, list[Json]]:
    content, _, calls = text.partition(_PYTHON_TAG)
    return content, read_calls(calls.strip())


def _action(text: str) -> tuple[str, list[Json]]:
    match = _ACTION.search(text)
    if not match:
        return text, []
    written = text[match.end() :].strip()
    arguments: Json = {}
    if written:
        arguments, _ = _value_at(written, 0)
    thought = text[: match.start()].strip().removeprefix("Thought:")
    return thought, [{"name": match.group(1).strip(), "arguments": arguments}]


_FORMS: Sequence[tuple[str, Callable[[str], tuple[str, list[Json]]]]] = (
    ("<tool_call>", _tagged),
    ("[TOOL_CALLS]", _mistral),
    (_PYTHON_TAG, _python_tag),
    ("<function=", _named),
    ("Action Input:", _action),
)


_RESPONSE = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)


def read_results(text: str) -> list[JsonObject] | None:
    """The results in Hermes' tags, each `{"name"?, "content"}`; None if there is anything else."""
    found = list(_RESPONSE.finditer(text))
    if not found or _RESPONSE.sub("", text).strip():
        return None
    return [_result(match.group(1)) for match in found]


def _result(written: str) -> JsonObject:
    try:
        value: Any = strict_json.parse(written)
    except strict_json.NotJson:
        value = None
    if isinstance(value, dict) and isinstance(value.get("name"), str) and "content" in value:
        content = value["content"]
        text = content if isinstance(content, str) else strict_json.dumps(content)
        return {"name": value["name"], "content": text}
    return {"content": written}
