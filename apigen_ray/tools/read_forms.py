"""Read tool lists in the common forms into one `Tool` record; `write_forms` is the way back.

- ours: `{"name", "description", "parameters"?: JSON Schema, "category"?, "backend"?, "returns"?}`
- OpenAI: the same inside `{"type": "function", "function": {...}}`, or beside `type`
- Anthropic and MCP: `input_schema` or `inputSchema` in place of `parameters`, `outputSchema`
- xLAM: flat parameters `{name: {"type": "str, optional", "description", "default"}}`
- BFCL: JSON Schema with Python's type names (`dict`, `float`, `tuple`, `any`)
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from apigen_ray.errors import BadInput
from apigen_ray.records import Json, JsonObject, Tool
from apigen_ray.tools.backends import UnreadableBackend, read_backend
from apigen_ray.tools.parameters import NotParameters, read_parameters
from apigen_ray.tools.schemas import InvalidSchema, check_schema, usable_returns

_PARAMETERS = ("parameters", "input_schema", "inputSchema")
_RETURNS = ("returns", "outputSchema", "output_schema")
_LIKE_PARAMETERS = re.compile(
    r"(?!output|return|response)(?:.*_)?(?:args?$|arguments?$|input|param|propert)", re.IGNORECASE
)


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
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{path}:{number}", json.loads(line)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: not a readable tool list: {error}") from error


def read_tool(value: object) -> Tool:
    """Read one tool in any of the forms.

    Raises:
        UnreadableTool: if it has no name or no valid parameters schema.
    """
    if isinstance(value, Mapping) and isinstance(value.get("function"), Mapping):
        value = value["function"]
    if not isinstance(value, Mapping):
        raise UnreadableTool("a tool must be a JSON object")
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise UnreadableTool("the tool has no name")
    try:
        parameters = read_parameters(_written_parameters(value))
        check_schema(parameters)
        backend = None if value.get("backend") is None else read_backend(value["backend"])
    except (InvalidSchema, NotParameters) as error:
        raise UnreadableTool(f"tool {name!r}: parameters: {error}") from error
    except UnreadableBackend as error:
        raise UnreadableTool(f"tool {name!r}: backend: {error}") from error
    return Tool(
        name=name,
        description=str(value.get("description") or ""),
        parameters=parameters,
        category=str(value.get("category") or "Other"),
        backend=backend,
        returns=_returns(value),
    )


def read_shown_tool(form: Json) -> Tool:
    """`read_tool` for the tools of rows: a run shows the same ones again and again."""
    return _read_text(json.dumps(form))


@lru_cache(maxsize=4096)
def _read_text(form: str) -> Tool:
    return read_tool(json.loads(form))


def _returns(value: Mapping[str, Any]) -> JsonObject | None:
    """The schema of the result; None if there is none, or it is none that can be used."""
    written = next((value[key] for key in _RETURNS if isinstance(value.get(key), Mapping)), None)
    return usable_returns(written)


def _written_parameters(value: Mapping[str, Any]) -> object:
    """The parameters as they are written; None if the tool has none.

    Raises:
        NotParameters: if they seem to be written in another place.
    """
    written = next((value[key] for key in _PARAMETERS if value.get(key) is not None), None)
    others = [key for key in value if key not in _PARAMETERS and _LIKE_PARAMETERS.match(key)]
    if written is None and others:
        raise NotParameters(f"are missing, and {others[0]!r} is not read")
    return written
