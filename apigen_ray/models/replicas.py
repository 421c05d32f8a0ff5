"""The servers of one model: the one with the least to do is asked; one that fails, rests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

LONGEST_REST_S = 60.0


@dataclass
class Replica:
    """One server of a model."""

    url: str
    in_flight: int = 0
    seconds: float = 0.0
    """How long replies take of late."""
    failures: int = 0
    """Failures since it last answered."""
    rests_until: float = 0.0

    def answered(self, seconds: float) -> None:
        """Take a good reply into account."""
        self.failures = 0
        self.rests_until = 0.0
        self.seconds = 0.8 * self.seconds + 0.2 * seconds if self.seconds else seconds

    def failed(self, now: float) -> None:
        """Set it aside, for longer each time."""
        if now >= self.rests_until:  # else it is the same trouble
            self.failures += 1
            self.rests_until = now + min(2.0 ** min(self.failures, 8), LONGEST_REST_S)


class Replicas:
    """All servers of a model."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._all = [Replica(url) for url in urls]

    @contextmanager
    def chosen(self, now: float) -> Iterator[Replica]:
        """The replica to ask now. If all rest, the one that has rested longest is tried."""
        awake = [replica for replica in self._all if replica.rests_until <= now]
        if awake:
            # One that has not answered yet is taken to be as fast as the fastest.
            fastest = min((r.seconds for r in self._all if r.seconds), default=1.0)
            replica = min(awake, key=lambda r: (r.in_flight + 1) * (r.seconds or fastest))
        else:
            replica = min(self._all, key=lambda r: r.rests_until)
        replica.in_flight += 1
        try:
            yield replica
        finally:
            replica.in_flight -= 1
