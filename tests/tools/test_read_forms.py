"""Tool lists in the forms that are in use become one form."""

import json

import pytest

from apigen_ray.errors import BadInput
from apigen_ray.tools.importers.findings import Found, gather, write_import
from apigen_ray.tools.importers.values import read_values
from apigen_ray.tools.read_forms import UnreadableTool, read_tool, read_tool_list
from apigen_ray.tools.type_names import type_schema

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
        ("List[()]", {"type": "array"}),
        ("Dict[()]", {"type": "object"}),
        ("Optional[()]", {}),
        ("Union[()]", {}),
        ("Literal[()]", {}),
        ("Tuple[()]", {"type": "array"}),
        ("Literal[b'a', {1}]", {}),
        ("Literal[1e999]", {}),
        ("Callable[[int], str]", {}),
        ("Dict[str]", {"type": "object"}),
        ("list<int>", type_schema("List[int]")),
        ("Array<Map<String, Integer>>", type_schema("List[Dict[str, int]]")),
        ("string[]", type_schema("List[str]")),
        ("int[][]", type_schema("List[List[int]]")),
        ("list(str)", type_schema("List[str]")),
        ("array of integers", type_schema("List[int]")),
        ("a list of lists of strings", type_schema("List[List[str]]")),
        ("int or str", type_schema("Union[int, str]")),
        ("str or None", type_schema("str | None")),
        ("int/float", type_schema("Union[int, float]")),
        ("int?", type_schema("Optional[int]")),
        ("integer (int32)", {"type": "integer"}),
        ("String", {"type": "string"}),
        ("str, optional", {"type": "string"}),
        ("List[" * 500, {}),
        ("x" + "[]" * 5000, {}),
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


@pytest.mark.parametrize(
    "written",
    [
        "int, optional", "int (optional)", "int,optional", "int; optional", "optional int",
        "(optional) int", "Optional, int", "int, default 5", "int, default=5", "int (default: 5)",
        "int, defaults to 5", "int, optional, default 5", "INT (Optional)",
    ],
)  # fmt: skip
def test_a_note_beside_a_type_says_that_a_value_may_be_left_out(written):
    tool = read_tool({"name": "f", "parameters": {"a": {"type": written}, "b": {"type": "int"}}})
    assert tool.parameters["properties"]["a"] == {"type": "integer"}
    assert tool.parameters["required"] == ["b"]


@pytest.mark.parametrize("written", ["int, required", "int (required)", "int", "Optional[int]"])
def test_other_types_are_of_values_that_are_required(written):
    tool = read_tool({"name": "f", "parameters": {"a": {"type": written}}})
    assert tool.parameters["required"] == ["a"]


def test_a_flat_parameter_may_have_several_types():
    tool = read_tool({"name": "f", "parameters": {"a": {"type": ["str", "null"]}}})
    assert tool.parameters["properties"]["a"] == {"type": ["string", "null"]}


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
        ({"name": "f", "parameters": 5}, "'f': parameters: must be a JSON object"),
        ({"name": "f", "parameters": "none"}, "'f': parameters: are text, but not JSON"),
        ({"name": "f", "parameters": {"type": "array", "items": {}}}, "not of type 'array'"),
        ({"name": "f", "parameters": {"anyOf": [{"type": "null"}]}}, "allows no object"),
        ({"name": "f", "parameters": {"required": ["a"], "a": {"type": "int"}}}, "'a' must stand"),
        ({"name": "f", "parameters": {"type": "object", "a": {"type": "int"}}}, "'a' must stand"),
        ({"name": "f", "parameters": {"$ref": "#/$defs/no"}}, "'f': parameters: "),
        ({"name": "f", "parameters": {"$ref": "https://a.test/x"}}, "'f': parameters: "),
        ({"name": "f", "arguments": [{"name": "a"}]}, "'arguments' is not read"),
        ({"name": "f", "api_parameters": {"a": {}}}, "'api_parameters' is not read"),
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
    path.write_text(
        json.dumps({"name": "f", "parameters": SCHEMA}) + '\n{"name": "g", "parameters": 5}\n'
    )
    with pytest.raises(BadInput, match=r"tools\.jsonl:2: tool 'g': parameters: must be"):
        read_tool_list(path)


LINE_ENDS = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei"
"""What `str.splitlines` takes for the end of a line, and JSON does not."""


def test_a_line_ends_where_json_says(tmp_path):
    written = gather(iter([Found("here", "list:x", "f", "", LINE_ENDS, SCHEMA, "Other")]))
    path = tmp_path / "tools.jsonl"
    write_import(written, path)
    [tool] = read_tool_list(path)
    assert tool.description == LINE_ENDS
    [(_, value)] = read_values(path)
    assert value["description"] == LINE_ENDS
    path.write_text(path.read_text("utf-8").replace("\n", "\r\n"), "utf-8", newline="")
    assert read_tool_list(path) == [tool]
