"""What servers run in: a Python, and the packages and programs that they need, put there once.

Packages are installed by this machine's `uv` or `pip`, and `npm`, as wheels and without install
scripts: building runs no code of theirs. Docker gets an image, bubblewrap and plain processes a
folder.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import docker
import docker.errors

from apigen_ray.errors import BadInput
from apigen_ray.stages.execute.mcp.prepared import (
    PreparedServer,
    program_of,
    split_launcher,
    with_files,
)
from apigen_ray.stages.execute.mcp.settings import McpServer
from apigen_ray.stages.execute.sandbox.image import (
    RUNNER,
    RUNNER_FILES,
    connect,
    copy_into,
    digest_of,
    host_root,
    linked_libraries,
    python_identity,
    readable,
    runner_files,
)
from apigen_ray.stages.execute.sandbox.settings import WITH_EGRESS, Kind, no_egress

REPOSITORY = "apigen-ray-mcp"
RECIPE = 1
"""Raised when the same packages are installed in another way: what was built is built anew."""
INSTALL_TIMEOUT_S = 900
BUILD = "run `apigen-ray sandbox build --mcp` with this config"


def prepare(
    name: str, settings: McpServer, kind: Kind, allow: Sequence[str] = ()
) -> PreparedServer:
    """Make a server ready to start in a sandbox of some kind.

    Raises:
        BadInput: naming the server, if its command is not understood, a file is missing, or what it
            runs in has not been built.
    """
    try:
        return _prepared(name, settings, kind, tuple(allow))
    except BadInput as error:
        raise BadInput(f"mcp_servers.{name}: {error}") from None


def _prepared(name: str, settings: McpServer, kind: Kind, allow: tuple[str, ...]) -> PreparedServer:
    if settings.url is not None:
        return PreparedServer(name, settings)
    if settings.hosts and kind not in WITH_EGRESS:
        raise BadInput(f"hosts: {no_egress(kind)}")
    command = (settings.command or "", *settings.args)
    image = root = None
    brings_runner = kind == "docker" and settings.image is not None
    if settings.image is None:
        command, _ = split_launcher(command)
    elif kind != "docker":
        raise BadInput(f"image: a sandbox of kind {kind} has no images; use `packages`")
    command, files = with_files(settings, command)
    if brings_runner:
        image = settings.image
        files |= {f"runner/{one}": (runner_files() / one).read_bytes() for one in RUNNER_FILES}
    elif needs := needs_of(settings):
        if kind == "docker":
            image = _built_image(needs)
        elif kind != "sidecar":
            root = _built_root(needs)
    return PreparedServer(name, settings, command, files, image, root, brings_runner, allow)


def needs_of(settings: McpServer) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The packages and programs that a server needs; None if there are none, or it has an image."""
    if settings.image is not None or settings.command is None:
        return None
    _, package = split_launcher((settings.command, *settings.args))
    packages = tuple(dict.fromkeys((*([package] if package else []), *settings.packages)))
    return (packages, settings.programs) if packages or settings.programs else None


def build(settings: McpServer, kind: Kind) -> str | None:
    """Make what a server runs in, unless it is there; returns its name, None if it needs nothing.

    Raises:
        BadInput: if a package can't be installed, or a program is missing.
    """
    needs = needs_of(settings)
    if needs is None:
        return None
    if kind != "docker":
        root = _root_of(needs)
        if not root.exists():
            _make_root(root, *needs)
        return str(root)
    client = connect()
    tag = _tag(needs)
    try:
        client.images.get(tag)
    except docker.errors.ImageNotFound:
        with tempfile.TemporaryDirectory(prefix="apigen-ray-build-") as folder:
            root = Path(folder) / "root"
            _make_root(root, *needs)
            _import(client, root, tag)
    return tag


def _tag(needs: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    packages, programs = needs
    described = json.dumps([RECIPE, sorted(packages), sorted(programs)])
    return f"{REPOSITORY}:{digest_of(*python_identity(), described)}"


def _root_of(needs: tuple[tuple[str, ...], tuple[str, ...]]) -> Path:
    parent = Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir())  # noqa: S108
    return parent / f"{_tag(needs).replace(':', '-')}-{os.geteuid()}"


