"""The Ray shell: what knows Ray Data, and nothing else of the program does."""

import os

# On one machine the workers share this environment: building it again for them, as Ray does under
# `uv run`, takes half a minute. Ray reads this when it is imported.
if "RAY_ADDRESS" not in os.environ:
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"

from apigen_ray.pipeline.dataset import Generation, Jury, end_early, generate, verify
from apigen_ray.pipeline.operators import Executor
from apigen_ray.pipeline.session import ray_nodes, ray_session
from apigen_ray.pipeline.shared import RemoteKeeper, RemotePools
from apigen_ray.pipeline.sidecars import SANDBOX, try_sidecars

__all__ = [
    "SANDBOX",
    "Executor",
    "Generation",
    "Jury",
    "RemoteKeeper",
    "RemotePools",
    "end_early",
    "generate",
    "ray_nodes",
    "ray_session",
    "try_sidecars",
    "verify",
]
