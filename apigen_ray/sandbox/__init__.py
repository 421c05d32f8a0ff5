"""Isolated execution of tool calls: the clients of the runner in `sandbox/`."""

from apigen_ray.sandbox.image import Image, ensure_image
from apigen_ray.sandbox.opening import choose_kind, open_sandbox
from apigen_ray.sandbox.pool import Sandbox
from apigen_ray.sandbox.settings import EgressSettings, SandboxSettings
from apigen_ray.sandbox.toolcode import ToolCode, pack

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
