"""Rows as they come: committed in parts, counted, and given up on when all is lost."""

import logging
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from types import FrameType

from rich.console import Console

from apigen_ray.errors import StoreLost
from apigen_ray.records import Outcome, Reason, Stage
from apigen_ray.report.terminal import Progress
from apigen_ray.runlog import about
from apigen_ray.store import Row, RunFolder

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

    def add(self, row: Row) -> None:
        """Look at a row that has come."""
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

    def __init__(self, folder: RunFolder, committed: Callable[[Sequence[Row]], object]) -> None:
        self._folder = folder
        self._committed = committed
        self._waiting: list[Row] = []
        self._at = time.monotonic()

    def add(self, row: Row) -> None:
        """Take a row in."""
        self._waiting.append(row)

    def commit(self, *, all_: bool = False) -> None:
        """Commit what is due, or all.

        Raises:
            StoreLost: if the folder can't be written, after some tries.
        """
        due = all_ or time.monotonic() - self._at > SECONDS_PER_PART
        if not self._waiting or not (due or len(self._waiting) >= ROWS_PER_PART):
            return
        rows, self._waiting = self._waiting, []
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
    rows: Iterable[Sequence[Row]],
    folder: RunFolder,
    requested: int,
    console: Console,
    *,
    end: Callable[[], object],
    grace_s: float,
    committed: Callable[[Sequence[Row]], object] = len,
) -> bool:
    """Commit rows as they come, and show the progress.

    The first Ctrl-C, and a limit of the run, let finish what is in flight; so does SIGTERM (`ray
    job stop`, pre-emption), for a time. The second Ctrl-C ends it.

    Args:
        rows: Batches of rows, and an empty one now and then.
        folder: Where they go.
        requested: How many the run has in all.
        console: Where progress is shown.
        end: Called to have nothing more asked; `rows` is to end when what is in flight has come.
        grace_s: The time for that, after SIGTERM.
        committed: Is given the rows of a part once they are safe.

    Returns:
        Whether it went on to the end.

    Raises:
        StoreLost: if the folder can't be written.
    """
    parts, breaker = Parts(folder, committed), Breaker()
    why: str | None = None
    with _Signals(grace_s) as signals, Progress(console, requested, _outcomes(folder)) as progress:
        try:
            for batch in rows:
                for row in batch:
                    breaker.add(row)
                    if not _never_asked(row):
                        _tell(row)
                        parts.add(row)
                        progress.add(str(row["outcome"]), row["cost_usd"])
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


def _tell(row: Row) -> None:
    """Log a row that was lost to something else than itself."""
    if row["outcome"] == Outcome.ERROR:
        with about(stage=row["stage"], model=row["model"], rows=[row["id"]]):
            log.warning("row error", extra={"reason": row["reason"], "detail": row["detail"]})


def _never_asked(row: Row) -> bool:
    """Whether a row is only there because its prompt came after the end: it stays missing."""
    return row["reason"] == Reason.BUDGET and row["stage"] == Stage.GENERATE


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
