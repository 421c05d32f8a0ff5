"""Reads the tools of a prompt back from their lines: the inverse of `tools.prompt_text`."""

import json
import re
from typing import Any

from apigen_ray.records import JsonObject, Tool

_HEAD = re.compile(r"([\w.-]+): (.*)")
_PARAMETER = re.compile(r"- (.+?) \((.*)")
_RANGE = re.compile(
    r", (?:(?P<low>\S+) to (?P<high>\S+?)|at least (?P<least>\S+?)|at most (?P<most>\S+?))(?=[,)])"
)
_DECODER = json.JSONDecoder()


def read_tools(text: str) -> tuple[Tool, ...]:
    """The tools of a text in which an empty line stands between them.

    Raises:
        ValueError: if one can't be read.
    """
    return tuple(_tool(block) for block in text.strip().split("\n\n"))


def _tool(block: str) -> Tool:
    head, *lines = block.split("\n")
    found = _HEAD.fullmatch(head)
    if found is None:
        raise ValueError(f"not a tool: {head[:100]!r}")
    parameters: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    returns: JsonObject | None = None
    for line in lines:
        if line.startswith("parameters: "):
            parameters = json.loads(line.removeprefix("parameters: "))
        elif line.startswith("e.g. "):
            example = json.loads(line.removeprefix("e.g. "))
            parameters.setdefault("examples", []).append(example)
        elif line.startswith("returns ("):
            returns, _ = _type(line.removeprefix("returns ("))
        elif line.startswith("result e.g. "):
            returns = (returns or {}) | {"examples": [json.loads(line[len("result e.g. ") :])]}
        else:
            _read_parameter(line, parameters)
    return Tool(found[1], found[2], parameters, "", returns=returns)


def _read_parameter(line: str, parameters: dict[str, Any]) -> None:
    found = _PARAMETER.fullmatch(line)
    if found is None:
        raise ValueError(f"not a parameter: {line[:100]!r}")
    name, rest = found.groups()
    schema, rest = _type(rest)
    optional = rest.startswith(", optional")
    rest = rest.removeprefix(", optional")
    if rest.startswith(", default "):
        schema["default"], end = _DECODER.raw_decode(rest, len(", default "))
        optional, rest = not rest[end:].startswith(", required"), rest[end:]
        rest = rest.removeprefix(", required")
    if not rest.startswith(")"):
        raise ValueError(f"not a parameter: {line[:100]!r}")
    if rest.startswith("): "):
        schema["description"] = rest.removeprefix("): ")
    parameters["properties"][name] = schema
    if not optional:
        parameters["required"].append(name)


def _type(text: str) -> tuple[JsonObject, str]:
    """The schema at the start of a text, and what stands behind it."""
    if text.startswith("{"):
        schema, end = _DECODER.raw_decode(text)
        return schema, text[end:]
    word = re.match(r"(array of )?(string|integer|number|boolean)(?=[,)])", text)
    if word is None:
        return _options(text)
    if word[1]:
        return {"type": "array", "items": {"type": word[2]}}, text[word.end() :]
    schema = {"type": word[2]}
    limits = _RANGE.match(text, word.end())
    if limits is None:
        return schema, text[word.end() :]
    for key, group in (
        ("minimum", "low"),
        ("maximum", "high"),
        ("minimum", "least"),
        ("maximum", "most"),
    ):
        if limits[group]:
            schema[key] = _as_number(limits[group])
    return schema, text[limits.end() :]


def _options(text: str) -> tuple[JsonObject, str]:
    options: list[Any] = []
    position = 0
    while True:
        value, position = _DECODER.raw_decode(text, position)
        options.append(value)
        if not text.startswith(" | ", position):
            return {"enum": options, "type": _type_of(options)}, text[position:]
        position += len(" | ")


def _type_of(options: list[Any]) -> Any:
    """The type of an enum's options: one, or a list of those that occur."""
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    found = sorted({names.get(type(option), "object") for option in options})
    return found[0] if len(found) == 1 else found


def _as_number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
