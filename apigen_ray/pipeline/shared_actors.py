"""Handles of what the actors of a run share: the coordinator, and the pools of seed pairs."""

import asyncio
from collections.abc import Collection, Container, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

import ray
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from upath import UPath

from apigen_ray.models.budget import Limits
from apigen_ray.models.reply_store import Entry
from apigen_ray.models.response_cache import Summary
from apigen_ray.pipeline.coordinator import Coordinator, Pools
from apigen_ray.prompting.seed_pool import LAG, Pool
from apigen_ray.records import JsonObject, Reply, Seed
from apigen_ray.report.activity import Activity

POOL_TIMEOUT_S = 600.0
"""How long a prompt waits for the pool of its round before it is postponed to the end. It can't
wait forever: after a worker has died, what the pool depends on may be queued behind the prompt."""


class RemoteCoordinator:
    """The coordinator as an actor on the machine of the driver, which holds the run folder."""

    def __init__(
        self,
        folder: UPath,
        replies: UPath | None,
        limits: Limits,
        cost_usd: float = 0.0,
        tokens: int = 0,
    ) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._actor = (
            ray.remote(Coordinator)
            .options(num_cpus=0, scheduling_strategy=here, max_restarts=3, max_task_retries=3)
            .remote(
                folder.absolute(), replies.absolute() if replies else None, limits, cost_usd, tokens
            )
        )
        self._pending: ray.ObjectRef | None = None
        self._activity = Activity()

    async def known(self) -> tuple[Container[str], str | None]:
        """See `ResponseCache.known`."""
        return cast("tuple[Container[str], str | None]", await self._actor.known.remote())

    async def get(self, key: str) -> Reply | None:
        """See `ResponseCache.get`."""
        return cast("Reply | None", await self._actor.get.remote(key))

    async def put(self, entries: Sequence[Entry]) -> str | None:
        """See `ResponseCache.put`."""
        return cast("str | None", await self._actor.put.remote(entries))

    async def begin(self, stage: str, ids: Collection[str]) -> frozenset[str]:
        """See `CrashTracker.begin`."""
        return cast("frozenset[str]", await self._actor.begin.remote(stage, list(ids)))

    async def begin_alone(self, stage: str, id_: str) -> bool:
        """See `CrashTracker.begin_alone`."""
        return cast("bool", await self._actor.begin_alone.remote(stage, id_))

    async def done(self, stage: str, ids: Collection[str]) -> None:
        """See `CrashTracker.done`."""
        await self._actor.done.remote(stage, list(ids))

    async def ending(self) -> bool:
        """See `ResponseCache.ending`."""
        return cast("bool", await self._actor.ending.remote())

    def report_load(self, model: str, in_flight: int, limit: int) -> None:
        """See `InFlightTracker.report_load`; each process is a client."""
        client = ray.get_runtime_context().get_worker_id()
        self._actor.report_load.remote(model, client, in_flight, limit)

    def begin_wave(self) -> None:
        """See `Coordinator.begin_wave`."""
        self._actor.begin_wave.remote()
        self._pending = None  # it was counted before
        self._activity = replace(self._activity, settled={})

    def report_settled(self, outcomes: Sequence[str]) -> None:
        """See `Coordinator.report_settled`."""
        self._actor.report_settled.remote(outcomes)

    def activity(self) -> Activity:
        """What was in progress a moment ago; does not block."""
        if self._pending is None:
            self._pending = self._actor.activity.remote()
        elif ray.wait([self._pending], timeout=0)[0]:
            with suppress(RayError):
                self._activity = ray.get(self._pending)
            self._pending = None
        return self._activity

    def end(self) -> None:
        """See `ResponseCache.end`."""
        self._actor.end.remote()

    def notice(self, text: str) -> None:
        """See `ResponseCache.notice`."""
        self._actor.notice.remote(text)

    def log(self, line: JsonObject) -> None:
        """See `RunLog.add`."""
        self._actor.log.remote(line)

    def summary(self) -> Summary:
        """See `ResponseCache.summary`."""
        return cast("Summary", ray.get(self._actor.summary.remote()))


class RemotePools:
    """The pools of a run's rounds: made by the driver, used by the generating actors."""

    def __init__(self, *, needed: bool = True) -> None:
        """Start the actor, if prompts of later rounds are to wait in it."""
        self._actor = None
        if needed:
            here = NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=False
            )
            options = {"num_cpus": 0, "scheduling_strategy": here, "max_concurrency": 10_000}
            self._actor = ray.remote(Pools).options(**options).remote()

    async def of(self, owner: str, round_: int) -> tuple[Seed, ...] | None:
        """Wait for the pairs of a pool; None if it does not come, or not in time."""
        if self._actor is None or round_ < LAG:
            return ()
        try:
            found = await asyncio.wait_for(self._actor.of.remote(owner, round_), POOL_TIMEOUT_S)
        except (TimeoutError, RayActorError):
            return None
        return None if found is None else cast("tuple[Seed, ...]", await found)

    def publish(self, pool: Pool) -> None:
        """Make a pool available to those that wait for it."""
        if self._actor:  # in a list: Ray replaces a bare reference by its value
            self._actor.publish.remote(pool.owner, pool.round, [ray.put(pool.pairs)])

    def close(self) -> None:
        """Release those that wait: no more pools will come."""
        if self._actor:
            self._actor.close.remote()
