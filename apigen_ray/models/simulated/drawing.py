"""Draws calls that satisfy their tool's schema.

A tool's own example calls come first, since they are known to work; a tool without them gets values
made up from its schema. A pattern is only met by guessing: a tool that requires an argument with an
unusual pattern needs an example.
"""

import math
import re
from collections.abc import Sequence
from random import Random
from typing import Any

from apigen_ray.models.simulated.schemas import (
    Schema,
    accepts,
    properties,
    required,
    resolve,
    types,
)
from apigen_ray.records import Call, Json, JsonObject, Tool
from apigen_ray.tools.patterns import matches

ATTEMPTS = 12
MAX_DEPTH = 4
"""Below this, only what is required is drawn: a schema may refer to itself."""


def draw_call(random: Random, tool: Tool, taken: Sequence[Call] = ()) -> Call | None:
    """Draw a call that is not among `taken`; None if the tool yields no other."""
    for attempt in range(2 * ATTEMPTS):
        arguments = _draw_arguments(random, tool)
        if attempt >= ATTEMPTS:
            arguments = _varied(random, tool, arguments)
        call = Call(tool.name, arguments)
        if call not in taken and accepts(tool, arguments):
            return call
    return None


def _draw_arguments(random: Random, tool: Tool) -> JsonObject:
    declared = properties(tool)
    examples: Any = tool.parameters.get("examples")
    if not examples:
        return _draw_object(random, tool.parameters, tool.parameters, depth=0)
    example = random.choice(examples)
    kept = [
        name
        for name in example
        if name in declared and (name in required(tool) or random.random() < 0.6)
    ]
    return {name: _scaled(random, example[name], declared[name]) for name in kept}


def _scaled(random: Random, value: Json, schema: Schema) -> Json:
    """Vary an example's number, where that can't make the call a different one."""
    if (
        schema.get("type") != "number"
        or "enum" in schema
        or "multipleOf" in schema
        or isinstance(value, bool)
        or not isinstance(value, int | float)
    ):
        return value
    scaled = round(value * random.uniform(0.85, 1.15), 2)
    return scaled if scaled and _in_range(scaled, schema) else value


def _in_range(value: float, schema: Schema) -> bool:
    low: float = schema.get("minimum", -math.inf)
    high: float = schema.get("maximum", math.inf)
    above: float = schema.get("exclusiveMinimum", -math.inf)
    below: float = schema.get("exclusiveMaximum", math.inf)
    return low <= value <= high and above < value < below


def _varied(random: Random, tool: Tool, arguments: JsonObject) -> JsonObject:
    """Change one number or free text, else one choice: what is left after a single example."""
    candidates: list[tuple[str, Json]] = []
    choices: list[tuple[str, Json]] = []
    for name, declared in properties(tool).items():
        value = arguments.get(name)
        schema = resolve(declared, tool.parameters)
        if isinstance(schema.get("enum"), list) and name in arguments:
            choices += [(name, other) for other in schema["enum"] if other != value]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            step = schema.get("multipleOf", 1) * random.randint(1, 9)
            candidates += [(name, value + step), (name, value - step)]
        elif isinstance(value, str) and not {"format", "pattern"} & schema.keys():
            candidates.append((name, f"{value} {random.choice(_WORDS)}"))
    if not candidates and not choices:
        return arguments
    name, value = random.choice(candidates or choices)
    return {**arguments, name: value}


# --- values from a schema


def _draw(random: Random, name: str, schema: Schema, root: JsonObject, depth: int) -> Any:
    schema = _one_alternative(random, resolve(schema, root), root)
    if "const" in schema:
        return schema["const"]
    for keyword in ("enum", "examples"):
        if schema.get(keyword):
            return random.choice(schema[keyword])
    if "default" in schema and random.random() < 0.3:
        return schema["default"]
    match _one_type(random, schema):
        case "boolean":
            return random.random() < 0.5
        case "integer":
            return _draw_integer(random, schema)
        case "number":
            return _draw_number(random, schema)
        case "array":
            return _draw_array(random, name, schema, root, depth)
        case "object":
            return _draw_object(random, schema, root, depth)
        case "null":
            return None
        case _:
            return _draw_string(random, name, schema)


def _one_alternative(random: Random, schema: Schema, root: JsonObject) -> Schema:
    """Settle `anyOf`, `oneOf` and `allOf`; null is never chosen where there is something else."""
    for part in schema.get("allOf", ()):
        schema = resolve(part, root) | schema
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            parts = [resolve(part, root) for part in schema[keyword]]
            part = random.choice([p for p in parts if p.get("type") != "null"] or parts)
            rest = {key: value for key, value in schema.items() if key not in (keyword, "default")}
            return _one_alternative(random, rest | part, root)
    return schema


def _one_type(random: Random, schema: Schema) -> str:
    named = [name for name in types(schema) if name != "null"] or list(types(schema))
    if named:
        return random.choice(named)
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _bounds(schema: Schema) -> tuple[float, float]:
    """A range of a hundred or less within the limits given."""
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    if low == -math.inf:
        low = 1 if high > 1 else high - 99
    return low, min(high, low + 99)


def _draw_integer(random: Random, schema: Schema) -> int:
    low, high = _bounds(schema)
    step: int = max(1, math.ceil(schema.get("multipleOf", 1)))
    multiples = (step * _multiple(random, low, high, step) for _ in range(ATTEMPTS))
    return next((value for value in multiples if _in_range(value, schema)), math.ceil(low))


