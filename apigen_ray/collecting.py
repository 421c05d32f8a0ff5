"""Rows as they come: committed in parts, counted, and given up on when all is lost."""

import signal
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

from apigen_ray.records import Outcome, Reason, Stage
from apigen_ray.report.terminal import Progress
from apigen_ray.store import Row, RunFolder

ROWS_PER_PART = 256
SECONDS_PER_PART = 5.0
"""What was paid for is on disk after this time, or this many rows, whichever comes first."""

HOPELESS = 100
IN_A_ROW = 20
"""When half of the last hundred data points end in an error, or the last twenty all do, the rest
is not asked for: something is broken for good, such as a key that has expired."""


class Breaker:
    """Says when it makes no sense to go on."""

    def __init__(self) -> None:
        self._errors: deque[bool] = deque(maxlen=HOPELESS)
        self._not_asked = 0
        self._why: str | None = None

    def add(self, row: Row) -> None:
        """Look at a row that has come."""
        if row["reason"] == Reason.BUDGET:
            self._not_asked += 1
            self._why = row["detail"]
        elif row["reason"] != Reason.CONTEXT_LENGTH:  # that prompt's own fault
            self._errors.append(row["outcome"] == Outcome.ERROR)
            self._why = row["detail"] if self._errors[-1] else self._why

    @property
    def verdict(self) -> str | None:
        """Why to stop; None to go on."""
        errors = list(self._errors)
        if self._not_asked >= HOPELESS:  # what was under way when the limit was reached, has come
            return self.limit
        if sum(errors) * 2 >= HOPELESS:
            return (
                f"stopping: half of the last {HOPELESS} data points ended in an error: {self._why}"
            )
        if len(errors) >= IN_A_ROW and all(errors[-IN_A_ROW:]):
            return f"stopping: the last {IN_A_ROW} data points ended in an error: {self._why}"
        return None

    @property
    def limit(self) -> str | None:
        """The limit that was reached, if one was."""
        return f"stopping: {self._why}" if self._not_asked else None


def collect(
    rows: Iterable[Sequence[Row]], folder: RunFolder, requested: int, console: Console
) -> None:
    """Commit rows as they come, and show the progress. Ctrl-C and SIGTERM end it early."""
    before = _outcomes(folder)
    waiting: list[Row] = []
    breaker = Breaker()
    committed = time.monotonic()
    with _terminable(), Progress(console, requested, before) as progress:
        try:
            for batch in rows:
                for row in batch:
                    breaker.add(row)
                    if not _never_asked(row):
                        waiting.append(row)
                        progress.add(str(row["outcome"]), row["cost_usd"])
                progress.show()
                if breaker.verdict:
                    break
                due = time.monotonic() - committed > SECONDS_PER_PART
                if waiting and (due or len(waiting) >= ROWS_PER_PART):
                    folder.commit(waiting)
                    waiting, committed = [], time.monotonic()
        except KeyboardInterrupt:
            console.print("stopping: what has come is kept", style="yellow")
        finally:
            if waiting:
                folder.commit(waiting)
    if why := breaker.verdict or breaker.limit:
        console.print(why, style="red", soft_wrap=True)


def _never_asked(row: Row) -> bool:
    """Whether a row is only there because its prompt came after the limit: it stays missing."""
    return row["reason"] == Reason.BUDGET and row["stage"] == Stage.GENERATE


def _outcomes(folder: RunFolder) -> Counter[str]:
    """What is settled already, by outcome; errors will be asked again."""
    counts: Counter[str] = Counter()
    for table in folder.tables(["outcome"]):
        counts.update(table["outcome"].to_pylist())
    del counts[Outcome.ERROR]
    return counts


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM (`ray job stop`, pre-emption) ends a run as Ctrl-C does."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
