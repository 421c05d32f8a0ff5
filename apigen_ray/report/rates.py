"""Rates and times, as people read them, for runs of a thousand rows a second or of one a minute."""

from collections import deque

RECENT_S = 60.0
RECENT_STEPS = 32
"""Enough for two rounds of what a small server works on at once."""


class RecentRate:
    """The rate at which a count grows, over the last minute or the last 32 steps.

    Whichever is longer: a fast run is followed closely, and a slow one does not jump with each row.
    """

    def __init__(self, now: float, count: float = 0) -> None:
        """Begin at a time, with what is counted already."""
        self._steps = deque([(now, count)])

    def note(self, now: float, count: float) -> None:
        """Note the count at a time."""
        steps = self._steps
        if count > steps[-1][1]:
            steps.append((now, count))
            while len(steps) > RECENT_STEPS + 1 and now - steps[1][0] >= RECENT_S:
                steps.popleft()

    def per_second(self, now: float) -> float:
        """The rate. It falls while nothing comes that is due."""
        seconds_each = self._seconds_each(now)
        return 1 / seconds_each if seconds_each else 0.0

    def seconds_left(self, now: float, missing: float) -> float | None:
        """How long it takes to count `missing` more, if anything was counted so far.

        It runs down between two steps, and stands while the next one is overdue.
        """
        seconds_each = self._seconds_each(now)
        if seconds_each is None:
            return None
        return max(0.0, missing * seconds_each - min(now - self._steps[-1][0], seconds_each))

    def _seconds_each(self, now: float) -> float | None:
        (first, before), (last, count) = self._steps[0], self._steps[-1]
        grown = count - before
        if not grown:
            return None
        # As if the next one came now, once it is overdue.
        return max((last - first) / grown, (now - first) / (grown + 1), 1e-6)


def rate_text(per_second: float, unit: str = "") -> str:
    """A rate by the second, or by the minute or hour where it would round to zero."""
    unit = f" {unit}" if unit else ""
    for seconds, short in ((1, "s"), (60, "min"), (3600, "h")):
        rate = per_second * seconds
        if rate >= 0.1 or short == "h":
            break
    return f"{rate:,.0f}{unit}/{short}" if rate >= 100 else f"{rate:.1f}{unit}/{short}"


def clock(seconds: float) -> str:
    """A time as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
