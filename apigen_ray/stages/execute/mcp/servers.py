"""The MCP servers of a run, as stage 2 calls them."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field

from apigen_ray import strict_json
from apigen_ray.records import Call, CallResult, Failed, JsonObject, McpBackend, Returned
from apigen_ray.stages.execute.mcp.http import HttpServer
from apigen_ray.stages.execute.mcp.pools import Answering, FreshServers, Servers, SharedServer
from apigen_ray.stages.execute.mcp.prepared import PreparedServer
from apigen_ray.stages.execute.mcp.running import Boxes
from apigen_ray.stages.execute.mcp.sidecars import Sidecars
from apigen_ray.stages.execute.mcp.tape import Tape
from apigen_ray.stages.execute.rest.caller import HIDDEN, forms_of
from apigen_ray.stages.execute.rest.settings import RestSettings
from apigen_ray.stages.execute.sandbox.settings import SandboxSettings

STARTS = 2
"""How many boxes of all servers start at once."""
SHORTEST_KEY = 4
"""A shorter value of a variable is no key, and would be replaced where it means something else."""


@dataclass(frozen=True)
class McpTools:
    """The tools of MCP servers, by name, and the servers."""

    tools: Mapping[str, McpBackend] = field(default_factory=dict)
    servers: Mapping[str, PreparedServer] = field(default_factory=dict)

    @property
    def starts_servers(self) -> bool:
        """Whether any server is one that has to be started."""
        return any(server.settings.url is None for server in self.servers.values())

    def repeatable(self, name: str) -> bool:
        """Whether a tool's calls can be run again without harm: on another fresh server."""
        return self.servers[self.tools[name].server].settings.is_fresh


class McpCaller:
    """Calls tools of MCP servers; servers start when they are first needed."""

    def __init__(
        self,
        known: McpTools,
        sandbox: SandboxSettings,
        rest: RestSettings,
        env: Mapping[str, str],
    ) -> None:
        """Take the servers, the run's sandbox and rules for HTTP, and where keys come from."""
        self._known = known
        self._sandbox = sandbox
        self._rest = rest
        self._env = env
        self._servers: dict[str, Servers] = {}
        self._slots = asyncio.Semaphore(sandbox.slots)
        self._sidecars = Sidecars(sandbox.slots) if sandbox.kind == "sidecar" else None
        self._turns = asyncio.Semaphore(STARTS)
        self._secrets = _secrets(known, env)
        self._tape: Tape | None = None

    @contextlib.asynccontextmanager
    async def data_point(self, tools: Collection[str]) -> AsyncIterator["Lease"]:
        """The servers of one data point, which calls these tools: fresh where they are its own.

        Raises:
            SandboxLost: if it calls more servers than there are sidecars.
        """
        async with self._slots, contextlib.AsyncExitStack() as stack:
            if self._sidecars:
                servers = {self._known.tools[tool].server for tool in tools}
                started = sum(self.url(server) is None for server in servers)
                await stack.enter_async_context(self._sidecars.reserved(started))
            yield Lease(self, stack)

    async def close(self) -> None:
        """End all servers."""
        await asyncio.gather(*(server.close() for server in self._servers.values()))
        self._servers.clear()
        if self._tape is not None:
            self._tape.close()

    async def take(self, name: str, stack: contextlib.AsyncExitStack) -> Answering:
        """The server of a data point, until its stack is closed."""
        if name not in self._servers:
            self._servers[name] = self._make(name)
        return await stack.enter_async_context(self._servers[name].lease())

    def backend(self, tool: str) -> McpBackend:
        """Where a tool's calls go."""
        return self._known.tools[tool]

    async def ask(self, server: Answering, tool: str, arguments: JsonObject) -> CallResult:
        """Call a tool; keys are removed from whatever the server says."""
        result = await server.call(tool, arguments, self._sandbox.result_bytes)
        return redacted(result, self._secrets) if self._secrets else result

    @property
    def tape(self) -> Tape:
        """The cassette of calls over HTTP."""
        self._tape = self._tape or Tape(self._rest)
        return self._tape

    def url(self, server: str) -> str | None:
        """The address of a server, as the config has it; None for one that is started."""
        return self._known.servers[server].settings.url

    def _make(self, name: str) -> Servers:
        server = self._known.servers[name]
        imported = [backend for backend in self._known.tools.values() if backend.server == name]
        if server.settings.url is not None:
            return HttpServer(server, imported, self._rest, self._env)
        boxes = Boxes(server, self._sandbox, self._env, self._turns)
        kind = FreshServers if server.settings.is_fresh else SharedServer
        made = kind(boxes, imported, self._sandbox.slots, self._sidecars)
        if self._sidecars:
            self._sidecars.holders.append(made)
        return made


class Lease:
    """The servers that one data point has called."""

    def __init__(self, caller: McpCaller, stack: contextlib.AsyncExitStack) -> None:
        self._caller = caller
        self._stack = stack
        self._taken: dict[str, Answering] = {}

    async def call(self, call: Call) -> CallResult:
        """Make a call.

        Raises:
            InfrastructureError: if its server can't be used, which says nothing about the call.
        """
        backend = self._caller.backend(call.name)
        url = self._caller.url(backend.server)
        if url is None:
            return await self._ask(backend, call)
        if self._caller.tape.replays:
            return self._caller.tape.find(url, backend.tool, call.arguments)
        result = await self._ask(backend, call)
        self._caller.tape.record(url, backend.tool, call.arguments, result)
        return result

    async def _ask(self, backend: McpBackend, call: Call) -> CallResult:
        if backend.server not in self._taken:
            self._taken[backend.server] = await self._caller.take(backend.server, self._stack)
        return await self._caller.ask(self._taken[backend.server], backend.tool, call.arguments)


def _secrets(known: McpTools, env: Mapping[str, str]) -> tuple[str, ...]:
    names = {name for server in known.servers.values() for name in server.settings.variables}
    return tuple(env[name] for name in sorted(names) if len(env.get(name, "")) >= SHORTEST_KEY)


def redacted(result: CallResult, secrets: tuple[str, ...]) -> CallResult:
    """A result without keys, in any of the forms that URLs and JSON give them."""
    text = result.message if isinstance(result, Failed) else strict_json.dumps(result.result)
    hidden = text
    for secret in secrets:
        for form in forms_of(secret):
            hidden = re.sub(re.escape(form), HIDDEN, hidden)
    if hidden == text:
        return result
    if isinstance(result, Failed):
        return Failed(result.reason, hidden, result.seconds)
    return Returned(strict_json.parse(hidden, max_characters=len(hidden)), result.seconds)
