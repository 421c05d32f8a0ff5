"""Tools of MCP servers: from a saved answer to `tools/list`, or from a live server.

A file may have results (`{"tools": [...]}`), whole JSON-RPC responses, bare lists of tools, or
lines with a server and its tools, as in LiveMCPBench and Docker's registry. Stage 2 calls the tools
of a server by the name that `mcp_servers` has for it.
"""

import asyncio
import contextlib
import logging
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from apigen_ray.errors import BadInput
from apigen_ray.records import McpBackend
from apigen_ray.tools.backends import schema_digest
from apigen_ray.tools.categories import category_of
from apigen_ray.tools.importers.findings import (
    Finding,
    Found,
    RefusalReason,
    Refused,
    document_files,
)
from apigen_ray.tools.importers.importer import CategoryOption, Importer, option
from apigen_ray.tools.importers.values import read_values
from apigen_ray.tools.parameters import NotParameters, read_parameters
from apigen_ray.tools.schemas import InvalidSchema
from apigen_ray.tools.type_names import type_schema

STDIO = "stdio:"
MAX_PAGES = 1000


@dataclass(frozen=True, slots=True)
class McpOptions(CategoryOption):
    """How servers are asked."""

    timeout: float = option(30, "timeout for each server (%(default)s s)", type=float, metavar="S")
    """Seconds that a server may take, from its start to its last tool."""
    server: str = option("", "the server's name in `mcp_servers` (default: what it calls itself)")
    """The name that backends get."""


def read_mcp(sources: Sequence[str], options: McpOptions) -> Iterator[Finding]:
    """The tools of files, folders of files, and servers.

    A server is `stdio:` with the command that starts it, or its URL.

    Raises:
        BadInput: if a source is missing, or a command without `stdio:`.
    """
    for source in sources:
        if source.startswith((STDIO, "http://", "https://")):
            yield from _live(source, options)
            continue
        if not Path(source).exists() and shutil.which(source.partition(" ")[0]):
            raise BadInput(f"{source}: no such file; to start this server, give '{STDIO}{source}'")
        for path in document_files([source], (".json", ".jsonl")):
            for where, value in read_values(path):
                if isinstance(value, Refused):
                    yield value
                else:
                    yield from _servers(where, value, f"mcp:{path.name}", options)


# --- files


def _servers(where: str, value: Any, source: str, options: McpOptions) -> Iterator[Finding]:
    match value:
        case {"result": {"tools": list(tools)}} | {"tools": list(tools)}:
            server = options.server or str(value.get("server") or value.get("name") or "")
            category = category_of("mcp", value.get("category")) or options.category
            yield from read_listed(where, tools, source, server, category)
        case {"tools": dict(servers)}:  # LiveMCPBench: the servers of one entry, by name
            category = category_of("mcp", value.get("category")) or options.category
            for name, server in servers.items():
                listed = server.get("tools") if isinstance(server, dict) else None
                if isinstance(listed, list):
                    yield from read_listed(f"{where}: {name}", listed, source, str(name), category)
                else:
                    detail = f"server {name!r} has no list of tools"
                    yield Refused(where, RefusalReason.INVALID_TOOL, detail)
        case {"name": str()}:
            yield from read_listed(where, [value], source, options.server, options.category)
        case _:
            detail = "neither a result of tools/list nor a tool"
            yield Refused(where, RefusalReason.INVALID_TOOL, detail)


