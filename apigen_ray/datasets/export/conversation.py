"""An example as messages, as much of it as is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from apigen_ray.records import JsonObject
from apigen_ray.stages.messages import with_results


class Until(StrEnum):
    """Where an example ends."""

    CALLS = "calls"
    """With the last calls."""
    RESULTS = "results"
    """With what they returned."""
    ANSWER = "answer"
    """With the answer, as far as there is one."""


@dataclass(frozen=True, slots=True)
class View:
    """What an example has of a data point."""

    until: Until | None = None
    """None: a pair ends with its calls, a conversation where it ends."""
    reasoning: bool = False
    """Whether the assistant's reasoning is kept, as `reasoning_content`."""
    weights: bool = False
    """Whether each of the assistant's messages has a `weight`: 1 to learn from it, 0 not to."""
    prefixes: bool = False
    """Whether conversations that failed give the turns before."""

    @property
    def parts(self) -> bool:
        """Whether there are examples of data points that failed."""
        return self.weights or self.prefixes


AS_IT_IS = View()


def seen(
    messages: Sequence[JsonObject], results: Sequence[Any], view: View
) -> Sequence[JsonObject]:
    """The messages of an example.

    Args:
        messages: All that there are.
        results: What each call returned, as rows hold it: shown where the messages give no results.
        view: What is asked for.
    """
    last = view.until in (Until.RESULTS, Until.ANSWER)
    whole = list(with_results(messages, results, last=last))
    calls = [place for place, message in enumerate(whole) if message.get("tool_calls")]
    if calls and view.until in (Until.CALLS, Until.RESULTS):
        end = calls[-1] + 1
        while view.until is Until.RESULTS and end < len(whole) and whole[end]["role"] == "tool":
            end += 1
        whole = whole[:end]
    return whole if view.reasoning else list(map(_without_reasoning, whole))


def _without_reasoning(message: JsonObject) -> JsonObject:
    return {key: value for key, value in message.items() if key != "reasoning_content"}
