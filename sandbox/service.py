"""Serves a host: a fork for each group of calls, its bytes passed on unread, its traces wiped."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import struct
import sys
import time
from typing import Any, BinaryIO, NoReturn

import child
import cleanup

LENGTH = struct.Struct("!I")  # before JSON frames and the fork's frames
GROUP = struct.Struct("!II")  # before a group of calls: their number, and the size of their lines
ANSWER = struct.Struct("!BidI")  # how it ended, exit status or signal, seconds, text size
RESULT, TIMED_OUT, EXITED, SIGNALED, OUT_OF_MEMORY, FORGED, REFUSED = range(7)

MAX_REQUEST = 32 << 20
SMALL = 64 << 10


class Pages:
    """A buffer for untrusted bytes.

    Python objects would leave them in freed memory that later forks could read. These pages are
    cleared after use, and are not inherited.
    """

    def __init__(self, size: int) -> None:
        self.map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_DONTFORK"):
            self.map.madvise(mmap.MADV_DONTFORK)
        self.view = memoryview(self.map)
        self.used = 0

    def read(self, descriptor: int, until: int) -> int:
        """Read once, up to the fill level `until`; returns the number of bytes, 0 at the end."""
        count = os.readv(descriptor, [self.view[self.used : until]])
        self.used += count
        return count

    def clear(self) -> None:
        """Zero what was used; many pages are given back instead, which zeroes them too."""
        if not self.used:
            return
        if self.used > SMALL:
            self.map.madvise(mmap.MADV_DONTNEED)
        else:
            self.view[: self.used] = bytes(self.used)
        self.used = 0


class Service:
    """Serves one host connection."""

    def __init__(
        self, host: int, null: int, configuration: dict[str, Any], scratch: list[str]
    ) -> None:
        self.host = host
        self.null = null
        self.limits = configuration
        self.alone = configuration["alone"]
        self.functions: child.Functions = {}
        self.request = Pages(GROUP.size + MAX_REQUEST)
        self.encoder = child.Encoder(configuration["result_bytes"])
        self.largest_frame = max(configuration["result_bytes"], 4 * child.MAX_MESSAGE) + 1
        self.frame = Pages(LENGTH.size + self.largest_frame + SMALL)
        self.output_bytes = configuration["output_bytes"]
        self.output = Pages(self.output_bytes + SMALL)  # what is over is read here and dropped
        self.scratch = scratch
        self.dirty = False  # too much was left behind to clean up
        self.oom_kills = cleanup.OomKills()
        self.oom_score = cleanup.OomScore()

    def serve(self) -> NoReturn:
        """Answer requests until the host hangs up."""
        self.start_fork()
        while True:
            count = self.read_request()
            first = 0
            while first < count:
                if self.dirty:
                    self.refuse()
                first = self.run_fork(first, count)
            self.request.clear()

    def read_request(self) -> int:
        """Read a group of calls into `request`; returns how many there are."""
        request = self.request
        count, size = 0, GROUP.size
        while request.used < size:
            if not request.read(self.host, len(request.view)):
                self.leave()
            if request.used >= GROUP.size:
                count, texts = GROUP.unpack_from(request.view)
                size = GROUP.size + texts
        return count

    def start_fork(self) -> None:
        """Fork before there is a call to make: it comes while the host reads the last answer."""
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        self.printed, output = os.pipe()
        self.oom_score.set_highest()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                ends = (requests, answers, output, self.null)
                child.serve(self.functions, self.encoder, ends, self.limits)
            finally:
                os._exit(70)
        self.oom_score.reset()
        os.close(requests)
        os.close(answers)
        os.close(output)
        self.poll = select.poll()
        # The host sends nothing before it has its answer; on gVisor, only POLLIN reports a hang-up.
        self.poll.register(self.host, select.POLLIN | select.POLLRDHUP)
        self.poll.register(self.answers, select.POLLIN)
        self.poll.register(self.printed, select.POLLIN)

    def run_fork(self, first: int, count: int) -> int:
        """Have calls made until one of them ends the fork, and clean up; returns the next call."""
        self.oom_kills.mark()
        self.hand_over(first)
        for index in range(first, count):
            started = time.monotonic()
            outcome = self.await_frame(started + self.limits["timeout_s"])
            seconds = time.monotonic() - started
            if outcome != RESULT or index == count - 1:
                break
            self.send_answer(RESULT, 0, seconds)
            if not self.continue_fork():
                self.end()
                return index + 1
        code = 0
        if outcome == EXITED:
            outcome, code = self.explain_exit()
        cleanup.kill_others(self.alone)  # from here on it runs no more
        self.send_answer(outcome, code, seconds)
        self.clean_up()
        return index + 1

    def hand_over(self, first: int) -> None:
        """Give the fork all requests, of which it is to make those from `first` on."""
        texts = self.request.view[LENGTH.size : self.request.used]
        try:
            send(self.requests, LENGTH.pack(first), texts)
        except OSError:  # the machine ran out of memory, and killed the idle fork
            self.end()
            with contextlib.suppress(OSError):  # this one died of the requests: its status says so
                send(self.requests, LENGTH.pack(first), texts)

    def continue_fork(self) -> bool:
        """Let the fork make its next call; False if it has ended."""
        try:
            return os.write(self.requests, b"+") > 0
        except OSError:
            return False

    def await_frame(self, deadline: float) -> int:
        """Wait for the answer to one call, dropping excess output; returns the outcome."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return TIMED_OUT
            for descriptor, _ in self.poll.poll(left * 1000 + 1):
                if descriptor == self.answers:
                    outcome = self.read_frame()
                    if outcome is not None:
                        return outcome
                elif descriptor == self.printed:
                    if not self.read_output():
                        self.poll.unregister(self.printed)
                else:
                    self.leave()

    def read_output(self) -> bool:
        """Take what was printed, so that printing never blocks a call; False at its end."""
        room = self.output_bytes if self.output.used < self.output_bytes else len(self.output.view)
        count = self.output.read(self.printed, room)
        self.output.used = min(self.output.used, self.output_bytes)
        return count > 0

    def read_frame(self) -> int | None:
        """Take a part of the answer; returns the outcome, None while there is more to come."""
        frame = self.frame
        if not frame.read(self.answers, len(frame.view)):
            return EXITED
        if frame.used < LENGTH.size:
            return None
        (size,) = LENGTH.unpack_from(frame.view)
        if size > self.largest_frame or frame.used > LENGTH.size + size:
            return FORGED
        return RESULT if frame.used == LENGTH.size + size else None

    def explain_exit(self) -> tuple[int, int]:
        """The outcome of a fork that ended without an answer, with its exit status or signal."""
        status = await_exit(self.pid)
        os.set_blocking(self.printed, False)
        with contextlib.suppress(BlockingIOError):
            self.read_output()  # its last words
        if status is None:  # it closed the channel and lived on
            return FORGED, 0
        if not os.WIFSIGNALED(status):
            return EXITED, os.WEXITSTATUS(status)
        if os.WTERMSIG(status) == signal.SIGKILL and self.oom_kills.happened():
            return OUT_OF_MEMORY, 0
        return SIGNALED, os.WTERMSIG(status)

    def send_answer(self, outcome: int, code: int, seconds: float) -> None:
        """Tell the host how a call ended, with the fork's bytes, or what a crashed one printed."""
        text: bytes | memoryview = b""
        if outcome == RESULT:
            text = self.frame.view[LENGTH.size : self.frame.used]
        elif outcome in (EXITED, SIGNALED):
            text = self.output.view[: self.output.used]
        send(self.host, ANSWER.pack(outcome, code, seconds, len(text)), text)
        self.frame.clear()
        self.output.clear()

    def end(self) -> None:
        """End the fork, and make the next."""
        cleanup.kill_others(self.alone)
        self.clean_up()

    def clean_up(self) -> None:
        """Leave nothing of a killed fork and of what it started, and make the next."""
        os.close(self.requests)
        os.close(self.answers)
        os.close(self.printed)
        cleanup.reap(self.alone)
        self.dirty = not cleanup.wipe(self.scratch)
        if not self.dirty:
            self.start_fork()

    def refuse(self) -> NoReturn:
        """Refuse calls where the last one left its traces: the host takes another runner."""
        send(self.host, ANSWER.pack(REFUSED, 0, 0.0, 0), b"")
        self.leave()

    def leave(self) -> NoReturn:
        """The host is gone: nobody waits for an answer."""
        cleanup.leave(self.alone, self.scratch)


def await_exit(pid: int, timeout_s: float = 0.1) -> int | None:
    """The wait status of a fork that is about to end; None if it doesn't."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.001)
    return None


def send(descriptor: int, head: bytes, text: bytes | memoryview) -> None:
    """Write both, at once if they fit."""
    rest = text[os.writev(descriptor, (head, text)) - len(head) :]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def send_event(host: int, **event: str | int) -> None:
    """Tell the host how the start is going."""
    text = json.dumps(event).encode()
    send(host, LENGTH.pack(len(text)), text)


def receive_json(host: int) -> dict[str, Any]:
    """One JSON frame from the host."""
    with open(host, "rb", buffering=0, closefd=False) as stream:
        (size,) = LENGTH.unpack(read_exactly(stream, LENGTH.size))
        frame: dict[str, Any] = json.loads(read_exactly(stream, size))
    return frame


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, or the end of this process: the host hung up."""
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data
