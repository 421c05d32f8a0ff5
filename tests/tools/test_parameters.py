"""Parameters are told by what they are, and mean the same wherever they are declared."""

import pytest

from apigen_ray.records import Checked
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.tools.read_forms import read_tool
from apigen_ray.tools.write_forms import shown_form, xlam_form

GAUGE = {"gauge": {"type": "string"}}
ARGS = {"type": "object", "properties": GAUGE, "required": ["gauge"]}
HOURS = {"type": "object", "properties": {"hours": {"type": "integer"}}}


def accepted(tool, *calls):
    """Which arguments stage 1 lets pass."""
    return [
        isinstance(
            check_pair(
                {"query": "q", "answers": [{"name": tool.name, "arguments": arguments}]},
                style=None,
                signatures=signatures_of([tool]),
                settings=CheckSettings(),
            ),
            Checked,
        )
        for arguments in calls
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": GAUGE},
        {"properties": GAUGE, "required": ["gauge"]},
        {"type": "OBJECT", "properties": {"gauge": {"type": "STRING"}}},
        {"type": "Dict", "properties": GAUGE},
        {"type": ["object"], "properties": GAUGE},
        {"type": ["object", "null"], "properties": GAUGE},
        {"type": "object", "$ref": "#/$defs/Args", "$defs": {"Args": ARGS}},
        {"$ref": "#/definitions/Args", "definitions": {"Args": ARGS}},
        {"$ref": "#/$defs/A%20b~1c", "$defs": {"A b/c": ARGS}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": ARGS}},
        {"type": "object", "anyOf": [ARGS, {"type": "null"}]},
        {"anyOf": [{"$ref": "#/$defs/Args"}, {"type": "null"}], "$defs": {"Args": ARGS}},
        {"oneOf": [ARGS]},
        {"allOf": [ARGS]},
        {"allOf": [{"$ref": "#/$defs/Args"}, {"description": "d"}], "$defs": {"Args": ARGS}},
        {"properties": GAUGE, "allOf": [{"required": ["gauge"]}]},
        {"type": "object", "properties": GAUGE, "required": None, "anyOf": None, "$defs": None},
        {"$schema": "http://json-schema.org/draft-07/schema#", "properties": GAUGE},
        {"additionalProperties": False, "properties": GAUGE},
        '{"type": "object", "properties": {"gauge": {"type": "string"}}}',
    ],
    ids=str,
)
def test_an_argument_is_declared_wherever_a_schema_declares_it(parameters):
    tool = read_tool({"name": "f", "parameters": parameters})
    calls = ({"gauge": "Kappeln"}, {"gauge": 5}, {"properties": GAUGE}, {"type": "x"})
    assert accepted(tool, *calls) == [True, False, False, False]
    assert xlam_form(tool)["parameters"].keys() == {"gauge"}
    assert tool.parameters["type"] == "object"
    assert "$ref" not in tool.parameters
    assert read_tool(shown_form(tool)).parameters == tool.parameters


