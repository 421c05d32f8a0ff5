"""The runner in a container of the local Docker engine."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container
from docker.types import LogConfig, Ulimit

from apigen_ray.errors import BadInput, SandboxLost
from apigen_ray.stages.execute.sandbox.image import connect, ensure_image
from apigen_ray.stages.execute.sandbox.settings import SandboxSettings
from apigen_ray.stages.execute.sandbox.transports.process import FIRST_UID, MAX_PROCESSES, limits

LABEL = "apigen-ray"
TMP = "mode=1777,noexec,nosuid,nodev"
CALL_TMP = "size=16m,nr_inodes=1k"
LEAST_ADDRESS_SPACE = 1 << 30
CPU_PERIOD_US = 20_000  # a slot that has used up its CPU time waits for the next period
# A runtime with a kernel of its own (gVisor, Kata) spends these itself, and holds no limit for the
# processes of a call together: the end of the container's memory is the end of that kernel.
KERNEL_MB, KERNEL_PROCESSES = 256, 1024
RUNSC = '"runsc": {"path": "/usr/bin/runsc", "runtimeArgs": ["--network=none", "--host-uds=open"]}'


def check_runtime(runtime: str) -> None:
    """Check that the Docker engine has a runtime.

    Raises:
        BadInput: it does not.
    """
    known = connect().info()["Runtimes"]
    if runtime not in known:
        hint = f": add {RUNSC} to its `runtimes`, and reload it" if runtime == "runsc" else ""
        raise BadInput(
            f"sandbox.runtime: the Docker engine has no {runtime!r}, only {', '.join(known)}; they"
            f" are listed in /etc/docker/daemon.json{hint}"
        )


def container_limits(settings: SandboxSettings) -> dict[str, Any]:
    """The runner's limits, where the container's cgroup counts memory: ample address space."""
    return limits(settings) | {
        "address_space": max(LEAST_ADDRESS_SPACE, 4 * settings.memory_mb << 20)
    }


class RunningContainer:
    """A container that holds a runner. It is removed by the engine when the runner ends."""

    def __init__(self, container: Container, runtime: str | None) -> None:
        self._container = container
        self._runtime = runtime

    async def wait(self) -> str:
        """Wait until it has ended."""
        try:
            while True:
                await asyncio.to_thread(self._container.reload)
                await asyncio.sleep(0.5)
        except docker.errors.NotFound:
            if self._runtime is None:
                return "the container exited"
            return (
                f"the container exited (its runtime {self._runtime} must allow connections to unix"
                " sockets of the host: runsc does with --host-uds=open)"
            )

    async def stop(self) -> None:
        """Remove it."""
        try:
            await asyncio.to_thread(self._container.remove, force=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if error.status_code != 409:  # its removal is under way
                raise
            await self.wait()


class DockerTransport:
    """Starts runners in containers."""

    def __init__(
        self,
        settings: SandboxSettings,
        tools: Path,
        *,
        entrypoint: Sequence[str] | None = None,
        tmp: str = CALL_TMP,
    ) -> None:
        """Take what a container may use, and how it starts the runner if not as our images do."""
        self._settings = settings
        self._tools = tools
        self._entrypoint = list(entrypoint) if entrypoint else None
        self._tmp = {"/tmp": f"{tmp},{TMP}"}  # noqa: S108 - the container's
        self.sockets = Path(tempfile.gettempdir())
        self._client = connect()
        self._image = ensure_image(settings).tag

    async def start(self, folder: Path) -> RunningContainer:
        """Start a container."""
        try:
            container = await asyncio.to_thread(self._run, folder)
        except docker.errors.APIError as error:
            raise SandboxLost(f"Docker can't start a container: {error.explanation}") from error
        return RunningContainer(container, self._settings.runtime)

    def _run(self, folder: Path) -> Container:
        uid = FIRST_UID + secrets.randbelow(FIRST_UID)
        memory_mb, processes = self._settings.memory_mb, MAX_PROCESSES
        if self._settings.runtime is not None:
            memory_mb, processes = memory_mb + KERNEL_MB, processes + KERNEL_PROCESSES
        memory = f"{memory_mb}m"
        return self._client.containers.run(
            self._image,
            ["/run/sandbox/socket"],
            entrypoint=self._entrypoint,
            detach=True,
            auto_remove=True,
            labels={LABEL: f"runner of process {os.getpid()}"},
            log_config=LogConfig(type="none"),
            stop_signal="SIGKILL",
            runtime=self._settings.runtime,
            # reach
            network_mode="none",
            ipc_mode="none",
            hostname="sandbox",
            user=f"{uid}:{uid}",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            read_only=True,
            tmpfs=self._tmp,
            volumes={
                str(self._tools): {"bind": "/opt/tools", "mode": "ro"},
                str(folder): {"bind": "/run/sandbox", "mode": "ro"},
            },
            # consumption
            mem_limit=memory,
            memswap_limit=memory,
            cpu_period=CPU_PERIOD_US,
            cpu_quota=int(self._settings.cpus * CPU_PERIOD_US),
            pids_limit=processes,
            ulimits=[Ulimit(name="core", soft=0, hard=0)],
        )

    def configuration(self) -> dict[str, Any]:
        """As the runner sees it."""
        held = container_limits if self._settings.runtime is None else limits
        shared = {"tools": "/opt/tools", "alone": True, **held(self._settings)}
        return shared | {"egress": self._settings.egress is not None}
