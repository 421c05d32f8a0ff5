"""The runner in a bubblewrap sandbox: namespaces of its own, without a container engine.

Weaker than a container in one point: the memory limit holds for each process of a call, not for all
of them together.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from apigen_ray.errors import SandboxLost
from apigen_ray.stages.execute.sandbox.image import DEVICES, RUNNER, host_root
from apigen_ray.stages.execute.sandbox.settings import SandboxSettings
from apigen_ray.stages.execute.sandbox.transports.process import (
    ENVIRONMENT,
    ChildProcess,
    limits,
    own_identity,
)

TMP_BYTES = 16 << 20


def isolation(root: Path, tmp_bytes: int = TMP_BYTES) -> list[str]:
    """The command that runs another one inside `root`, as PID 1 of its own namespaces."""
    devices = [("--dev-bind", f"/dev/{device}", f"/dev/{device}") for device in DEVICES]
    return [
        *("bwrap", "--unshare-all", "--as-pid-1", "--new-session", "--die-with-parent"),
        *("--cap-drop", "ALL"),
        *("--ro-bind", str(root), "/", "--proc", "/proc"),
        *("--size", str(tmp_bytes), "--tmpfs", "/tmp"),  # noqa: S108 - the sandbox's
        *(word for bind in devices for word in bind),
        *("--clearenv", "--setenv", "PATH", "/usr/local/bin"),
    ]


class BubblewrapTransport:
    """Starts runners with bwrap."""

    def __init__(
        self,
        settings: SandboxSettings,
        tools: Path,
        *,
        root: Path | None = None,
        tmp_bytes: int = TMP_BYTES,
    ) -> None:
        """Take what a sandbox may use, and its root if that is another than a bare Python's."""
        self._settings = settings
        self._tools = tools
        self._tmp_bytes = tmp_bytes
        self.sockets = Path(tempfile.gettempdir())
        self._root = root or host_root()

    async def start(self, folder: Path) -> ChildProcess:
        """Start a runner that sees Python, the tools and its socket, and nothing else."""
        environment = (("--setenv", name, value) for name, value in ENVIRONMENT.items())
        try:
            process = await asyncio.create_subprocess_exec(
                *isolation(self._root, self._tmp_bytes),
                *(word for words in environment for word in words),
                *("--ro-bind", self._tools, "/opt/tools", "--ro-bind", folder, "/run/sandbox"),
                *("python3", *RUNNER, "/run/sandbox/socket"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                **own_identity(),
            )
        except FileNotFoundError as error:  # the driver's machine has it, this one doesn't
            raise SandboxLost("bwrap is not installed here") from error
        return ChildProcess(process)

    def configuration(self) -> dict[str, Any]:
        """As the runner sees it."""
        shared = {"tools": "/opt/tools", "alone": True, **limits(self._settings)}
        return shared | {"egress": self._settings.egress is not None}
