"""Poison rows, which kill the process that works on them, are identified and not retried.

When a process dies, all rows that it was working on are retried: nearly always, none of them is to
blame. Rows that were there at two crashes are retried one at a time, so that a third crash has a
single cause.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol, TypeVar

log = logging.getLogger(__name__)

ISOLATE_AFTER = 2
"""Crashes after which a row is processed alone."""
CRASH_LIMIT = 3
"""Crashes after which a row is not retried."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class CrashTracker:
    """Which rows are in progress at which stage, and how often they began without finishing."""

    def __init__(self) -> None:
        self._begun: Counter[tuple[str, str]] = Counter()

    def begin(self, stage: str, ids: Collection[str]) -> frozenset[str]:
        """Begin rows together, except the suspects among them, which are returned."""
        if again := [id_ for id_ in ids if self._begun[stage, id_]]:
            log.warning("process died", extra={"stage": stage, "rows": again})
        suspects = frozenset(id_ for id_ in ids if self._begun[stage, id_] >= ISOLATE_AFTER)
        self._begun.update((stage, id_) for id_ in ids if id_ not in suspects)
        return suspects

    def begin_alone(self, stage: str, id_: str) -> bool:
        """Begin a suspect, unless it has reached the crash limit; returns whether it was begun."""
        if self._begun[stage, id_] >= CRASH_LIMIT:
            return False
        self._begun[stage, id_] += 1
        return True

    def done(self, stage: str, ids: Collection[str]) -> None:
        """Mark rows as done: their process survived them."""
        for id_ in ids:
            del self._begun[stage, id_]

    def in_progress(self) -> dict[str, int]:
        """How many rows are in progress at each stage."""
        return dict(Counter(stage for stage, _ in self._begun))


class CrashTrackerClient(Protocol):
    """A crash tracker in another process, which must outlive those that it tracks."""

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
    """Processes rows, and isolates those that may crash the process."""

    def __init__(self, stage: str, tracker: CrashTrackerClient) -> None:
        self._stage = stage
        self._tracker = tracker
        self.alone = asyncio.Lock()
        """Held while a suspect is processed. The guards of one process share it: else the death of
        one suspect would be held against another."""

    async def each(
        self,
        items: Mapping[str, Item],
        step: Callable[[Item], Awaitable[Result]],
        refuse: Callable[[Item], Awaitable[Result]],
    ) -> list[Result]:
        """Run a step on all rows at once, but suspects one by one; `refuse` the poison rows."""
        suspects = await self._tracker.begin(self._stage, items.keys())

        async def one(id_: str) -> Result:
            if id_ not in suspects:
                return await step(items[id_])
            async with self.alone:
                if not await self._tracker.begin_alone(self._stage, id_):
                    return await refuse(items[id_])
                result = await step(items[id_])
                await self._tracker.done(self._stage, [id_])
                return result

        results = await asyncio.gather(*map(one, items))
        await self._tracker.done(self._stage, items.keys() - suspects)
        return results
