"""A server made ready to start on any node: its command, its files, and what it runs in.

Command lines are taken as clients write them. `uvx NAME` and `npx NAME` become the program that the
package brings, which the build has installed: nothing is downloaded when a server starts. A script
of this machine, and the files beside it, travel along.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from apigen_ray.errors import BadInput
from apigen_ray.stages.execute.mcp.settings import McpServer

LAUNCHERS = ("uvx", "npx", "pipx", "bunx")
WORKSPACE = "workspace"
SCRIPTS = "server"
TOOLS = "{tools}"
"""Stands for the folder of the server's files, wherever it is mounted."""
MAX_BYTES = 64 << 20
SCRIPT = re.compile(r".+\.(py|js|mjs|cjs|ts|sh)")
VERSION = re.compile(r"(?<=.)(@[^/@]*|(==|>=|<=|~=|!=|<|>).*|\[.*)$")


@dataclass(frozen=True)
class PreparedServer:
    """Everything that starts a server, or reaches it."""

    name: str
    settings: McpServer
    command: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    image: str | None = None
    """The Docker image; None for the sandbox's own."""
    root: str | None = None
    """The root folder that the build made, for bubblewrap and plain processes."""
    brings_runner: bool = False
    """Whether the runner is among the files, since the image lacks it."""
    allow: tuple[str, ...] = ()
    """Addresses that `hosts` may have although they are not public."""
    preload: tuple[str, ...] | None = None
    """What the server imports, once a first start has shown it."""
    mode: str = "auto"
    """How the protocol's version is agreed on; a first start has found out."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that it may reach."""
        return self.settings.hosts


def split_launcher(command: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """A command without `uvx` or `npx`, and the package that these would install.

    `uvx --from PACKAGE NAME` and `npx -y --package=PACKAGE NAME` name the program apart.

    Raises:
        BadInput: if it is written in a way that is not understood.
    """
    program, *arguments = command
    name = PurePosixPath(program).name
    if name == "docker":
        raise BadInput("starts docker itself: give its image as `image`, and the command in it")
    if name not in LAUNCHERS:
        return tuple(command), None
    prefix = "npm:" if name in ("npx", "bunx") else ""
    package = None
    rest = list(arguments)
    if name == "pipx" and rest[:1] == ["run"]:
        rest = rest[1:]
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        if option in ("--from", "--spec", "--package", "-p", "--with", "--python"):
            value = value if equals else (rest.pop(0) if rest else "")
            package = value if option not in ("--with", "--python") else package
        elif option not in ("-y", "--yes", "-q", "--quiet", "--"):
            raise BadInput(f"{name} {option}: not known here; give the packages as `packages`")
    if not rest:
        raise BadInput(f"{name}: names no package")
    package = package or rest[0]
    return (program_of(prefix, rest[0]), *rest[1:]), prefix + package


def program_of(prefix: str, name: str) -> str:
    """The program of a package; the build gives that of an npm package a name of this form."""
    plain = VERSION.sub("", name)
    return f"npm:{plain.replace('/', '+')}" if prefix else plain


def with_files(
    server: McpServer, command: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """The command with the scripts that travel along, and all files that do.

    Raises:
        BadInput: if they are too large, or the workspace is missing.
    """
    files: dict[str, bytes] = {}
    changed = list(command)
    for place, word in enumerate(command):
        path = Path(word).expanduser()
        if SCRIPT.fullmatch(word) and path.is_file():
            _add(files, path.parent, SCRIPTS)
            changed[place] = f"{TOOLS}/{SCRIPTS}/{path.name}"
            break
    if server.workspace is not None:
        folder = Path(server.workspace)
        if not folder.is_dir():
            raise BadInput(f"workspace: {folder}: no such folder")
        _add(files, folder, WORKSPACE, hidden=True)
    return tuple(changed), files


def _add(files: dict[str, bytes], folder: Path, name: str, *, hidden: bool = False) -> None:
    size = sum(map(len, files.values()))
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        left_out = ("__pycache__", "node_modules", ".venv")
        if any(part in left_out or (part[0] == "." and not hidden) for part in inner.parts):
            continue
        if not path.is_file() or path.is_symlink():
            continue
        size += path.stat().st_size
        if size > MAX_BYTES:
            raise BadInput(f"{folder}: the files of a server are limited to {MAX_BYTES >> 20} MB")
        files[f"{name}/{inner.as_posix()}"] = path.read_bytes()
