"""The schema of a completion says what stage 1 will say of it."""

import json

import jsonschema
import pytest

from apigen_ray.models.structured_output import common, structural, without_arguments
from apigen_ray.prompting.pair_schema import LARGE, pairs_schema
from apigen_ray.records import Checked, Style, Tool
from apigen_ray.stages.check import CheckSettings, check, signatures_of

ADD = Tool(
    "add",
    "Add.",
    {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
        "examples": [{"a": 1, "b": 2}],
    },
    "Maths",
)
NOW = Tool("now", "The time.", {"type": "object", "properties": {}}, "Time")


def call(name="add", **arguments):
    return {"name": name, "arguments": arguments}


def both(style, tools, *pairs):
    """What the schema says, and what stage 1 says."""
    schema = pairs_schema(style, tools, len(pairs))
    value = {"pairs": list(pairs)}
    results = check(
        json.dumps(value),
        finish_reason="stop",
        style=style,
        signatures=signatures_of(tools),
        count=len(pairs),
        settings=CheckSettings(),
    )
    fits = jsonschema.Draft202012Validator(schema).is_valid(value)
    return fits, all(isinstance(result, Checked) for result in results)


@pytest.mark.parametrize(
    ("style", "tools", "calls", "good"),
    [
        (Style.SIMPLE, [ADD], [call(a=1, b=2)], True),
        (Style.SIMPLE, [ADD], [call(a=-1, b=2)], False),
        (Style.SIMPLE, [ADD], [call(a="1", b=2)], False),
        (Style.SIMPLE, [ADD], [call(a=1)], False),
        (Style.SIMPLE, [ADD], [call(a=1, b=2, c=3)], False),
        (Style.SIMPLE, [ADD], [call("sub", a=1, b=2)], False),
        (Style.SIMPLE, [ADD], [], False),
        (Style.MULTIPLE, [ADD, NOW], [call("now")], True),
        (Style.MULTIPLE, [ADD, NOW], [call("now"), call(a=1, b=2)], False),
        (Style.PARALLEL, [ADD], [call(a=1, b=2), call(a=2, b=2)], True),
        (Style.PARALLEL, [ADD], [call(a=1, b=2)], False),
        (Style.PARALLEL_MULTIPLE, [ADD, NOW], [call("now"), call(a=1, b=2)], True),
        (Style.IRRELEVANCE, [ADD], [], True),
        (Style.IRRELEVANCE, [ADD], [call(a=1, b=2)], False),
    ],
)
def test_schema_and_stage_1_agree(style, tools, calls, good):
    assert both(style, tools, {"query": "What?", "answers": calls}) == (good, good)


def test_the_number_of_pairs_is_part_of_the_schema():
    pair = {"query": "What?", "answers": [call(a=1, b=2)]}
    assert both(Style.SIMPLE, [ADD], pair, pair) == (True, True)
    schema = pairs_schema(Style.SIMPLE, [ADD], 2)
    assert not jsonschema.Draft202012Validator(schema).is_valid({"pairs": [pair]})


def test_example_calls_are_left_out():
    assert "examples" not in json.dumps(pairs_schema(Style.SIMPLE, [ADD], 1))


def test_what_is_left_of_a_schema_accepts_all_that_the_whole_accepts():
    schema = pairs_schema(Style.SIMPLE, [ADD], 1)
    good = {"pairs": [{"query": "What?", "answers": [call(a=1, b=2)]}]}
    for less in (common(schema), structural(schema), without_arguments(schema)):
        jsonschema.Draft202012Validator(less).validate(good)
    assert "minimum" in json.dumps(common(schema))
    assert "minimum" not in json.dumps(structural(schema))
    assert "minItems" in json.dumps(without_arguments(schema))
    assert "integer" in json.dumps(structural(schema))
    assert "integer" not in json.dumps(without_arguments(schema))


def test_definitions_of_tools_that_share_a_name_do_not_mix():
    def tool(name, kind):
        parameters = {
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/X"}},
            "required": ["x"],
            "$defs": {"X": {"anyOf": [{"type": kind}, {"$ref": "#/$defs/Y"}]}, "Y": {"const": "y"}},
        }
        return Tool(name, "Do.", parameters, "Other")

    tools = [tool("counts", "integer"), tool("says", "string")]
    for name, x, good in (("counts", 1, True), ("says", "a", True), ("counts", "a", False)):
        pair = {"query": "What?", "answers": [call(name, x=x)]}
        assert both(Style.MULTIPLE, tools, pair) == (good, good)
    assert both(Style.MULTIPLE, tools, {"query": "?", "answers": [call("counts", x="y")]})[0]


