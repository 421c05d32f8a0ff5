"""Calls of REST tools: guarded, capped, recorded and replayed."""

from apigen_ray.stages.execute.rest.caller import RestCaller
from apigen_ray.stages.execute.rest.client import refusal
from apigen_ray.stages.execute.rest.settings import RestSettings

__all__ = ["RestCaller", "RestSettings", "refusal"]
