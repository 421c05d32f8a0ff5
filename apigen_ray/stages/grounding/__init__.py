"""Do a query and its calls belong together? Answered without a model.

`ground` looks from the calls to the query: which values neither stand in it nor follow from it.
`cover` looks the other way: what the query asks and no call takes up. `examine` makes of both what
stage 3 does with a data point before it asks a judge.

What follows from a query is decided by rules for whole classes of values, never for single ones:
other names and codes (`spellings`, `cldr`, `names`), forms of words (`text`), units (`units`),
numbers in words and those that are only meant (`number_words`, `implied`), dates and times
(`dates`, `times`), and texts made of what is said (`composed`). `matching` puts them together.
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
