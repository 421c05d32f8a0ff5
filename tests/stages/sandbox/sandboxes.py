"""Sandboxes of benign tools, and what is needed to look at them."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import docker
import pytest

from apigen_ray.errors import BadInput
from apigen_ray.records import Call, CallResult
from apigen_ray.stages.execute.sandbox import (
    Sandbox,
    SandboxSettings,
    choose_kind,
    ensure_image,
    open_sandbox,
    pack,
)
from apigen_ray.stages.execute.sandbox.toolcode import ToolCode

SOCKETS = "APIGEN_RAY_TEST_SOCKETS"  # also for the processes that tests start
TOOLS = Path(__file__).parent / "benign_tools.py"
NAMES = (
    "add",
    "echo",
    "wait",
    "wait_and_tell_when",
    "double_later",
    "describe_owner",
    "remember",
    "recall",
    "leave_file",
    "list_files",
    "read_data",
    "print_and_crash",
    "forge_and_leave",
    "repeat",
    "find_in_memory",
    "Sum",
)


def settings_for(kind: str, **changes: object) -> SandboxSettings:
    values = {"kind": kind, "base_image": "host", "timeout_s": 1.0, "slots": 1} | changes
    if kind == "gvisor":
        values |= {"kind": "docker", "runtime": "runsc"}
    if kind == "sidecar":
        values["socket_dir"] = os.environ[SOCKETS]
    settings = SandboxSettings.model_validate(values)
    try:
        choose_kind(settings)
    except BadInput as error:
        pytest.skip(str(error))
    return settings


@contextmanager
def sidecars(count: int) -> Iterator[None]:
    """Runner containers as a pod would have them, which attend a folder shared with us."""
    client = docker.from_env()
    image = ensure_image(SandboxSettings(base_image="host")).tag
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        os.environ[SOCKETS] = folder
        started = [
            client.containers.run(
                image,
                ["/run/sandbox"],
                detach=True,
                auto_remove=True,
                labels={"apigen-ray": f"sidecar of tests {os.getpid()}"},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                read_only=True,
                tmpfs={"/tmp": "size=16m,mode=1777"},
                volumes={folder: {"bind": "/run/sandbox", "mode": "ro"}},
                mem_limit="256m",
                memswap_limit="256m",
                pids_limit=64,
            )
            for _ in range(count)
        ]
        try:
            yield
        finally:
            for container in started:
                container.remove(force=True)


def benign_code() -> ToolCode:
    code = pack([TOOLS], {name: ("benign_tools", name) for name in NAMES})
    return ToolCode(code.files | {"data.txt": b"data beside the code"}, code.functions)


@asynccontextmanager
async def opened(settings: SandboxSettings, code: ToolCode | None = None) -> AsyncIterator[Sandbox]:
    sandbox = await open_sandbox(settings, code or benign_code())
    try:
        yield sandbox
    finally:
        await sandbox.close()


async def call(sandbox: Sandbox, name: str, /, **arguments: object) -> CallResult:
    [result] = await sandbox.run([Call(name, arguments)])  # type: ignore[arg-type]
    return result


def running(kind: str, host: int | None = None) -> set[int]:
    """The pids of the runners that a process on this machine uses, or the tests' sidecars."""
    host = host or os.getpid()
    if kind in ("docker", "gvisor"):
        return _containers(f"runner of process {host}")
    if kind == "sidecar":
        waiting = _containers(f"sidecar of tests {os.getpid()}")
        return {child for pid in waiting for child in _children().get(pid, [])}
    return {pid for pid in below(host) if _is_runner(_command(pid))}


def _containers(label: str) -> set[int]:
    filters = {"label": f"apigen-ray={label}"}
    found = docker.from_env().containers.list(filters=filters, ignore_removed=True)
    return {container.attrs["State"]["Pid"] for container in found}


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    return children


def children(pid: int) -> list[int]:
    return _children().get(pid, [])


def below(pid: int) -> set[int]:
    """The processes that a process started, and those started by them."""
    children, level, found = _children(), [pid], set()
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        found.update(level)
    return found


def _is_runner(command: str) -> bool:
    return "/opt/sandbox/runner.py" in command or command.startswith("runsc-sandbox")


def alive(pids: set[int]) -> set[int]:
    """Those of the runners that are still there."""
    return {pid for pid in pids if _is_runner(_command(pid))}


def has_ended(pid: int) -> bool:
    """Whether a process has closed all it had open, be it waited for or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
