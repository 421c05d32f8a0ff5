"""What runs calls on any node: sandbox settings, tool code, REST tools, MCP servers."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from apigen_ray.stages.execute.dispatch import (
    NO_MCP_TOOLS,
    Dispatcher,
    ExecuteSettings,
    RestTools,
)
from apigen_ray.stages.execute.mcp import McpCaller, McpTools
from apigen_ray.stages.execute.rest import RestCaller, RestSettings
from apigen_ray.stages.execute.sandbox import Sandbox, SandboxSettings, ToolCode, open_sandbox


@dataclass(frozen=True)
class Executor:
    """Everything an executor actor needs to run calls, anywhere in the cluster."""

    settings: ExecuteSettings
    sandbox: SandboxSettings
    code: ToolCode
    rest: RestSettings
    rest_tools: RestTools
    mcp: McpTools = NO_MCP_TOOLS

    def can_run(self, function: str) -> bool:
        """Whether there is code, an API or a server for a function."""
        return function in self.code.functions or self.leaves_sandbox(function)

    def leaves_sandbox(self, function: str) -> bool:
        """Whether a function is called by its endpoint: an API or an MCP server."""
        return function in self.rest_tools or function in self.mcp.tools

    def dispatcher(
        self, rest: RestCaller, open_sandbox: Callable[[], Awaitable[Sandbox]]
    ) -> tuple[Dispatcher, McpCaller]:
        """What runs calls, and the part of it that holds MCP servers, for whoever closes them."""
        mcp = McpCaller(self.mcp, self.sandbox, self.rest, os.environ)
        runner = Dispatcher(
            self.rest_tools,
            rest,
            open_sandbox,
            self.settings.errors,
            mcp_tools=self.mcp,
            mcp=mcp,
        )
        return runner, mcp


def dispatcher_of(executor: Executor) -> Dispatcher:
    """Runs calls; the sandbox is opened with the first that needs it."""
    opened: Sandbox | None = None
    opening = asyncio.Lock()

    async def sandbox() -> Sandbox:
        nonlocal opened
        async with opening:
            opened = opened or await open_sandbox(executor.sandbox, executor.code)
            return opened

    rest = RestCaller(executor.rest, os.environ)
    return executor.dispatcher(rest, sandbox)[0]
