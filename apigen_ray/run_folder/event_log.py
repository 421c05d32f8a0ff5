"""The event log of a run, `log.jsonl` in its folder: one line of JSON per event.

Modules use `logging` as usual: the message is a constant event name, `extra=` holds the details,
and `log_context` adds the model and the rows in progress. A `ForwardingHandler` in each process
sends the lines to the only `RunLog`, in the coordinator.
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
MAX_PER_MINUTE = 30
"""Lines per event and process; the next line says how many were left out."""
UPLOAD_INTERVAL_S = 5.0

_STANDARD_ATTRIBUTES = vars(logging.makeLogRecord({})).keys()
_logger = logging.getLogger("apigen_ray")
_context: ContextVar[JsonObject] = ContextVar("log_context")


@contextmanager
def log_context(**labels: Json) -> Iterator[None]:
    """Add labels to everything logged in the context, tasks that it starts included."""
    token = _context.set(_context.get({}) | labels)
    try:
        yield
    finally:
        _context.reset(token)


class ForwardingHandler(logging.Handler):
    """Turns log records into lines, and sends them to the `RunLog`."""

    def __init__(self, send: Callable[[JsonObject], object]) -> None:
        super().__init__(logging.INFO)
        self._send = send
        self._minute = 0
        self._lines: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, unless its event was logged too often in this minute."""
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute = minute
            self._lines.clear()
        self._lines[record.msg] += 1
        if self._lines[record.msg] > MAX_PER_MINUTE:
            self._left_out[record.msg] += 1
            return
        line = _line(record)
        if left_out := self._left_out.pop(record.msg, 0):
            line["left_out"] = left_out
        try:
            self._send(line)
        except Exception:
            self.handleError(record)


def forward_logs(send: Callable[[JsonObject], object]) -> None:
    """Send everything this process logs from now on, once, however many stages run in it."""
    if not any(isinstance(handler, ForwardingHandler) for handler in _logger.handlers):
        _add_handler(send)


@contextmanager
def forwarding_logs(send: Callable[[JsonObject], object]) -> Iterator[None]:
    """Send everything this process logs in the context."""
    handler = _add_handler(send)
    try:
        yield
    finally:
        _logger.removeHandler(handler)


def _add_handler(send: Callable[[JsonObject], object]) -> ForwardingHandler:
    _logger.setLevel(logging.INFO)
    handler = ForwardingHandler(send)
    _logger.addHandler(handler)
    return handler


def _line(record: logging.LogRecord) -> JsonObject:
    moment = datetime.fromtimestamp(record.created, UTC)
    line: JsonObject = {
        "time": moment.isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": record.getMessage(),
    }
    line |= _context.get({})
    line |= {
        key: value
        for key, value in vars(record).items()
        if key not in _STANDARD_ATTRIBUTES and not key.startswith("_")  # Ray's own
    }
    if record.exc_info:
        line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
    return line | {"host": platform.node(), "pid": os.getpid()}


class RunLog:
    """The log of a run folder. Lines that can't be written are dropped: a log never ends a run.

    Objects can't be appended to: on an object store, the whole log is uploaded again, some seconds
    after a new line.
    """

    def __init__(self, folder: UPath) -> None:
        self._path = folder / NAME
        self._run = str(folder)
        self._lines: list[str] = []
        self._uploading = threading.Lock()
        self._timer: threading.Timer | None = None
        if not is_local(self._path):
            with suppress(FileNotFoundError):
                self._lines = [self._path.read_text("utf-8")]

    def add(self, line: JsonObject) -> None:
        """Write a line, with the path of the run folder."""
        first = {"time": line["time"], "level": line["level"], "run": self._run}
        text = json.dumps(first | line, default=str) + "\n"
        if is_local(self._path):
            with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
                file.write(text)
            return
        self._lines.append(text)
        if self._timer is None:
            self._timer = threading.Timer(UPLOAD_INTERVAL_S, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Upload lines that the object store lacks."""
        if self._timer is None:
            return
        self._timer = None  # first: a later line starts another timer
        with self._uploading, suppress(Exception):
            self._path.fs.pipe_file(self._path.path, "".join(self._lines).encode())