def _built_image(needs: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    tag = _tag(needs)
    try:
        connect().images.get(tag)
    except docker.errors.ImageNotFound:
        raise BadInput(f"its image is missing: {BUILD}") from None
    return tag


def _built_root(needs: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    root = _root_of(needs)
    if not root.exists():
        raise BadInput(f"its packages are not installed: {BUILD}")
    status = root.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise BadInput(f"{root}: others can write to it; remove it")
    return str(root)


def _make_root(root: Path, packages: Sequence[str], programs: Sequence[str]) -> None:
    aside = root.with_name(f"{root.name}.part-{os.getpid()}")
    try:
        shutil.copytree(host_root(), aside, symlinks=True)
        installed = aside / "opt/packages"
        installed.mkdir(parents=True, mode=0o755)
        pypi = [package for package in packages if not package.startswith("npm:")]
        npm = [package.removeprefix("npm:") for package in packages if package.startswith("npm:")]
        if pypi:
            _install_pypi(pypi, installed / "python")
        if npm:
            _install_npm(npm, installed)
        for program in (*programs, *(["node"] if npm else [])):
            _copy_program(program, aside)
        extensions = [path for path in installed.rglob("*.so") if path.is_file()]
        for library in linked_libraries(extensions) if extensions else ():
            if aside not in library.parents:
                copy_into(library, aside)
        for path in (installed, *installed.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        aside.rename(root)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _install_pypi(packages: Sequence[str], target: Path) -> None:
    choices = ["--target", str(target), "--only-binary", ":all:"]
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--link-mode=copy"]
    else:
        install = [sys.executable, "-m", "pip", "install", "--quiet"]
    _run([*install, *choices, *packages], target.parent)
    compile_ = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*compile_, str(target)], check=False, capture_output=True)  # noqa: S603


def _install_npm(packages: Sequence[str], target: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise BadInput(f"npm, which installs {packages[0]}, is not on this machine: give an image")
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=dev", "--loglevel=error"]
    _run([npm, "install", "--prefix", str(target), *quiet, *packages], target)
    shutil.rmtree(target / "node_modules/.cache", ignore_errors=True)
    for package in packages:
        alias = program_of("npm:", package)
        folder = target / "node_modules" / alias.removeprefix("npm:").replace("+", "/")
        bins = json.loads((folder / "package.json").read_text(encoding="utf-8")).get("bin")
        script = bins if isinstance(bins, str) else next(iter((bins or {}).values()), None)
        if script is None:
            continue
        (target / "node_modules/.bin").mkdir(exist_ok=True)
        entry = target / "node_modules/.bin" / alias
        entry.symlink_to(os.path.relpath(folder / script, entry.parent))
        (folder / script).chmod(0o755)


def _run(command: Sequence[str], folder: Path) -> None:
    """Run an installer, away from any project whose constraints it would heed."""
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-400:]
        raise BadInput(f"{Path(command[0]).name} install {command[-1]}: {said}")


def _copy_program(name: str, root: Path) -> None:
    found = shutil.which(name)
    if found is None:
        raise BadInput(f"programs: this machine has no {name}")
    path = Path(found).resolve()
    for one in (path, *linked_libraries([path])):
        copy_into(one, root)
    entry = root / "usr/local/bin" / name
    if not entry.exists() and root / path.relative_to("/") != entry:
        entry.symlink_to(path)


def _import(client: docker.DockerClient, root: Path, tag: str) -> None:
    repository, _, version = tag.partition(":")
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(root, arcname=".", filter=readable)
        file.flush()
        changes = [
            "ENV MALLOC_ARENA_MAX=1 LD_BIND_NOW=1 PATH=/usr/local/bin:/usr/bin:/bin",
            "USER 10001:10001",
            f"ENTRYPOINT {json.dumps(['/usr/local/bin/python3', *RUNNER])}",
        ]
        client.api.import_image(src=file.name, repository=repository, tag=version, changes=changes)
