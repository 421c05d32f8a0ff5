"""The sandbox image, and this machine's Python as a root file system of its own.

The second is the base image where no registry answers, and what bubblewrap and the process
transport run: a Python that any uid may read, with nothing else of this machine around it.
"""

import compileall
import contextlib
import fcntl
import functools
import hashlib
import io
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

import docker
import docker.errors

from apigen_ray.errors import BadInput
from apigen_ray.run_folder.owned_folders import PREFIX, OwnedFolder, lock_folder
from apigen_ray.stages.execute.sandbox.settings import SandboxSettings

REPOSITORY = "apigen-ray-sandbox"
HOST = "host"
RUNNER = ("-s", "-E", "-B", "-u", "/opt/sandbox/runner.py")  # what follows the interpreter
RUNNER_FILES = (
    "Dockerfile",
    "binding.py",
    "child.py",
    "cleanup.py",
    "egress.py",
    "loading.py",
    "runner.py",
    "seccomp.py",
    "servers.py",
    "service.py",
)
MOUNT_POINTS = ("dev", "opt/sandbox", "opt/tools", "proc", "run/sandbox", "sys", "tmp")
DEVICES = ("null", "random", "urandom", "zero")
# Parts of the standard library that no tool needs; most of its size.
EXCLUDED = re.compile(
    r"test|idlelib|tkinter|turtledemo|lib2to3|ensurepip|pydoc_data|site-packages|dist-packages"
    r"|config-.*|_test.*|_tkinter.*|xx.*|_xx.*|.*\.opt-[12]\.pyc"
)


@dataclass(frozen=True)
class Image:
    """A built sandbox image."""

    tag: str
    digest: str
    notice: str | None
    """One line, if the image is not what the settings ask for."""


def runner_files() -> Path:
    """The folder with the runner and its Dockerfile, in a checkout or an installed package."""
    installed = Path(__file__).parent / "files"
    checkout = Path(__file__).parents[4] / "sandbox"
    return installed if installed.is_dir() else checkout


def ensure_image(settings: SandboxSettings) -> Image:
    """The image for these settings; builds it if it is missing.

    A base image that can't be pulled is replaced by this machine's Python.

    Raises:
        BadInput: no Docker engine answers, the build fails, or the named image is missing.
    """
    client = connect()
    if settings.image is not None:
        return _named_image(client, settings.image)
    try:
        return _image_on(client, settings.base_image)
    except (docker.errors.APIError, docker.errors.BuildError) as error:
        if settings.base_image == HOST:
            raise BadInput(f"the sandbox image can't be built: {error}") from error
        why = str(error).splitlines()[-1]
    notice = f"{settings.base_image} can't be pulled ({why}): used this machine's Python instead"
    image = _image_on(client, HOST)
    return Image(image.tag, image.digest, notice)


def connect() -> docker.DockerClient:
    """A client of the Docker engine.

    Raises:
        BadInput: none answers.
    """
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        raise BadInput(
            "no Docker engine answers: start one, or set sandbox.kind to auto"
        ) from error
    return client


def _image_on(client: docker.DockerClient, base: str) -> Image:
    sources = python_identity() if base == HOST else _runner_sources()
    tag = f"{REPOSITORY}:{digest_of(base, *sources)}"
    try:
        found = client.images.get(tag)
    except docker.errors.ImageNotFound:
        if base == HOST:
            base = _import_host_python(client)
        built = client.images.build(
            fileobj=_build_context(),
            custom_context=True,
            tag=tag,
            buildargs={"BASE_IMAGE": base},
            labels={"apigen-ray": "sandbox"},
            network_mode="none",
            rm=True,
            forcerm=True,
        )
        found = built[0]
    return Image(tag, str(found.id), None)


def _named_image(client: docker.DockerClient, name: str) -> Image:
    try:
        return Image(name, str(client.images.get(name).id), None)
    except docker.errors.ImageNotFound:
        raise BadInput(
            f"sandbox.image: this node has no image {name}: `docker pull` it, or build it with"
            " `apigen-ray sandbox build`"
        ) from None


def _build_context() -> io.BytesIO:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name in RUNNER_FILES:
            tar.add(runner_files() / name, arcname=name, filter=readable)
    context.seek(0)
    return context


