"""Clean a tool list as the paper does (§4.1): documented, callable, and usefully described.

Each tool is kept, dropped for a reason, or left undecided: because there is no model to ask, or
something other than the tool failed. Running again decides those; no call or request is repeated.
"""

from apigen_ray.workflows.clean_tools.cleaner import Cause, Excluded, Kept, Settings, Step
from apigen_ray.workflows.clean_tools.run import Cleaning, clean_tools

__all__ = ["Cause", "Cleaning", "Excluded", "Kept", "Settings", "Step", "clean_tools"]
