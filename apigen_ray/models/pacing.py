"""How many requests an endpoint has in flight, and when each is sent.

`AdaptiveLimit` decides how many: one more for each round of good replies, a fraction fewer when the
endpoint refuses for load, doesn't answer in time, or gets slow. It knows no HTTP, no tasks and no
clock, so its tests need none. `RequestLimiter` is where requests wait for their attempt.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

INITIAL_LIMIT = 8
"""Requests in flight at the start; each good reply adds one until the first setback."""
RECOVERY_ROUNDS = 32
"""Rounds of good replies that it takes to get from one request to a high ceiling again."""
BACKOFF_FACTOR = 0.7
FLOOR_DIVISOR = 16
"""The limit never falls below this part of the ceiling: random refusals don't stop a run."""
SLOW_FACTOR = 3.0
"""Replies that take this many times the baseline mean that requests queue at the endpoint.
Batching alone makes an engine slower, but by less."""
WINDOW_REPLIES = 32
"""Replies whose mean time is compared: single replies vary widely."""
BASELINE_GROWTH = 1.05
"""The baseline grows by this factor with each window, so that no single fast window sets it."""


class AdaptiveLimit:
    """How many requests may be in flight: additive increase, multiplicative decrease (AIMD)."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = float(min(INITIAL_LIMIT, ceiling))
        self.resumes_at = 0.0
        """No request is sent before this time: the endpoint asked for the pause."""
        self._starting = True
        self._changed_at = 0.0
        self._times: list[float] = []
        self._baseline_s: float | None = None

    def answered(self, started: float, now: float) -> None:
        """Record a good reply."""
        step = 1.0 if self._starting else max(1.0, self.ceiling / RECOVERY_ROUNDS) / self.limit
        self.limit = min(self.limit + step, float(self.ceiling))
        self._times.append(now - started)
        if len(self._times) >= max(WINDOW_REPLIES, self.limit):
            self._compare(sum(self._times) / len(self._times), started, now)
            self._times.clear()

    def refused(self, started: float, now: float, retry_after_s: float | None = None) -> None:
        """Record a refusal for load, or an attempt without an answer."""
        self._back_off(started, now)
        if retry_after_s is not None:
            self.resumes_at = max(self.resumes_at, now + retry_after_s)

    def _compare(self, mean: float, started: float, now: float) -> None:
        if self._baseline_s is not None and mean > SLOW_FACTOR * self._baseline_s:
            self._back_off(started, now)
        self._baseline_s = (
            min(mean, BASELINE_GROWTH * self._baseline_s) if self._baseline_s else mean
        )

    def _back_off(self, started: float, now: float) -> None:
        # A request sent before the last change says nothing about the limit since then.
        if started >= self._changed_at:
            self.limit = max(1.0, self.ceiling / FLOOR_DIVISOR, BACKOFF_FACTOR * self.limit)
            self._changed_at = now
            self._starting = False


class RateLimit:
    """A limit per minute, spent evenly: what a second leaves unused is lost."""

    def __init__(self, per_minute: float) -> None:
        self._per_second = per_minute / 60
        self._level = 0.0
        self._seen: float | None = None

    def take(self, amount: float, now: float) -> None:
        """Spend; may go into debt, since the tokens of a reply are known only afterwards."""
        self._refill(now)
        self._level -= amount

    def wait_s(self, now: float) -> float:
        """How long until more may be spent."""
        self._refill(now)
        return max(0.0, -self._level / self._per_second)

    def _refill(self, now: float) -> None:
        gained = self._per_second * (now - (now if self._seen is None else self._seen))
        self._level = min(self._level + gained, self._per_second)
        self._seen = now


@dataclass
class Attempt:
    """One attempt at a request that may be sent now, and its outcome."""

    started: float
    tokens: int = 0
    """The tokens of the reply, input and output."""
    outcome: Literal["answered", "refused", "failed"] = "failed"
    """`refused`: for load, or by not answering in time; `failed`: for a reason other than load."""
    retry_after_s: float | None = None
    share_s: float = 0.0
    """This attempt's share of the time the endpoint was busy: all shares add up to that time."""


class RequestLimiter:
    """Where requests wait until they may be sent; first come, first served."""

    def __init__(
        self,
        concurrency: AdaptiveLimit,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._concurrency = concurrency
        self._requests = RateLimit(requests_per_minute) if requests_per_minute else None
        self._tokens = RateLimit(tokens_per_minute) if tokens_per_minute else None
        self._tokens_each = 0.0
        self._clock = clock
        self._in_flight = 0
        self._queue = asyncio.Lock()
        self._finished = asyncio.Event()
        self._shares = 0.0
        self._shared_at = 0.0

    @property
    def load(self) -> tuple[int, int]:
        """The requests in flight, and how many there may be."""
        return self._in_flight, int(self._concurrency.limit)

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[Attempt]:
        """Wait until a request may be sent; the caller sets the outcome of the attempt."""
        async with self._queue:
            await self._wait_until_free()
            now = self._clock()
            self._spend(now)
            self._share(now)
            self._in_flight += 1
            attempt, shares = Attempt(now), self._shares
        try:
            yield attempt
        finally:
            now = self._clock()
            self._share(now)
            attempt.share_s = self._shares - shares
            self._in_flight -= 1
            self._record(attempt, now)
            self._finished.set()

    async def _wait_until_free(self) -> None:
        while True:
            if self._in_flight >= int(self._concurrency.limit):
                self._finished.clear()
                await self._finished.wait()
            elif (wait_s := self._wait_s()) > 0:
                await asyncio.sleep(wait_s)
            else:
                return

    def _wait_s(self) -> float:
        now = self._clock()
        rates = [rate.wait_s(now) for rate in (self._requests, self._tokens) if rate]
        return max(self._concurrency.resumes_at - now, *rates, 0.0)

    def _spend(self, now: float) -> None:
        if self._requests:
            self._requests.take(1, now)
        if self._tokens:  # an estimate from the last replies, corrected when this one arrives
            self._tokens.take(self._tokens_each, now)

    def _record(self, attempt: Attempt, now: float) -> None:
        if attempt.outcome == "refused":
            self._concurrency.refused(attempt.started, now, attempt.retry_after_s)
        elif attempt.outcome == "answered":
            self._concurrency.answered(attempt.started, now)
        if self._tokens and attempt.tokens:
            self._tokens.take(attempt.tokens - self._tokens_each, now)
            self._tokens_each += (attempt.tokens - self._tokens_each) / 16

    def _share(self, now: float) -> None:
        if self._in_flight:
            self._shares += (now - self._shared_at) / self._in_flight
        self._shared_at = now
