"""Draws calls that satisfy their tool's schema, of values that look like real ones.

Values come from documented example calls and the seeds' calls, varied where that keeps their kind;
from the schema's enums, defaults and ranges; and from pools by format and by the argument's name
(`value_pools.toml`). A tool whose required arguments have none of these yields no call: a value
made up from nothing would not be one that a user has.
"""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from importlib.resources import files
from random import Random
from typing import Any

from pydantic_core import to_json

from apigen_ray import strict_json
from apigen_ray.records import Call, Json, JsonObject, Tool
from apigen_ray.stages.check import forbid_extra_properties
from apigen_ray.tools.compact_schema import compact_schema
from apigen_ray.tools.validation import validator_of

TRIES = 8
"""Draws for each call wanted: many repeat an earlier one, or break a rule of the schema."""

MOST_CHARACTERS = 300
"""Nobody types the values of a longer call into a query."""

_POOLS: dict[str, dict[str, list[Any]]] = tomllib.loads(
    (files(__package__) / "value_pools.toml").read_text(encoding="utf-8")
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def draw_calls(
    tool: Tool, known: Sequence[JsonObject], wanted: int, random: Random
) -> tuple[Call, ...]:
    """Up to `wanted` different calls of a tool.

    Args:
        tool: The tool.
        known: Arguments of calls that are known to make sense, such as those of seeds; documented
            examples are used without being named here.
        wanted: How many calls.
        random: What is drawn from.
    """
    accepts = validator_of(to_json(forbid_extra_properties(tool.parameters)).decode()).accepts
    examples = tool.parameters.get("examples")
    documented = [e for e in examples if isinstance(e, dict)] if isinstance(examples, list) else []
    bases = [*documented, *known]
    schemas = _schemas(tool.parameters)
    found: dict[str, Call] = {}
    for _ in range(TRIES * wanted):
        if len(found) == wanted:
            break
        arguments = _varied(bases, schemas, random) if bases else _made(tool, schemas, random)
        if arguments is not None and accepts(arguments):
            text = strict_json.canonical(arguments)
            if len(text) <= MOST_CHARACTERS:
                found.setdefault(text, Call(tool.name, arguments))
    return tuple(found.values())


def _schemas(parameters: JsonObject) -> dict[str, JsonObject]:
    """The schema of each argument; what stands behind a reference may be anything."""
    properties = compact_schema(parameters).get("properties")
    named = properties.items() if isinstance(properties, dict) else ()
    return {name: schema for name, schema in named if isinstance(schema, dict)}


# --- calls like known ones


def _varied(
    bases: Sequence[JsonObject], schemas: Mapping[str, JsonObject], random: Random
) -> JsonObject:
    base = random.choice(bases)
    arguments: JsonObject = {}
    for name, value in base.items():
        others = [other[name] for other in bases if name in other and other[name] != value]
        if others and random.random() < 0.3:
            arguments[name] = random.choice(others)
        elif random.random() < 0.7:
            arguments[name] = _vary(name, value, schemas.get(name, {}), random)
        else:
            arguments[name] = value
    return arguments


def _vary(name: str, value: Json, schema: Mapping[str, Any], random: Random) -> Json:
    """Another value of the same kind; the same one where nothing is known of its kind."""
    if options := schema.get("enum"):
        option: Json = random.choice(options)
        return option
    match value:
        case bool():
            return not value
        case int() | float():
            return _vary_number(value, schema, random)
        case str():
            pool = _pool(name, schema)
            if _DATE.match(value):
                return _shifted(value, random)
            return random.choice(pool) if pool and value in pool else value
        case list() if value and all(type(item) in (int, float) for item in value):
            items = schema.get("items")
            of_items = items if isinstance(items, dict) else {}
            return [_vary(name, item, of_items, random) for item in value]
    return value


def _vary_number(value: float, schema: Mapping[str, Any], random: Random) -> int | float:
    """A number of the same size and exactness, within the range."""
    digits = 0 if isinstance(value, int) else len(f"{value!r}".partition(".")[2])
    if "multipleOf" in schema:
        varied: float = value + schema["multipleOf"] * random.randint(-3, 3)
    elif isinstance(value, int) and 1900 <= value <= 2100:
        varied = value + random.randint(-15, 2)
    elif isinstance(value, int) and abs(value) <= 12:
        varied = random.randint(min(1, value), max(3, 2 * value))
    else:
        varied = value * random.uniform(0.5, 2)
        if abs(value) >= 1000:  # people ask with round numbers
            digits = 1 - len(str(int(abs(value)))) + 2
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    rounded = round(min(max(varied, low), high), digits)
    return int(rounded) if isinstance(value, int) else float(rounded)


def _shifted(value: str, random: Random) -> str:
    """A date, or a text that begins with one, some days earlier or later."""
    try:
        moved = date.fromisoformat(value[:10]) + timedelta(days=random.randint(-300, 300))
    except (ValueError, OverflowError):
        return value
    return moved.isoformat() + value[10:]


# --- calls from the schema alone


def _made(tool: Tool, schemas: Mapping[str, JsonObject], random: Random) -> JsonObject | None:
    """Arguments for a tool without a known call; None if a required one has no known values."""
    required = tool.parameters.get("required")
    needed = required if isinstance(required, list) else []
    arguments: JsonObject = {}
    for name, schema in schemas.items():
        if name not in needed and random.random() < 0.6:
            continue
        values = list(_values(name, schema, random))
        if values:
            arguments[name] = random.choice(values)
        elif name in needed:
            return None
    return arguments or None


def _values(name: str, schema: Mapping[str, Any], random: Random) -> Iterator[Json]:
    """Values that an argument may have."""
    if "const" in schema:
        yield schema["const"]
    elif schema.get("enum"):
        yield from schema["enum"]
    elif isinstance(schema.get("examples"), list):
        yield from schema["examples"]
    elif pool := _pool(name, schema):
        yield from pool
    elif schema.get("type") == "boolean":
        yield from (True, False)
    elif schema.get("type") in ("integer", "number"):
        yield _number(schema, random)
    elif schema.get("type") == "array" and isinstance(items := schema.get("items"), dict):
        inner = list(_values(name.removesuffix("s"), items, random))
        if inner:
            yield random.sample(inner, min(len(inner), max(1, schema.get("minItems", 2))))


def _pool(name: str, schema: Mapping[str, Any]) -> Sequence[Json]:
    """The values known for a format, else for the longest ending of a name."""
    if found := _POOLS["formats"].get(str(schema.get("format"))):
        return found
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("-", "_").split("_")
    for start in range(len(words)):
        if found := _POOLS["names"].get("_".join(words[start:])):
            wanted = (int, float) if schema.get("type") in ("integer", "number") else str
            return [value for value in found if isinstance(value, wanted)]
    return ()


def _number(schema: Mapping[str, Any], random: Random) -> int | float:
    """A number of the range, or a small one."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", 1))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 99))
    if schema.get("type") == "integer":
        return random.randint(math.ceil(low), max(math.ceil(low), math.floor(min(high, low + 999))))
    return round(random.uniform(low, min(high, low + 999)), 1)