def read_listed(
    where: str, tools: Sequence[Any], source: str, server: str, category: str
) -> Iterator[Finding]:
    """The tools that a server lists.

    Args:
        where: The place to name.
        tools: What it lists, as the protocol has it.
        source: The kind of source, and its name.
        server: The server's name; tools of an unnamed one can't be called.
        category: What its tools are about.
    """
    # Docker's registry leaves out `arguments` if there are none. But some of its lists were written
    # by hand and never have any, so that the parameters of their tools are unknown.
    has_arguments = any(
        isinstance(tool, dict) and tool.keys() & {"inputSchema", "arguments"} for tool in tools
    )
    for number, tool in enumerate(tools):
        place = f"{where}: tools[{number}]" if len(tools) > 1 else where
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or not tool["name"]:
            yield Refused(place, RefusalReason.INVALID_TOOL, "the tool has no name")
            continue
        name = tool["name"]
        schema = tool.get("inputSchema")
        if schema is None and not has_arguments:
            detail = f"{name}: neither inputSchema nor arguments; import it from the server itself"
            yield Refused(place, RefusalReason.NO_PARAMETERS, detail)
            continue
        try:
            listed = schema is None and isinstance(tool.get("arguments"), list)
            parameters = _listed(tool["arguments"]) if listed else read_parameters(schema)
        except (InvalidSchema, NotParameters) as error:
            yield Refused(place, RefusalReason.INVALID_SCHEMA, f"{name}: inputSchema {error}")
            continue
        yield Found(
            where=place,
            source=source,
            name=name,
            scope=server,
            description=" ".join(str(tool.get("description") or "").split()),
            parameters=parameters,
            category=category,
            backend=_backend(server, name, schema) if server else None,
            returns=returns if isinstance(returns := tool.get("outputSchema"), dict) else None,
        )


def _backend(server: str, tool: str, schema: Any) -> McpBackend:
    return McpBackend(server, tool, None if schema is None else schema_digest(schema))


def _listed(arguments: Sequence[Any]) -> dict[str, Any]:
    """Parameters as Docker's registry lists them."""
    properties: dict[str, Any] = {}
    required = []
    for argument in arguments:
        if isinstance(argument, Mapping) and argument.get("name"):
            name = str(argument["name"])
            schema: dict[str, Any] = dict(type_schema(str(argument.get("type") or "any")))
            text = argument.get("desc") or argument.get("description")
            properties[name] = schema | ({"description": str(text)} if text else {})
            if argument.get("optional") is not True:
                required.append(name)
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    return parameters | ({"required": required} if required else {})


# --- servers


def _live(source: str, options: McpOptions) -> Iterator[Finding]:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            with _quiet("mcp"):
                name, tools = asyncio.run(_ask(source, options.timeout, errors))
        except TimeoutError:
            problem = f"no answer to tools/list within {options.timeout:g} s"
        except (Exception, ExceptionGroup) as error:  # transports raise whatever they meet
            problem = _first_line(error)
        else:
            server = options.server or name
            label = f"mcp:{server or 'server'}"
            yield from read_listed(source, tools, label, server, options.category)
            return
        errors.seek(0)
        if said := " ".join(errors.read().split())[-200:]:
            problem += f"; it wrote to stderr: {said}"
        yield Refused(source, RefusalReason.SERVER, problem)


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger: the SDK logs tracebacks, and we report one line."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


async def _ask(source: str, timeout_s: float, errors: TextIO) -> tuple[str, list[dict[str, Any]]]:
    """The name of a server, and its tools from all pages."""
    # Imported here: the SDK takes half a second, which files don't need.
    from mcp import Client, StdioServerParameters  # noqa: PLC0415
    from mcp.client.stdio import stdio_client  # noqa: PLC0415

    async with asyncio.timeout(timeout_s):
        if source.startswith(STDIO):
            command, *arguments = shlex.split(source.removeprefix(STDIO)) or [""]
            started = StdioServerParameters(command=command, args=arguments)
            return await _list(Client(stdio_client(started, errlog=errors)))
        return await _list(Client(source))


async def _list(client: Any) -> tuple[str, list[dict[str, Any]]]:
    tools: list[dict[str, Any]] = []
    async with client:
        cursor = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += (tool.model_dump(by_alias=True, mode="json") for tool in page.tools)
            cursor = page.next_cursor
            if not cursor:
                break
        info = client.server_info
    return (info.name if info else ""), tools


def _first_line(error: BaseException) -> str:
    """The message of an error; of a group, that of its first member."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"[:300] if message else type(error).__name__


IMPORTER = Importer(
    name="mcp",
    summary="the tools of MCP servers",
    source="a file with `mcpServers`, whose servers start in the sandbox; a file with an answer to"
    " tools/list, a server's URL, or `stdio:COMMAND ...`, which is started as it is",
    example="mcp.json --out tools.jsonl",
    options=McpOptions,
    read=read_mcp,
)
