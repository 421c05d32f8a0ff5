"""Rows that kill the process that works on them are found out, and then left alone.

When a process dies, all rows that it was working on are done again: nearly always, none of them is
to blame. Those that were there twice are done again one at a time, so that the third death has one
cause.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol, TypeVar

log = logging.getLogger(__name__)

ISOLATE_AFTER = 2
"""Deaths after which a row is worked on alone."""
CRASH_LIMIT = 3
"""Deaths after which a row is not worked on again."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class CrashTracker:
    """Which rows are being worked on, at which stage, and how often that had no end."""

    def __init__(self) -> None:
        self._begun: Counter[tuple[str, str]] = Counter()

    def begin(self, stage: str, ids: Collection[str]) -> frozenset[str]:
        """Begin rows together, all but the suspects among them, which are returned."""
        if again := [id_ for id_ in ids if self._begun[stage, id_]]:
            log.warning("process died", extra={"stage": stage, "rows": again})
        suspects = frozenset(id_ for id_ in ids if self._begun[stage, id_] >= ISOLATE_AFTER)
        self._begun.update((stage, id_) for id_ in ids if id_ not in suspects)
        return suspects

    def begin_alone(self, stage: str, id_: str) -> bool:
        """Begin a suspect; returns whether that may be."""
        if self._begun[stage, id_] >= CRASH_LIMIT:
            return False
        self._begun[stage, id_] += 1
        return True

    def done(self, stage: str, ids: Collection[str]) -> None:
        """Rows whose process has lived through them."""
        for id_ in ids:
            del self._begun[stage, id_]

    def at_work(self) -> dict[str, int]:
        """How many rows each stage has begun and not done."""
        return dict(Counter(stage for stage, _ in self._begun))


class CrashTrackerClient(Protocol):
    """A watchlist, wherever it lives: it must outlive the processes that it watches."""

    async def begin(self, stage: str, ids: Collection[str]) -> frozenset[str]:
        """See `CrashTracker.begin`."""
        ...

    async def begin_alone(self, stage: str, id_: str) -> bool:
        """See `CrashTracker.begin_alone`."""
        ...

    async def done(self, stage: str, ids: Collection[str]) -> None:
        """See `CrashTracker.done`."""
        ...


class CrashGuard:
    """Works on rows under the eyes of a watcher."""

    def __init__(self, stage: str, watcher: CrashTrackerClient) -> None:
        self._stage = stage
        self._watcher = watcher
        self._alone = asyncio.Lock()

    async def each(
        self,
        items: Mapping[str, Item],
        step: Callable[[Item], Awaitable[Result]],
        refuse: Callable[[Item], Awaitable[Result]],
    ) -> list[Result]:
        """Take rows through a step, all at once but for suspects; `refuse` those found guilty."""
        suspects = await self._watcher.begin(self._stage, items.keys())

        async def one(id_: str) -> Result:
            if id_ not in suspects:
                return await step(items[id_])
            async with self._alone:
                if not await self._watcher.begin_alone(self._stage, id_):
                    return await refuse(items[id_])
                result = await step(items[id_])
                await self._watcher.done(self._stage, [id_])
                return result

        results = await asyncio.gather(*map(one, items))
        await self._watcher.done(self._stage, items.keys() - suspects)
        return results
