"""Sandboxes of benign tools, and what is needed to look at them."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import docker
import pytest

from apigen_ray.errors import BadInput
from apigen_ray.records import Call, CallResult
from apigen_ray.sandbox import Sandbox, SandboxSettings, choose_kind, open_sandbox, pack
from apigen_ray.sandbox.toolcode import ToolCode

TOOLS = Path(__file__).parent / "benign_tools.py"
NAMES = (
    "add",
    "echo",
    "wait",
    "double_later",
    "describe_owner",
    "remember",
    "recall",
    "leave_file",
    "list_files",
    "read_data",
    "print_and_crash",
    "repeat",
    "find_in_memory",
    "Sum",
)


def settings_for(kind: str, **changes: object) -> SandboxSettings:
    values = {"kind": kind, "base_image": "host", "timeout_s": 1.0, "slots": 1} | changes
    settings = SandboxSettings.model_validate(values)
    try:
        choose_kind(settings)
    except BadInput as error:
        pytest.skip(str(error))
    return settings


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


def runners(host: int) -> set[int]:
    """The runner processes that a process on this machine has started."""
    command = ["ps", "-ewwo", "pid=,ppid=,args="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    found = set()
    for pid, parent, arguments in (line.split(maxsplit=2) for line in listing.splitlines()):
        children.setdefault(int(parent), []).append(int(pid))
        if _is_runner(arguments):
            found.add(int(pid))
    below, level = set(), [host]
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        below.update(level)
    return found & below


def _is_runner(command: str) -> bool:
    return "/opt/sandbox/runner.py" in command


def containers(host: int) -> set[int]:
    """The same for runners in containers."""
    label = {"label": f"apigen-ray=runner of process {host}"}
    found = docker.from_env().containers.list(filters=label, ignore_removed=True)
    return {container.attrs["State"]["Pid"] for container in found}


def running(kind: str, host: int | None = None) -> set[int]:
    """The pids of a host process's runners."""
    return (containers if kind == "docker" else runners)(host or os.getpid())


def alive(pids: set[int]) -> set[int]:
    """Those of the runners that are still there."""
    return {pid for pid in pids if _is_runner(_command(pid))}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
