"""Schemas of older drafts and other languages become JSON Schema 2020-12."""

import jsonschema_rs
import pytest

from apigen_ray.tools.schemas import (
    InvalidSchema,
    check_schema,
    to_draft_2020_12,
    without_bad_examples,
)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True},
         {"type": "integer", "exclusiveMinimum": 1}),
        ({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}),
        ({"items": [{"type": "int"}], "additionalItems": False},
         {"prefixItems": [{"type": "integer"}], "items": False}),
        ({"dependencies": {"a": ["b"], "c": {"type": "dict"}}},
         {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"type": "object"}}}),
        ({"type": "string", "nullable": True, "enum": ["a"]},
         {"type": ["string", "null"], "enum": ["a", None]}),
        ({"$ref": "#/x", "nullable": True}, {"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}),
        ({"type": ["str", "none"]}, {"type": ["string", "null"]}),
        ({"type": "String", "maxLength": "5"}, {"type": "string", "maxLength": 5}),
        ({"type": "object", "additionalProperties": "true"},
         {"type": "object", "additionalProperties": True}),
        ({"pattern": r"^\p{L}+$"}, {"pattern": r"^\p{L}+$"}),
        ({"pattern": r"\Aa\Z"}, {}),  # not of ECMAScript
        ({"required": True, "enum": None, "$schema": "draft-04", "x-note": 1}, {}),
        ({"required": ["a", "a"]}, {"required": ["a"]}),
        ({"properties": {"type": {"type": "float"}, "x-y": {"type": "any"}}},
         {"properties": {"type": {"type": "number"}, "x-y": {}}}),
        ({"default": {"type": "dict"}, "const": {"nullable": True}},
         {"default": {"type": "dict"}, "const": {"nullable": True}}),
    ],
    ids=str,
)  # fmt: skip
def test_older_and_foreign_keywords_are_read(written, read):
    assert to_draft_2020_12(written) == read
    jsonschema_rs.meta.validate(read)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"properties": 5},
        {"required": "a"},
        {"properties": {"a": {"$ref": "#/$defs/no"}}},
        {"properties": {"a": {"$ref": "https://a.test/schema"}}},
        {"pattern": "["},
    ],
)
def test_what_is_no_schema_is_refused_in_one_line(schema):
    with pytest.raises(InvalidSchema) as caught:
        check_schema(schema)
    assert "\n" not in str(caught.value)


def test_examples_stay_only_where_the_schema_allows_them():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "examples": [1, "x"]},
            "b": {"$ref": "#/$defs/B", "examples": ["no"]},
        },
        "$defs": {"B": {"type": "boolean", "examples": [True]}},
        "examples": [{"a": 1}, {"a": "x"}],
    }
    cleaned, dropped = without_bad_examples(schema)
    assert dropped == 3
    assert cleaned["examples"] == [{"a": 1}]
    assert cleaned["properties"]["a"]["examples"] == [1]
    assert "examples" not in cleaned["properties"]["b"]
    assert cleaned["$defs"]["B"]["examples"] == [True]


def test_an_enum_beside_array_is_that_of_its_items():
    written = {"type": "array", "items": {"type": "string"}, "enum": ["a", "b"]}
    assert to_draft_2020_12(written) == {
        "type": "array",
        "items": {"enum": ["a", "b"], "type": "string"},
    }
    lists = {"type": "array", "enum": [["a"], ["b"]]}
    assert to_draft_2020_12(lists) == lists
