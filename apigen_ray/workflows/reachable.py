"""Which tools can be called, found out before a model is asked for calls of the others."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.pipeline.executor import Executor
from apigen_ray.records import McpBackend, PythonBackend, Reason, Rejected, Stage, Tool
from apigen_ray.run_folder.rows import Row, rejected_row
from apigen_ray.stages.execute.mcp import McpServers
from apigen_ray.stages.execute.rest import RestSettings, refusal
from apigen_ray.tools.library import Library
from apigen_ray.workflows.mcp_servers import unset_variable
from apigen_ray.workflows.prepare import keys_of, run_async

NAMED = 5
"""How many tools a message names for each cause."""

LOOKUP_S = 10.0


def reachable_tools(library: Library, config: RunConfig, console: Console) -> Library:
    """The library without tools that can't be called, if the config allows to leave them out.

    Raises:
        BadInput: naming the tools, and what each of them lacks.
    """
    causes = unreachable(library.tools, config.rest, os.environ, config.mcp_servers)
    if not causes:
        return library
    by_cause: dict[str, list[str]] = {}
    for name, cause in causes.items():
        by_cause.setdefault(cause, []).append(name)
    said = "; ".join(f"{_listed(names)}: {cause}" for cause, names in by_cause.items())
    text = f"tools: {len(causes)} of {len(library.tools)} can't be called: {said}"
    if len(causes) == len(library.tools):
        raise BadInput(text)
    if not config.execute.skip_unreachable:
        raise BadInput(f"{text} (--set execute.skip_unreachable=true leaves them out)")
    console.print(f"{text}; left out", style="yellow", soft_wrap=True, markup=False)
    return replace(library, tools=tuple(t for t in library.tools if t.name not in causes))


def unreachable(
    tools: Sequence[Tool],
    rest: RestSettings,
    env: Mapping[str, str],
    servers: McpServers,
) -> dict[str, str]:
    """What keeps tools from being called, by their names.

    Args:
        tools: The tools.
        rest: Which hosts and addresses may be called.
        env: Holds the API keys.
        servers: The MCP servers of the config.
    """
    causes = {tool.name: "no backend" for tool in tools if tool.backend is None}
    hosts: dict[str, list[str]] = {}
    for tool in tools:
        if isinstance(tool.backend, McpBackend):
            if cause := _server_problem(tool.backend.server, servers, env):
                causes[tool.name] = cause
            elif rest.mode != "replay" and (url := servers[tool.backend.server].url):
                hosts.setdefault(_origin(url), []).append(tool.name)
            continue
        if tool.backend is None or isinstance(tool.backend, PythonBackend):
            continue
        if rest.mode == "replay":
            continue
        if unset := next((key for key in keys_of(tool.backend) if not env.get(key)), None):
            causes[tool.name] = f"its API key ${unset} is not set"
        else:
            hosts.setdefault(_origin(tool.backend.url), []).append(tool.name)
    for origin, cause in run_async(_refusals(list(hosts), rest)).items():
        causes |= dict.fromkeys(hosts[origin], cause)
    return causes


def _server_problem(name: str, servers: McpServers, env: Mapping[str, str]) -> str | None:
    """Why an MCP server can't be used; None if nothing speaks against it."""
    if name not in servers:
        known = ", ".join(sorted(servers)) or "none"
        return f"no MCP server {name!r} in mcp_servers (known: {known})"
    unset = unset_variable(servers[name], env)
    return f"its MCP server {name!r} needs ${unset}, which is not set" if unset else None


def error_if_unreachable(row: Row, executor: Executor, causes: Mapping[str, str]) -> Row:
    """A row whose calls can't be run here is not a bad sample: it is left for a run that can."""
    if row["outcome"]:
        return row
    for call in json.loads(row["answers"] or "[]"):
        name = call["name"]
        cause = causes.get(name)
        if cause is None and not executor.can_run(name):
            cause = "no code among the tools"
        if cause is not None:
            reason = Reason.ENDPOINT if executor.leaves_sandbox(name) else Reason.SANDBOX
            detail = f"{name}: {cause}, so its calls can't be run"
            return rejected_row(row, Stage.EXECUTE, Rejected(reason, detail))
    return row


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _refusals(origins: Sequence[str], rest: RestSettings) -> dict[str, str]:
    """Why the hosts of URLs may not be called; those whose address takes long are left out."""
    tasks = {asyncio.create_task(refusal(origin, rest)): origin for origin in origins}
    done, waiting = await asyncio.wait(tasks, timeout=LOOKUP_S) if tasks else ((), ())
    for task in waiting:
        task.cancel()
    return {tasks[task]: cause for task in done if (cause := task.result())}


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
