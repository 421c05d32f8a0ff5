"""Servers that are started: in boxes that share a server's files, each with its session."""

import asyncio
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from apigen_ray.errors import McpUnavailable
from apigen_ray.records import CallResult, Failed, JsonObject, McpBackend, Reason
from apigen_ray.run_folder.owned_folders import OwnedFolder
from apigen_ray.stages.execute.mcp.box import Box, Ended, transport_for
from apigen_ray.stages.execute.mcp.prepared import PreparedServer
from apigen_ray.stages.execute.mcp.session import ServerFault, Session, changes
from apigen_ray.stages.execute.mcp.wire import Wire
from apigen_ray.stages.execute.sandbox.settings import SandboxSettings
from apigen_ray.stages.execute.sandbox.toolcode import ToolCode, write

log = logging.getLogger(__name__)


class Running:
    """A started server with its session, in a box."""

    def __init__(self, server: PreparedServer, box: Box) -> None:
        self.box = box
        self._server = server
        self._wire: Wire | None = None
        self.session: Session | None = None
        self._ended: Ended | None = None
        self._ending = asyncio.Lock()
        self.timed_out = False

    async def start(self, imported: Sequence[McpBackend], *, learn: bool = False) -> Session:
        """Start the server, and check that it has the tools that were imported.

        Raises:
            McpUnavailable: naming what is wrong with it.
            SandboxLost: if the box has ended.
        """
        wire = self._wire = Wire(self.box.start(learn=learn))
        name = self._server.name
        session = Session(name, wire.connect, self._server.mode, self._cause)
        try:
            await session.open(self._server.settings.start_timeout_s)
        except ServerFault as fault:
            said = f"; it wrote to stderr: {wire.last_words}" if wire.last_words else ""
            raise McpUnavailable(f"MCP server {name}: {fault}{said}") from fault
        if problem := changes(session.tools, imported):
            await session.close()
            raise McpUnavailable(f"MCP server {name}: {problem}: import its tools again")
        self.session = session
        return session

    async def call(self, tool: str, arguments: JsonObject, result_bytes: int) -> CallResult:
        """Call a tool. After a time-out, the server's state is unknown: it is asked no more."""
        session, wire = self.session, self._wire
        assert session is not None
        assert wire is not None
        if self.timed_out:
            return Failed(Reason.TIMEOUT, "not sent: an earlier call got no answer in time", 0.0)
        wire.allow_more()
        result = await session.call(tool, arguments, self._server.settings.timeout_s, result_bytes)
        if isinstance(result, Failed):
            self.timed_out = result.reason == Reason.TIMEOUT
            denied = self.box.denials()
            for why in denied:
                log.warning("egress denied", extra={"why": why})
            if denied:
                return Failed(
                    Reason.EGRESS_DENIED, f"{denied[0]}; then: {result.message}", result.seconds
                )
        return result

    async def stop(self) -> Ended:
        """Kill the server; returns how it had ended.

        Raises:
            SandboxLost: if the box has ended.
        """
        async with self._ending:
            if self._ended is None:
                if self.session is not None:
                    await self.session.close()
                self._ended = await self.box.end(is_silent=False)
            return self._ended

    async def close(self) -> None:
        """End the server with its box."""
        if self.session is not None:
            await self.session.close()
        await self.box.close()

    @property
    def is_usable(self) -> bool:
        """Whether it takes another call."""
        if self._wire is None or self._wire.ended.is_set():
            return False
        return self.session is not None and not self.session.ended and not self.timed_out

    async def _cause(self) -> tuple[Reason, str] | None:
        """Why the server says no more."""
        wire = self._wire
        if wire is None or not wire.ended.is_set():
            return None
        if wire.breach:
            return wire.breach.reason, wire.breach.message
        await wire.drained()
        async with self._ending:
            if self._ended is None:
                self._ended = await self.box.end(is_silent=True)
        reason = Reason.MEMORY if self._ended.out_of_memory else Reason.CRASHED
        said = f": {wire.last_words}" if wire.last_words else ""
        return reason, f"the server {self._ended}{said}"


class Boxes:
    """Makes boxes for a server, which share its files."""

    def __init__(
        self,
        server: PreparedServer,
        settings: SandboxSettings,
        env: Mapping[str, str],
        turns: asyncio.Semaphore | None = None,
    ) -> None:
        """Take the server, the sandbox of the run, where keys come from, and whose turn it is.

        Boxes import what servers need: too many at once would all be late.
        """
        self._turns = turns or asyncio.Semaphore(1)
        self.server = server
        self._settings = settings
        self._env = {
            key: server.settings.filled(value, env) for key, value in server.settings.env.items()
        }
        self._arguments_env = env
        self._folder: OwnedFolder | None = None
        self._preload = server.preload
        self._learning = asyncio.Lock()

    async def open(self, imported: Sequence[McpBackend]) -> Box:
        """Open a box; the first also finds out what the server imports, and its protocol.

        Raises:
            McpUnavailable: if the server does not start.
            SandboxLost: if the box doesn't.
        """
        async with self._learning:
            if self._preload is None:
                await self._learn(imported)
        return await self._open(self._preload or ())

    async def _learn(self, imported: Sequence[McpBackend]) -> None:
        box = await self._open(())
        try:
            running = Running(self.server, box)
            session = await running.start(imported, learn=True)
            ended = await running.stop()
        finally:
            await box.close()
        kept = self.server.settings.preload and not self.server.brings_runner
        self._preload = dependencies(ended.imported, self.server) if kept else ()
        self.server = replace(self.server, mode=session.mode, preload=self._preload)

    async def _open(self, preload: tuple[str, ...]) -> Box:
        parent = Path(self._settings.socket_dir or tempfile.gettempdir())
        if self._folder is None:
            self._folder = OwnedFolder("mcp", parent)
            self._folder.path.chmod(0o711)
            await asyncio.to_thread(
                write, ToolCode(dict(self.server.files), {}), self._folder.path / "tools"
            )
        tools = self._folder.path / "tools"
        found = await asyncio.to_thread(transport_for, self.server, self._settings, tools)
        transport, settings, root = found
        filled = self.server.settings.filled
        command = tuple(filled(word, self._arguments_env) for word in self.server.command)
        server = replace(self.server, command=command)
        async with self._turns:
            return await Box.open(
                transport, settings, server, root=root, env=self._env, preload=preload
            )

    def close(self) -> None:
        """Remove the files."""
        if self._folder is not None:
            self._folder.remove()
            self._folder = None


def dependencies(imported: Sequence[str], server: PreparedServer) -> tuple[str, ...]:
    """The modules to import ahead: all but the server's own, whose state is a data point's."""
    own = {"__main__", "__mp_main__"}
    for word in server.command[:3]:
        name = word.rpartition("/")[2].partition("=")[0].removesuffix(".py")
        own |= {name.replace("-", "_"), name.replace("-", "_").lower()}
    own |= {Path(path).parts[1].removesuffix(".py") for path in server.files if "/" in path}
    return tuple(name for name in imported if name.partition(".")[0] not in own)
