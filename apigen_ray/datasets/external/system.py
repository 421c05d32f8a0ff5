"""The system's message, where a form has its tools and its instructions in it."""

import ast
import re
from collections.abc import Iterator

from apigen_ray import strict_json
from apigen_ray.records import Json, JsonObject

_TOOLS = re.compile(r"<tools>\s*(.*?)\s*</tools>", re.DOTALL)
_TOOLBENCH = "have access to the following APIs: "
_INSTRUCTIONS = re.compile(
    r"You are a function calling AI model\b|# Tools\s|\n# Tools\n|You are AutoGPT, you can use many"
)
"""Where the instructions of a form begin: Hermes, Qwen, ToolBench."""
_LLAMA = re.compile(
    r"\A(?:Environment: ipython\n)?(?:Tools: [^\n]*\n+)?"
    r"Cutting Knowledge Date: [^\n]*\n(?:Today Date: [^\n]*\n)?\s*"
)
"""What Llama's template writes before the system's words."""


def tools_in(text: str) -> Iterator[JsonObject]:
    """The tools that a system's message describes: Hermes', Qwen's and ToolBench's forms."""
    _, _, listed = text.partition(_TOOLBENCH)
    if listed:
        yield from embedded_tools(_json_of(listed.strip()))
    for block in _TOOLS.finditer(text):
        yield from embedded_tools(block.group(1))


def own_words(text: str) -> str:
    """What a system's message says besides the tools and how they are called."""
    text = _LLAMA.sub("", text)
    if not (_TOOLS.search(text) or _TOOLBENCH in text):
        return text
    instructions = _INSTRUCTIONS.search(text)
    return text[: instructions.start()].strip() if instructions else ""


def embedded_tools(text: str) -> Iterator[JsonObject]:
    """The tools that a text describes as JSON: one after the other, or as a list."""
    for value in strict_json.embedded(text):
        listed: Json = value
        for item in listed if isinstance(listed, list) else [listed]:
            if not isinstance(item, dict):
                continue
            function = item.get("function", item)
            if isinstance(function, dict) and {"name", "parameters"} <= function.keys():
                yield item


def _json_of(text: str) -> str:
    """A list as JSON, which may be in Python's spelling."""
    try:
        return strict_json.dumps(ast.literal_eval(text))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text
