"""Runners that wait beside an executor, in a container of the same pod."""

import asyncio
from typing import Any

import ray
from ray.exceptions import GetTimeoutError

from apigen_ray.errors import BadInput, SandboxLost
from apigen_ray.pipeline.operators import Executor
from apigen_ray.stages.execute.sandbox import open_sandbox

SANDBOX = "sandbox"
"""The resource of Ray nodes that have runner sidecars: 1, however many runners."""


def try_sidecars(executor: Executor, timeout_s: float = 600.0) -> None:
    """See that a node has runner sidecars, if calls run in such, and that the tools load in them.

    Args:
        executor: What will run there.
        timeout_s: How long to wait for such a node; an autoscaler may have to start it.

    Raises:
        BadInput: if there is none, or the tools don't load.
    """
    if executor.sandbox.kind != "sidecar" or not executor.code.functions:
        return
    trial = ray.remote(_trial).options(num_cpus=0.1, **placed(executor)).remote(executor)
    try:
        complaint = ray.get(trial, timeout=timeout_s)
    except GetTimeoutError as error:
        ray.cancel(trial)
        raise BadInput(
            f"sandbox.kind is sidecar, but no free Ray node has a resource {SANDBOX!r}: start those"
            f" that have runners beside them with --resources='{{\"{SANDBOX}\": 1}}'"
        ) from error
    if complaint:
        raise BadInput(f"sandbox sidecars: {complaint}")


def _trial(executor: Executor) -> str | None:
    async def open_one() -> None:
        settings = executor.sandbox.model_copy(update={"slots": 1})
        await (await open_sandbox(settings, executor.code)).close()

    try:
        asyncio.run(open_one())
    except (BadInput, SandboxLost) as error:
        return str(error)
    return None


def placed(executor: Executor) -> dict[str, Any]:
    """One executor a node, where there are runners beside it."""
    return {"resources": {SANDBOX: 1}} if executor.sandbox.kind == "sidecar" else {}
