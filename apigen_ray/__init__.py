"""Verified function-calling training data, generated, checked, executed and judged on Ray.

The pipeline follows APIGen (arXiv 2406.18518). The commands and Python code use the same functions:

- `run` makes data, `verify` takes data made elsewhere through the same stages; both give results
  with counts, paths and rows. `audit` measures what the stages catch. `export` writes verified data
  in the formats of trainers.
- `load_tools`, `check` and `Sandbox` are the parts: a tool library, stage 1, and safe calls.
- `rewards` says whether a model's calls are those expected, for reinforcement learning.

Names are imported when they are first used: Ray, pandas and matplotlib take seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apigen_ray.config import RunConfig, load_config
    from apigen_ray.datasets.export.writing import Exported, export
    from apigen_ray.errors import ApigenError, BadInput, InfrastructureError, StoreLost
    from apigen_ray.records import (
        Checked,
        Failed,
        Outcome,
        Reason,
        Rejected,
        Returned,
        Stage,
        Style,
        Tool,
    )
    from apigen_ray.stages.check import CheckSettings
    from apigen_ray.stages.execute.rest import RestSettings
    from apigen_ray.stages.execute.sandbox import SandboxSettings
    from apigen_ray.tools.library import Library
    from apigen_ray.workflows import rewards
    from apigen_ray.workflows.audit.command import audit
    from apigen_ray.workflows.check import check
    from apigen_ray.workflows.finish import RunResult
    from apigen_ray.workflows.run import run
    from apigen_ray.workflows.sandbox import Sandbox
    from apigen_ray.workflows.tools import load_tools
    from apigen_ray.workflows.verify import VerifyResult, verify

__version__ = "0.1.0"

__all__ = [
    "ApigenError",
    "BadInput",
    "CheckSettings",
    "Checked",
    "Exported",
    "Failed",
    "InfrastructureError",
    "Library",
    "Outcome",
    "Reason",
    "Rejected",
    "RestSettings",
    "Returned",
    "RunConfig",
    "RunResult",
    "Sandbox",
    "SandboxSettings",
    "Stage",
    "StoreLost",
    "Style",
    "Tool",
    "VerifyResult",
    "audit",
    "check",
    "export",
    "load_config",
    "load_tools",
    "rewards",
    "run",
    "verify",
]

_MODULES = {
    "config": ("RunConfig", "load_config"),
    "datasets.export.writing": ("Exported", "export"),
    "errors": ("ApigenError", "BadInput", "InfrastructureError", "StoreLost"),
    "records": (
        "Checked", "Failed", "Outcome", "Reason", "Rejected", "Returned", "Stage", "Style", "Tool",
    ),
    "stages.check": ("CheckSettings",),
    "stages.execute.rest": ("RestSettings",),
    "stages.execute.sandbox": ("SandboxSettings",),
    "tools.library": ("Library",),
    "workflows": ("rewards",),
    "workflows.audit.command": ("audit",),
    "workflows.check": ("check",),
    "workflows.finish": ("RunResult",),
    "workflows.run": ("run",),
    "workflows.sandbox": ("Sandbox",),
    "workflows.tools": ("load_tools",),
    "workflows.verify": ("VerifyResult", "verify"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # or a misspelt name would have a type

    def __getattr__(name: str) -> object:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{_MODULE_OF[name]}")
        value = getattr(module, name, None) or import_module(f"{module.__name__}.{name}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
