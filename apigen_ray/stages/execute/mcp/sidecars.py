"""Sidecars, of which there are so many: each is the box of one server at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from apigen_ray.errors import SandboxLost


class Holder(Protocol):
    """The servers of one name, which are in sidecars."""

    @property
    def boxes(self) -> int:
        """How many sidecars it has."""
        ...

    async def give_up(self) -> bool:
        """Leave a sidecar that no data point needs; returns whether there was one."""
        ...


class Sidecars:
    """The sidecars beside a worker, shared by all servers.

    A data point reserves as many as it calls servers, all at once: so no two wait for each other.
    A server that waits for a data point makes room when another one has to start.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._unreserved = count
        self._turn = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._opening = asyncio.Lock()
        self.holders: list[Holder] = []

    @asynccontextmanager
    async def reserved(self, wanted: int) -> AsyncIterator[None]:
        """Some sidecars, first come, first served.

        Raises:
            SandboxLost: if there are not so many.
        """
        if wanted > self._count:
            there = f"there are {self._count} sidecars (sandbox.slots)"
            raise SandboxLost(f"it calls {wanted} MCP servers, and {there}")
        async with self._turn, self._changed:
            await self._changed.wait_for(lambda: self._unreserved >= wanted)
            self._unreserved -= wanted
        try:
            yield
        finally:
            async with self._changed:
                self._unreserved += wanted
                self._changed.notify_all()

    async def make_room(self) -> None:
        """See to it that a sidecar is free, for who has reserved one.

        Raises:
            SandboxLost: if all are in use.
        """
        async with self._opening:
            while sum(holder.boxes for holder in self.holders) >= self._count:
                for holder in self.holders:
                    if await holder.give_up():
                        break
                else:
                    raise SandboxLost("no sidecar is free for an MCP server")
