"""What happens in a run, in `log.jsonl` of its folder: a line of JSON for each event.

Modules log as usual, an event by a name that does not vary and `extra=` for what does;
`log_context` names the model and the rows that are being worked on. A `ForwardingHandler` in each
process hands the lines to the one `RunLog`, which lives in the coordinator.
"""

import json
import logging
import os
import platform
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime

from upath import UPath

from apigen_ray.records import Json, JsonObject
from apigen_ray.run_folder.storage import is_local

NAME = "log.jsonl"
MOST_A_MINUTE = 30
"""Lines of one event from one process; the next line says how many were left out."""
SECONDS_PER_OBJECT = 5.0

_OF_ANY_RECORD = vars(logging.makeLogRecord({})).keys()
_about: ContextVar[JsonObject] = ContextVar("about")


@contextmanager
def log_context(**labels: Json) -> Iterator[None]:
    """Add labels to what is logged inside, here and in the tasks that are started here."""
    token = _about.set(_about.get({}) | labels)
    try:
        yield
    finally:
        _about.reset(token)


class ForwardingHandler(logging.Handler):
    """Turns records into lines, and sends them where the log is written."""

    def __init__(self, send: Callable[[JsonObject], object]) -> None:
        super().__init__(logging.INFO)
        self._send = send
        self._minute = 0
        self._lines: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, unless there were many of its event."""
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute = minute
            self._lines.clear()
        self._lines[record.msg] += 1
        if self._lines[record.msg] > MOST_A_MINUTE:
            self._left_out[record.msg] += 1
            return
        line = _line(record)
        if left_out := self._left_out.pop(record.msg, 0):
            line["left_out"] = left_out
        try:
            self._send(line)
        except Exception:
            self.handleError(record)


def forward_logs(send: Callable[[JsonObject], object]) -> ForwardingHandler:
    """Send what this process logs from here on."""
    logger = logging.getLogger("apigen_ray")
    logger.setLevel(logging.INFO)
    handler = ForwardingHandler(send)
    logger.addHandler(handler)
    return handler


@contextmanager
def forwarding_logs(send: Callable[[JsonObject], object]) -> Iterator[None]:
    """Send what this process logs inside."""
    handler = forward_logs(send)
    try:
        yield
    finally:
        logging.getLogger("apigen_ray").removeHandler(handler)


def _line(record: logging.LogRecord) -> JsonObject:
    moment = datetime.fromtimestamp(record.created, UTC)
    line: JsonObject = {
        "time": moment.isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": record.getMessage(),
    }
    line |= _about.get({})
    line |= {
        key: value
        for key, value in vars(record).items()
        if key not in _OF_ANY_RECORD and not key.startswith("_")  # Ray's own
    }
    if record.exc_info:
        line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
    return line | {"host": platform.node(), "pid": os.getpid()}


class RunLog:
    """The log of a run folder. What can't be written is dropped: a log never ends a run.

    An object can't be appended to: on an object store it is put whole, some seconds after a line.
    """

    def __init__(self, folder: UPath) -> None:
        self._path = folder / NAME
        self._run = str(folder)
        self._lines: list[str] = []
        self._putting = threading.Lock()
        self._timer: threading.Timer | None = None
        if not is_local(self._path):
            with suppress(FileNotFoundError):
                self._lines = [self._path.read_text("utf-8")]

    def add(self, line: JsonObject) -> None:
        """Write a line, with the run's name."""
        first = {"time": line["time"], "level": line["level"], "run": self._run}
        text = json.dumps(first | line, default=str) + "\n"
        if is_local(self._path):
            with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
                file.write(text)
            return
        self._lines.append(text)
        if self._timer is None:
            self._timer = threading.Timer(SECONDS_PER_OBJECT, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Put what an object store lacks."""
        if self._timer is None:
            return
        self._timer = None  # first: a line that comes from here on starts another
        with self._putting, suppress(Exception):
            self._path.fs.pipe_file(self._path.path, "".join(self._lines).encode())
