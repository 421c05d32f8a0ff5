"""Tools as Python code gives them: a library, or the sources of one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from apigen_ray.tools.library import Library, load_library

ToolSources: TypeAlias = Library | str | Path | Sequence[str | Path]
"""A library; or Python files or packages, tool lists, and URLs of these."""


def load_tools(*sources: str | Path) -> Library:
    """Read tools from Python files, package folders, and tool lists in JSON or JSONL.

    Args:
        sources: Paths or URLs. A Python source next to a list that names its functions gives that
            list its code.

    Returns:
        The tools, and a notice on each function that can't be a tool.

    Raises:
        BadInput: if a source is missing or can't be read, or two tools share a name.
    """
    return load_library([str(source) for source in sources])


def as_library(tools: ToolSources) -> Library:
    """A library as it is, or read from its sources; an empty one if there are none.

    Raises:
        BadInput: as `load_tools`.
    """
    if isinstance(tools, Library):
        return tools
    sources = [tools] if isinstance(tools, str | Path) else tools
    return load_tools(*sources) if sources else Library((), (), ())
