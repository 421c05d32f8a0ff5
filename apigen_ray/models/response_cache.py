"""What all model clients of a run share: the replies, the budget, and notices to the user.

One cache writes for a whole cluster, on the machine that holds the run folder: the other machines
need no shared disk, and no two processes write one file. `ReplyStore` keeps the replies on disk,
and a `CachingModel` is a model that goes through the cache.
"""

import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from upath import UPath

from apigen_ray.errors import StoreLost
from apigen_ray.models.budget import Budget, Limits
from apigen_ray.models.reply_store import Entry, ReplyStore
from apigen_ray.records import Reply

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a response cache reports at the end of a run."""

    paid: int
    """Replies that endpoints sent."""
    reused: int
    """Replies that were taken from the cache."""
    notices: tuple[str, ...]


class ResponseCache:
    """The replies, the budget and the notices that the clients of a run share."""

    def __init__(
        self, folder: Path | UPath | None, limits: Limits, cost_usd: float = 0.0, tokens: int = 0
    ) -> None:
        """Open the store at `folder`; without one, start from what the rows say was spent."""
        self._store = ReplyStore(folder) if folder else None
        if self._store:
            cost_usd, tokens = self._store.cost_usd, self._store.tokens
        self._budget = Budget(limits, cost_usd, tokens)
        self._paid = 0
        self._reused = 0
        self._notices: dict[str, None] = {}  # in the order they came
        self._ending = False
        self._unwritable: str | None = None

    def known(self) -> tuple[Container[str], str | None]:
        """The keys of the requests that have a reply, and the limit already reached, if any."""
        return self._store.known() if self._store else frozenset(), self._reached()

    def get(self, key: str) -> Reply | None:
        """The reply to a request, if it has one."""
        assert self._store is not None
        reply = self._store.get(key)
        self._reused += reply is not None
        return reply and replace(reply, reused=True)

    def put(self, entries: Sequence[Entry]) -> str | None:
        """Store replies; returns the limit that is now reached, if any."""
        if self._store:
            self._write(self._store, entries)
        self._paid += len(entries)
        self._budget.spend([reply for _, reply in entries])
        return self._reached()

    def end(self) -> None:
        """Tell all clients to send no more requests."""
        self._ending = True

    def ending(self) -> bool:
        """Whether no more requests are to be sent."""
        return self._ending

    def notice(self, text: str) -> None:
        """Show the user a notice, once."""
        if text not in self._notices:
            log.warning("notice", extra={"text": text})
        self._notices[text] = None

    def summary(self) -> Summary:
        """The summary; all replies are stored by then."""
        if self._store:
            self._store.flush()
        return Summary(self._paid, self._reused, tuple(self._notices))

    def close(self) -> None:
        """Close the store."""
        if self._store:
            self._store.close()

    def _write(self, store: ReplyStore, entries: Sequence[Entry]) -> None:
        try:
            store.put(entries)
        except (OSError, StoreLost) as error:  # these are paid for; no more are asked for
            self._unwritable = f"replies can't be stored: {error}"

    def _reached(self) -> str | None:
        return self._unwritable or self._budget.reached()


class ResponseCacheClient(Protocol):
    """The response cache as its clients see it, in this process or in another."""

    async def known(self) -> tuple[Container[str], str | None]:
        """See `ResponseCache.known`."""
        ...

    async def get(self, key: str) -> Reply | None:
        """See `ResponseCache.get`."""
        ...

    async def put(self, entries: Sequence[Entry]) -> str | None:
        """See `ResponseCache.put`."""
        ...


class LocalCache:
    """A response cache in this process, for clients that are in it, too."""

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache

    async def known(self) -> tuple[Container[str], str | None]:
        """See `ResponseCache.known`."""
        return self._cache.known()

    async def get(self, key: str) -> Reply | None:
        """See `ResponseCache.get`."""
        return self._cache.get(key)

    async def put(self, entries: Sequence[Entry]) -> str | None:
        """See `ResponseCache.put`."""
        return self._cache.put(entries)
