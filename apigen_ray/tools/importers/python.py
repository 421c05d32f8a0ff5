"""Tools from Python sources.

The source is imported in a child process: a module that prints, exits, hangs or clashes with a name
of ours can't disturb the run. Its functions are only ever called inside the sandbox.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from apigen_ray.errors import BadInput
from apigen_ray.records import PythonBackend, Tool
from apigen_ray.tools.importers.findings import Finding, Found, RefusalReason, Refused
from apigen_ray.tools.importers.importer import Importer, NoOptions

IMPORT_TIMEOUT_S = 60


def read_python(root: Path) -> tuple[list[Tool], list[str]]:
    """Describe the functions of a Python file or package folder.

    Returns:
        The tools, and one line for each function that can't be described.

    Raises:
        BadInput: if a module of the source can't be imported.
    """
    # As a script, so that the child imports nothing else of this package: it starts at once.
    command = [sys.executable, "-P", str(Path(__file__).with_name("introspection.py")), str(root)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, text=True, timeout=IMPORT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"tools: {root}: the import took over {IMPORT_TIMEOUT_S} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BadInput(f"tools: {root}: {lines[-1]}")
    if not done.stdout:
        raise BadInput(f"tools: {root}: the import ended the process")
    described = json.loads(done.stdout)
    tools = [
        Tool(
            name=item["name"],
            description=item["description"],
            parameters=item["parameters"],
            category=item["category"],
            backend=PythonBackend(item["module"], item["function"]),
            returns=item.get("returns"),
        )
        for item in described["tools"]
    ]
    return tools, [f"{root}: {line}" for line in described["skipped"]]


def import_python(sources: Sequence[str]) -> Iterator[Finding]:
    """The functions of modules named by their import path, files, and package folders."""
    for source in sources:
        root = _located(source)
        if root is None:
            detail = "no file, folder or module of this name"
            yield Refused(source, RefusalReason.UNREADABLE, detail)
            continue
        try:
            tools, skipped = read_python(root)
        except BadInput as error:
            detail = str(error).removeprefix(f"tools: {root}: ")
            yield Refused(source, RefusalReason.UNREADABLE, detail)
            continue
        for line in skipped:
            where, _, detail = line.removeprefix(f"{root}: ").partition(": ")
            yield Refused(where, RefusalReason.NOT_CALLABLE, detail)
        for tool in tools:
            assert isinstance(tool.backend, PythonBackend)
            yield Found(
                where=f"{tool.backend.module}.{tool.backend.function}",
                source=f"python:{root.name}",
                name=tool.name,
                scope=tool.backend.module.rpartition(".")[2],
                description=tool.description,
                parameters=tool.parameters,
                category=tool.category,
                backend=tool.backend,
                returns=tool.returns,
            )


def _located(source: str) -> Path | None:
    """The file or folder of a source; only the child process imports the module itself."""
    path = Path(source)
    if path.exists():
        return path
    if not all(part.isidentifier() for part in source.split(".")):
        return None
    top, *inner = source.split(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if found is None or found.origin in (None, "built-in", "frozen"):
        return None
    root = Path(str(found.origin))
    root = root.parent if root.name == "__init__.py" else root
    if not inner:
        return root
    below = root.joinpath(*inner)
    return next((p for p in (below, below.with_suffix(".py")) if p.exists()), None)


IMPORTER = Importer(
    name="python",
    summary="typed, documented functions",
    source="a Python file, a package folder, or the name of a module",
    example="my_functions.py --out tools.jsonl",
    options=NoOptions,
    read=lambda sources, _: import_python(sources),
)
