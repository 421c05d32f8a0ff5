"""Tools in prompts: short, and nothing of what stage 1 holds a call to is lost."""

import json
import re
from pathlib import Path

import pytest

from apigen_ray.models.simulated.tool_text import read_tools
from apigen_ray.records import Tool
from apigen_ray.tools.compact_schema import compact_schema
from apigen_ray.tools.library import load_library
from apigen_ray.tools.prompt_text import tool_text, tools_text
from apigen_ray.tools.validation import validator_of
from apigen_ray.tools.write_forms import prompt_form

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def library():
    return load_library([str(ROOT / "sandbox" / "tools")]).tools


def test_the_lines_say_what_the_docstring_promises():
    tool = {
        "name": "compound_interest",
        "description": "What a sum\ngrows to.",
        "parameters": {
            "type": "object",
            "properties": {
                "principal": {"type": "number", "minimum": 0, "maximum": 1e12},
                "compounding": {
                    "enum": ["yearly", "monthly"],
                    "type": "string",
                    "default": "yearly",
                },
                "notes": {"type": "string", "title": "Notes", "description": "For the record."},
            },
            "required": ["principal"],
            "examples": [{"principal": 1000}],
        },
    }
    assert tool_text(tool) == (
        "compound_interest: What a sum grows to.\n"
        "- principal (number, 0 to 1e12)\n"
        '- compounding ("yearly" | "monthly", default "yearly")\n'
        "- notes (string, optional): For the record.\n"
        'e.g. {"principal": 1000}'
    )


def test_every_tool_of_the_library_can_be_read_back(library):
    forms = [prompt_form(tool) for tool in library]
    read = read_tools(tools_text(forms))
    assert [tool.name for tool in read] == [tool.name for tool in library]
    for form, tool in zip(forms, read, strict=True):
        assert _rules(tool.parameters) == _rules(form["parameters"])


def test_it_takes_two_thirds_of_what_json_schema_takes(library):
    forms = [prompt_form(tool) for tool in library]
    assert len(tools_text(forms)) < 0.7 * len(json.dumps(forms))


def _rules(parameters):
    """What a call is held to; how a documentation is wrapped is no part of it."""
    compact = compact_schema({k: v for k, v in parameters.items() if k != "description"})
    return json.loads(re.sub(r"(?:\\\\n|\s)+", " ", json.dumps(compact))) | {
        "required": {*parameters.get("required", ())}
    }


def test_parameters_that_depend_on_each_other_stay_json_schema():
    parameters = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A"},
            "b": {"$ref": "#/$defs/B"},
            "c": {"$ref": "#/$defs/B"},
        },
        "$defs": {"A": {"type": "integer"}, "B": {"type": "string", "maxLength": 3}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }  # fmt: skip
    text = tool_text({"name": "f", "description": "F.", "parameters": parameters})
    [tool] = read_tools(text)
    assert tool.parameters == compact_schema(parameters)
    assert tool.parameters["properties"]["a"] == {"type": "integer"}  # used once: inlined
    assert tool.parameters["$defs"].keys() == {"B"}
    for arguments, right in [({"a": 1}, True), ({"c": "x"}, False), ({"b": "long"}, False)]:
        for schema in (parameters, tool.parameters):
            assert validator_of(json.dumps(schema)).accepts(arguments) is right


def test_a_definition_that_refers_to_itself_stays():
    schema = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": {"properties": {"next": {"$ref": "#/$defs/Node"}}}},
    }
    assert compact_schema(schema) == schema


def test_a_property_that_is_named_like_a_keyword_stays():
    schema = {"properties": {"title": {"type": "string", "title": "Title", "default": None}}}
    assert compact_schema(schema) == {"properties": {"title": {"type": "string"}}}


def test_tools_with_odd_parameters_are_described():
    odd = Tool(
        "f", "F.", {"type": "object", "properties": {"filter[size] (old)": {"type": "string"}}}, ""
    )
    assert "parameters: {" in tool_text(prompt_form(odd))