@pytest.mark.parametrize(
    ("parameters", "right", "wrong"),
    [
        ({"allOf": [ARGS, HOURS]}, {"gauge": "a", "hours": 1}, {"hours": 1}),
        ({"properties": {"hours": {"type": "integer"}}, "allOf": [ARGS]},
         {"gauge": "a", "hours": 1}, {"hours": 1}),
        ({"properties": {"hours": {"maximum": 9}}, "allOf": [HOURS]}, {"hours": 3}, {"hours": 10}),
        ({"$ref": "#/$defs/A", "properties": {"hours": {"maximum": 9}}, "$defs": {"A": HOURS}},
         {"hours": 3}, {"hours": 10}),
        ({"$ref": "#/$defs/A", "properties": {"hours": {"maximum": 9}}, "$defs": {"A": HOURS}},
         {"hours": 3}, {"hours": "x"}),
        ({"anyOf": [ARGS, HOURS]}, {"hours": 1}, {"hours": "x"}),
        ({"oneOf": [ARGS, HOURS | {"required": ["hours"]}]}, {"hours": 1}, {}),
        ({"oneOf": [ARGS, HOURS | {"required": ["hours"]}]}, {"gauge": "a"},
         {"gauge": "a", "hours": 1}),
        ({"type": "object", "properties": GAUGE, "anyOf": [{"required": ["gauge"]}]},
         {"gauge": "a"}, {}),
        ({"$ref": "#/$defs/Node",
          "$defs": {"Node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Node"}}}}},
         {"child": {"child": {}}}, {"child": 5}),
    ],
    ids=str,
)  # fmt: skip
def test_parts_of_a_schema_hold_together(parameters, right, wrong):
    tool = read_tool({"name": "f", "parameters": parameters})
    assert accepted(tool, right, wrong, right | {"other": 1}) == [True, False, False]
    assert right.keys() <= tool.parameters["properties"].keys()


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object"},
        {"type": "dict", "description": "Any fields."},
        {"type": ["object"]},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "additionalProperties": {}, "properties": {}},
        {"$ref": "#/$defs/Free", "$defs": {"Free": {"type": "object"}}},
        {"type": "object", "minProperties": 0},
    ],
    ids=str,
)
def test_an_object_without_properties_is_free_of_form(parameters):
    tool = read_tool({"name": "f", "parameters": parameters})
    assert accepted(tool, {}, {"gauge": "Kappeln"}, {"a": [1]}) == [True, True, True]


def test_a_free_object_keeps_its_rules():
    tool = read_tool({"name": "f", "parameters": {"type": "object", "required": ["gauge"]}})
    assert accepted(tool, {"gauge": 1, "b": 2}, {"b": 2}) == [True, False]
    numbers = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert accepted(read_tool({"name": "f", "parameters": numbers}), {"a": 1}, {"a": "x"}) == [
        True,
        False,
    ]


NO_ARGUMENTS = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"parameters": None},
        {"parameters": {}},
        {"parameters": []},
        {"parameters": NO_ARGUMENTS},
        {"parameters": {"properties": {}}},
        {"parameters": {"type": "object", "properties": None, "required": None}},
        {"parameters": {"type": "object", "properties": [], "required": []}},
        {"parameters": "{}"},
        {"description": "d", "strict": True, "output_parameters": {"a": {"type": "int"}}},
        {"parameters": {"$ref": "#/$defs/None", "$defs": {"None": NO_ARGUMENTS}}},
        {"input_schema": NO_ARGUMENTS},
        {"parameters": None, "outputSchema": {"type": "object"}},
    ],
    ids=str,
)
def test_a_tool_may_have_no_arguments(form):
    for tool in ({"name": "f"} | form, {"type": "function", "function": {"name": "f"} | form}):
        assert accepted(read_tool(tool), {}, {"gauge": "Kappeln"}) == [True, False]


@pytest.mark.parametrize("key", ["parameters", "input_schema", "inputSchema"])
@pytest.mark.parametrize(
    "wrap",
    [lambda tool: tool, lambda tool: {"type": "function", "strict": True} | tool,
     lambda tool: {"type": "function", "function": tool}, lambda tool: {"function": tool}],
)  # fmt: skip
def test_the_forms_of_apis_are_one(key, wrap):
    tool = read_tool(wrap({"name": "f", "description": "d", key: ARGS}))
    assert tool.parameters == ARGS
    assert (tool.name, tool.description) == ("f", "d")


@pytest.mark.parametrize(
    "names",
    [("type",), ("properties",), ("type", "properties", "required"), ("definitions", "items"),
     ("$ref",), ("anyOf", "additionalProperties")],
)  # fmt: skip
@pytest.mark.parametrize("spec", [{"type": "str"}, {"type": "str", "description": "d"}])
def test_a_flat_parameter_may_be_called_like_a_keyword(names, spec):
    tool = read_tool({"name": "f", "parameters": dict.fromkeys(names, spec)})
    assert tool.parameters["properties"].keys() == set(names)
    assert accepted(tool, dict.fromkeys(names, "a")) == [True]


def test_what_is_null_is_not_set():
    properties = {"a": {"type": "string", "enum": None, "description": None, "default": None}}
    tool = read_tool({"name": "f", "parameters": {"properties": properties}})
    assert tool.parameters["properties"]["a"] == {"type": "string", "default": None}
