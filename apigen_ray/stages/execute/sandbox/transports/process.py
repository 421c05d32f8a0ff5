"""The runner as a plain child process: for tests, and where nothing better works.

Kept from a call: the runner's memory and channel, other processes, network sockets, other programs.
Not kept from it: files that its uid may read. As root, the runner gets a uid that nobody else has,
and can write only to a folder of its own; otherwise it has the user's uid, reaches what the user
reaches, and its processes are not limited in number.
"""

import asyncio
import contextlib
import os
import resource
import secrets
import signal
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from apigen_ray.run_folder.owned_folders import OwnedFolder
from apigen_ray.stages.execute.sandbox.image import RUNNER, host_python, host_root
from apigen_ray.stages.execute.sandbox.settings import SandboxSettings

MAX_PROCESSES = 64
FIRST_UID = 1 << 30  # far above any uid that a system assigns
SWEEP_S = 1.0  # for a runner to clean up and end after its connection was closed
RUNNER_MAPPINGS = 128 << 20  # what a runner has mapped before any call
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "LD_BIND_NOW": "1"}  # as in the Dockerfile


def own_identity() -> dict[str, Any]:
    """Arguments that start a process with a uid that nobody else has, if we are root."""
    if os.geteuid() != 0:
        return {}
    uid = FIRST_UID + secrets.randbelow(FIRST_UID)
    return {"user": uid, "group": uid, "extra_groups": []}


def limits(settings: SandboxSettings) -> dict[str, Any]:
    """The limits where no cgroup counts the processes of a call together: on each of them."""
    return {
        "timeout_s": settings.timeout_s,
        "address_space": (settings.memory_mb << 20) + RUNNER_MAPPINGS,
        "processes": MAX_PROCESSES,
        "result_bytes": settings.result_bytes,
        "output_bytes": settings.output_bytes,
        "egress": False,  # needs a network namespace of its own
    }


class ChildProcess:
    """A runner that is a child of this process."""

    def __init__(
        self, process: asyncio.subprocess.Process, scratch: OwnedFolder | None = None
    ) -> None:
        self._process = process
        self._scratch = scratch

    async def wait(self) -> str:
        """Wait until it has ended; returns its exit status."""
        return f"exit status {await self._process.wait()}"

    async def stop(self) -> None:
        """End it; it cleans up after itself when the connection closes, unless it is stuck."""
        try:
            async with asyncio.timeout(SWEEP_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        if self._scratch:
            self._scratch.remove()


class ProcessTransport:
    """Starts runners as plain child processes."""

    def __init__(self, settings: SandboxSettings, tools: Path, *, root: Path | None = None) -> None:
        """Take what a call may use, and the root with the Python if that is another one."""
        self._settings = settings
        self._tools = tools
        self.sockets = Path(tempfile.gettempdir())
        self.root = root or host_root()

    async def start(self, folder: Path) -> ChildProcess:
        """Start a runner with a folder of its own for files."""
        identity = own_identity()
        scratch = OwnedFolder("scratch", self.sockets)
        if identity:
            os.chown(scratch.path, identity["user"], identity["group"])
        libraries = self._inside(Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib"))
        process = await asyncio.create_subprocess_exec(
            self._inside(host_python()),
            *RUNNER[:-1],
            self._inside(Path(RUNNER[-1])),
            folder / "socket",
            env=ENVIRONMENT | {"LD_LIBRARY_PATH": str(libraries), "TMPDIR": str(scratch.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            **identity,
        )
        return ChildProcess(process, scratch)

    def configuration(self) -> dict[str, Any]:
        """As the runner sees it."""
        configuration = {"tools": str(self._tools), "alone": True, **limits(self._settings)}
        if os.geteuid() != 0:  # a limit would count all processes of the user
            configuration |= {"alone": False, "processes": resource.RLIM_INFINITY}
        return configuration

    def _inside(self, path: Path) -> Path:
        return self.root / path.relative_to("/")
