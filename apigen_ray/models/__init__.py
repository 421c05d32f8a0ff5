"""The one way to talk to a model.

`openai` speaks to any OpenAI-compatible endpoint; `simulated` is such an endpoint, with planted
faults, and no model behind it.
"""

from collections.abc import Sequence
from typing import Protocol

from apigen_ray.records import JsonObject, Message, Reply


class Model(Protocol):
    """A chat model."""

    async def complete(
        self, messages: Sequence[Message], schema: JsonObject | None = None
    ) -> Reply:
        """Ask for one chat completion, held to the JSON Schema `schema` where one is given.

        Raises:
            EndpointError: if the endpoint can't be reached or refuses, after retries.
            RateLimited: if it kept refusing for load.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
