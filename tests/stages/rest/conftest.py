"""Servers on loopback: well-behaved ones (aiohttp) and others (raw sockets)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from apigen_ray.stages.execute.rest import RestCaller, RestSettings

LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
async def serve():
    """Start a server that answers every request by a handler; gives its URL without path."""
    runners = []

    async def start(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> str:
        runner = web.ServerRunner(web.Server(handler, access_log=None))
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def serve_raw():
    """Start a server that reads a request head and does what it likes with the connection."""
    servers = []

    async def start(behave: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> str:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                await behave(writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def caller():
    """Make callers that may reach loopback, unless told otherwise."""
    made = []

    def make(env=None, lookup=None, **settings) -> RestCaller:
        settings = {"allow": LOOPBACK, **settings}
        arguments = {} if lookup is None else {"lookup": lookup}
        made.append(RestCaller(RestSettings(**settings), env or {}, **arguments))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
async def echo(serve):
    """A server that answers with the request it got."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "method": request.method,
                "target": request.raw_path,
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "text": await request.text(),
            }
        )

    return await serve(answer)
