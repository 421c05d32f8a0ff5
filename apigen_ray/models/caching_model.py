"""A model that asks the shared response cache first, and stores what it had to ask for."""

import asyncio
from collections.abc import Container, Sequence

from apigen_ray import strict_json
from apigen_ray.errors import BudgetSpent
from apigen_ray.models import Model
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.reply_store import Entry
from apigen_ray.models.response_cache import ResponseCacheClient
from apigen_ray.models.structured_output import WITH_SCHEMA
from apigen_ray.records import Json, JsonObject, Message, Reply
from apigen_ray.run_folder.store import digest

BATCH_WINDOW_S = 0.05
"""Replies that arrive within this time are written together: a write costs more than a reply."""

_KEY_FIELDS = {
    "name",
    "model",
    "temperature",
    "top_p",
    "max_tokens",
    "response_format",
    "extra_body",
}
"""The settings that a reply depends on."""


class CachingModel:
    """A model that answers from the shared cache, and stores each new reply in it."""

    def __init__(self, model: Model, endpoint: Endpoint, cache: ResponseCacheClient) -> None:
        self._model = model
        self._endpoint = endpoint
        self._cache = cache
        self._known: Container[str] | None = None
        self._reached: str | None = None
        self._start = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._group: list[Entry] = []

    async def complete(
        self,
        messages: Sequence[Message],
        schema: JsonObject | None = None,
        *,
        sample: str = "",
        tools: Sequence[JsonObject] = (),
    ) -> Reply:
        """Return the cached reply to a request, or ask for one and store it.

        Raises:
            BudgetSpent: if there is no cached reply, and the run may spend no more.
            EndpointError: as the model raises it.
        """
        key = request_key(self._endpoint, messages, schema, sample, tools)
        async with self._start:
            if self._known is None:
                self._known, self._reached = await self._cache.known()
        if key in self._known and (kept := await self._cache.get(key)):
            return kept
        if self._reached:
            raise BudgetSpent(self._reached)
        reply = await self._model.complete(messages, schema, sample=sample, tools=tools)
        await self._store(key, reply)
        return reply

    def end(self, why: str) -> None:
        """Send no more requests; those in flight finish."""
        self._reached = why
        self._model.end(why)

    async def close(self) -> None:
        """Close connections."""
        await self._model.close()

    async def _store(self, key: str, reply: Reply) -> None:
        group = self._group
        group.append((key, reply))
        async with self._writing:
            if group is self._group:  # else another task has written it
                await asyncio.sleep(BATCH_WINDOW_S)
                self._group = []
                self._reached = await self._cache.put(group)


def request_key(
    endpoint: Endpoint,
    messages: Sequence[Message],
    schema: JsonObject | None,
    sample: str,
    tools: Sequence[JsonObject] = (),
) -> str:
    """The cache key of a request: all that a reply depends on, but not where the model is served.

    Two servers may both call their model `default`, so the label of the config counts, too.
    The schema counts only where the request carries it.
    """
    sent_schema = schema if endpoint.response_format in WITH_SCHEMA else None
    settings = endpoint.model_dump(mode="json", include=_KEY_FIELDS)
    conversation = [[message.role, message.content] for message in messages]
    request: list[Json] = [settings, conversation, sent_schema, sample]
    return digest([strict_json.canonical(request + [list(tools)] * bool(tools))])
