"""The tool library: tools from Python sources and tool lists, in one form."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apigen_ray.errors import BadInput
from apigen_ray.records import JsonObject, Tool
from apigen_ray.tools.forms import read_tool_list
from apigen_ray.tools.python import read_python


@dataclass(frozen=True, slots=True)
class Library:
    """The tools of a run, and the Python sources that hold their code."""

    tools: tuple[Tool, ...]
    roots: tuple[Path, ...]
    notices: tuple[str, ...]
    """What could not be turned into a tool, and why: one line each."""

    def by_name(self) -> dict[str, Tool]:
        """The tools by their name."""
        return {tool.name: tool for tool in self.tools}


def load_library(sources: Sequence[str]) -> Library:
    """Read tools from Python files, package folders, and JSONL or JSON tool lists.

    Raises:
        BadInput: if a source is missing, cannot be read, or two tools share a name.
    """
    tools: dict[str, Tool] = {}
    roots: list[Path] = []
    notices: list[str] = []
    for source in sources:
        path = Path(source)
        if not path.exists():
            raise BadInput(f"tools: {source}: no such file or folder")
        if path.is_dir() or path.suffix == ".py":
            found, skipped = read_python(path)
            roots.append(path)
            notices += skipped
        else:
            found = read_tool_list(path)
        for tool in found:
            if tool.name in tools:
                raise BadInput(f"tools: {source}: a second tool is named {tool.name!r}")
            tools[tool.name] = tool
    if not tools:
        raise BadInput(f"tools: no tool found in {', '.join(sources) or 'an empty list'}")
    return Library(tuple(tools.values()), tuple(roots), tuple(notices))


def shown_form(tool: Tool) -> JsonObject:
    """The form a judge and a data set see: name, description, parameters without example calls."""
    parameters = {key: value for key, value in tool.parameters.items() if key != "examples"}
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def prompt_form(tool: Tool) -> JsonObject:
    """The form a generator sees: with the example calls of the tool's documentation."""
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
