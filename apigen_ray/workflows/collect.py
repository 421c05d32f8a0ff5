"""Rows as they come: committed in parts, counted, and given up on when something is broken."""

import logging
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from types import FrameType

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from apigen_ray.errors import StoreLost
from apigen_ray.records import Outcome, Reason, Stage
from apigen_ray.report.activity import Activity
from apigen_ray.report.terminal import Progress
from apigen_ray.run_folder.event_log import log_context
from apigen_ray.run_folder.rows import SCHEMA, as_rows, with_value
from apigen_ray.run_folder.store import RunFolder

log = logging.getLogger(__name__)

ROWS_PER_PART = 256
SECONDS_PER_PART = 5.0
"""What was paid for is on disk after this time, or this many rows, whichever comes first."""
RETRY_DELAYS_S = (1.0, 4.0)
"""Between attempts to commit a part."""

ERROR_WINDOW = 100
CONSECUTIVE_ERRORS = 20
"""When half of the last hundred data points end in an error, or the last twenty all do, the run
stops: something is broken for good, such as a key that has expired."""


class CircuitBreaker:
    """Stops a run that only makes errors, or has reached one of its limits."""

    def __init__(self) -> None:
        self._errors: deque[bool] = deque(maxlen=ERROR_WINDOW)
        self._last_error: str | None = None
        self.limit_reached: str | None = None
        """The limit of the run that was reached, if one was: what is in flight may finish."""

    def add(self, rows: pa.Table) -> None:
        """Count rows that have come."""
        for row in rows.select(["outcome", "reason", "detail"]).to_pylist():
            if row["reason"] == Reason.BUDGET:
                self.limit_reached = row["detail"]
            elif row["reason"] != Reason.CONTEXT_LENGTH:  # the fault of that prompt alone
                self._errors.append(row["outcome"] == Outcome.ERROR)
                self._last_error = row["detail"] if self._errors[-1] else self._last_error

    @property
    def tripped(self) -> str | None:
        """Why to stop at once; None to go on."""
        errors = list(self._errors)
        if sum(errors) * 2 >= ERROR_WINDOW:
            return (
                f"half of the last {ERROR_WINDOW} data points ended in an error: {self._last_error}"
            )
        if len(errors) >= CONSECUTIVE_ERRORS and all(errors[-CONSECUTIVE_ERRORS:]):
            return (
                f"the last {CONSECUTIVE_ERRORS} data points ended in an error: {self._last_error}"
            )
        return None


class PartWriter:
    """Gathers rows and commits them to the run folder in parts; the rest on leaving the context."""

    def __init__(self, folder: RunFolder, committed: Callable[[pa.Table], object]) -> None:
        self._folder = folder
        self._committed = committed
        self._waiting = SCHEMA.empty_table()
        self._last_commit = time.monotonic()

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._commit()

    def add(self, rows: pa.Table) -> None:
        """Take rows, and commit the part if it is full, or old enough.

        Raises:
            StoreLost: if the folder still can't be written after a few attempts.
        """
        self._waiting = pa.concat_tables([self._waiting, rows])
        is_old = time.monotonic() - self._last_commit > SECONDS_PER_PART
        if is_old or len(self._waiting) >= ROWS_PER_PART:
            self._commit()

    def _commit(self) -> None:
        if not len(self._waiting):
            return
        rows, self._waiting = self._waiting, SCHEMA.empty_table()
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                self._folder.commit(rows)
                log.info("part committed", extra={"size": len(rows)})
                break
            except OSError as error:
                if delay_s is None:
                    raise StoreLost(
                        f"{self._folder.path}: can't be written: {error.strerror or error}; what "
                        "was committed is safe; run the same command to continue"
                    ) from error
                log.warning("commit failed", extra={"why": str(error)})
                time.sleep(delay_s)
        self._last_commit = time.monotonic()
        self._committed(rows)


