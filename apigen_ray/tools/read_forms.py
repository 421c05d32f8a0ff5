"""Read tool lists in the common forms into one `Tool` record; `write_forms` is the way back.

- ours: `{"name", "description", "parameters": JSON Schema, "category"?, "backend"?}`
- OpenAI: the same inside `{"type": "function", "function": {...}}`
- xLAM: flat parameters `{name: {"type": "str, optional", "description", "default"}}`
- BFCL: JSON Schema with Python's type names (`dict`, `float`, `tuple`, `any`)
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apigen_ray.errors import BadInput
from apigen_ray.records import JsonObject, Tool
from apigen_ray.tools.backends import UnreadableBackend, read_backend
from apigen_ray.tools.schemas import InvalidSchema, check_schema, to_draft_2020_12, type_schema


class UnreadableTool(ValueError):
    """The value is not a tool in any known form; the message says what is missing."""


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
        raise UnreadableTool("a tool must be a JSON object")
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise UnreadableTool("the tool has no name")
    if not isinstance(value.get("parameters"), Mapping):
        raise UnreadableTool(f"tool {name!r}: parameters must be a JSON object")
    parameters = _parameters(name, value["parameters"])
    try:
        check_schema(parameters)
        backend = None if value.get("backend") is None else read_backend(value["backend"])
    except InvalidSchema as error:
        raise UnreadableTool(f"tool {name!r}: parameters: {error}") from error
    except UnreadableBackend as error:
        raise UnreadableTool(f"tool {name!r}: backend: {error}") from error
    return Tool(
        name=name,
        description=str(value.get("description") or ""),
        parameters=parameters,
        category=str(value.get("category") or "Other"),
        backend=backend,
    )


def _parameters(name: str, value: Mapping[str, Any]) -> JsonObject:
    """A JSON Schema object, from one or from xLAM's flat form.

    In a JSON Schema, `type` is text. In the flat form each entry is a schema of its own, so that a
    parameter called `type` is an object.
    """
    if isinstance(value.get("type"), str) and "properties" in value:
        return to_draft_2020_12(dict(value)) | {"type": "object"}
    if value.get("type") in ("object", "dict"):
        return {"type": "object", "properties": {}}
    # Where some parameters are flagged as required, those without the flag are not.
    flagged = any(
        isinstance(spec, Mapping) and isinstance(spec.get("required"), bool)
        for spec in value.values()
    )
    properties: JsonObject = {}
    required = []
    for parameter, written in value.items():
        spec = {"description": written} if isinstance(written, str) else written
        if not isinstance(spec, Mapping):
            raise UnreadableTool(
                f"tool {name!r}: parameter {parameter!r} must be a text or an object"
            )
        schema, optional = _flat(spec, flagged=flagged)
        properties[parameter] = schema
        if spec is written and not optional:  # a mere description does not say that it is required
            required.append(parameter)
    schema = {"type": "object", "properties": properties}
    return schema | {"required": required} if required else schema


def _flat(spec: Mapping[str, Any], *, flagged: bool) -> tuple[JsonObject, bool]:
    """One parameter of the flat form, and whether it is optional."""
    written = str(spec.get("type", "any"))
    declared, *rest = [part.strip() for part in _split_top(written)]
    optional = not spec.get("required") if flagged else "optional" in rest or "default" in spec
    schema = type_schema(declared) | to_draft_2020_12(
        {k: v for k, v in spec.items() if k != "type"}
    )
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
