"""Do a query and its calls belong together? Answered without a model.

`ground` looks from the calls to the query: which values neither stand in it nor follow from it.
`cover` looks the other way: what the query asks and no call takes up. `examine` makes of both what
stage 3 does with a data point before it asks a judge.
"""

from apigen_ray.stages.grounding.clarify import left_out
from apigen_ray.stages.grounding.conversation import examine_conversation
from apigen_ray.stages.grounding.coverage import Coverage, Kind, Unused, cover, unused
from apigen_ray.stages.grounding.examine import Examined, GroundingSettings, examine
from apigen_ray.stages.grounding.requests import requests
from apigen_ray.stages.grounding.values import (
    Finding,
    Grounding,
    ground,
    ungrounded,
    unsupported_calls,
)

__all__ = [
    "Coverage",
    "Examined",
    "Finding",
    "Grounding",
    "GroundingSettings",
    "Kind",
    "Unused",
    "cover",
    "examine",
    "examine_conversation",
    "ground",
    "left_out",
    "requests",
    "ungrounded",
    "unsupported_calls",
    "unused",
]
