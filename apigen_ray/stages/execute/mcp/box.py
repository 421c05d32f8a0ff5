"""A sandbox in which MCP servers run, one after the other: each started anew, and wiped out.

The runner inside (`sandbox/servers.py`) gets three sockets for each server, which become its
standard streams: what the server says comes straight to this process.
"""

import asyncio
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apigen_ray.errors import BadInput, SandboxLost
from apigen_ray.stages.execute.mcp.prepared import PreparedServer
from apigen_ray.stages.execute.rest.proxy import EgressProxy
from apigen_ray.stages.execute.sandbox.pool import Process, Transport, start_runner
from apigen_ray.stages.execute.sandbox.protocol import IMPORT_TIMEOUT_S, LENGTH, MAX_EVENT, PROTOCOL
from apigen_ray.stages.execute.sandbox.settings import EgressSettings, SandboxSettings
from apigen_ray.stages.execute.sandbox.transports.bubblewrap import BubblewrapTransport
from apigen_ray.stages.execute.sandbox.transports.docker import DockerTransport
from apigen_ray.stages.execute.sandbox.transports.process import ProcessTransport
from apigen_ray.stages.execute.sandbox.transports.sidecar import SidecarTransport

START, LEARN, END, ENDED = b"S", b"L", b"E", b"D"  # of sandbox/servers.py
CLEAN_UP_S = 15.0
SCRATCH_MB = 64
RUNNER = "runner"
"""Where in the server's files the runner is, for images that don't have it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a server had ended before it was killed, as the runner measured it."""

    status: int
    """Its wait status; -1 if it was still running."""
    out_of_memory: bool
    clean: bool
    """Whether nothing of it is left."""
    imported: tuple[str, ...]
    """The modules that a learning server has imported."""

    def __str__(self) -> str:
        if self.out_of_memory:
            return "killed at the memory limit"
        if self.status == -1:
            return "closed its output"
        if os.WIFSIGNALED(self.status):
            return f"killed by signal {os.WTERMSIG(self.status)}"
        return f"exited with status {os.WEXITSTATUS(self.status)}"


def transport_for(
    server: PreparedServer, settings: SandboxSettings, folder: Path
) -> tuple[Transport, SandboxSettings, str]:
    """What starts boxes for a server, with the settings for them and the root as servers see it.

    Args:
        server: The server.
        settings: The sandbox of the run; its kind has been chosen.
        folder: Holds the server's files, readable for all.

    Raises:
        BadInput: if the image is missing.
    """
    egress = EgressSettings(hosts=server.hosts, allow=server.allow) if server.hosts else None
    changes = {"egress": egress, "image": server.image or settings.image, "slots": 1}
    own = settings.model_copy(update=changes)
    tmp = SCRATCH_MB << 20
    match settings.kind:
        case "docker":
            start = ("python3", "-s", "-E", "-B", "-u", f"/opt/tools/{RUNNER}/runner.py")
            entrypoint = start if server.brings_runner else None
            limits = f"size={SCRATCH_MB}m,nr_inodes=16k"
            return DockerTransport(own, folder, entrypoint=entrypoint, tmp=limits), own, "/"
        case "bubblewrap":
            root = Path(server.root) if server.root else None
            return BubblewrapTransport(own, folder, root=root, tmp_bytes=tmp), own, "/"
        case "sidecar":
            return SidecarTransport(own, folder), own, "/"
        case _:
            root = Path(server.root) if server.root else None
            transport = ProcessTransport(own, folder, root=root)
            return transport, own, str(transport.root)


