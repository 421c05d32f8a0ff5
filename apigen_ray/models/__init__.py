"""The one way to talk to a model.

`openai` speaks to any OpenAI-compatible endpoint; `vllm` is such an endpoint, started by the run;
`simulated` is one, too, with planted faults and no model behind it.
"""

from collections.abc import Sequence
from typing import Protocol

from apigen_ray.records import JsonObject, Message, Reply


class Model(Protocol):
    """A chat model."""

    async def complete(
        self, messages: Sequence[Message], schema: JsonObject | None = None, *, sample: str = ""
    ) -> Reply:
        """Ask for one chat completion.

        Args:
            messages: The conversation.
            schema: The JSON Schema that the completion is held to, if any.
            sample: Tells requests apart that say the same but shall not get the same reply.

        Raises:
            EndpointError: if the endpoint can't be reached or refuses, after retries.
            RateLimited: if it kept refusing for load.
        """
        ...

    def end(self, why: str) -> None:
        """Ask nothing more: what is not in flight yet raises `BudgetSpent`."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
