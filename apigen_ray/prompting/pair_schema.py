"""The JSON Schema of the completion to a prompt, for endpoints with structured output."""

from collections.abc import Sequence
from typing import Any

from apigen_ray.records import Json, JsonObject, Style, Tool
from apigen_ray.stages.check import forbid_extra_properties
from apigen_ray.tools.write_forms import shown_form

MOST_CALLS = 8
"""Without an end, a model that is held to a schema may go on until its tokens run out."""

LONG_TEXT = 120
"""A text that may be this long, may be any length: stage 1 knows better."""

CHARACTER = r'([^\x00-\x1f]|\\["\\/bfnrt])'
"""Some engines (llguidance) hold a pattern against a text, others (xgrammar) against what stands
between its quotation marks: there, the second half lets them be escaped."""

LARGE = 10**15
"""Without an end, a number may be 1e9100, which no program reads."""


def pairs_schema(style: Style, tools: Sequence[Tool], count: int) -> JsonObject:
    """`{"pairs": [...]}` with `count` pairs of a style: hosted services want an object on top.

    What it accepts may be less than what stage 1 accepts, but is never more, but for calls that are
    repeated, since no engine knows `uniqueItems`, and texts that are too long where they may be
    long.
    """
    query: JsonObject = {"type": "string", "pattern": f"^{CHARACTER}{{1,}}$"}
    pair = _object(query=query, answers=_answers(style, [_call(tool) for tool in tools]))
    pairs: JsonObject = {"type": "array", "items": pair, "minItems": count, "maxItems": count}
    definitions: JsonObject = {}
    for tool in tools:
        definitions |= _definitions(tool)
    return _object(pairs=pairs) | ({"$defs": definitions} if definitions else {})


def _answers(style: Style, calls: Sequence[Json]) -> JsonObject:
    one: Json = {"anyOf": list(calls)}
    match style:
        case Style.IRRELEVANCE:
            return {"type": "array", "minItems": 0, "maxItems": 0}
        case Style.SIMPLE | Style.MULTIPLE:
            return {"type": "array", "items": one, "minItems": 1, "maxItems": 1}
        case Style.PARALLEL:
            return {"type": "array", "items": one, "minItems": 2, "maxItems": MOST_CALLS}
        case Style.PARALLEL_MULTIPLE:
            # That the second call is of another function than the first, is what can be said.
            several: JsonObject = {"type": "array", "items": one}
            several |= {"minItems": 2, "maxItems": MOST_CALLS}
            return {
                "anyOf": [
                    several
                    | {"prefixItems": [first, {"anyOf": [c for c in calls if c is not first]}]}
                    for first in calls
                ]
            }


def _call(tool: Tool) -> JsonObject:
    parameters = shown_form(tool)["parameters"]
    assert isinstance(parameters, dict)
    arguments = _form(
        {k: v for k, v in forbid_extra_properties(parameters).items() if k != "$defs"}, tool.name
    )
    return _object(name={"type": "string", "const": tool.name}, arguments=arguments)


def _definitions(tool: Tool) -> JsonObject:
    """The definitions of a tool, under names of its own: references count from the top."""
    given = tool.parameters.get("$defs")
    named = given.items() if isinstance(given, dict) else ()
    return {f"{tool.name}.{name}": _form(schema, tool.name) for name, schema in named}


def _form(schema: Json, tool: str, *, whole: bool = True) -> Json:
    """A schema as engines take it, tried with those of vLLM 0.32 (xgrammar 0.2.8, llguidance 1.7).

    References count from the top. What stands beside alternatives goes into each of them: xgrammar
    reads nothing beside `anyOf`. The length of a text becomes a pattern, if it has none: xgrammar
    lets control characters into a text whose length is bounded, and fails on a pattern that counts
    far. Numbers have ends, and objects no properties that nobody declared.
    """
    if isinstance(schema, list):
        return [_form(inner, tool) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    formed: dict[str, Any] = {}
    for key, value in _inside(schema).items():
        if key in ("properties", "patternProperties", "$defs") and isinstance(value, dict):
            formed[key] = {name: _form(inner, tool) for name, inner in value.items()}
        elif key in ("enum", "const", "default", "examples"):
            formed[key] = value
        elif key == "allOf" and isinstance(value, list):
            formed[key] = [_form(part, tool, whole=False) for part in value]
        elif key == "$ref":
            formed[key] = str(value).replace("#/$defs/", f"#/$defs/{tool}.")
        else:
            formed[key] = _form(value, tool)
    if whole and "properties" in formed and not {"patternProperties", "allOf"} & formed.keys():
        formed.setdefault("additionalProperties", False)
    return _ended(formed)


def _ended(schema: dict[str, Any]) -> Json:
    """A schema whose texts are bounded by a pattern, and whose numbers are bounded."""
    if not {"pattern", "enum"} & schema.keys():
        least, most = schema.pop("minLength", 0), schema.pop("maxLength", LONG_TEXT)
        if least or most < LONG_TEXT:
            end = most if most < LONG_TEXT else ""
            schema["pattern"] = f"^{CHARACTER}{{{least},{end}}}$"
    type_ = schema.get("type")
    types = set(type_ if isinstance(type_, list) else [type_])
    if types & {"number", "integer"} and "enum" not in schema:
        if not {"minimum", "exclusiveMinimum"} & schema.keys():
            schema["minimum"] = -LARGE
        if not {"maximum", "exclusiveMaximum"} & schema.keys():
            schema["maximum"] = LARGE
    return schema


def _inside(schema: JsonObject) -> JsonObject:
    """A schema whose keywords beside `anyOf` or `oneOf` stand in each alternative but null."""
    for choice in ("anyOf", "oneOf"):
        alternatives = schema.get(choice)
        beside = {key: value for key, value in schema.items() if key in _OF_VALUES}
        if isinstance(alternatives, list) and beside:
            rest = {key: value for key, value in schema.items() if key not in beside}
            return rest | {choice: [_narrowed(each, beside) for each in alternatives]}
    return schema


def _narrowed(alternative: Json, beside: JsonObject) -> Json:
    if not isinstance(alternative, dict) or alternative.get("type") == "null":
        return alternative
    return beside | alternative


_OF_VALUES = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems",
}  # fmt: skip
"""Keywords that say nothing about null."""


def _object(**properties: Json) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
