"""Clean a tool list as the paper does (§4.1): documented, callable, and described in words of use.

Each tool ends in one of three ways: kept, dropped for a reason, or left. Left is what could not be
decided: there is no model to ask, or something other than the tool failed. Running again decides
it; what was called or asked before is not called or asked again.
"""

from apigen_ray.workflows.clean_tools.cleaner import Cause, Kept, Lost, Settings, Step
from apigen_ray.workflows.clean_tools.run import Cleaning, beside, clean_tools

__all__ = ["Cause", "Cleaning", "Kept", "Lost", "Settings", "Step", "beside", "clean_tools"]
