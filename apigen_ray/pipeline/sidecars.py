"""Sandbox runners in a sidecar container of the executor's pod."""

import asyncio
from typing import Any

import ray
from ray.exceptions import GetTimeoutError

from apigen_ray.errors import BadInput, SandboxLost
from apigen_ray.pipeline.executor import Executor
from apigen_ray.stages.execute.sandbox import open_sandbox

SANDBOX_RESOURCE = "sandbox"
"""The Ray resource of nodes with a sidecar: 1, however many runners it has."""


def check_sidecars(executor: Executor, timeout_s: float = 600.0) -> None:
    """If calls run in sidecars, check that a node has them, and that the tools load there.

    Args:
        executor: The executor that will run there.
        timeout_s: How long to wait for such a node; an autoscaler may have to start it.

    Raises:
        BadInput: if there is no such node, or the tools don't load.
    """
    if executor.sandbox.kind != "sidecar" or not (
        executor.code.functions or executor.mcp.starts_servers
    ):
        return
    trial = ray.remote(_open_sandbox).options(num_cpus=0.1, **placement(executor)).remote(executor)
    try:
        problem = ray.get(trial, timeout=timeout_s)
    except GetTimeoutError as error:
        ray.cancel(trial)
        raise BadInput(
            f"sandbox.kind is sidecar, but no free Ray node has a resource {SANDBOX_RESOURCE!r}: "
            f"start nodes that have a sidecar with --resources='{{\"{SANDBOX_RESOURCE}\": 1}}'"
        ) from error
    if problem:
        raise BadInput(f"sandbox sidecars: {problem}")


def _open_sandbox(executor: Executor) -> str | None:
    async def open_one() -> None:
        settings = executor.sandbox.model_copy(update={"slots": 1})
        await (await open_sandbox(settings, executor.code)).close()

    try:
        asyncio.run(open_one())
    except (BadInput, SandboxLost) as error:
        return str(error)
    return None


def placement(executor: Executor) -> dict[str, Any]:
    """Ray options that put one executor on each node with a sidecar, if it needs one."""
    return {"resources": {SANDBOX_RESOURCE: 1}} if executor.sandbox.kind == "sidecar" else {}
