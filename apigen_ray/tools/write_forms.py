"""Write tools in the forms that are in use: ours, OpenAI's, xLAM's and BFCL's."""

from collections.abc import Mapping, Sequence
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import (
    Backend,
    JsonObject,
    PythonBackend,
    RestBackend,
    Tool,
    VirtualBackend,
)
from apigen_ray.tools.schemas import mapped

_BFCL_TYPES = {"object": "dict", "number": "float"}
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
    return form | ({"backend": backend_form(tool.backend)} if tool.backend else {})


def backend_form(backend: Backend) -> JsonObject:
    """The JSON form of a backend, without what is empty."""
    match backend:
        case PythonBackend(module=module, function=function):
            return {"kind": "python", "module": module, "function": function}
        case RestBackend():
            keys: list[JsonObject] = []
            for key in backend.auth_env:
                written: JsonObject = {"in": key.place, "name": key.name, "env": key.env}
                keys.append(written | ({"prefix": key.prefix} if key.prefix else {}))
            optional: JsonObject = {
                "params_in": dict(backend.params_in),
                "headers": dict(backend.headers),
                "auth_env": keys,
            }
            form: JsonObject = {"kind": "rest", "method": backend.method, "url": backend.url}
            return form | {key: value for key, value in optional.items() if value}
        case VirtualBackend():
            names: JsonObject = {
                "kind": "virtual",
                "url": backend.url,
                "category": backend.category,
                "tool_name": backend.tool_name,
                "api_name": backend.api_name,
            }
            return names | ({"key_env": backend.key_env} if backend.key_env else {})


def openai_form(tool: Tool) -> JsonObject:
    """The form of the `tools` of a chat completion request."""
    parameters = {key: value for key, value in tool.parameters.items() if key != "examples"}
    function: JsonObject = {
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters,
    }
    return {"type": "function", "function": function}


def bfcl_form(tool: Tool) -> JsonObject:
    """The form of BFCL: JSON Schema with `dict` for object and `float` for number."""
    parameters = {key: value for key, value in tool.parameters.items() if key != "examples"}
    written = _bfcl(parameters)
    return {"name": tool.name, "description": tool.description, "parameters": written}


def _bfcl(schema: JsonObject) -> JsonObject:
    result = mapped(schema, _bfcl)
    kind = schema.get("type")
    if isinstance(kind, str):
        result["type"] = _BFCL_TYPES.get(kind, kind)
    elif isinstance(kind, list):
        result["type"] = [_BFCL_TYPES.get(str(name), name) for name in kind]
    elif not schema.keys() & {"$ref", "allOf", "anyOf", "oneOf", "const", "enum", "not", "if"}:
        result["type"] = "any"
    return result


def xlam_form(tool: Tool) -> JsonObject:
    """The form of xlam-function-calling-60k, whose parameters are flat.

    Keywords that its types can't say (`enum`, `minimum`, nested `properties`) stay beside them.
    Lost are constraints across parameters, and what a recursive schema says below its own root.
    """
    schema = tool.parameters
    properties: Any = schema.get("properties") or {}
    required: Any = schema.get("required") or []
    defs: Any = schema.get("$defs") or {}
    # By the form's rule a parameter with a default is optional; flags say it where it isn't.
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
    """A Python type, and the keywords that it does not say."""
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
    """The schema with what its references lead to, in their place."""
    result = mapped(schema, lambda inner: _inlined(inner, defs, inside))
    reference = result.pop("$ref", None)
    if not isinstance(reference, str):
        return result
    name = reference.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
    if name in inside or not isinstance(defs.get(name), dict):
        return result
    return _inlined(defs[name], defs, inside | {name}) | result


def shown_form(tool: Tool) -> JsonObject:
    """The form a judge and a data set see: name, description, parameters without example calls."""
    parameters = {key: value for key, value in tool.parameters.items() if key != "examples"}
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def prompt_form(tool: Tool) -> JsonObject:
    """The form a generator sees: what a judge does, and the shortest of the example calls.

    One call shows how values are written; more of them cost tokens, and would be copied.
    """
    form = shown_form(tool)
    examples = tool.parameters.get("examples")
    if isinstance(examples, list) and examples and isinstance(form["parameters"], dict):
        shortest = min(examples, key=lambda call: len(strict_json.dumps(call)))
        form["parameters"] = form["parameters"] | {"examples": [shortest]}
    return form


def tool_columns(tools: Sequence[Tool]) -> dict[str, str]:
    """The columns of a row that say which tools were shown."""
    return {
        "tools": strict_json.dumps([shown_form(tool) for tool in tools]),
        "categories": strict_json.dumps(sorted({tool.category for tool in tools})),
    }
