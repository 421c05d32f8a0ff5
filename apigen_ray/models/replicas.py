"""The servers of one model: the least loaded is asked; one that fails is set aside for a while."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

MAX_COOLDOWN_S = 60.0


@dataclass
class Replica:
    """One server of a model."""

    url: str
    in_flight: int = 0
    seconds: float = 0.0
    """The moving average of its reply times."""
    failures: int = 0
    """Failures since its last answer."""
    cooldown_until: float = 0.0

    def answered(self, seconds: float) -> None:
        """Record a good reply."""
        self.failures = 0
        self.cooldown_until = 0.0
        self.seconds = 0.8 * self.seconds + 0.2 * seconds if self.seconds else seconds

    def failed(self, now: float) -> None:
        """Set it aside, for longer after each failure."""
        if now >= self.cooldown_until:  # else it is the same outage
            self.failures += 1
            self.cooldown_until = now + min(2.0 ** min(self.failures, 8), MAX_COOLDOWN_S)


class Replicas:
    """All servers of a model."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._all = [Replica(url) for url in urls]

    @contextmanager
    def least_loaded(self, now: float) -> Iterator[Replica]:
        """The replica to ask now. If all are set aside, the one whose turn comes first is tried."""
        available = [replica for replica in self._all if replica.cooldown_until <= now]
        if available:
            # A replica that has not answered yet is assumed to be as fast as the fastest.
            fastest = min((r.seconds for r in self._all if r.seconds), default=1.0)
            replica = min(available, key=lambda r: (r.in_flight + 1) * (r.seconds or fastest))
        else:
            replica = min(self._all, key=lambda r: r.cooldown_until)
        replica.in_flight += 1
        try:
            yield replica
        finally:
            replica.in_flight -= 1
