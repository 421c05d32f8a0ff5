"""Servers that are reached by HTTP, through the guarded client."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn
from mcp.server import MCPServer

from apigen_ray.errors import McpUnavailable, RestUnavailable
from apigen_ray.records import McpBackend, Reason
from apigen_ray.stages.execute.mcp import McpCaller, McpServer, McpTools
from apigen_ray.stages.execute.mcp.prepared import PreparedServer
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import SandboxSettings
from tests.stages.mcp.mcp_servers import ask_once

server = MCPServer("over HTTP")


@server.tool()
def echo(text: str) -> str:
    return text


@server.tool()
def fail(text: str) -> str:
    raise ValueError(text)


@server.tool()
def large(text: str) -> str:
    return text * 10_000


@pytest.fixture
async def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        free.listen()
        app = server.streamable_http_app()
        running = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        task = asyncio.create_task(running.serve(sockets=[free]))
        yield free.getsockname()[1]
        running.should_exit = True
        running.force_exit = True
        await task


@asynccontextmanager
async def calling(port, *names, path="mcp", **rest):
    settings = McpServer(url=f"http://127.0.0.1:{port}/{path}", timeout_s=20, start_timeout_s=20)
    tools = {name: McpBackend("web", name) for name in names}
    known = McpTools(tools, {"web": PreparedServer("web", settings)})
    rules = RestSettings.model_validate({"allow": [f"127.0.0.1:{port}"]} | rest)
    caller = McpCaller(known, SandboxSettings(), rules, {})
    try:
        yield caller
    finally:
        await caller.close()


async def test_its_tools_are_called(port):
    async with calling(port, "echo", "fail") as caller:
        results = await asyncio.gather(*(ask_once(caller, "echo", str(n)) for n in range(8)))
        assert [result.result["result"] for result in results] == [str(n) for n in range(8)]
        assert (await ask_once(caller, "fail", "x")).reason is Reason.RAISED


async def test_an_address_that_is_not_allowed_is_not_dialled(port):
    async with calling(port, "echo", allow=[]) as caller:
        with pytest.raises(McpUnavailable, match=r"MCP server web: .*not a public address"):
            await ask_once(caller, "echo", "x")


async def test_a_host_that_is_not_listed_is_not_asked(port):
    async with calling(port, "echo", hosts=["api.example.com"]) as caller:
        with pytest.raises(McpUnavailable, match="not one of the allowed hosts"):
            await ask_once(caller, "echo", "x")


async def test_an_answer_that_is_too_large_is_cut_off(port):
    async with calling(port, "large", response_bytes=8192) as caller:
        result = await ask_once(caller, "large", "x")
    assert result.reason is Reason.OUTPUT_TOO_LARGE


async def test_a_recorded_call_is_answered_without_the_server(port, tmp_path):
    tape = {"cassette": str(tmp_path / "tape.jsonl")}
    async with calling(port, "echo", mode="record", **tape) as caller:
        recorded = await ask_once(caller, "echo", "x")
    async with calling(port, "echo", mode="replay", allow=[], **tape) as caller:
        assert (await ask_once(caller, "echo", "x")).result == recorded.result
        with pytest.raises(RestUnavailable, match="not in the cassette"):
            await ask_once(caller, "echo", "y")


async def test_a_server_that_is_not_there_is_an_error_that_names_it():
    async with calling(9, "echo") as caller:
        with pytest.raises(McpUnavailable, match="MCP server web: "):
            await ask_once(caller, "echo", "x")
