"""How fast tools are imported, on one core: `uv run python tests/bench/bench_import.py [TOOLS]`.

Three sources of about TOOLS tools each (10,000 if not given) are made and imported through the same
functions as `tools import`, files and checks included. The target is 10,000 in under 10 s.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from apigen_ray.tools.importers.findings import Finding, gather, write_import
from apigen_ray.tools.importers.lists import read_lists
from apigen_ray.tools.importers.openapi import OpenApiOptions, read_openapi
from apigen_ray.tools.importers.toolbench import ToolBenchOptions, read_toolbench

DATA = Path(__file__).parents[1] / "data"


def openapi(folder: Path, count: int) -> Iterable[Finding]:
    """Documents of 100 operations, with references, bodies and a recursive schema."""
    node = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Its name.", "example": "a"},
            "size": {"$ref": "#/components/schemas/Size"},
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
        },
        "required": ["name"],
    }
    size = {"type": "integer", "minimum": 0, "nullable": True}
    json_body = {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}
    for number in range(count // 100):
        paths = {
            f"/things{i}/{{id}}": {
                "post": {
                    "operationId": f"change_{number}_{i}",
                    "summary": "Change a thing.",
                    "parameters": [
                        {
                            "name": "id",
                            "in": "path",
                            "required": True,
                            "schema": {"type": "string"},
                        },
                        {
                            "name": "limit",
                            "in": "query",
                            "schema": {"type": "integer", "example": 5},
                        },
                    ],
                    "requestBody": {"content": json_body},
                }
            }
            for i in range(100)
        }
        document = {
            "openapi": "3.0.3",
            "info": {"title": f"API {number}"},
            "servers": [{"url": "https://api.test"}],
            "paths": paths,
            "components": {"schemas": {"Node": node, "Size": size}},
        }
        (folder / f"{number}.json").write_text(json.dumps(document))
    return read_openapi([str(folder)], OpenApiOptions())


def toolbench(folder: Path, count: int) -> Iterable[Finding]:
    """Rows of ToolBench's, each under many names."""
    rows = [json.loads(line) for line in (DATA / "imports" / "toolbench_apis.jsonl").open()]
    with (folder / "apis.jsonl").open("w") as lines:
        for number in range(count):
            row = rows[number % len(rows)]
            lines.write(json.dumps(row | {"tool_name": f"{row['tool_name']} {number}"}) + "\n")
    return read_toolbench([str(folder)], ToolBenchOptions())


def bfcl(folder: Path, count: int) -> Iterable[Finding]:
    """Functions of BFCL's, each under many names."""
    source = DATA / "imports" / "bfcl_parallel_multiple.jsonl"
    rows = [json.loads(line) for line in source.open()]
    functions = [function for row in rows for function in row["function"]]
    with (folder / "tools.jsonl").open("w") as lines:
        for number in range(count):
            function = functions[number % len(functions)]
            lines.write(json.dumps(function | {"name": f"{function['name']}.{number}"}) + "\n")
    return read_lists([str(folder)])


def measure(make: Callable[[Path, int], Iterable[Finding]], count: int) -> None:
    """Print how many tools were imported, and how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sources").mkdir()
        findings = make(Path(folder) / "sources", count)
        began, cpu = time.perf_counter(), time.process_time()
        result = gather(findings)
        write_import(result, Path(folder) / "tools.jsonl")
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    per_10k = cpu / len(result.imported) * 10_000
    print(
        f"{make.__name__:10} {len(result.imported):7,} imported {len(result.refused):5,} refused"
        f" {seconds:6.1f} s ({cpu:.1f} s of CPU; {per_10k:.1f} s for 10,000)"
    )


def main() -> None:
    """Measure each kind of source on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for make in (openapi, toolbench, bfcl):
        measure(make, count)


if __name__ == "__main__":
    main()
