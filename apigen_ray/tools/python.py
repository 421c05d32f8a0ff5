"""Tools from Python sources.

The source is imported in a child process: a module that prints, exits, hangs or clashes with a name
of ours can't disturb the run, and its functions are only ever called inside the sandbox.
"""

import json
import subprocess
import sys
from pathlib import Path

from apigen_ray.errors import BadInput
from apigen_ray.records import PythonBackend, Tool

IMPORT_TIMEOUT_S = 60


def read_python(root: Path) -> tuple[list[Tool], list[str]]:
    """Describe the functions of a Python file or package folder.

    Returns:
        The tools, and one line for each function that can't be described.

    Raises:
        BadInput: if a module of the source can't be imported.
    """
    command = [sys.executable, "-m", "apigen_ray.tools.introspection", str(root)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, capture_output=True, text=True, timeout=IMPORT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"tools: {root}: import took over {IMPORT_TIMEOUT_S} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BadInput(f"tools: {root}: {lines[-1]}")
    if not done.stdout:
        raise BadInput(f"tools: {root}: it exits while it is imported")
    described = json.loads(done.stdout)
    tools = [
        Tool(
            name=item["name"],
            description=item["description"],
            parameters=item["parameters"],
            category=item["category"],
            backend=PythonBackend(item["module"], item["function"]),
        )
        for item in described["tools"]
    ]
    return tools, [f"{root}: {line}" for line in described["skipped"]]
