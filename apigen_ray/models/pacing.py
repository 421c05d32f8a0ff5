"""How many requests an endpoint is given at a time, and when.

`Pace` decides, from what comes back: one more for each round of replies that went well, a share
less when the endpoint refuses for load, doesn't answer in time, or gets slow. It knows no HTTP, no
tasks and no clock, so its tests need none. `Gate` is what requests wait at.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

FIRST = 8
"""Requests in flight at the start; each good reply allows one more until the first trouble."""
STEPS = 32
"""Rounds of good replies that lead from nothing to the ceiling again, where that is high."""
BACK_OFF = 0.7
FLOOR = 16
"""The lowest pace is this part of the ceiling: refusals at random don't bring a run to a halt."""
SLOW = 3.0
"""Replies that take so many times the usual mean a queue at the endpoint. Batching alone makes an
engine slower, but by less."""
WINDOW = 32
"""Replies whose mean time is compared: single ones vary widely."""
FORGET = 1.05
"""What is usual grows by this factor with each window, so that one lucky window is no yardstick."""


class Pace:
    """How many requests may be in flight: additive increase, multiplicative decrease."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = float(min(FIRST, ceiling))
        self.resumes_at = 0.0
        """No request starts before: the endpoint said so."""
        self._starting = True
        self._changed_at = 0.0
        self._times: list[float] = []
        self._usual: float | None = None

    def answered(self, started: float, now: float) -> None:
        """Take a good reply into account."""
        step = 1.0 if self._starting else max(1.0, self.ceiling / STEPS) / self.limit
        self.limit = min(self.limit + step, float(self.ceiling))
        self._times.append(now - started)
        if len(self._times) >= max(WINDOW, self.limit):
            self._compare(sum(self._times) / len(self._times), started, now)
            self._times.clear()

    def refused(self, started: float, now: float, retry_after_s: float | None = None) -> None:
        """Take a refusal for load, or an attempt without an answer, into account."""
        self._back_off(started, now)
        if retry_after_s is not None:
            self.resumes_at = max(self.resumes_at, now + retry_after_s)

    def _compare(self, mean: float, started: float, now: float) -> None:
        if self._usual is not None and mean > SLOW * self._usual:
            self._back_off(started, now)
        self._usual = min(mean, FORGET * self._usual) if self._usual else mean

    def _back_off(self, started: float, now: float) -> None:
        # What was sent before the last change says nothing about the pace since then.
        if started >= self._changed_at:
            self.limit = max(1.0, self.ceiling / FLOOR, BACK_OFF * self.limit)
            self._changed_at = now
            self._starting = False


class Rate:
    """A limit per minute, spent evenly: what is unused for a second is lost."""

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._level = 0.0
        self._seen: float | None = None

    def take(self, amount: float, now: float) -> None:
        """Spend; may go into debt, since the tokens of a reply are known when it has come."""
        self._refill(now)
        self._level -= amount

    def wait_s(self, now: float) -> float:
        """How long until something may be spent again."""
        self._refill(now)
        return max(0.0, -self._level / self._per_second)

    def _refill(self, now: float) -> None:
        gained = self._per_second * (now - (now if self._seen is None else self._seen))
        self._level = min(self._level + gained, self._per_second)
        self._seen = now


@dataclass
class Turn:
    """One attempt that has passed the gate, and what came of it."""

    started: float
    tokens: int = 0
    """What the reply took."""
    outcome: Literal["answered", "refused", "failed"] = "failed"
    """`refused`: for load, or without an answer in time; `failed`: says nothing about the load."""
    retry_after_s: float | None = None
    share_s: float = 0.0
    """This attempt's part of the time in which the endpoint was busy: the parts add up to it."""


class Gate:
    """Where requests wait until their endpoint may be asked; first come, first served."""

    def __init__(
        self,
        pace: Pace,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pace = pace
        self._requests = Rate(requests_per_minute) if requests_per_minute else None
        self._tokens = Rate(tokens_per_minute) if tokens_per_minute else None
        self._tokens_each = 0.0
        self._clock = clock
        self._in_flight = 0
        self._first_in_line = asyncio.Lock()
        self._left = asyncio.Event()
        self._shares = 0.0
        self._shared_at = 0.0

    @property
    def load(self) -> tuple[int, int]:
        """The requests in flight, and how many there may be."""
        return self._in_flight, int(self._pace.limit)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for a turn; the one who has it says in it what came of it."""
        async with self._first_in_line:
            await self._passable()
            now = self._clock()
            self._spend(now)
            self._share(now)
            self._in_flight += 1
            turn, shares = Turn(now), self._shares
        try:
            yield turn
        finally:
            now = self._clock()
            self._share(now)
            turn.share_s = self._shares - shares
            self._in_flight -= 1
            self._settle(turn, now)
            self._left.set()

    async def _passable(self) -> None:
        while True:
            if self._in_flight >= int(self._pace.limit):
                self._left.clear()
                await self._left.wait()
            elif (wait_s := self._wait_s()) > 0:
                await asyncio.sleep(wait_s)
            else:
                return

    def _wait_s(self) -> float:
        now = self._clock()
        rates = [rate.wait_s(now) for rate in (self._requests, self._tokens) if rate]
        return max(self._pace.resumes_at - now, *rates, 0.0)

    def _spend(self, now: float) -> None:
        if self._requests:
            self._requests.take(1, now)
        if self._tokens:  # as many as replies take of late; settled when this one has come
            self._tokens.take(self._tokens_each, now)

    def _settle(self, turn: Turn, now: float) -> None:
        if turn.outcome == "refused":
            self._pace.refused(turn.started, now, turn.retry_after_s)
        elif turn.outcome == "answered":
            self._pace.answered(turn.started, now)
        if self._tokens and turn.tokens:
            self._tokens.take(turn.tokens - self._tokens_each, now)
            self._tokens_each += (turn.tokens - self._tokens_each) / 16

    def _share(self, now: float) -> None:
        if self._in_flight:
            self._shares += (now - self._shared_at) / self._in_flight
        self._shared_at = now