def _draw_number(random: Random, schema: Schema) -> float:
    low, high = _bounds(schema)
    step: float | None = schema.get("multipleOf")
    if step:
        return round(step * _multiple(random, low, high, step), 10)
    value = round(random.uniform(low, high), 2)
    return value if _in_range(value, schema) else (low + high) / 2


def _multiple(random: Random, low: float, high: float, step: float) -> int:
    first = math.ceil(low / step)
    return random.randint(first, max(first, math.floor(high / step)))


def _draw_array(
    random: Random, name: str, schema: Schema, root: JsonObject, depth: int
) -> list[Json]:
    fixed = schema.get("prefixItems", [])
    values = [_draw(random, name, item, root, depth + 1) for item in fixed]
    smallest = schema.get("minItems", 0)
    if depth < MAX_DEPTH and schema.get("items", True) is not False:
        smallest = max(smallest, random.randint(2, 4)) if not fixed else smallest
        smallest = min(smallest, schema.get("maxItems", smallest))
    item = schema.get("items")
    for _ in range(ATTEMPTS * max(1, smallest)):
        if len(values) >= smallest:
            break
        value = _draw(random, name, item if isinstance(item, dict) else {}, root, depth + 1)
        if not schema.get("uniqueItems") or value not in values:
            values.append(value)
    return values


def _draw_object(random: Random, schema: Schema, root: JsonObject, depth: int) -> JsonObject:
    declared = schema.get("properties", {})
    needed = schema.get("required", [])
    drawn = {
        name: _draw(random, name, inner if isinstance(inner, dict) else {}, root, depth + 1)
        for name, inner in declared.items()
        if name in needed or (depth < MAX_DEPTH and random.random() < 0.5)
    }
    free = schema.get("additionalProperties")
    if not declared and depth > 0 and free is not False:
        smallest = max(schema.get("minProperties", 0), min(2, schema.get("maxProperties", 2)))
        for key in random.sample(_WORDS, min(smallest, len(_WORDS))):
            inner = free if isinstance(free, dict) else {}
            drawn[key] = _draw(random, key, inner, root, depth + 1)
    return drawn


# --- strings

_WORDS = (
    "harbour",
    "maple",
    "granite",
    "violet",
    "compass",
    "lantern",
    "meadow",
    "saffron",
    "orbit",
    "willow",
)
_BY_NAME = {
    "city": ("Lisbon", "Nairobi", "Osaka", "Montreal", "Tallinn"),
    "location": ("Lisbon", "Nairobi", "Osaka", "Montreal", "Tallinn"),
    "country": ("Portugal", "Kenya", "Japan", "Canada", "Estonia"),
    "language": ("Portuguese", "Swahili", "Japanese", "French"),
    "name": ("Ada Novak", "Luis Ortega", "Mei Tanaka", "Samira Haddad"),
    "currency": ("EUR", "USD", "JPY", "CAD"),
    "symbol": ("ACME", "GLOBX", "INIT", "UMBR"),
    "text": ("the ferry leaves at noon", "rain is expected by evening", "all rooms are booked"),
    "title": ("The Quiet Harbour", "A Field of Maple", "Northern Lantern"),
    "color": ("teal", "crimson", "amber"),
    "unit": ("km", "kg", "litre"),
    "id": ("A-1042", "B-2210", "C-3377"),
    "code": ("QX7", "LM2", "ZT9"),
}
_FOR_PATTERNS = (
    *_WORDS,
    *("ABC", "AB", "A", "ABCD", "EUR", "en", "en-US", "a1", "A1", "AB123", "ABC-123", "user_1"),
    *("7", "42", "123", "1234", "12345", "123456", "1234567890", "1.5", "v1.2.3", "+14155550123"),
    *("2024-05-17", "2024-05", "09:30", "09:30:00", "#1a2b3c", "10.0.0.7", "deadbeef"),
    *("me@example.org", "https://example.org/a", "notes/a.txt", "a,b,c", "x = 1"),
)


def _draw_string(random: Random, name: str, schema: Schema) -> str:
    pattern = schema.get("pattern")
    if pattern:
        fitting = [text for text in _FOR_PATTERNS if matches(pattern, text)]
        return random.choice(fitting or _FOR_PATTERNS)
    text = _formatted(random, schema.get("format")) or random.choice(_words_for(name))
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    while len(text) < shortest:
        text += random.choice(_WORDS)
    return text if len(text) <= longest else text[: int(longest)].strip().ljust(shortest, "a")


def _words_for(name: str) -> Sequence[str]:
    last = re.split(r"[^a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower())[-1]
    return _BY_NAME.get(last, _WORDS)


def _formatted(random: Random, name: str | None) -> str | None:
    date = f"2024-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    time = f"{random.randint(0, 23):02}:{random.randint(0, 59):02}:00"
    word = random.choice(_WORDS)
    match name:
        case "date":
            return date
        case "time":
            return f"{time}Z"
        case "date-time":
            return f"{date}T{time}Z"
        case "email":
            return f"{word}@example.org"
        case "uri" | "url":
            return f"https://example.org/{word}"
        case "hostname":
            return f"{word}.example.org"
        case "ipv4":
            return f"192.0.2.{random.randint(1, 254)}"
        case "uuid":
            return f"{random.getrandbits(32):08x}-0000-4000-8000-{random.getrandbits(48):012x}"
        case _:
            return None
