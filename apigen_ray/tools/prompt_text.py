"""Tools as prompts describe them: a few lines each, which take half the tokens of JSON Schema.

    compound_interest: What a sum grows to at a yearly rate.
    - principal (number, 0 to 1e12): The sum at the start.
    - compounding ("yearly" | "monthly", default "yearly"): How often interest is added.
    - notes (string, optional): For the record.
    e.g. {"principal": 1000, "rate": 0.05, "years": 3}
    returns (number): The sum at the end.      (where calls may refer to it)
    result e.g. 1157.63

A parameter whose schema says more than that is given as JSON Schema in the same place, and so are
the parameters as a whole where they refer to definitions or depend on each other.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from apigen_ray.records import Json, JsonObject
from apigen_ray.tools.compact_schema import compact_schema

_SCALARS = ("string", "integer", "number", "boolean")
_SIMPLE = {"type", "enum", "minimum", "maximum", "default", "description", "items"}
_OF_OBJECT = {"type", "properties", "required", "description", "examples", "additionalProperties"}
"""What a schema of parameters may have to be written line by line."""


def tools_text(tools: Sequence[Json]) -> str:
    """Tools, each `{"name", "description", "parameters"}`, with an empty line between them."""
    return "\n\n".join(tool_text(tool) for tool in tools if isinstance(tool, dict))


def tool_text(tool: Mapping[str, Any]) -> str:
    """One tool, with the example calls that its parameters have."""
    return _text_of(json.dumps(tool))  # prompts and judges show the same tools again and again


@lru_cache(maxsize=4096)
def _text_of(form: str) -> str:
    """The text of a tool, given as JSON."""
    tool: dict[str, Any] = json.loads(form)
    parameters: JsonObject = tool.get("parameters") or {}
    lines = [f"{tool['name']}: {one_line(tool.get('description') or '')}"]
    if _is_plain(parameters):
        lines += _parameter_lines(parameters)
    else:
        described = {key: value for key, value in parameters.items() if key != "examples"}
        lines.append(f"parameters: {json.dumps(compact_schema(described), ensure_ascii=False)}")
    examples = parameters.get("examples")
    if isinstance(examples, list) and examples:
        lines += [f"e.g. {json.dumps(example, ensure_ascii=False)}" for example in examples]
    if isinstance(returns := tool.get("returns"), dict):
        lines += _result_lines(returns)
    return "\n".join(lines)


def _result_lines(returns: JsonObject) -> Iterator[str]:
    """What a tool returns, and the shortest example of it."""
    schema = {k: v for k, v in compact_schema(returns).items() if k not in ("examples", "default")}
    text = one_line(str(schema.get("description") or ""))
    yield f"returns ({_type_text(schema)}){f': {text}' if text else ''}"
    examples = returns.get("examples")
    if isinstance(examples, list) and examples:
        yield f"result e.g. {min((json.dumps(e, ensure_ascii=False) for e in examples), key=len)}"


def _is_plain(parameters: Mapping[str, Any]) -> bool:
    properties = parameters.get("properties", {})
    return (
        not parameters.keys() - _OF_OBJECT
        and parameters.get("additionalProperties") in (None, False)
        and isinstance(properties, dict)
        and all(isinstance(schema, dict) for schema in properties.values())
        and not any("\n" in name or " (" in name for name in properties)
        and '"$ref"' not in json.dumps(properties)
    )


def _parameter_lines(parameters: Mapping[str, Any]) -> Iterator[str]:
    required = parameters.get("required", ())
    for name, declared in parameters.get("properties", {}).items():
        schema = compact_schema(declared)
        notes = [_type_text(schema)]
        if "default" in schema:
            notes.append(f"default {json.dumps(schema['default'], ensure_ascii=False)}")
        elif name not in required:
            notes.append("optional")
        if "default" in schema and name in required:
            notes.append("required")
        described = one_line(str(schema.get("description") or ""))
        yield f"- {name} ({', '.join(notes)}){f': {described}' if described else ''}"


def _type_text(schema: JsonObject) -> str:
    """What a value may be: in words where they say it all, else as JSON Schema."""
    kind, items = schema.get("type"), schema.get("items")
    options = schema.get("enum")
    if not schema.keys() - _SIMPLE:
        if isinstance(options, list) and options and items is None:
            return " | ".join(json.dumps(option, ensure_ascii=False) for option in options)
        if kind in _SCALARS and items is None and "enum" not in schema:
            return f"{kind}{_range_text(schema)}"
        plain = {"type", "default", "description", "items"}
        if kind == "array" and not schema.keys() - plain and _is_scalar(items):
            return f"array of {items['type']}" if isinstance(items, dict) else "array"
    said = {key: value for key, value in schema.items() if key not in ("default", "description")}
    return json.dumps(said, ensure_ascii=False)


def _is_scalar(items: Json) -> bool:
    return isinstance(items, dict) and items.keys() == {"type"} and items["type"] in _SCALARS


def _range_text(schema: JsonObject) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {_number(low)} to {_number(high)}"
    if low is not None:
        return f", at least {_number(low)}"
    return f", at most {_number(high)}" if high is not None else ""


def _number(value: Json) -> str:
    """The shortest way to write a number: `1e12`, not `1000000000000`."""
    text = json.dumps(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        short = f"{value:g}".replace("e+", "e").replace("e0", "e")
        if float(short) == value and len(short) < len(text):
            return short
    return text


def one_line(text: str) -> str:
    """A text without line breaks: a description can't begin a line of its own."""
    return " ".join(text.split())