class StopSignals:
    """Ctrl-C and SIGTERM, noted while the context is open. Only the main thread receives them."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._interrupts = 0
        self._deadline: float | None = None

    @property
    def received(self) -> str | None:
        """What was received, if anything was."""
        if self._deadline is not None:
            return "SIGTERM"
        return "interrupted" if self._interrupts else None

    @property
    def must_stop(self) -> bool:
        """Whether not even what is in flight may finish."""
        late = self._deadline is not None and time.monotonic() > self._deadline
        return late or self._interrupts > 1

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self._deadline = self._deadline or time.monotonic() + self._grace_s
        elif self._interrupts > 1:
            raise KeyboardInterrupt  # the third one: stop whatever is being done
        else:
            self._interrupts += 1

    def __enter__(self) -> "StopSignals":
        in_main = threading.current_thread() is threading.main_thread()
        numbers = (signal.SIGINT, signal.SIGTERM) if in_main else ()
        self._handlers = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def collect(
    tables: Iterable[pa.Table],
    folder: RunFolder,
    requested: int,
    console: Console,
    *,
    end: Callable[[], object],
    grace_s: float,
    committed: Callable[[pa.Table], object] = len,
    activity: Callable[[], Activity] = Activity,
) -> bool:
    """Commit rows as they come, and show the progress.

    On the first Ctrl-C, or when a limit of the run is reached, what is in flight finishes; on
    SIGTERM (`ray job stop`, pre-emption) it may do so for a time. The second Ctrl-C stops at once.

    Args:
        tables: Settled rows, and an empty table now and then.
        folder: Where they go.
        requested: How many data points the run has in all.
        console: Where progress is shown.
        end: Stops new requests; `tables` ends once what is in flight has come.
        grace_s: The time for that, after SIGTERM.
        committed: Is given the rows of a part once they are safe.
        activity: Says what is being worked on, for the progress.

    Returns:
        Whether `tables` came to its end, rather than being stopped.

    Raises:
        StoreLost: if the folder can't be written.
    """

    def let_finish(why: str) -> None:
        end()
        log.warning("ending", extra={"why": why})
        note = f"{why}: finishing what is in flight; Ctrl-C (again) stops at once"
        console.print(note, style="yellow", soft_wrap=True)

    progress = Progress(console, requested, _settled_outcomes(folder), activity)
    with StopSignals(grace_s) as signals, progress, PartWriter(folder, committed) as writer:
        why = _commit_until_stopped(tables, writer, progress, signals, let_finish)
    if why:
        log.warning("stopping", extra={"why": why})
        console.print(f"stopping: {why}; what has come is kept", style="red", soft_wrap=True)
    return why is None


def _commit_until_stopped(
    tables: Iterable[pa.Table],
    writer: PartWriter,
    progress: Progress,
    signals: StopSignals,
    let_finish: Callable[[str], None],
) -> str | None:
    """Commit rows as they come; returns why the run stops early, if it does."""
    breaker = CircuitBreaker()
    why: str | None = None
    for table in tables:
        breaker.add(table)
        rows = _without_unasked(table)
        _log_errors(rows)
        progress.add(rows)
        progress.show()
        writer.add(rows)
        if not why and (why := signals.received or breaker.limit_reached):
            let_finish(why)
        if signals.must_stop:
            return why
        if breaker.tripped:
            return breaker.tripped
    return why


def _log_errors(rows: pa.Table) -> None:
    """Log the rows that were lost to the infrastructure."""
    for row in as_rows(with_value(rows, "outcome", Outcome.ERROR)):
        with log_context(stage=row["stage"], model=row["model"], rows=[row["id"]]):
            log.warning("row error", extra={"reason": row["reason"], "detail": row["detail"]})


def _without_unasked(rows: pa.Table) -> pa.Table:
    """Leave out the rows of prompts that were not sent because the run was ending.

    These data points stay missing.
    """
    refused = pc.equal(rows["reason"], Reason.BUDGET)
    unasked = pc.and_(refused, pc.equal(rows["stage"], Stage.GENERATE))
    return rows.filter(pc.invert(pc.fill_null(unasked, False)))


def _settled_outcomes(folder: RunFolder) -> Counter[str]:
    """Count what is settled already, by outcome; errors are asked for again."""
    counts: Counter[str] = Counter()
    for table in folder.tables(["outcome"]):
        counts.update(table["outcome"].to_pylist())
    del counts[Outcome.ERROR]
    return counts
