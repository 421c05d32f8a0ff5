"""The code of the tools, packed to travel to the executors on any node."""

import keyword
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from apigen_ray.errors import BadInput

MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class ToolCode:
    """Files, and where in them each tool's function is."""

    files: dict[str, bytes]
    """Relative POSIX path to content: modules and the data files beside them."""
    functions: dict[str, tuple[str, str]]
    """Tool name to module and function."""


def pack(roots: Sequence[Path], functions: Mapping[str, tuple[str, str]]) -> ToolCode:
    """Read tool code: each root is a `.py` file or a package folder.

    Raises:
        BadInput: a root or a function's module is missing, too large, or badly named.
    """
    files: dict[str, bytes] = {}
    size = 0
    for root in roots:
        for path in _files_of(root):
            relative = path.relative_to(root.parent).as_posix()
            if relative in files:
                raise BadInput(
                    f"{path}: another tool source has a file of the same name; rename one"
                )
            size += path.stat().st_size
            if size > MAX_BYTES:
                raise BadInput(f"{root}: tool code is limited to {MAX_BYTES >> 20} MB")
            files[relative] = path.read_bytes()
    for tool, (module, function) in functions.items():
        _check_name(tool, module, function, files)
    return ToolCode(files, dict(functions))


def write(code: ToolCode, folder: Path) -> None:
    """Unpack into a folder, readable by the uid that the runner has."""
    folder.mkdir(mode=0o755)
    for relative, content in code.files.items():
        parts = PurePosixPath(relative).parts
        if ".." in parts or relative.startswith("/"):
            raise BadInput(f"tool code: {relative!r} leaves its folder")
        path = folder.joinpath(*parts)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)


def _files_of(root: Path) -> Iterator[Path]:
    if not root.exists():
        raise BadInput(f"{root}: no such file or folder of tool code")
    top = root.stem if root.is_file() else root.name
    if not top.isidentifier() or keyword.iskeyword(top):
        raise BadInput(f"{root}: {top!r} can't be the name of a Python module")
    if top in sys.stdlib_module_names:
        raise BadInput(f"{root}: {top!r} is a module of the standard library; rename the tool code")
    if root.is_file():
        yield root
        return
    boundary = root.resolve()
    for path in sorted(root.rglob("*")):
        inner = path.relative_to(root).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inner)
        if path.is_file() and not hidden and path.resolve().is_relative_to(boundary):
            yield path


def _check_name(tool: str, module: str, function: str, files: Mapping[str, bytes]) -> None:
    path = module.replace(".", "/")
    if f"{path}.py" not in files and f"{path}/__init__.py" not in files:
        raise BadInput(
            f"tool {tool!r}: module {module!r} is not in the tool code; add its file or package"
            " to the tools, too"
        )
    if function.startswith("__"):
        raise BadInput(f"tool {tool!r}: {function!r} can't be a tool's function")