def _import_host_python(client: docker.DockerClient) -> str:
    tag = digest_of(*python_identity())
    repository = f"{REPOSITORY}-python"
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(host_root(), arcname=".", filter=readable)
        file.flush()
        client.api.import_image(src=file.name, repository=repository, tag=tag)
    return f"{repository}:{tag}"


def readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry of an image: root's, and readable for all."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode |= 0o444 | (0o111 if entry.mode & 0o100 else 0)
    return entry


def digest_of(*parts: str | bytes) -> str:
    """A short name for all of the parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return digest.hexdigest()[:12]


def _runner_sources() -> list[bytes]:
    return [(runner_files() / name).read_bytes() for name in RUNNER_FILES]


def python_identity() -> list[str | bytes]:
    """What a copy of this machine's Python depends on, this file included."""
    python = [sys.version, sys.base_prefix, platform.machine(), *platform.libc_ver()]
    return [*python, Path(__file__).read_bytes(), *_runner_sources()]


def host_root() -> Path:
    """A folder with a copy of this machine's Python and the runner, laid out as a root."""
    name = f"{PREFIX}python-{os.geteuid()}-{digest_of(*python_identity())}"
    root = Path(tempfile.gettempdir()) / name
    while True:
        if not root.exists():
            _make_copy(root)
        with contextlib.suppress(FileNotFoundError):
            status = root.stat()
            _hold_lock(root, status.st_ino)
            if root.exists():  # no other version took it for stale before we held it
                break
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise BadInput(f"{root}: others can write to it; remove it")
    return root


@functools.cache
def _hold_lock(root: Path, _inode: int) -> int:
    """Hold a copy until this process ends; when one is made, others that nobody holds go."""
    return lock_folder(root, fcntl.LOCK_SH)


def _make_copy(root: Path) -> None:
    draft = OwnedFolder("python", root.parent)
    try:
        _copy_python(draft.path)
        draft.path.rename(root)
    except OSError:
        draft.remove()
        if not root.exists():  # else another process was faster
            raise
    else:
        draft.release()


def host_python() -> Path:
    """Where in `host_root()` the interpreter is."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Path(sysconfig.get_config_var("BINDIR") or "/usr/bin", f"python{version}")


def _copy_python(root: Path) -> None:
    library = Path(os.__file__).parent
    extensions = [path for path in _files_below(library / "lib-dynload") if path.suffix == ".so"]
    for path in (host_python(), *linked_libraries([host_python(), *extensions])):
        copy_into(path, root)
    for source in (library, Path("/usr/share/zoneinfo")):
        for path in _files_below(source):
            copy_into(path, root)
    certificates = ssl.get_default_verify_paths()
    for found in (certificates.cafile, f"{certificates.capath}/ca-certificates.crt"):
        target = root / certificates.openssl_cafile.removeprefix("/")
        if found and Path(found).is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target)
    for point in MOUNT_POINTS:
        (root / point).mkdir(parents=True, exist_ok=True)
    for device in DEVICES:
        (root / "dev" / device).touch()
    for name in RUNNER_FILES:
        shutil.copyfile(runner_files() / name, root / "opt/sandbox" / name)
    compiled = PycInvalidationMode.UNCHECKED_HASH  # the copy's name has a hash of the sources
    compileall.compile_dir(root / "opt/sandbox", quiet=1, invalidation_mode=compiled)
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    (root / "tmp").chmod(0o1777)
    shortcut = root / "usr/local/bin/python3"
    if not shortcut.exists():
        shortcut.parent.mkdir(parents=True, exist_ok=True)
        shortcut.symlink_to(host_python())


def copy_into(path: Path, root: Path) -> None:
    """Copy a file to the same place below a root."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    shutil.copystat(path, target)  # the time tells Python that its compiled files are current
    target.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _files_below(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if EXCLUDED.fullmatch(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def linked_libraries(programs: Sequence[Path]) -> set[Path]:
    """What programs and extension modules are linked with, the loader included."""
    linked = subprocess.run(  # noqa: S603
        ["ldd", *programs],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,  # what is not linked dynamically fails here, too
    ).stdout
    return {Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+) \(", linked, re.MULTILINE)}