class Box:
    """A runner that starts servers."""

    def __init__(self, channel: socket.socket, process: Process, proxy: EgressProxy | None) -> None:
        self._channel = channel
        self._process = process
        self._proxy = proxy
        self.used = False
        """Whether a server was started that has not been ended."""

    @classmethod
    async def open(
        cls,
        transport: Transport,
        settings: SandboxSettings,
        server: PreparedServer,
        *,
        root: str,
        env: dict[str, str],
        preload: tuple[str, ...],
    ) -> "Box":
        """Start a box.

        Raises:
            SandboxLost: if it did not start.
        """
        configuration = transport.configuration()
        configuration |= {
            "functions": {},
            "server": {
                "command": list(server.command),
                "env": env,
                "root": root,
                "preload": list(preload),
                "forks": not server.brings_runner,
            },
        }
        channel, process, proxy = await start_runner(transport, configuration, settings.egress)
        channel.setblocking(False)
        box = cls(channel, process, proxy)
        try:
            event = await box._event(IMPORT_TIMEOUT_S)
            if event.get("event") == "failed":
                raise BadInput(f"sandbox: {event.get('message')}")
            if event.get("protocol") != PROTOCOL:
                raise BadInput(
                    "the sandbox image is of another version: run `apigen-ray sandbox build --mcp`"
                )
        except BaseException:
            await box.close()
            raise
        return box

    def start(self, *, learn: bool) -> tuple[socket.socket, socket.socket, socket.socket]:
        """Start a server; returns our ends of its standard streams.

        Raises:
            SandboxLost: if the box has ended.
        """
        pairs = [socket.socketpair() for _ in range(3)]
        try:
            theirs = [pair[1].fileno() for pair in pairs]
            socket.send_fds(self._channel, [LEARN if learn else START], theirs)
        except OSError as error:
            for ours, _ in pairs:
                ours.close()
            raise SandboxLost("the sandbox of an MCP server has ended") from error
        finally:
            for _, end in pairs:
                end.close()
        for ours, _ in pairs:
            ours.setblocking(False)
        self.used = True
        stdin, stdout, stderr = (ours for ours, _ in pairs)
        return stdin, stdout, stderr

    async def end(self, *, is_silent: bool) -> Ended:
        """Kill the server and all that it started, and wipe its scratch.

        Args:
            is_silent: It has closed its output: it may be about to exit, and is given a moment.

        Raises:
            SandboxLost: if the box has ended.
        """
        try:
            self._channel.send(ENDED if is_silent else END)
        except OSError as error:
            raise SandboxLost("the sandbox of an MCP server has ended") from error
        event = await self._event(CLEAN_UP_S)
        self.used = False
        if self._proxy:
            self._proxy.cut()
        imported = str(event.get("imported") or "").split()
        try:
            status = int(event["status"])
            memory, clean = bool(event["memory"]), bool(event["clean"])
        except (KeyError, TypeError, ValueError) as error:
            raise SandboxLost("the runner of an MCP server broke the protocol") from error
        return Ended(status, memory, clean, tuple(imported))

    def denials(self) -> list[str]:
        """The requests that the egress proxy has refused since the last call."""
        return self._proxy.take_denials() if self._proxy else []

    async def close(self) -> None:
        """End the box."""
        self._channel.close()
        if self._proxy:
            self._proxy.close()
        await self._process.stop()

    async def _event(self, timeout_s: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(timeout_s):
                (size,) = LENGTH.unpack(await self._read(LENGTH.size))
                if size > 2 * MAX_EVENT:
                    raise SandboxLost("the runner of an MCP server broke the protocol")
                event: Any = json.loads(await self._read(size))
        except TimeoutError as error:
            raise SandboxLost("the sandbox of an MCP server did not answer in time") from error
        except ValueError as error:
            raise SandboxLost("the runner of an MCP server broke the protocol") from error
        if not isinstance(event, dict):
            raise SandboxLost("the runner of an MCP server broke the protocol")
        return event

    async def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                more = await asyncio.get_running_loop().sock_recv(self._channel, size - len(data))
            except OSError as error:
                raise SandboxLost("the sandbox of an MCP server has ended") from error
            if not more:
                raise SandboxLost("the sandbox of an MCP server has ended")
            data += more
        return bytes(data)
