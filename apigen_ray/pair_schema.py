"""The JSON Schema of the completion to a prompt, for endpoints with structured output."""

from collections.abc import Sequence

from apigen_ray.records import Json, JsonObject, Style, Tool
from apigen_ray.tools import shown_form

MOST_CALLS = 8
"""Without an end, a model that is held to a schema may go on until its tokens run out."""


def pairs_schema(style: Style, tools: Sequence[Tool], count: int) -> JsonObject:
    """`{"pairs": [...]}` with `count` pairs of a style: hosted services want an object on top."""
    least, most = {
        Style.SIMPLE: (1, 1),
        Style.MULTIPLE: (1, 1),
        Style.PARALLEL: (2, MOST_CALLS),
        Style.PARALLEL_MULTIPLE: (2, MOST_CALLS),
        Style.IRRELEVANCE: (0, 0),
    }[style]
    answers: JsonObject = {"type": "array", "minItems": least, "maxItems": most}
    if most:
        answers["items"] = {"anyOf": [_call(tool) for tool in tools]}
    pair = _object(query={"type": "string", "minLength": 1}, answers=answers)
    return _object(pairs={"type": "array", "items": pair, "minItems": count, "maxItems": count})


def _call(tool: Tool) -> JsonObject:
    arguments: Json = shown_form(tool)["parameters"]
    return _object(name={"type": "string", "const": tool.name}, arguments=arguments)


def _object(**properties: Json) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
