"""Tool lists in the forms that are in use become one form."""

import json

import pytest

from apigen_ray.errors import BadInput
from apigen_ray.tools.read_forms import UnreadableTool, read_tool, read_tool_list
from apigen_ray.tools.schemas import type_schema

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def test_own_and_openai_form_are_one():
    own = {"name": "f", "description": "d", "parameters": SCHEMA}
    assert read_tool(own) == read_tool({"type": "function", "function": own})
    assert read_tool(own).parameters == SCHEMA


@pytest.mark.parametrize(
    ("written", "schema"),
    [
        ("str", {"type": "string"}),
        ("float", {"type": "number"}),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("list[str] | None", {"anyOf": [type_schema("list[str]"), {"type": "null"}]}),
        ("Optional[bool]", {"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
        ("Dict[str, float]", {"type": "object", "additionalProperties": {"type": "number"}}),
        ("Union[int, str]", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ("Literal['a', 1]", {"enum": ["a", 1]}),
        ("typing.Any", {}),
        ("Tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}),
        ("some (unknown) type", {}),
    ],
)
def test_python_type_expressions_become_schemas(written, schema):
    assert type_schema(written) == schema


def test_xlam_parameters_know_what_is_optional():
    tool = read_tool(
        {
            "name": "f",
            "description": "d",
            "parameters": {
                "city": {"type": "str", "description": "The city."},
                "days": {"type": "int, optional", "description": "Days."},
                "unit": {"type": "str", "default": "C"},
                "tags": {"type": "Dict[str, int], optional"},
            },
        }
    )
    assert tool.parameters["required"] == ["city"]
    assert tool.parameters["properties"]["tags"]["type"] == "object"
    assert tool.parameters["properties"]["unit"] == {"type": "string", "default": "C"}


def test_where_some_parameters_are_flagged_the_others_are_optional():
    parameters = {"a": {"type": "string", "required": True}, "b": {"type": "string"}}
    tool = read_tool({"name": "f", "parameters": parameters})
    assert tool.parameters["required"] == ["a"]


def test_where_parameters_are_only_described_none_is_required():
    parameters = {"base": "The base.", "unit": "The unit. Default is 'cm'."}
    tool = read_tool({"name": "f", "parameters": parameters})
    assert tool.parameters == {
        "type": "object",
        "properties": {name: {"description": text} for name, text in parameters.items()},
    }


def test_a_flat_parameter_called_type_is_a_parameter():
    tool = read_tool({"name": "f", "parameters": {"type": {"type": "str"}}})
    assert tool.parameters["properties"] == {"type": {"type": "string"}}


def test_bfcl_types_are_the_standards_at_every_depth():
    bfcl = {
        "type": "dict",
        "properties": {
            "p": {"type": "tuple", "items": {"type": "float"}},
            "q": {"type": "dict", "properties": {"r": {"type": "any"}}},
        },
        "required": ["p"],
    }
    parameters = read_tool({"name": "f", "parameters": bfcl}).parameters
    assert parameters["type"] == "object"
    assert parameters["properties"]["p"] == {"type": "array", "items": {"type": "number"}}
    assert parameters["properties"]["q"] == {"type": "object", "properties": {"r": {}}}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"description": "d", "parameters": {}}, "has no name"),
        ({"name": "f", "description": "d"}, "'f': parameters must be"),
        ({"name": "f", "parameters": {"type": "object", "properties": 5}}, "'f': parameters"),
        ({"name": "f", "parameters": SCHEMA, "backend": {"kind": "magic"}}, "backend"),
        ("f", "JSON object"),
    ],
)
def test_what_is_no_tool_says_why(value, message):
    with pytest.raises(UnreadableTool, match=message):
        read_tool(value)


def test_a_bad_line_is_named(tmp_path):
    path = tmp_path / "tools.jsonl"
    path.write_text(json.dumps({"name": "f", "parameters": SCHEMA}) + '\n{"name": "g"}\n')
    with pytest.raises(BadInput, match=r"tools\.jsonl:2: tool 'g': parameters must be"):
        read_tool_list(path)
