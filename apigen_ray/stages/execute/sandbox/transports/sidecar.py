"""The runner in containers that something else starts beside us, as in a Kubernetes pod.

A runner container gets the folder `socket_dir` of this process read-only, looks for sockets that
are opened in it, and serves one of them at a time. It needs no network, and shares ours in a pod:
that is why its calls can't make sockets. Start it with the folder as its only argument, and no
capability, a read-only root, a memory limit and a /tmp in memory.
"""

import asyncio
from pathlib import Path
from typing import Any

from apigen_ray.stages.execute.sandbox.settings import SandboxSettings
from apigen_ray.stages.execute.sandbox.transports.docker import container_limits


class ExternalRunner:
    """A runner in a container that somebody else manages."""

    async def wait(self) -> str:
        """Wait forever: its container outlives us."""
        await asyncio.Event().wait()
        return "never"

    async def stop(self) -> None:
        """Do nothing: it ends with the connection."""


class SidecarTransport:
    """Waits for runners to connect."""

    def __init__(self, settings: SandboxSettings, tools: Path) -> None:
        self._settings = settings
        self._tools = tools
        self.sockets = Path(settings.socket_dir or "")

    async def start(self, folder: Path) -> ExternalRunner:
        """Do nothing: a container that watches the shared folder finds the socket in `folder`."""
        return ExternalRunner()

    def configuration(self) -> dict[str, Any]:
        """As the runner sees it: the shared folder may be mounted elsewhere there."""
        tools = str(self._tools.relative_to(self.sockets))
        return {"tools": tools, "alone": True, **container_limits(self._settings)}
