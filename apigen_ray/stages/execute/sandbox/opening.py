"""Chooses the kind of sandbox that works here, and opens one."""

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path

from apigen_ray.errors import BadInput
from apigen_ray.run_folder.owned_folders import OwnedFolder
from apigen_ray.stages.execute.sandbox.image import connect, host_root
from apigen_ray.stages.execute.sandbox.pool import Pool, Sandbox, Transport
from apigen_ray.stages.execute.sandbox.settings import WITH_EGRESS, Kind, SandboxSettings, no_egress
from apigen_ray.stages.execute.sandbox.toolcode import ToolCode, write
from apigen_ray.stages.execute.sandbox.transports.bubblewrap import BubblewrapTransport, isolation
from apigen_ray.stages.execute.sandbox.transports.docker import DockerTransport, check_runtime
from apigen_ray.stages.execute.sandbox.transports.process import ProcessTransport, own_identity
from apigen_ray.stages.execute.sandbox.transports.sidecar import SidecarTransport

OWN_KERNEL = (
    "a kernel of its own, but the memory limit holds for each process of a call, not for their sum:"
    " a call that goes beyond counts as lost; a call sees the container's environment"
)
NOTICES: dict[Kind, str] = {
    "bubblewrap": "isolated, but the memory limit holds for each process of a call, not for their"
    " sum",
    "process": "calls can read this machine's files; run only tools and models that you trust",
}
FALLBACKS: dict[Kind, str] = {
    "bubblewrap": " (no Docker engine answers)",
    "process": " (neither Docker nor bubblewrap works here)",
}


def choose_kind(settings: SandboxSettings) -> tuple[Kind, str | None]:
    """The kind to use, and one line on what is weaker about it than about a container.

    Raises:
        BadInput: the kind asked for does not work here.
    """
    match settings.kind:
        case "auto":
            kind = _best_kind()
        case "docker":
            connect()
            kind = "docker"
        case "bubblewrap":
            if not _bubblewrap_works():
                raise BadInput(
                    "sandbox.kind is bubblewrap, but bwrap can't make namespaces here: install"
                    " bubblewrap, allow unprivileged user namespaces, or set kind to auto"
                )
            kind = "bubblewrap"
        case "sidecar":
            if settings.socket_dir is None or not Path(settings.socket_dir).is_dir():
                raise BadInput(
                    "sandbox.kind is sidecar: set sandbox.socket_dir to the folder that is shared"
                    " with the runner containers"
                )
            kind = "sidecar"
        case "process":
            kind = "process"
    if settings.runtime is not None:
        if kind != "docker":
            raise BadInput(
                f"sandbox.runtime: only Docker has runtimes, not a sandbox of kind {kind}"
            )
        check_runtime(settings.runtime)
        return kind, f"sandbox: {kind} with {settings.runtime}: {OWN_KERNEL}"
    if settings.egress and kind not in WITH_EGRESS:
        raise BadInput(f"sandbox.egress: {no_egress(kind)}")
    if kind not in NOTICES:
        return kind, None
    why = FALLBACKS[kind] if settings.kind == "auto" else ""
    return kind, f"sandbox: {kind}{why}: {NOTICES[kind]}"


def _best_kind() -> Kind:
    try:
        connect()
    except BadInput:
        return "bubblewrap" if _bubblewrap_works() else "process"
    return "docker"


def _bubblewrap_works() -> bool:
    if shutil.which("bwrap") is None:
        return False
    probe = [*isolation(host_root()), "python3", "-s", "-E", "-S", "-c", "pass"]
    result = subprocess.run(probe, capture_output=True, check=False, **own_identity())  # noqa: S603
    return result.returncode == 0


async def open_sandbox(settings: SandboxSettings, code: ToolCode) -> Sandbox:
    """Start `slots` warm runners with the tools in them, in a sandbox of the given kind.

    Raises:
        BadInput: the settings don't work here, or a tool module can't be imported.
        SandboxLost: a runner did not start.
    """
    parent = Path(settings.socket_dir or tempfile.gettempdir())
    try:
        folder = OwnedFolder("tools", parent)
    except OSError as error:
        raise BadInput(f"{parent}: the sandbox's files can't be written there: {error}") from error
    try:
        transport = await asyncio.to_thread(_transport, settings, code, folder.path)
    except BaseException:
        folder.remove()
        raise
    pool = Pool(transport, code, settings, folder.remove)
    await pool.open()
    return pool


def _transport(settings: SandboxSettings, code: ToolCode, folder: Path) -> Transport:
    folder.chmod(0o711)
    tools = folder / "tools"
    write(code, tools)
    match choose_kind(settings)[0] if settings.kind == "auto" else settings.kind:
        case "docker":
            return DockerTransport(settings, tools)
        case "bubblewrap":
            return BubblewrapTransport(settings, tools)
        case "process":
            return ProcessTransport(settings, tools)
        case "sidecar":
            return SidecarTransport(settings, tools)
