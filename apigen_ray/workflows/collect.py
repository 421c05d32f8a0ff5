"""Rows as they come: committed in parts, counted, and given up on when all is lost."""

import logging
import signal
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
WAITS_S = (1.0, 4.0)
"""Between tries to commit a part."""

HOPELESS = 100
IN_A_ROW = 20
"""When half of the last hundred data points end in an error, or the last twenty all do, the rest
is not asked for: something is broken for good, such as a key that has expired."""


class Breaker:
    """Says when it makes no sense to go on."""

    def __init__(self) -> None:
        self._errors: deque[bool] = deque(maxlen=HOPELESS)
        self._why: str | None = None
        self.limit: str | None = None
        """The limit of the run that was reached, if one was."""

    def add(self, rows: pa.Table) -> None:
        """Look at rows that have come."""
        for row in rows.select(["outcome", "reason", "detail"]).to_pylist():
            if row["reason"] == Reason.BUDGET:
                self.limit = row["detail"]
            elif row["reason"] != Reason.CONTEXT_LENGTH:  # that prompt's own fault
                self._errors.append(row["outcome"] == Outcome.ERROR)
                self._why = row["detail"] if self._errors[-1] else self._why

    @property
    def hopeless(self) -> str | None:
        """Why to stop at once; None to go on."""
        errors = list(self._errors)
        if sum(errors) * 2 >= HOPELESS:
            return f"half of the last {HOPELESS} data points ended in an error: {self._why}"
        if len(errors) >= IN_A_ROW and all(errors[-IN_A_ROW:]):
            return f"the last {IN_A_ROW} data points ended in an error: {self._why}"
        return None


class Parts:
    """Rows on their way into the run folder."""

    def __init__(self, folder: RunFolder, committed: Callable[[pa.Table], object]) -> None:
        self._folder = folder
        self._committed = committed
        self._waiting = SCHEMA.empty_table()
        self._at = time.monotonic()

    def add(self, rows: pa.Table) -> None:
        """Take rows in."""
        self._waiting = pa.concat_tables([self._waiting, rows])

    def commit(self, *, all_: bool = False) -> None:
        """Commit what is due, or all.

        Raises:
            StoreLost: if the folder can't be written, after some tries.
        """
        due = all_ or time.monotonic() - self._at > SECONDS_PER_PART
        if not len(self._waiting) or not (due or len(self._waiting) >= ROWS_PER_PART):
            return
        rows, self._waiting = self._waiting, SCHEMA.empty_table()
        for wait_s in (*WAITS_S, None):
            try:
                self._folder.commit(rows)
                log.info("part committed", extra={"size": len(rows)})
                break
            except OSError as error:
                if wait_s is None:
                    raise StoreLost(
                        f"{self._folder.path}: can't be written: {error.strerror or error}; what "
                        "was committed is safe, and the same command goes on from there"
                    ) from error
                log.warning("commit failed", extra={"why": str(error)})
                time.sleep(wait_s)
        self._at = time.monotonic()
        self._committed(rows)


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

    The first Ctrl-C, and a limit of the run, let finish what is in flight; so does SIGTERM (`ray
    job stop`, pre-emption), for a time. The second Ctrl-C ends it.

    Args:
        tables: Settled rows, and an empty table now and then.
        folder: Where they go.
        requested: How many the run has in all.
        console: Where progress is shown.
        end: Called to have nothing more asked; `tables` is to end when what is in flight has come.
        grace_s: The time for that, after SIGTERM.
        committed: Is given the rows of a part once they are safe.
        activity: Says what is being worked on, for the progress.

    Returns:
        Whether it went on to the end.

    Raises:
        StoreLost: if the folder can't be written.
    """
    parts, breaker = Parts(folder, committed), Breaker()
    why: str | None = None
    progress = Progress(console, requested, _outcomes(folder), activity)
    with _Signals(grace_s) as signals, progress:
        try:
            for came in tables:
                breaker.add(came)
                rows = _asked(came)
                _tell_errors(rows)
                parts.add(rows)
                progress.add(rows)
                progress.show()
                parts.commit()
                if not why and (why := signals.received or breaker.limit):
                    end()
                    log.warning("ending", extra={"why": why})
                    console.print(
                        f"{why}: finishing what is in flight; Ctrl-C (again) stops at once",
                        style="yellow",
                        soft_wrap=True,
                    )
                if signals.over:
                    break
                if hopeless := breaker.hopeless:
                    why = hopeless
                    break
        finally:
            parts.commit(all_=True)
    if why:
        log.warning("stopping", extra={"why": why})
        console.print(f"stopping: {why}; what has come is kept", style="red", soft_wrap=True)
    return why is None


def _tell_errors(rows: pa.Table) -> None:
    """Log the rows that were lost to something else than themselves."""
    for row in as_rows(with_value(rows, "outcome", Outcome.ERROR)):
        with log_context(stage=row["stage"], model=row["model"], rows=[row["id"]]):
            log.warning("row error", extra={"reason": row["reason"], "detail": row["detail"]})


def _asked(rows: pa.Table) -> pa.Table:
    """Without the rows that are only there because their prompt came after the end.

    These stay missing.
    """
    refused = pc.equal(rows["reason"], Reason.BUDGET)
    never = pc.and_(refused, pc.equal(rows["stage"], Stage.GENERATE))
    return rows.filter(pc.invert(pc.fill_null(never, False)))


def _outcomes(folder: RunFolder) -> Counter[str]:
    """What is settled already, by outcome; errors will be asked again."""
    counts: Counter[str] = Counter()
    for table in folder.tables(["outcome"]):
        counts.update(table["outcome"].to_pylist())
    del counts[Outcome.ERROR]
    return counts


class _Signals:
    """Ctrl-C and SIGTERM, noted while the context is open."""

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
    def over(self) -> bool:
        """Whether not even what is in flight is to be waited for."""
        late = self._deadline is not None and time.monotonic() > self._deadline
        return late or self._interrupts > 1

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self._deadline = self._deadline or time.monotonic() + self._grace_s
        elif self._interrupts > 1:
            raise KeyboardInterrupt  # it was meant
        else:
            self._interrupts += 1

    def __enter__(self) -> "_Signals":
        self._before = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
