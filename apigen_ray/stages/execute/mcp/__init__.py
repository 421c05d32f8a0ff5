"""MCP servers: tools that are called by the Model Context Protocol, in a sandbox or by HTTP.

A server with a `command` is arbitrary code: it runs where tools run (`sandbox/`), in a container
without network, and is started anew for each data point. Read it with `settings.py` (the config),
`prepared.py` (from a command line to what starts anywhere), `box.py` (a sandbox that starts
servers), `wire.py` (bytes, held to limits), `session.py` (the SDK's client), `running.py` and
`pools.py` (which server a data point gets), `http.py` (servers with a `url`), `results.py`, and
`servers.py`, which puts it together for stage 2.
"""

from apigen_ray.stages.execute.mcp.servers import McpCaller, McpTools
from apigen_ray.stages.execute.mcp.settings import McpServer, McpServers, as_servers, read_servers

__all__ = ["McpCaller", "McpServer", "McpServers", "McpTools", "as_servers", "read_servers"]
