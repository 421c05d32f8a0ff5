"""Isolated execution of tool calls: the clients of the runner in `sandbox/`."""

from apigen_ray.stages.execute.sandbox.image import Image, ensure_image
from apigen_ray.stages.execute.sandbox.opening import choose_kind, open_sandbox
from apigen_ray.stages.execute.sandbox.pool import Sandbox
from apigen_ray.stages.execute.sandbox.settings import EgressSettings, SandboxSettings
from apigen_ray.stages.execute.sandbox.toolcode import ToolCode, pack

__all__ = [
    "EgressSettings",
    "Image",
    "Sandbox",
    "SandboxSettings",
    "ToolCode",
    "choose_kind",
    "ensure_image",
    "open_sandbox",
    "pack",
]
