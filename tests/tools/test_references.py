"""References are read from arguments, and what stands at a path of a schema is known."""

import re

import pytest

from apigen_ray.records import Call
from apigen_ray.tools.references import (
    SIMPLE_FORM,
    Reference,
    end_of_group,
    has_references,
    read_reference,
    reference_form,
    references_of,
    referring,
)
from apigen_ray.tools.schema_paths import at, may_fit
from apigen_ray.tools.validation import SchemaValidator


def ref(text):
    return {"$ref": text}


@pytest.mark.parametrize(
    ("text", "call", "path"),
    [
        ("calls[0].result", 0, ()),
        ("calls[12].result.items[0].id", 12, ("items", 0, "id")),
        ("calls[1].result[-1]", 1, (-1,)),
        ('calls[1].result["air quality"].pm10', 1, ("air quality", "pm10")),
        ("calls[1].result['a.b']", 1, ("a.b",)),
    ],
)
def test_a_reference_is_a_call_and_a_path(text, call, path):
    assert read_reference(ref(text)) == Reference(call, path)
    assert read_reference(reference_form(Reference(call, path))) == Reference(call, path)


@pytest.mark.parametrize(
    "value",
    [
        "calls[0].result",
        ref("#/$defs/Node"),
        ref("result.x"),
        ref("calls[0].result."),
        ref("calls[0].results"),
        ref("calls[0].result[*]"),
        ref(7),
        ref("calls[0].result") | {"default": 1},
        [],
        None,
    ],
)
def test_anything_else_is_a_value_of_its_own(value):
    assert read_reference(value) is None


def test_what_engines_may_write_is_a_reference():
    for text in ("calls[0].result", "calls[3].result.a_b[0].c"):
        assert re.match(SIMPLE_FORM, text)
        assert read_reference(ref(text))


def test_references_are_found_at_any_depth():
    call = Call("f", {"a": [1, {"b": ref("calls[0].result")}], "c": ref("calls[1].result.x")})
    assert references_of([call]) == [Reference(0, ()), Reference(1, ("x",))]
    assert has_references(call.arguments)
    assert not has_references({"a": [{"b": "calls[0].result"}]})


def test_calls_are_made_together_up_to_one_that_refers_to_them():
    arguments = [{}, {"x": ref("calls[0].result")}, {"y": 1}, {"z": ref("calls[2].result")}]
    assert end_of_group(arguments, 0) == 1
    assert end_of_group(arguments, 1) == 3
    assert end_of_group(arguments, 3) == 4


# --- a schema in which a reference may stand for any value

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 3},
        "either": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        "list": {"type": "array", "items": {"$ref": "#/$defs/Place"}, "minItems": 1},
    },
    "required": ["n"],
    "additionalProperties": False,
    "$defs": {
        "Place": {
            "type": "object",
            "properties": {"lat": {"type": "number"}},
            "required": ["lat"],
            "additionalProperties": False,
        }
    },
}
R = ref("calls[0].result")


@pytest.mark.parametrize(
    ("arguments", "accepted"),
    [
        ({"n": R}, True),
        ({"n": 4, "either": R, "list": R}, True),
        ({"n": 4, "list": [R, {"lat": R}]}, True),
        ({"n": 2, "either": R}, False),
        ({"n": 4, "list": [{"lat": "x"}, R]}, False),
        ({"n": 4, "list": []}, False),
        ({"either": R}, False),
        ({"n": R, "other": R}, False),
        ({"n": R, "either": 1.5}, False),
    ],
)
def test_a_reference_may_stand_for_any_value_and_the_rest_is_checked(arguments, accepted):
    assert referring(SchemaValidator(SCHEMA)).accepts(arguments) is accepted


# --- paths

RETURNS = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
        "total": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    },
    "$defs": {"Item": {"type": "object", "properties": {"id": {"type": "string"}}}},
}


def types(schema, *path):
    return [each.get("type") for each in at(schema, path)]


def test_what_stands_at_a_path():
    assert types(RETURNS, "items", 0, "id") == ["string"]
    assert types(RETURNS, "total") == ["number", "null"]
    assert types({"type": "object"}, "anything", 3) == [None]
    assert types({"type": "object", "additionalProperties": {"type": "integer"}}, "x") == [
        "integer"
    ]
    assert types({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, 0) == [
        "string"
    ]
    assert types({"allOf": [{"properties": {"a": {"type": "integer"}}}]}, "a") == ["integer"]


def test_where_nothing_can_stand():
    assert at(RETURNS, ("items", 0, "name")) == []
    assert at(RETURNS, ("items", "id")) == []
    assert at(RETURNS, (0,)) == []
    assert at({"type": "number"}, ("value",)) == []
    assert at({"type": "array", "prefixItems": [{}], "items": False}, (1,)) == []


def test_a_schema_that_refers_to_itself_comes_to_an_end():
    node = {"$ref": "#/$defs/Node"}
    schema = {"$defs": {"Node": {"$ref": "#/$defs/Node"}}, "properties": {"a": node}}
    assert at(schema, ("a",)) == [{}]


def fits(output, wanted):
    return may_fit(output, output, wanted, wanted)


def test_values_fit_by_type_and_by_what_lists_are_of():
    assert fits({"type": "integer"}, {"type": "number"})
    assert fits({"type": "number"}, {"type": "integer"})  # it may be a whole one
    assert fits({}, {"type": "string"})
    assert fits({"type": ["string", "null"]}, {"type": "string"})
    assert not fits({"type": "string"}, {"type": "number"})
    numbers = {"type": "array", "items": {"type": "number"}}
    assert fits(numbers, {"type": "array"})
    assert not fits(numbers, {"type": "array", "items": {"type": "string"}})
    assert not fits(numbers, {"type": "number"})
