"""Models: one protocol for all, and the clients, limits and cache behind it.

`openai_client` talks to any OpenAI-compatible endpoint; `vllm` and `local` are such endpoints,
started by the run; `simulated` is one, too, with planted faults and no language model behind it.
"""

from collections.abc import Sequence
from typing import Protocol

from apigen_ray.records import JsonObject, Message, Reply


class Model(Protocol):
    """A chat model."""

    async def complete(
        self,
        messages: Sequence[Message],
        schema: JsonObject | None = None,
        *,
        sample: str = "",
        tools: Sequence[JsonObject] = (),
    ) -> Reply:
        """Ask for one chat completion.

        Args:
            messages: The conversation.
            schema: The JSON Schema that the completion must match, if any.
            sample: Distinguishes equal requests that must not share a cached reply.
            tools: Functions that the model may call, in OpenAI's form. Where the reply calls some,
                its text is the JSON list of these calls, each `{"name", "arguments"}`.

        Raises:
            EndpointError: if the endpoint can't be reached or refuses, after retries.
            RateLimited: if it kept refusing for load.
        """
        ...

    def end(self, why: str) -> None:
        """Send no more requests: those not yet in flight raise `BudgetSpent`."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
