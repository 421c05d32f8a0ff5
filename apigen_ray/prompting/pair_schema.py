"""The JSON Schema of a prompt's completion, for endpoints with structured output."""

from collections.abc import Sequence
from typing import Any

from apigen_ray.prompting.calls_first import QUERY_SCHEMA
from apigen_ray.prompting.prompts import Prompt
from apigen_ray.records import Json, JsonObject, Style, Tool
from apigen_ray.stages.check import forbid_extra_properties
from apigen_ray.tools.references import KEY, SIMPLE_FORM
from apigen_ray.tools.write_forms import shown_form

MOST_CALLS = 8
"""The most calls in a pair. Without a limit, a model constrained by a schema may write calls until
its tokens run out."""

MOST_OF_A_TURN = 3
"""The most calls in a turn of a conversation, which asks for one or two."""

LONG_TEXT = 120
"""A text that may be this long is left unbounded here; stage 1 checks its length."""

CHARACTER = r'([^\x00-\x1f]|\\["\\/bfnrt])'
"""One character of a text. Some engines (llguidance) match a pattern against the text, others
(xgrammar) against its JSON between the quotation marks, where the second half allows escapes."""

LARGE = 10**15
"""The bound of numbers without one: a model might write 1e9100, which no program reads."""


def schema_of(prompt: Prompt) -> JsonObject:
    """The schema of the completion to a prompt."""
    if prompt.calls is not None:
        return QUERY_SCHEMA
    return pairs_schema(prompt.style, prompt.tools, prompt.count)


def pairs_schema(style: Style, tools: Sequence[Tool], count: int) -> JsonObject:
    """`{"pairs": [...]}` with `count` pairs of a style: hosted services need an object at the top.

    The schema may accept less than stage 1 does, but never more, with three exceptions: repeated
    calls, because no engine supports `uniqueItems`, texts longer than a limit of `LONG_TEXT` or
    more, and what a reference refers to.
    """
    text: JsonObject = {"type": "string", "pattern": f"^{CHARACTER}{{1,}}$"}
    said = ("query", "question", "reply") if style is Style.CLARIFY else ("query",)
    chained = style is Style.SEQUENTIAL
    answers = _answers(style, [_call(tool, chained=chained) for tool in tools])
    pair = _object(**dict.fromkeys(said, text), answers=answers)
    pairs: JsonObject = {"type": "array", "items": pair, "minItems": count, "maxItems": count}
    return _with_definitions(_object(pairs=pairs), tools)


def calls_schema(tools: Sequence[Tool], *, chained: bool = False) -> JsonObject:
    """`{"calls": [...]}` with any number of calls, even none: how a solver answers.

    Args:
        tools: Those that may be called.
        chained: Whether arguments may refer to the results of earlier calls.
    """
    one: Json = {"anyOf": [_call(tool, chained=chained) for tool in tools]}
    calls: JsonObject = {"type": "array", "items": one, "minItems": 0, "maxItems": MOST_CALLS}
    return _with_definitions(_object(calls=calls), tools)


def _with_definitions(schema: JsonObject, tools: Sequence[Tool]) -> JsonObject:
    definitions: JsonObject = {}
    for tool in tools:
        definitions |= _definitions(tool)
    return schema | ({"$defs": definitions} if definitions else {})


def _answers(style: Style, calls: Sequence[Json]) -> JsonObject:
    one: Json = {"anyOf": list(calls)}
    match style:
        case Style.IRRELEVANCE:
            return {"type": "array", "minItems": 0, "maxItems": 0}
        case Style.SIMPLE | Style.MULTIPLE | Style.CLARIFY:
            return {"type": "array", "items": one, "minItems": 1, "maxItems": 1}
        case Style.MULTI_TURN:
            return {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_OF_A_TURN}
        case Style.PARALLEL | Style.SEQUENTIAL:
            return {"type": "array", "items": one, "minItems": 2, "maxItems": MOST_CALLS}
        case _:
            # A schema can only say that the second call is of another function than the first.
            several: JsonObject = {"type": "array", "items": one}
            several |= {"minItems": 2, "maxItems": MOST_CALLS}
            return {
                "anyOf": [
                    several
                    | {"prefixItems": [first, {"anyOf": [c for c in calls if c is not first]}]}
                    for first in calls
                ]
            }


REFERENCE: JsonObject = {
    "type": "object",
    "properties": {KEY: {"type": "string", "pattern": SIMPLE_FORM}},
    "required": [KEY],
    "additionalProperties": False,
}
"""What may stand in the place of an argument."""


def _call(tool: Tool, *, chained: bool = False) -> JsonObject:
    parameters = shown_form(tool)["parameters"]
    assert isinstance(parameters, dict)
    declared = parameters.get("properties")
    if chained and isinstance(declared, dict):
        either: JsonObject = {
            name: {"anyOf": [schema, REFERENCE]} for name, schema in declared.items()
        }
        parameters = parameters | {"properties": either}
    arguments = _form(
        {k: v for k, v in forbid_extra_properties(parameters).items() if k != "$defs"}, tool.name
    )
    return _object(name={"type": "string", "const": tool.name}, arguments=arguments)


def _definitions(tool: Tool) -> JsonObject:
    """The definitions of a tool, renamed to be unique, as references start at the top."""
    given = tool.parameters.get("$defs")
    named = given.items() if isinstance(given, dict) else ()
    return {f"{tool.name}.{name}": _form(schema, tool.name) for name, schema in named}


def _form(schema: Json, tool: str, *, whole: bool = True) -> Json:
    """A schema for engines, tested with those of vLLM 0.32 (xgrammar 0.2.8, llguidance 1.7).

    References start at the top of the schema. Keywords beside alternatives move into each of them,
    because xgrammar ignores what is beside `anyOf`. The length of a text without a pattern becomes
    a pattern: xgrammar allows control characters in a text of bounded length, and fails on a
    pattern with large counts. Numbers are bounded, and objects have no undeclared properties.
    """
    if isinstance(schema, list):
        return [_form(inner, tool) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    formed: dict[str, Any] = {}
    for key, value in _distributed(schema).items():
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
    return _bounded(formed)


def _bounded(schema: dict[str, Any]) -> Json:
    """A schema with its texts bounded by a pattern, and its numbers by a minimum and a maximum."""
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


def _distributed(schema: JsonObject) -> JsonObject:
    """A schema with the keywords beside `anyOf` or `oneOf` moved into each alternative but null."""
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
"""Keywords that do not constrain null."""


def _object(**properties: Json) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
