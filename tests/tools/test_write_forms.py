"""A tool written in another form and read again is the same tool."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from apigen_ray.records import Key, PythonBackend, RestBackend, Tool, VirtualBackend
from apigen_ray.tools.importers.findings import gather
from apigen_ray.tools.importers.openapi import OpenApiOptions, read_openapi
from apigen_ray.tools.library import load_library
from apigen_ray.tools.read_forms import read_tool
from apigen_ray.tools.write_forms import own_form, xlam_form

ROOT = Path(__file__).parents[2]
REST = RestBackend(
    "POST", "https://a.test/{id}", {"id": "path", "q": "query:$q"}, {"A": "b"},
    (Key("header", "Authorization", "T", "Bearer "), Key("query", "k", "K")),
)  # fmt: skip


@pytest.fixture(scope="module")
def tools():
    """All tools of ours, and those of an OpenAPI document."""
    path = ROOT / "configs" / "apis" / "museum.yaml"
    museum = gather(read_openapi([str(path)], OpenApiOptions()))
    library = load_library([str(ROOT / "sandbox" / "tools")])
    return [*library.tools, *(item.tool for item in museum.imported)]


def shown(tool):
    return {key: value for key, value in tool.parameters.items() if key != "examples"}


@pytest.mark.parametrize(
    "backend",
    [None, PythonBackend("m", "f"), REST, VirtualBackend("http://a.test/v", "c", "t", "a", "K")],
    ids=str,
)
def test_our_form_loses_nothing(backend):
    parameters = {"type": "object", "properties": {"id": {"type": "integer"}}}
    tool = Tool("f", "d", parameters, "Math", backend)
    assert read_tool(json.loads(json.dumps(own_form(tool)))) == tool


def test_our_form_of_the_whole_library_loses_nothing(tools):
    for tool in tools:
        assert read_tool(json.loads(json.dumps(own_form(tool)))) == tool


def test_xlam_allows_and_forbids_the_same_arguments(tools):
    for tool in tools:
        written = json.loads(json.dumps(xlam_form(tool)))
        assert "type" not in written["parameters"] or isinstance(
            written["parameters"]["type"], dict
        )
        back = read_tool(written).parameters
        assert set(back.get("required", [])) == set(tool.parameters.get("required", []))
        assert list(back["properties"]) == list(tool.parameters["properties"])
        before, after = Draft202012Validator(shown(tool)), Draft202012Validator(back)
        for arguments in tool.parameters.get("examples", []):
            assert after.is_valid(arguments)
            for name in arguments:
                for value in (None, 5, -1.5, "x", [], ["x"], [1], {}, True):
                    changed = arguments | {name: value}
                    assert after.is_valid(changed) == before.is_valid(changed), (tool.name, changed)


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "array", "items": {"type": "integer"}}, {"type": "List[int]"}),
        ({"type": "string", "default": "C"}, {"type": "str", "default": "C"}),
        ({"type": "number", "minimum": 0}, {"type": "float, optional", "minimum": 0}),
        ({"type": ["integer", "null"]}, {"type": "Union[int, None], optional"}),
    ],
)
def test_xlam_types_are_those_of_the_released_rows(schema, written):
    required = [] if "optional" in written["type"] or "default" in schema else ["p"]
    parameters = {"type": "object", "properties": {"p": schema}, "required": required}
    assert xlam_form(Tool("f", "d", parameters, "Math"))["parameters"] == {"p": written}


def test_xlam_flags_a_required_parameter_that_has_a_default():
    properties = {"a": {"type": "string", "default": "x"}, "b": {"type": "string"}}
    tool = Tool("f", "d", {"type": "object", "properties": properties, "required": ["a"]}, "Math")
    back = read_tool(xlam_form(tool))
    assert back.parameters == tool.parameters


def test_xlam_puts_definitions_where_they_are_used():
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    parameters = {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/Node", "description": "d"}},
        "$defs": {"Node": node},
    }
    written = xlam_form(Tool("f", "d", parameters, "Math"))["parameters"]["n"]
    assert written["type"] == "Dict, optional"
    assert written["properties"]["next"] == {}
    assert "$ref" not in json.dumps(written)
