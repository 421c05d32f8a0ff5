"""MCP servers of tests: the plain server, started in some kind of sandbox."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from apigen_ray.records import Call, CallResult, McpBackend
from apigen_ray.stages.execute.mcp import McpCaller, McpServer, McpTools
from apigen_ray.stages.execute.mcp.build import prepare
from apigen_ray.stages.execute.mcp.servers import Lease
from apigen_ray.stages.execute.rest import RestSettings
from tests.stages.sandbox.sandboxes import settings_for

SERVER = str(Path(__file__).parent / "plain_server.py")
NAMES = ("echo", "note", "fail", "show", "act")


def server_of(how: str = "", **changes: object) -> McpServer:
    values = {"command": "python", "args": [SERVER, how], "start_timeout_s": 20, "timeout_s": 5}
    return McpServer.model_validate(values | changes)


@asynccontextmanager
async def calling(
    kind: str,
    how: str = "",
    *,
    keys: dict[str, str] | None = None,
    tools: dict[str, McpBackend] | None = None,
    slots: int = 1,
    allow: tuple[str, ...] = (),
    servers: Sequence[str] = ("plain",),
    **changes: object,
) -> AsyncIterator[McpCaller]:
    sandbox = settings_for(kind, slots=slots)
    settings = server_of(how, **changes)
    started = {
        server: prepare(server, settings, sandbox.kind, allow)  # type: ignore[arg-type]
        for server in servers
    }
    first, *others = servers
    known = tools or {name: McpBackend(first, name) for name in NAMES}
    known |= {f"{name} of {one}": McpBackend(one, name) for one in others for name in NAMES}
    caller = McpCaller(McpTools(known, started), sandbox, RestSettings(), keys or {})
    try:
        yield caller
    finally:
        await caller.close()


async def ask(lease: Lease, name: str, text: str = "") -> CallResult:
    return await lease.call(Call(name, {"text": text}))


async def ask_once(caller: McpCaller, name: str, text: str = "") -> CallResult:
    async with caller.data_point([name]) as lease:
        return await ask(lease, name, text)
