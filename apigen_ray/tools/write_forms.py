"""Write tools in the forms that are in use: ours, xLAM's, and those of prompts and data sets."""

from collections.abc import Mapping, Sequence
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import JsonObject, Tool
from apigen_ray.tools.backends import backend_form
from apigen_ray.tools.schemas import mapped

_XLAM_TYPES = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "List",
    "object": "Dict", "null": "None",
}  # fmt: skip


def own_form(tool: Tool) -> JsonObject:
    """A line of a tool list, as `read_tool` reads it."""
    form: JsonObject = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "category": tool.category,
    }
    if tool.backend:
        form["backend"] = backend_form(tool.backend)
    return _with_returns(form, tool)


def _with_returns(form: JsonObject, tool: Tool) -> JsonObject:
    return form if tool.returns is None else form | {"returns": tool.returns}


def xlam_form(tool: Tool) -> JsonObject:
    """The form of xlam-function-calling-60k, whose parameters are flat.

    Keywords that its types can't express (`enum`, `minimum`, nested `properties`) are kept as they
    are. Constraints across parameters, and the lower levels of recursive schemas, are lost.
    """
    schema = tool.parameters
    properties: Any = schema.get("properties") or {}
    required: Any = schema.get("required") or []
    defs: Any = schema.get("$defs") or {}
    # In this form a parameter with a default is optional, unless flags say otherwise.
    flagged = any("default" in properties.get(name, {}) for name in required)
    parameters: JsonObject = {}
    for name, described in properties.items():
        inlined = _inlined(described, defs, frozenset()) if isinstance(described, dict) else {}
        written, rest = _xlam_type(inlined)
        optional = name not in required
        if optional and not flagged and "default" not in rest:
            written += ", optional"
        flag: JsonObject = {"required": not optional} if flagged else {}
        parameters[name] = {"type": written} | rest | flag
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def _xlam_type(schema: JsonObject) -> tuple[str, JsonObject]:
    """A Python type, and the keywords that it does not express."""
    rest = {key: value for key, value in schema.items() if key != "type"}
    kind = schema.get("type")
    if isinstance(kind, list):
        return f"Union[{', '.join(_XLAM_TYPES.get(str(name), 'Any') for name in kind)}]", rest
    items = schema.get("items")
    if kind == "array" and isinstance(items, dict):
        inner, more = _xlam_type(items)
        if not more and inner != "Any":
            return f"List[{inner}]", {k: v for k, v in rest.items() if k != "items"}
    return _XLAM_TYPES.get(str(kind), "Any"), rest


def _inlined(schema: JsonObject, defs: Mapping[str, Any], inside: frozenset[str]) -> JsonObject:
    """The schema with its references replaced by the definitions they point to."""
    result = mapped(schema, lambda inner: _inlined(inner, defs, inside))
    reference = result.pop("$ref", None)
    if not isinstance(reference, str):
        return result
    name = reference.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
    if name in inside or not isinstance(defs.get(name), dict):
        return result
    return _inlined(defs[name], defs, inside | {name}) | result


def shown_form(tool: Tool, *, returns: bool = False) -> JsonObject:
    """The form for judges and data sets: without the example calls.

    Args:
        tool: The tool.
        returns: Whether calls may refer to what it returns.
    """
    parameters = {key: value for key, value in tool.parameters.items() if key != "examples"}
    form: JsonObject = {
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters,
    }
    return _with_returns(form, tool) if returns else form


def prompt_form(tool: Tool, calls: int = 1, *, returns: bool = False) -> JsonObject:
    """The form a generator sees: what a judge does, and the shortest of the example calls.

    They show how values are written. More than are asked for cost tokens, and would be copied.

    Args:
        tool: The tool.
        calls: How many example calls are shown.
        returns: Whether calls may refer to what it returns.
    """
    form = shown_form(tool, returns=returns)
    examples = tool.parameters.get("examples")
    if isinstance(examples, list) and examples and isinstance(form["parameters"], dict):
        shortest = sorted(examples, key=lambda call: len(strict_json.dumps(call)))[:calls]
        form["parameters"] = form["parameters"] | {"examples": shortest}
    return form


def tool_columns(tools: Sequence[Tool], *, returns: bool = False) -> dict[str, str]:
    """The columns of a row that record which tools were shown, and how (see `shown_form`)."""
    return {
        "tools": strict_json.dumps([shown_form(tool, returns=returns) for tool in tools]),
        "categories": strict_json.dumps(sorted({tool.category for tool in tools})),
    }
