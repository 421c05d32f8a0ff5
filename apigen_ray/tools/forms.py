"""Read tool lists in the forms that are in use, into the one form that is kept.

- ours: `{"name", "description", "parameters": JSON Schema, "category"?, "backend"?}`
- OpenAI: the same inside `{"type": "function", "function": {...}}`
- xLAM: flat parameters `{name: {"type": "str, optional", "description", "default"}}`
- BFCL: JSON Schema with Python's type names (`dict`, `float`, `tuple`, `any`)
"""

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from apigen_ray.errors import BadInput
from apigen_ray.records import Backend, JsonObject, PythonBackend, Tool
from apigen_ray.rest.backend import UnreadableBackend, read_rest, read_virtual

_TYPES: dict[str, JsonObject] = {
    "str": {"type": "string"},
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "integer": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "boolean": {"type": "boolean"},
    "list": {"type": "array"},
    "array": {"type": "array"},
    "arraylist": {"type": "array"},
    "tuple": {"type": "array"},
    "set": {"type": "array", "uniqueItems": True},
    "dict": {"type": "object"},
    "object": {"type": "object"},
    "hashmap": {"type": "object"},
    "none": {"type": "null"},
    "null": {"type": "null"},
    "any": {},
}
_SUBSCHEMAS = ("items", "additionalProperties", "not", "contains")
_SUBSCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SUBSCHEMA_MAPS = ("properties", "$defs", "definitions", "patternProperties")


class UnreadableTool(ValueError):
    """The value is no tool in any known form; the message says what is missing."""


def read_tool_list(path: Path) -> list[Tool]:
    """Read a JSONL file of tools, or a JSON file that holds a list of them.

    Raises:
        BadInput: naming the file and line, if a line is not JSON or not a tool.
    """
    tools = []
    for where, value in _values(path):
        try:
            tools.append(read_tool(value))
        except UnreadableTool as error:
            raise BadInput(f"{where}: {error}") from error
    return tools


def _values(path: Path) -> Iterator[tuple[str, object]]:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            listed = json.loads(text)
            yield from ((f"{path}[{i}]", value) for i, value in enumerate(listed))
            return
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield f"{path}:{number}", json.loads(line)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: not a readable tool list: {error}") from error


def read_tool(value: object) -> Tool:
    """Read one tool in any of the forms.

    Raises:
        UnreadableTool: if it has no name or no valid parameters schema.
    """
    if isinstance(value, Mapping) and value.get("type") == "function":
        value = value.get("function")
    if not isinstance(value, Mapping):
        raise UnreadableTool("a tool is a JSON object")
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise UnreadableTool("tool without a name")
    if not isinstance(value.get("parameters"), Mapping):
        raise UnreadableTool(f"tool {name!r}: no parameters schema (a JSON object)")
    parameters = _parameters(name, value["parameters"])
    try:
        Draft202012Validator.check_schema(parameters)
    except SchemaError as error:
        raise UnreadableTool(f"tool {name!r}: parameters: {error.message}") from error
    return Tool(
        name=name,
        description=str(value.get("description") or ""),
        parameters=parameters,
        category=str(value.get("category") or "Other"),
        backend=_backend(name, value.get("backend")),
    )


def _backend(name: str, value: object) -> Backend | None:
    try:
        match value:
            case None:
                return None
            case {"kind": "python", "module": str(module), "function": str(function)}:
                return PythonBackend(module, function)
            case {"kind": "rest", **rest}:
                return read_rest(rest)
            case {"kind": "virtual", **rest}:
                return read_virtual(rest)
    except UnreadableBackend as error:
        raise UnreadableTool(f"tool {name!r}: backend: {error}") from error
    raise UnreadableTool(f"tool {name!r}: backend {value!r} is of no known kind")


