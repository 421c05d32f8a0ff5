"""Rows in the released format of the paper: `{"id", "query", "answers", "tools"}` (xLAM).

`answers` and `tools` are JSON text in the released set and plain JSON in hand-written files; both
are read. Rows come from JSONL, Parquet, or a data set named on the Hugging Face Hub.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from apigen_ray import strict_json
from apigen_ray.datasets.tabular import read_hub, read_parquet
from apigen_ray.errors import BadInput
from apigen_ray.records import Json, Style, Tool
from apigen_ray.run_folder.remote_files import local_copy, no_such_file
from apigen_ray.tools.read_forms import UnreadableTool, read_tool


def read_rows(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a source, each with its place (`file:line` or `name[row]`).

    Raises:
        BadInput: if the source can't be read, or a line of it is not a JSON object.
    """
    path = local_copy(source)
    if path.suffix == ".parquet":
        yield from _rows_of(read_parquet(path, source), source)
    elif path.suffix in (".jsonl", ".json") or path.is_file():
        yield from _jsonl(path, source)
    elif path.is_dir():
        raise BadInput(f"{source}: a folder; give a JSONL or Parquet file, or a data-set name")
    else:
        _, tables = read_hub(source)
        yield from _rows_of(tables, source)


def _jsonl(path: Path, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise BadInput(f"{name}:{number}: not a JSON object")
                yield f"{name}:{number}", row
    except FileNotFoundError as error:
        raise BadInput(no_such_file(name, "file")) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{name}:{number}: not JSON: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{name}: {error}") from error


def _rows_of(tables: Iterable[pa.Table], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = (row for table in tables for row in table.to_pylist())
    return ((f"{name}[{number}]", row) for number, row in enumerate(rows))


def json_field(row: Mapping[str, Any], key: str) -> Json:
    """The value of a field that is JSON or JSON text.

    Raises:
        NotJson: if it is text that is not JSON.
    """
    value: Json = row.get(key)
    return strict_json.parse(value) if isinstance(value, str) else value


def row_tools(value: Json, known: Mapping[str, Tool], where: str) -> tuple[Tool, ...]:
    """The tools of a row: tool objects, or names, which must be those of known tools.

    Raises:
        BadInput: naming the place, if an object is not a tool.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadInput(f"{where}: tools: must be a list of tools or tool names")
    found = []
    for item in value:
        try:
            found.append(known[item] if isinstance(item, str) else read_tool(item))
        except UnreadableTool as error:
            raise BadInput(f"{where}: tools: {error}") from error
    return tuple(found)


def style_of(tools: int, functions: Sequence[str]) -> Style:
    """The style of a pair, from the number of tools shown and the functions it calls.

    Several calls of one function are `parallel`, even if more tools are shown, as in xLAM's set.
    """
    if not functions:
        return Style.IRRELEVANCE
    if len(functions) == 1:
        return Style.SIMPLE if tools == 1 else Style.MULTIPLE
    return Style.PARALLEL if len(set(functions)) == 1 else Style.PARALLEL_MULTIPLE
