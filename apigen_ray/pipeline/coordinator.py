"""The two actors that all actors of a run share: the coordinator and the pools of seed pairs.

They import little, and no Ray Data, so that their processes start in half the time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from upath import UPath

from apigen_ray.models.reply_store import Entry
from apigen_ray.models.response_cache import ResponseCache, Summary
from apigen_ray.pipeline.poison_rows import CrashTracker
from apigen_ray.records import JsonObject
from apigen_ray.report.activity import Activity
from apigen_ray.run_folder.event_log import RunLog, forward_logs

STALE_S = 10.0
"""A client that has not reported for this long is gone, with its process."""


class InFlightTracker:
    """How many requests each model has in flight, as its clients on all machines report them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reports: dict[tuple[str, str], tuple[float, int, int]] = {}

    def report_load(self, model: str, client: str, in_flight: int, limit: int) -> None:
        """Record how many requests a client of a model has in flight, and its limit."""
        self._reports[model, client] = self._clock(), in_flight, limit

    def requests(self) -> dict[str, tuple[int, int]]:
        """The sums over the clients of each model."""
        in_flight: Counter[str] = Counter()
        limits: Counter[str] = Counter()
        for (model, _), (reported, now, limit) in self._reports.items():
            if self._clock() - reported < STALE_S:
                in_flight[model] += now
                limits[model] += limit
        return {model: (in_flight[model], limits[model]) for model in limits}


class Coordinator(ResponseCache, CrashTracker, InFlightTracker):
    """All state that lives as long as the run, in one process on the driver's machine."""

    def __init__(self, folder: UPath, *cache: Any) -> None:
        self._log = RunLog(folder)
        forward_logs(self._log.add)
        ResponseCache.__init__(self, *cache)
        CrashTracker.__init__(self)
        InFlightTracker.__init__(self)
        self._output_tokens = 0
        self._settled: Counter[str] = Counter()

    def put(self, entries: Sequence[Entry]) -> str | None:
        """See `ResponseCache.put`."""
        self._output_tokens += sum(reply.output_tokens for _, reply in entries)
        return ResponseCache.put(self, entries)

    def begin_wave(self) -> None:
        """Count settled data points from zero."""
        self._settled.clear()

    def report_settled(self, outcomes: Sequence[str]) -> None:
        """Count data points that a stage has settled."""
        self._settled.update(outcomes)

    def log(self, line: JsonObject) -> None:
        """Write a line of the log."""
        self._log.add(line)

    def activity(self) -> Activity:
        """What is in progress."""
        return Activity(
            rows=self.in_progress(),
            requests=self.requests(),
            settled=dict(self._settled),
            replies=self._paid + self._reused,
            output_tokens=self._output_tokens,
            notices=tuple(self._notices),
        )

    def summary(self) -> Summary:
        """See `ResponseCache.summary`; the log is written by then."""
        self._log.flush()
        return ResponseCache.summary(self)


class Pools:
    """The actor behind `RemotePools`: generating actors wait in it for their pools."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, int], Any] = {}
        self._closed = False
        self._changed = asyncio.Condition()

    async def of(self, owner: str, round_: int) -> Any:
        """Wait for a pool; None if the run ends before there is one."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or (owner, round_) in self._pools)
            return self._pools.get((owner, round_))

    async def publish(self, owner: str, round_: int, boxed: list[Any]) -> None:
        """Make a pool available to those that wait for it."""
        async with self._changed:
            self._pools[owner, round_] = boxed[0]
            self._changed.notify_all()

    async def close(self) -> None:
        """Release those that wait: no more pools will come."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()
