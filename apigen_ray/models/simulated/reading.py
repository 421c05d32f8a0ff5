"""Reads the text of a prompt as a model would: the request, the tools shown, the voice."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from apigen_ray.models.simulated.tool_text import read_tools
from apigen_ray.records import Call, Message, Style, Tool


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A generator prompt."""

    tools: tuple[Tool, ...]
    style: Style
    voice: str
    count: int
    earlier: tuple[Call, ...] = ()
    """The calls of the turns before, if it goes on with a conversation."""
    said: str = ""
    """What was said and returned in these."""


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A prompt for the final answer to a conversation."""

    names: tuple[str, ...]
    """Of the functions of the last turn's calls."""
    results: tuple[str, ...]
    """What they returned, as text."""
    asked_again: bool


@dataclass(frozen=True, slots=True)
class JudgeAnswerRequest:
    """A judge's prompt about a final answer."""

    asked_again: bool


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A prompt for the query of given calls."""

    tools: tuple[Tool, ...]
    calls: tuple[Call, ...]
    voice: str


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """A judge prompt."""

    tools: tuple[Tool, ...]
    query: str
    calls: tuple[Call, ...]
    a_call_failed: bool
    asked_again: bool


@dataclass(frozen=True, slots=True)
class ProposeRequest:
    """A request for arguments to try."""

    tool: Tool
    count: int


@dataclass(frozen=True, slots=True)
class RewriteRequest:
    """A request for a better description."""

    tool: Tool


Request: TypeAlias = (
    GenerateRequest
    | AnswerRequest
    | JudgeAnswerRequest
    | QueryRequest
    | JudgeRequest
    | ProposeRequest
    | RewriteRequest
)


class Unreadable(ValueError):
    """The prompt is of an unknown kind."""


def read(messages: Sequence[Message]) -> Request:
    """Read a conversation.

    Raises:
        Unreadable: if it asks neither for pairs, nor for a verdict, nor for what cleaning needs.
    """
    texts = [message.content for message in messages if message.role != "assistant"]
    asked_again = len(texts) < len(messages)
    for text in texts:
        try:
            if text.startswith("You are the assistant in a conversation"):
                return _answer_request(texts[1], asked_again)
            if "you must assess the last message of a conversation" in text:
                return JudgeAnswerRequest(asked_again)
            if text.startswith("You continue conversations"):
                return _follow_up_request(texts[1])
            if re.search(r"^<function_calls>$", text, re.MULTILINE):
                return _judge_request(text, asked_again)
            if re.search(r"^<conversation>$", text, re.MULTILINE):
                return _conversation_request(text, asked_again)
            if text.startswith("You write what a user asks"):
                return _query_request(text, texts[-1])
            if "(style: " in text:
                return _generate_request(text)
            if re.search(r"^<function_to_call>$", text, re.MULTILINE):
                count = int(_found(r"Propose (\d+)", text))
                return ProposeRequest(_tool(_block("function_to_call", text)), count)
            if re.search(r"^<function_to_describe>$", text, re.MULTILINE):
                return RewriteRequest(_tool(_block("function_to_describe", text)))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable(f"{type(error).__name__}: {error}") from error
    raise Unreadable("it asks neither for pairs nor for a verdict")


def _tool(text: str) -> Tool:
    told = json.loads(text)
    return Tool(told["name"], told["description"], told["parameters"], "")


def _generate_request(text: str) -> GenerateRequest:
    # Style and voice stand before the examples, whose queries could hold the same words.
    style = _found(r"\(style: (\w+)\)", text)
    voice = _found(r"voice: (\w+)\.", text) if "voice: " in text else "plain"
    *_, count = re.findall(r"^Now please generate (\d+)", text, re.MULTILINE)
    return GenerateRequest(read_tools(_block("functions", text)), Style(style), voice, int(count))


def _follow_up_request(text: str) -> GenerateRequest:
    lines = _conversation_lines(text)
    return replace(_generate_request(text), earlier=_calls_in(lines), said=_said(lines), count=1)


def _answer_request(text: str, asked_again: bool) -> AnswerRequest:
    lines = _conversation_lines(text)
    asked = [place for place, line in enumerate(lines) if line["role"] == "user"][-1]
    return AnswerRequest(
        names=tuple(call.name for call in _calls_in(lines[asked:])),
        results=tuple(line["content"] for line in lines[asked:] if line["role"] == "tool"),
        asked_again=asked_again,
    )


def _conversation_lines(text: str) -> list[dict[str, Any]]:
    """The messages of a conversation; one that is cut is no JSON, and left out."""
    lines = []
    for line in _block("conversation", text).split("\n"):
        try:
            lines.append(json.loads(line))
        except ValueError:
            lines.append({"role": "tool", "content": ""})
    return lines


def _calls_in(lines: Sequence[dict[str, Any]]) -> tuple[Call, ...]:
    made = (call for line in lines for call in line.get("function_calls", ()))
    return tuple(Call(call["name"], call["arguments"]) for call in made)


def _said(lines: Sequence[dict[str, Any]]) -> str:
    return "\n".join(line.get("content") or "" for line in lines)


def _query_request(instructions: str, text: str) -> QueryRequest:
    tools, calls = [], []
    for block in text.split("\n\n"):
        head, *lines = block.split("\n")
        name, _, description = head.partition(": ")
        arguments: dict[str, Any] = {}
        properties: dict[str, Any] = {}
        for line in lines:
            argument, _, rest = line.removeprefix("- ").partition(" = ")
            if rest.startswith("("):  # what an earlier call gives, in words
                arguments[argument] = rest.strip("()")
                continue
            arguments[argument], end = json.JSONDecoder().raw_decode(rest)
            properties[argument] = {"description": rest[end:].strip(" ()")}
        tools.append(Tool(name, description, {"properties": properties}, ""))
        calls.append(Call(name, arguments))
    return QueryRequest(tuple(tools), tuple(calls), _found(r"voice: (\w+)\.", instructions))


def _conversation_request(text: str, asked_again: bool) -> JudgeRequest:
    """The calls of all turns, against all that is said."""
    lines = _conversation_lines(text)
    return JudgeRequest(
        tools=read_tools(_block("available_functions", text)),
        query=_said(lines),
        calls=_calls_in(lines),
        a_call_failed=any(line.get("ok") is False for line in lines),
        asked_again=asked_again,
    )


def _judge_request(text: str, asked_again: bool) -> JudgeRequest:
    calls = json.loads(_block("function_calls", text))
    results = _block("execution_results", text)
    return JudgeRequest(
        tools=read_tools(_block("available_functions", text)),
        query=json.loads(_block("user_query", text)),
        calls=tuple(Call(call["name"], call["arguments"]) for call in calls),
        # A result may be truncated, and then is not JSON; but its beginning says whether it failed.
        a_call_failed=bool(re.search(r'^[\s\[{]*"ok":\s*false', results, re.MULTILINE)),
        asked_again=asked_again,
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise LookupError(f"nothing like {pattern!r}")
    return match.group(1)


def _block(name: str, text: str) -> str:
    return _found(rf"(?sm)^<{name}>\n(.*?)\n</{name}>$", text)
