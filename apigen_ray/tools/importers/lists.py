"""Tools from lists in files, in the forms of OpenAI, xLAM, BFCL, Seal-Tools, NESTFUL, and ours.

A value of a file is a tool, or a row of a data set that has its tools under `tools`, `function`
or `functions` (as JSON or as JSON text).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apigen_ray.tools.categories import CATEGORIES, OTHER, category_of
from apigen_ray.tools.importers.findings import (
    Finding,
    Found,
    RefusalReason,
    Refused,
    document_files,
)
from apigen_ray.tools.importers.importer import CategoryOption, Importer
from apigen_ray.tools.importers.values import read_values
from apigen_ray.tools.read_forms import UnreadableTool, read_tool

_HOLDERS = ("tools", "function", "functions")
_TOOL_KEYS = frozenset({"api_name", "function", "name", "parameters"})


def read_lists(sources: Sequence[str], category: str = OTHER) -> Iterator[Finding]:
    """The tools of files, or of all files in folders; `category` is for those that have none."""
    for path in document_files(sources, (".json", ".jsonl")):
        for where, value in read_values(path):
            if isinstance(value, Refused):
                yield value
            else:
                yield from _read(where, value, f"list:{path.name}", category)


def _read(where: str, value: Any, source: str, category: str) -> Iterator[Finding]:
    held = _held(value)
    if isinstance(value, Mapping) and held is None and not value.keys() & _TOOL_KEYS:
        detail = "neither a tool nor a row that holds tools"
        yield Refused(where, RefusalReason.INVALID_TOOL, detail)
    elif held is None:
        yield _tool(where, value, source, category)
    elif not isinstance(held, list):
        yield Refused(where, RefusalReason.INVALID_TOOL, "`tools` must be a list or its JSON text")
    else:
        for number, tool in enumerate(held):
            yield _tool(f"{where}: [{number}]", tool, source, category)


def _held(row: Any) -> Any:
    """The tools of a row; None if the value is a tool itself, or something unknown."""
    if not isinstance(row, Mapping) or "name" in row:
        return None
    if row.get("type") == "function" and isinstance(row.get("function"), Mapping):
        return None
    for key in _HOLDERS:
        if key in row:
            held = row[key]
            if isinstance(held, str):
                try:
                    held = json.loads(held)
                except ValueError:
                    return held
            return [held] if isinstance(held, Mapping) else held
    return None


def _tool(where: str, value: Any, source: str, category: str) -> Finding:
    try:
        form, own = _in_known_form(value)
        tool = read_tool(form)
    except UnreadableTool as error:
        return Refused(where, RefusalReason.INVALID_TOOL, str(error))
    original = value.get("original_name")
    return Found(
        where=where,
        source=str(value.get("source") or source),
        name=tool.name,
        scope="",
        description=tool.description,
        parameters=tool.parameters,
        category=own or category,
        backend=tool.backend,
        returns=tool.returns,
        original_name=original if isinstance(original, str) else None,
    )


def _in_known_form(value: Any) -> tuple[Any, str | None]:
    """A tool in a form that `read_tool` accepts, and its category if it has one."""
    match value:
        case {"api_name": name, "api_description": text, "parameters": parameters}:  # Seal-Tools
            field = str(value.get("field") or "").partition("/")[0]
            needed = value.get("required")
            required = set(needed) if isinstance(needed, list) else set()
            described = {
                key: {**spec, "required": key in required} if isinstance(spec, Mapping) else spec
                for key, spec in (parameters.items() if isinstance(parameters, Mapping) else ())
            }
            form = {"name": name, "description": text, "parameters": described}
            return form, category_of("seal_tools", field)
        case {"name": name, "query_parameters": parameters}:  # NESTFUL
            outputs = value.get("output_parameters")
            return {
                "name": name,
                "description": value.get("description"),
                "parameters": parameters,
                "returns": {"type": "object", "properties": outputs} if outputs else None,
            }, None
        case {"name": str(), "category": str(category)}:
            return value, category if category in CATEGORIES else None
    return value, None


IMPORTER = Importer(
    name="list",
    summary="tool lists: ours, OpenAI's, xLAM's, BFCL's, Seal-Tools', NESTFUL's; "
    "or rows with tools",
    source="a JSON or JSONL file, or a folder of them",
    example="BFCL_v4_simple_python.json --out tools.jsonl",
    options=CategoryOption,
    read=lambda sources, options: read_lists(sources, options.category),
)