def test_a_query_is_not_empty_and_arguments_are_not_made_up():
    empty = {"query": "", "answers": [call("now")]}
    assert both(Style.SIMPLE, [NOW], empty) == (False, False)
    made_up = {"query": "What?", "answers": [call("now", zone="CET")]}
    assert both(Style.SIMPLE, [NOW], made_up) == (False, False)


def test_lengths_become_patterns_without_control_characters():
    text = {"type": "string", "minLength": 2, "maxLength": 9}
    parameters = {"type": "object", "properties": {"text": text}, "required": ["text"]}
    schema = pairs_schema(Style.SIMPLE, [Tool("say", "Say.", parameters, "Other")], 1)
    validator = jsonschema.Draft202012Validator(schema)
    for said, good in (
        ("Grüße \U0001f600", True),
        ("a", False),
        ("a\nb", False),
        ('"a" \\', True),
        ("a" * 10, False),
    ):
        pair = {"query": "What?", "answers": [call("say", text=said)]}
        assert validator.is_valid({"pairs": [pair]}) == good
    assert "Length" not in json.dumps(schema)


@pytest.mark.parametrize("least", [0, 1])
def test_a_text_that_may_be_long_may_hold_quotation_marks(least):
    text = {"type": "string", "minLength": least, "maxLength": 1000}
    parameters = {"type": "object", "properties": {"text": text}, "required": ["text"]}
    pair = {"query": 'Say "no".', "answers": [call("say", text='She said "no".')]}
    assert both(Style.SIMPLE, [Tool("say", "Say.", parameters, "Other")], pair) == (True, True)


def test_what_stands_beside_alternatives_stands_in_each_of_them():
    either = {"anyOf": [{"type": "integer"}, {"type": "null"}], "minimum": 1, "description": "N."}
    parameters = {"type": "object", "properties": {"n": either}}
    text = json.dumps(pairs_schema(Style.SIMPLE, [Tool("f", "Do.", parameters, "Other")], 1))
    bounded = {"minimum": 1, "type": "integer", "maximum": LARGE}
    assert f'"anyOf": [{json.dumps(bounded)}, {{"type": "null"}}]' in text
    assert text.count("minimum") == 1


def test_no_number_is_beyond_all_programs():
    for kind in ("number", "integer", ["number", "null"]):
        parameters = {"type": "object", "properties": {"n": {"type": kind, "exclusiveMinimum": 0}}}
        schema = pairs_schema(Style.SIMPLE, [Tool("f", "Do.", parameters, "Other")], 1)
        validator = jsonschema.Draft202012Validator(schema)
        for number, good in ((5, True), (0, False), (10**16, False)):
            pair = {"query": "What?", "answers": [call("f", n=number)]}
            assert validator.is_valid({"pairs": [pair]}) == good


def test_an_argument_named_like_a_keyword_is_kept():
    schema = {"type": "object", "properties": {"pattern": {"type": "string", "pattern": "a"}}}
    assert structural(schema)["properties"] == {"pattern": {"type": "string"}}


def test_a_text_with_a_pattern_keeps_its_length():
    text = {"type": "string", "pattern": "^[ivx]+$", "maxLength": 4}
    parameters = {"type": "object", "properties": {"n": text}, "required": ["n"]}
    tools = [Tool("f", "Do.", parameters, "Other")]
    for said, good in (("iv", True), ("ivxiv", False), ("a", False)):
        pair = {"query": "What?", "answers": [call("f", n=said)]}
        assert both(Style.SIMPLE, tools, pair) == (good, good)


def test_properties_that_nobody_declared_are_not_invented_at_any_depth():
    inner = {"type": "object", "properties": {"x": {"type": "integer"}}}
    parameters = {"type": "object", "properties": {"o": inner}}
    schema = pairs_schema(Style.SIMPLE, [Tool("f", "Do.", parameters, "Other")], 1)
    validator = jsonschema.Draft202012Validator(schema)
    for o, good in (({"x": 1}, True), ({"x": 1, "y": 2}, False)):
        assert validator.is_valid({"pairs": [{"query": "?", "answers": [call("f", o=o)]}]}) == good
