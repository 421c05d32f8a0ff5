"""MCP servers before a run: made ready, started once, and held against what was imported."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from apigen_ray.errors import BadInput, InfrastructureError
from apigen_ray.records import McpBackend, Tool
from apigen_ray.stages.execute.mcp import McpServer, McpServers, McpTools, as_servers
from apigen_ray.stages.execute.mcp.build import build, needs_of, prepare
from apigen_ray.stages.execute.mcp.http import HttpServer
from apigen_ray.stages.execute.mcp.prepared import PreparedServer
from apigen_ray.stages.execute.mcp.running import Boxes, Running
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import SandboxSettings, choose_kind


@dataclass(frozen=True)
class Listed:
    """A server that was started once, and what it lists."""

    server: PreparedServer
    title: str
    tools: Sequence[Mapping[str, Any]]


def unset_variable(server: McpServer, env: Mapping[str, str]) -> str | None:
    """The first environment variable that a server needs and does not have."""
    return next((name for name in server.variables if not env.get(name)), None)


def tools_of(tools: Sequence[Tool], servers: McpServers) -> dict[str, McpBackend]:
    """The tools of known servers, by name."""
    return {
        tool.name: tool.backend
        for tool in tools
        if isinstance(tool.backend, McpBackend) and tool.backend.server in servers
    }


def started(tools: Mapping[str, McpBackend], servers: McpServers) -> bool:
    """Whether any of the tools belongs to a server that is started, and needs a sandbox."""
    return any(servers[backend.server].url is None for backend in tools.values())


async def prepare_servers(
    tools: Mapping[str, McpBackend],
    servers: McpServers,
    sandbox: SandboxSettings,
    rest: RestSettings,
) -> McpTools:
    """Start every server that tools belong to once, and check that it has them.

    Args:
        tools: The tools, by name.
        servers: The servers of the config.
        sandbox: Where they start; its kind has been chosen.
        rest: What may be reached by HTTP.

    Raises:
        BadInput: naming the server that does not start, or has other tools.
    """
    used = sorted({backend.server for backend in tools.values()})
    listed = [
        await list_server(
            name,
            servers[name],
            sandbox,
            rest,
            imported=[backend for backend in tools.values() if backend.server == name],
        )
        for name in used
    ]
    return McpTools(dict(tools), {one.server.name: one.server for one in listed})


async def list_server(
    name: str,
    settings: McpServer,
    sandbox: SandboxSettings,
    rest: RestSettings,
    imported: Sequence[McpBackend] = (),
) -> Listed:
    """Start a server, or reach it, and ask for its tools.

    Raises:
        BadInput: naming the server, if that fails, or if it has other tools than those imported.
    """
    if unset := unset_variable(settings, os.environ):
        raise BadInput(f"mcp_servers.{name}: ${unset} is not set")
    kind = "process" if sandbox.kind == "auto" else sandbox.kind
    server = prepare(name, settings, kind, rest.allow)
    if kind == "sidecar" and settings.url is None:
        return Listed(server, name, ())  # sidecars run beside the workers, not here
    if settings.url is not None and rest.mode == "replay":
        return Listed(server, name, ())  # nothing is sent
    try:
        if settings.url is not None:
            return await _reach(server, imported, rest)
        return await _start(server, imported, sandbox)
    except InfrastructureError as error:
        raise BadInput(f"mcp_servers.{name}: {error}{_hint(server, str(error))}") from error


async def _reach(
    server: PreparedServer, imported: Sequence[McpBackend], rest: RestSettings
) -> Listed:
    http = HttpServer(server, imported, rest, os.environ)
    try:
        tools = await http.list_tools()
        return Listed(replace(server, mode=http.mode), http.title, tools)
    finally:
        await http.close()


async def _start(
    server: PreparedServer, imported: Sequence[McpBackend], sandbox: SandboxSettings
) -> Listed:
    boxes = Boxes(server, sandbox, os.environ)
    try:
        box = await boxes.open(imported)  # has started the server once before
        running = Running(boxes.server, box)
        try:
            session = await running.start(imported)
            return Listed(boxes.server, session.title, session.tools)
        finally:
            await running.close()
    finally:
        await asyncio.to_thread(boxes.close)


def build_servers(source: str) -> Iterator[str]:
    """Make what the servers of a config or file run in; a line on each.

    Raises:
        BadInput: naming the server whose packages can't be installed.
    """
    servers = as_servers(source)
    sandbox, _ = settings_of(source)
    if sandbox.kind == "sidecar":  # any runner may be asked for any server
        yield f"image of the sidecars: {build_together(servers)}"
        return
    kind, _ = choose_kind(sandbox)
    for name, server in servers.items():
        try:
            built = build(server, kind)
        except BadInput as error:
            raise BadInput(f"mcp_servers.{name}: {error}") from error
        yield f"{name}: {built or 'needs nothing besides Python'}"


def build_together(servers: McpServers) -> str | None:
    """Make one image with what all servers need; None if they need nothing."""
    return build(sharing({"all": McpServer(command="python3"), **servers})["all"], "docker")


def sharing(servers: McpServers) -> McpServers:
    """The servers, each with what all of them need: that is the image of sidecars."""
    needs = [found for server in servers.values() if (found := needs_of(server))]
    packages = tuple(dict.fromkeys(package for one, _ in needs for package in one))
    programs = tuple(dict.fromkeys(program for _, one in needs for program in one))
    together = {"packages": packages, "programs": programs}
    return {
        name: server.model_copy(update=together if server.url is None else {})
        for name, server in servers.items()
    }


def settings_of(source: str) -> tuple[SandboxSettings, RestSettings]:
    """The sandbox and rules for HTTP of a config file; the defaults of a file with servers alone.

    Raises:
        BadInput: if they are wrong.
    """
    value = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
    try:
        sandbox = SandboxSettings.model_validate(value.get("sandbox") or {})
        rest = RestSettings.model_validate(value.get("rest") or {})
    except ValueError as error:
        raise BadInput(f"{source}: {' '.join(str(error).split())[:300]}") from error
    return sandbox, rest


def _hint(server: PreparedServer, message: str) -> str:
    if "no such command" not in message:
        return ""
    return (
        "; give an `image` that has it, or name what it needs in `packages` and `programs`, and run"
        " `apigen-ray sandbox build --mcp`"
    )
