"""Tools whose results fit arguments of others."""

from apigen_ray.records import Tool

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
DATE = {"type": "string", "format": "date"}

CHAIN = (
    Tool(
        "find_depot",
        "Find the depot nearest to a city.",
        {
            "type": "object",
            "properties": {"city": TEXT, "by_road": {"type": "boolean", "default": True}},
            "required": ["city"],
            "examples": [{"city": "Ghent"}, {"city": "Cork", "by_road": False}],
        },
        "Test",
        returns={
            "type": "object",
            "additionalProperties": {"anyOf": [NUMBER, TEXT]},
            "examples": [{"depot": "D-12", "distance_km": 41.5}],
        },
    ),
    Tool(
        "delivery_cost",
        "Compute what a delivery costs.",
        {
            "type": "object",
            "properties": {
                "distance_km": NUMBER | {"minimum": 0},
                "weight_kg": NUMBER | {"minimum": 0.1, "maximum": 30},
                "day": DATE,
            },
            "required": ["distance_km", "weight_kg"],
        },
        "Test",
        returns={"type": "number", "examples": [12.4]},
    ),
    Tool(
        "opening_hours",
        "List when a depot is open.",
        {
            "type": "object",
            "properties": {"depot": TEXT, "days": {"type": "array", "items": TEXT}},
            "required": ["depot", "days"],
        },
        "Test",
        returns={"type": "array", "items": TEXT, "examples": [["9-12"]]},
    ),
)
