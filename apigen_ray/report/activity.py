"""What a run is at work on at this moment, for those who watch it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

STALE_S = 10.0
"""A client that has told nothing for so long is gone, with its process."""


@dataclass(frozen=True, slots=True)
class Activity:
    """The rows that stages work on, and the requests that models have in flight."""

    rows: Mapping[str, int] = field(default_factory=dict)
    """By stage; prompts, where rows are still to be generated."""
    requests: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By model: in flight, and how many there may be."""


class InFlightTracker:
    """What the clients of models told of their requests, wherever they are."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], tuple[float, int, int]] = {}

    def report_load(self, model: str, client: str, in_flight: int, limit: int) -> None:
        """Note how many requests a client of a model has in flight, and how many it may have."""
        self._told[model, client] = self._clock(), in_flight, limit

    def requests(self) -> dict[str, tuple[int, int]]:
        """The sums over the clients of each model."""
        in_flight: Counter[str] = Counter()
        limits: Counter[str] = Counter()
        for (model, _), (told, now, limit) in self._told.items():
            if self._clock() - told < STALE_S:
                in_flight[model] += now
                limits[model] += limit
        return {model: (in_flight[model], limits[model]) for model in limits}
