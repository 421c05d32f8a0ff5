"""The tool library: tools from Python sources and tool lists, in one form."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apigen_ray.errors import BadInput
from apigen_ray.records import PythonBackend, Tool
from apigen_ray.run_folder.remote_files import local_copy, no_such_file
from apigen_ray.tools.importers.python import read_python
from apigen_ray.tools.read_forms import read_tool_list


@dataclass(frozen=True, slots=True)
class Library:
    """The tools of a run, and the Python sources that hold their code."""

    tools: tuple[Tool, ...]
    roots: tuple[Path, ...]
    notices: tuple[str, ...]
    """Functions that could not become tools, and other remarks: one line each."""

    def by_name(self) -> dict[str, Tool]:
        """The tools by their name."""
        return {tool.name: tool for tool in self.tools}


def load_library(sources: Sequence[str]) -> Library:
    """Read tools from Python files, package folders, and JSONL or JSON tool lists; URLs of these.

    If a list names functions of a Python source, the source only provides their code: the list
    decides which of them are tools, and describes them.

    Raises:
        BadInput: if a source is missing, cannot be read, or two tools share a name.
    """
    paths = [local_copy(source) for source in sources]
    for path in paths:
        if not path.exists():
            raise BadInput(f"tools: {no_such_file(path)}")
    code = [path for path in paths if path.is_dir() or path.suffix == ".py"]
    found = {path: read_tool_list(path) for path in paths if path not in code}
    notices: list[str] = []
    listed = [tool.backend for tools in found.values() for tool in tools]
    for path in code:
        top = path.resolve().stem if path.is_file() else path.resolve().name
        used = [b for b in listed if isinstance(b, PythonBackend) and _top(b.module) == top]
        if used:
            notices.append(f"{path}: used only for the code of {len(used)} listed tools")
        else:
            found[path], skipped = read_python(path)
            notices += skipped
    tools: dict[str, Tool] = {}
    for path in paths:
        for tool in found.get(path, ()):
            if tool.name in tools:
                raise BadInput(f"tools: {path}: another tool is already named {tool.name!r}")
            tools[tool.name] = tool
    if not tools:
        raise BadInput(f"tools: no tool found in {', '.join(sources) or 'an empty list'}")
    return Library(tuple(tools.values()), tuple(code), tuple(notices))


def _top(module: str) -> str:
    return module.partition(".")[0]