def _parameters(name: str, value: Mapping[str, Any]) -> JsonObject:
    """A JSON Schema object, from one or from xLAM's flat form.

    The flat form is told apart by what no JSON Schema has: entries that are all schemas themselves.
    A schema always says `type`, and its value is text there; in the flat form a parameter called
    `type` has an object.
    """
    if isinstance(value.get("type"), str) and "properties" in value:
        return _modern(dict(value)) | {"type": "object"}
    if value.get("type") in ("object", "dict"):
        return {"type": "object", "properties": {}}
    # Where some parameters are flagged as required, those without the flag are not.
    flagged = any(isinstance(spec, Mapping) and "required" in spec for spec in value.values())
    properties: JsonObject = {}
    required = []
    for parameter, written in value.items():
        spec = {"description": written} if isinstance(written, str) else written
        if not isinstance(spec, Mapping):
            raise UnreadableTool(f"tool {name!r}: parameter {parameter!r} is not described")
        schema, optional = _flat(spec, flagged=flagged)
        properties[parameter] = schema
        if not optional:
            required.append(parameter)
    schema = {"type": "object", "properties": properties}
    return schema | {"required": required} if required else schema


def _flat(spec: Mapping[str, Any], *, flagged: bool) -> tuple[JsonObject, bool]:
    """One parameter of the flat form, and whether it may be left out."""
    written = str(spec.get("type", "any"))
    declared, *rest = [part.strip() for part in _split_top(written)]
    optional = not spec.get("required") if flagged else "optional" in rest or "default" in spec
    schema = _modern({k: v for k, v in spec.items() if k not in ("type", "required")})
    schema = type_schema(declared) | schema
    return schema, optional


def _split_top(text: str) -> list[str]:
    """Split at commas outside brackets: `Dict[str, int], optional`."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def type_schema(written: str) -> JsonObject:
    """The schema of a Python type expression such as `List[int]` or `Optional[str]`.

    What can't be read constrains nothing, since the tool's author meant something by it.
    """
    try:
        return _expression_schema(ast.parse(written, mode="eval").body)
    except (SyntaxError, ValueError):
        return {}


def _expression_schema(node: ast.expr) -> JsonObject:
    match node:
        case ast.Constant(value=None):
            return {"type": "null"}
        case ast.Name(id=name):
            return dict(_TYPES.get(name.lower(), {}))
        case ast.Attribute(attr=name):
            return dict(_TYPES.get(name.lower(), {}))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return {"anyOf": [_expression_schema(left), _expression_schema(right)]}
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _generic_schema(name.lower(), members)
        case _:
            return {}


def _generic_schema(name: str, members: list[ast.expr]) -> JsonObject:
    match name:
        case "literal":
            return {"enum": [ast.literal_eval(member) for member in members]}
        case "optional":
            return {"anyOf": [_expression_schema(members[0]), {"type": "null"}]}
        case "union":
            return {"anyOf": [_expression_schema(member) for member in members]}
        case "dict":
            return {"type": "object", "additionalProperties": _expression_schema(members[-1])}
        case "tuple" if not isinstance(members[-1], ast.Constant):
            items: list[JsonObject] = [_expression_schema(member) for member in members]
            size = len(items)
            return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}
        case _:
            return dict(_TYPES.get(name, {})) | {"items": _expression_schema(members[0])}


def _modern(schema: Mapping[str, Any]) -> JsonObject:
    """A schema with the standard's type names, at every depth; unknown keywords are kept."""
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, str):
            result |= type_schema(value)
        elif key in _SUBSCHEMAS and isinstance(value, Mapping):
            result[key] = _modern(value)
        elif key in _SUBSCHEMA_LISTS and isinstance(value, list):
            result[key] = [_modern(item) if isinstance(item, Mapping) else item for item in value]
        elif key in _SUBSCHEMA_MAPS and isinstance(value, Mapping):
            result[key] = {
                name: _modern(inner) if isinstance(inner, Mapping) else inner
                for name, inner in value.items()
            }
        elif key == "required" and not isinstance(value, list):
            continue  # some lists put a flag beside the type, where JSON Schema has a list
        elif key == "enum" and value is None:
            continue
        else:
            result[key] = value
    return result
