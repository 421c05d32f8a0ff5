"""`tools import mcp` with the servers of a config: started as a run starts them, and listed."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from apigen_ray.errors import BadInput
from apigen_ray.stages.execute.mcp import as_servers
from apigen_ray.stages.execute.sandbox import choose_kind
from apigen_ray.tools.importers import mcp
from apigen_ray.tools.importers.findings import Finding, Note, RefusalReason, Refused
from apigen_ray.workflows.mcp_servers import list_server, settings_of, sharing

KEYS = ("mcpServers", "mcp_servers")


def read_mcp(sources: Sequence[str], options: mcp.McpOptions) -> Iterator[Finding]:
    """The tools of servers, in files of all kinds and live.

    Raises:
        BadInput: if a source is missing or says nothing of servers.
    """
    for source in sources:
        if has_servers(source):
            yield from _of_servers(source, options)
        else:
            yield from mcp.read_mcp([source], options)


def has_servers(source: str) -> bool:
    """Whether a source is a file that says how servers are started or reached."""
    path = Path(source)
    if path.suffix not in (".json", ".yaml", ".yml") or not path.is_file():
        return False
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return False
    return isinstance(value, dict) and any(key in value for key in KEYS)


def _of_servers(source: str, options: mcp.McpOptions) -> Iterator[Finding]:
    sandbox, rest = settings_of(source)
    servers = as_servers(source)
    if sandbox.kind == "sidecar":  # they run beside workers: here, a container of the same image
        servers = sharing(servers)
        sandbox = sandbox.model_copy(update={"kind": "docker"})
    if any(server.url is None for server in servers.values()):
        kind, notice = choose_kind(sandbox)
        sandbox = sandbox.model_copy(update={"kind": kind})
        if notice:
            yield Note(source, notice)
    for name, server in servers.items():
        where = f"{source}: {name}"
        limited = server.model_copy(update={"start_timeout_s": options.timeout})
        try:
            listed = asyncio.run(list_server(name, limited, sandbox, rest))
        except BadInput as error:
            yield Refused(where, RefusalReason.SERVER, str(error))
            continue
        yield from mcp.read_listed(where, listed.tools, f"mcp:{name}", name, options.category)
