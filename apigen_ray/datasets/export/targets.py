"""What is asked of a model that learns from rewards: the last calls of an example."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from apigen_ray.datasets.export.examples import Example
from apigen_ray.records import Json, JsonObject
from apigen_ray.stages.conversation import turns_of


class Target(NamedTuple):
    """A task: what a model is shown, and what it should do."""

    before: Sequence[JsonObject]
    """The messages before the last calls; all but the answer, where no call is right."""
    calls: list[Json]
    tools: list[JsonObject]


def target_of(example: Example) -> Target:
    """The task of an example."""
    tools = [json.loads(tool) for tool in example.tools]
    messages = example.messages
    if turns := turns_of(messages):
        return Target(messages[: turns[-1].place], turns[-1].answers, tools)
    return Target(messages[:-1], [], tools)
