"""Tools of every shape that the simulated model has to cope with."""

import pytest
from chain_tools import CHAIN

from apigen_ray.records import JsonObject, Tool


def tool(name: str, description: str, required: str = "", **schema: object) -> Tool:
    """A tool whose properties are the keywords of `schema` that do not belong to the object."""
    own = {
        key: schema.pop(key)
        for key in ("examples", "$defs", "additionalProperties") & schema.keys()
    }
    parameters: JsonObject = {"type": "object", "properties": schema, **own}  # type: ignore[dict-item]
    if required:
        parameters["required"] = required.split()
    return Tool(name, description, parameters, "Test")


TEXT = {"type": "string"}
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}
DATE = {"type": "string", "format": "date"}
NULL = {"type": "null"}

ZOO = (
    tool(
        "loan_payment",
        "Compute the monthly payment of a loan. Rates are nominal.",
        "principal annual_rate years",
        principal={"type": "number", "exclusiveMinimum": 0},
        annual_rate={"type": "number", "minimum": 0, "maximum": 100},
        years={"type": "integer", "minimum": 1, "maximum": 50},
        kind={"type": "string", "enum": ["fixed", "declining"], "default": "fixed"},
        examples=[
            {"principal": 250000, "annual_rate": 5.5, "years": 30},
            {"principal": 1200.5, "annual_rate": 0.001, "years": 5, "kind": "declining"},
        ],
    ),
    tool(
        "days_between",
        "Returns the number of days between two dates.",
        "start end",
        start=DATE,
        end=DATE,
        inclusive={"type": "boolean", "default": False},
    ),
    tool(
        "weighted_mean",
        "Calculates the mean of some numbers",
        "values",
        values={"type": "array", "items": NUMBER},
        weights={
            "anyOf": [{"type": "array", "items": NUMBER, "minItems": 1}, NULL],
            "default": None,
        },
    ),
    tool(
        "replace_text",
        'Replace every occurrence of one text by another, "as is".',
        "text old new",
        text=TEXT,
        old={"type": "string", "minLength": 1},
        new=TEXT,
        examples=[
            {"text": 'She said "hello, 5 times" [twice]', "old": "5 times", "new": ""},
            {"text": " leading and\ntrailing ", "old": " ", "new": "\t"},
            {"text": "naïve café — 東京 {x}", "old": "é", "new": "$1 </b>"},
        ],
    ),
    tool("current_moon_phase", "Tells the phase of the moon right now."),
    tool(
        "shortest_path",
        "Finds the shortest path in a weighted graph",
        "edges start",
        edges={
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "array",
                "prefixItems": [TEXT, TEXT, NUMBER],
                "minItems": 3,
                "maxItems": 3,
            },
        },
        start=TEXT,
        examples=[{"edges": [["a", "b", 1.5], ["b", "c", -2]], "start": "a"}],
    ),
    tool(
        "build_tree",
        "Builds a tree of labelled nodes.",
        "root",
        root={"$ref": "#/$defs/Node"},
        limits={"type": "object", "additionalProperties": INTEGER},
        **{
            "$defs": {
                "Node": {
                    "type": "object",
                    "properties": {
                        "label": TEXT,
                        "left": {"$ref": "#/$defs/Node"},
                        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                    },
                    "required": ["label"],
                    "additionalProperties": False,
                }
            }
        },
    ),
    tool(
        "setThermostat",
        "Set the thermostat",
        "mode level zone",
        mode={"enum": ["eco", "comfort"]},
        level={"type": "integer", "enum": [1, 2, 3]},
        zone={"const": "home"},
        offset={"type": "number", "multipleOf": 0.5, "minimum": -3, "maximum": 3},
        step={"type": "integer", "multipleOf": 5, "minimum": 7, "maximum": 23},
        ratio={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        note={"type": ["string", "null"], "maxLength": 5},
        anything={},
    ),
    tool(
        "register.user",
        "Register a user with contact details;  sends a welcome message",
        "email plan country",
        email={"type": "string", "format": "email"},
        homepage={"type": "string", "format": "uri"},
        since={"type": "string", "format": "date-time"},
        plan={"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "maxLength": 3}]},
        country={"type": "string", "pattern": "^[A-Z]{2}$"},
        tags={"type": "array", "items": TEXT, "uniqueItems": True, "minItems": 2, "maxItems": 3},
        age={"oneOf": [{"type": "integer", "minimum": 18, "maximum": 99}, NULL]},
    ),
    tool(
        "run_query",
        "",
        "table",
        table={"allOf": [TEXT, {"minLength": 4}]},
        where={"type": "array", "items": {"type": "object", "properties": {"op": TEXT}}},
        additionalProperties=True,
    ),
    tool(
        "shift",
        "Shifts a value by an offset",
        "by",
        by=INTEGER,
        up_to={"type": "integer", "maximum": -10},
        day={"anyOf": [DATE, NULL], "default": None},
        examples=[{"by": -5}, {"by": 12345678901234567890, "day": "2024-05-05"}],
    ),
)


@pytest.fixture(params=ZOO, ids=lambda one: one.name)
def any_tool(request: pytest.FixtureRequest) -> Tool:
    """Each tool of the zoo in turn."""
    return request.param


@pytest.fixture
def zoo() -> tuple[Tool, ...]:
    """All of them."""
    return ZOO


@pytest.fixture
def chain() -> tuple[Tool, ...]:
    """Tools whose results fit arguments of others."""
    return CHAIN
