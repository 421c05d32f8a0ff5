"""The runner: holds the tools, warm, and makes each call in a fork that it then wipes out.

    python3 -s -E -B -u runner.py ADDRESS

Standard library only; it runs on any Python from 3.9. Read it with `child.py` (the fork),
`seccomp.py` (the system-call filter), `cleanup.py` (what happens after each call) and `egress.py`
(HTTP for tools, off by default).

ADDRESS is a unix socket on which the host listens. The host sends a configuration, the runner
imports the tool modules and says `ready`. Then each request is a group of calls that share a fork,
and each call is answered with the facts that this process measured (how it ended, in what time)
and the fork's bytes, which it never parses.

In a sidecar container ADDRESS is the folder in which hosts open such sockets: PID 1 only attends
to it, and a process below it is the runner.

Covered, for a call that does its worst, when the runner is PID 1 of a container without network,
with a read-only root, limits on memory and processes, and no capabilities:
    - the host, its files, its network and its environment;
    - this runner and the other calls: their arguments, results, memory and time;
    - whatever would outlive the call: processes, files, memory.
Not covered:
    - a call can lie about its own result;
    - tool modules are imported here, so a hostile *module* can falsify results of other tools in
      the same sandbox (not reach the host);
    - a flaw of the kernel (a gVisor runtime is the answer), and side channels such as timing;
    - without a container: see the notices of the bubblewrap and process transports.
"""

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import json
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

import binding
import child
import cleanup
import egress
import seccomp

# pathlib in this process would be copied, page by page, into every fork
# ruff: noqa: PTH106, PTH112, PTH118, PTH120, PTH208

PROTOCOL = 1
LENGTH = struct.Struct("!I")  # before JSON frames, request sizes and the fork's frames
ANSWER = struct.Struct("!B?idI")  # how it ended, worn, exit status or signal, seconds, text size
RESULT, TIMED_OUT, EXITED, SIGNALED, OUT_OF_MEMORY, FORGED = range(6)

MAX_FILE = 8 << 20
MAX_REQUEST = 32 << 20
SMALL = 64 << 10
ATTEND_INTERVAL_S = 0.1
IMPORT_TIMEOUT_S = 60
SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - the container's; wiped after each call
CO_COROUTINE = 0x80

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36


class Pages:
    """A buffer for untrusted bytes.

    Python objects would leave them in freed memory that later forks could read. These pages are
    cleared after use, and are not inherited unless `forked`.
    """

    def __init__(self, size, forked=False):
        self.map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if not forked and hasattr(mmap, "MADV_DONTFORK"):
            self.map.madvise(mmap.MADV_DONTFORK)
        self.view = memoryview(self.map)
        self.used = 0

    def read(self, descriptor, until):
        """Read once, up to the fill level `until`; -> number of bytes, 0 at the end."""
        count = os.readv(descriptor, [self.view[self.used : until]])
        self.used += count
        return count

    def fill(self, descriptor, size):
        """Read `size` bytes more; False when the other side hung up."""
        until = self.used + size
        while self.used < until:
            if not self.read(descriptor, until):
                return False
        return True

    def clear(self):
        """Zero what was used; many pages are given back instead, which zeroes them too."""
        if self.used > SMALL:
            self.map.madvise(mmap.MADV_DONTNEED)
        else:
            self.view[: self.used] = bytes(self.used)
        self.used = 0


class Fork:
    """A running fork, seen from the runner."""

    def __init__(self, pid, channel, output):
        self.pid = pid
        self.channel = channel
        self.output = output
        self.status = None  # as wait gives it, if it ended by itself


class Runner:
    """Serves one host connection."""

    def __init__(self, host, null, configuration, scratch):
        self.host = host
        self.null = null
        self.limits = configuration
        self.functions = {}
        self.request = Pages(MAX_REQUEST, forked=True)
        self.largest_frame = max(configuration["result_bytes"], 4 * child.MAX_MESSAGE) + 1
        self.frame = Pages(LENGTH.size + self.largest_frame + SMALL)
        self.output_bytes = configuration["output_bytes"]
        self.output = Pages(self.output_bytes + SMALL)  # what is over is read here and dropped
        self.scratch = scratch
        self.oom_kills = cleanup.OomKills()
        self.oom_score = cleanup.OomScore()
        self.poll = select.poll()
        self.poll.register(host, select.POLLRDHUP)

    def serve(self):
        """Answer requests until the host hangs up."""
        while True:
            sizes = self.read_request()
            if sizes is None:
                self.leave()
            first = 0
            while first < len(sizes):
                first = self.run_fork(sizes, first)
            self.request.clear()

    def read_request(self):
        """Read a group of calls into `request`; -> their sizes, None when the host hung up."""
        head = os.read(self.host, LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        (count,) = LENGTH.unpack(head)
        if not self.request.fill(self.host, LENGTH.size * count):
            return None
        sizes = struct.unpack(f"!{count}I", self.request.view[: self.request.used])
        self.request.clear()
        if sum(sizes) > MAX_REQUEST or not self.request.fill(self.host, sum(sizes)):
            return None
        return sizes

    def run_fork(self, sizes, first):
        """Make calls in one fork until one of them ends it; -> the index of the next call."""
        self.oom_kills.mark()
        fork = self.start_fork(sizes, first)
        index = first
        while True:
            started = time.monotonic()
            outcome = self.await_frame(fork, started + self.limits["timeout_s"])
            seconds = time.monotonic() - started
            index += 1
            if outcome != RESULT or index == len(sizes):
                break
            self.send_answer(RESULT, 0, seconds, worn=False)
            os.write(fork.channel, b"+")
        self.end(fork, outcome)
        code = 0
        if outcome == EXITED:
            outcome, code = self.explain_exit(fork.status)
        self.send_answer(outcome, code, seconds, worn=not cleanup.wipe(self.scratch))
        return index

    def start_fork(self, sizes, first):
        """Fork for the calls from `first` on."""
        channel, childs_channel = socket.socketpair()
        output, childs_output = os.pipe()
        requests = list(self.cut(sizes))[first:]
        self.oom_score.set_highest()
        pid = os.fork()
        if pid == 0:
            try:
                ends = (childs_channel.fileno(), childs_output, self.null)
                child.serve(self.functions, requests, ends, self.limits)
            finally:
                os._exit(70)
        self.oom_score.reset()
        childs_channel.close()
        os.close(childs_output)
        fork = Fork(pid, channel.detach(), output)
        self.poll.register(fork.channel, select.POLLIN)
        self.poll.register(fork.output, select.POLLIN)
        return fork

    def cut(self, sizes):
        """The request of each call."""
        end = 0
        for size in sizes:
            yield self.request.view[end : end + size]
            end += size

    def await_frame(self, fork, deadline):
        """Wait for the answer to one call, dropping what it prints over the cap; -> outcome."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return TIMED_OUT
            for descriptor, _ in self.poll.poll(left * 1000 + 1):
                if descriptor == self.host:
                    self.leave()
                elif descriptor == fork.output:
                    if not self.read_output(fork):
                        self.poll.unregister(fork.output)
                else:
                    outcome = self.read_frame(fork)
                    if outcome is not None:
                        return outcome

    def read_output(self, fork):
        """Take what was printed, so that printing never blocks a call; False at its end."""
        room = self.output_bytes if self.output.used < self.output_bytes else len(self.output.view)
        count = self.output.read(fork.output, room)
        self.output.used = min(self.output.used, self.output_bytes)
        return count > 0

    def read_frame(self, fork):
        """Take a part of the answer; -> outcome, None while there is more to come."""
        frame = self.frame
        if not frame.read(fork.channel, len(frame.view)):
            return EXITED
        if frame.used < LENGTH.size:
            return None
        (size,) = LENGTH.unpack(frame.view[: LENGTH.size])
        if size > self.largest_frame or frame.used > LENGTH.size + size:
            return FORGED
        return RESULT if frame.used == LENGTH.size + size else None

    def end(self, fork, outcome):
        """Leave nothing of the fork and of what it started."""
        if outcome == EXITED:
            fork.status = await_exit(fork.pid)
            os.set_blocking(fork.output, False)
            with contextlib.suppress(BlockingIOError):
                self.read_output(fork)  # its last words
        for descriptor in (fork.channel, fork.output):
            with contextlib.suppress(KeyError):  # the output that had ended
                self.poll.unregister(descriptor)
            os.close(descriptor)
        cleanup.sweep(self.limits["alone"])

    def explain_exit(self, status):
        """A fork ended without an answer: -> outcome, exit status or signal."""
        if status is None:  # it closed the channel and lived on
            return FORGED, 0
        if not os.WIFSIGNALED(status):
            return EXITED, os.WEXITSTATUS(status)
        if os.WTERMSIG(status) == signal.SIGKILL and self.oom_kills.happened():
            return OUT_OF_MEMORY, 0
        return SIGNALED, os.WTERMSIG(status)

    def send_answer(self, outcome, code, seconds, worn):
        """Tell the host how a call ended, with the fork's bytes, or what a crashed one printed."""
        text = b""
        if outcome == RESULT:
            text = self.frame.view[LENGTH.size : self.frame.used]
        elif outcome in (EXITED, SIGNALED):
            text = self.output.view[: self.output.used]
        send(self.host, ANSWER.pack(outcome, worn, code, seconds, len(text)), text)
        self.frame.clear()
        self.output.clear()

    def leave(self):
        """The host is gone: nobody waits for an answer."""
        cleanup.sweep(self.limits["alone"])
        cleanup.wipe(self.scratch)
        with contextlib.suppress(OSError):  # a plain process has a scratch folder of its own
            os.rmdir(self.scratch[0])
        os._exit(0)


def await_exit(pid):
    """The wait status of a fork that is about to end; None if it doesn't."""
    deadline = time.monotonic() + 0.1
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.001)
    return None


def send(descriptor, *parts):
    """Write all of the parts."""
    parts = [memoryview(part) for part in parts if len(part)]
    while parts:
        count = os.writev(descriptor, parts)
        while parts and count >= len(parts[0]):
            count -= len(parts.pop(0))
        if count:
            parts[0] = parts[0][count:]


def tell(host, **event):
    """Send the host a line about the start."""
    text = json.dumps(event).encode()
    send(host, LENGTH.pack(len(text)), text)


def receive_json(host):
    """One JSON frame from the host."""
    with open(host, "rb", buffering=0, closefd=False) as stream:
        (size,) = LENGTH.unpack(read_exactly(stream, LENGTH.size))
        return json.loads(read_exactly(stream, size))


def read_exactly(stream, size):
    """`size` bytes, or the end of this process: the host hung up."""
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def isolate(limits, scratch):
    """What holds for this process and is inherited by every fork."""
    libc = ctypes.CDLL(None)
    # No other process of this uid may trace this one, or open its memory or descriptors.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for kind, value in (
        (resource.RLIMIT_NOFILE, child.MAX_DESCRIPTORS),
        (resource.RLIMIT_AS, limits["address_space"]),
        (resource.RLIMIT_FSIZE, MAX_FILE),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_STACK, 8 << 20),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, 256),
    ):
        lower_limit(kind, value)
    os.environ.clear()
    os.environ.update(HOME=scratch[0], TMPDIR=scratch[0], LANG="C.UTF-8", PATH="/usr/local/bin")
    os.chdir(scratch[0])
    seccomp.install(limits["egress"])


def lower_limit(kind, value):
    """Lower a resource limit, for good. Some kernels (gVisor) lack some of them."""
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))


def load(host, null, configuration):
    """Import the tool modules; -> tool name to function. Says which module it is at, or failed."""
    # A watchdog without need of the interpreter lock: an import that hangs must not outlive us.
    faulthandler.dump_traceback_later(IMPORT_TIMEOUT_S, exit=True, file=null)
    sys.path[0] = configuration["tools"]
    # ours; a tool module may have the same name
    for name in ("binding", "child", "cleanup", "egress", "seccomp"):
        del sys.modules[name]
    functions = {}
    for tool, (module, function) in configuration["functions"].items():
        if module not in sys.modules:
            tell(host, event="loading", module=module)
        try:
            functions[tool] = binding.bound(resolve(module, function))
        except BaseException as error:  # also SystemExit: a module may do anything
            text = child.describe(error).decode()
            tell(host, event="failed", module=module, function=function, message=text)
            os._exit(1)
    if any(is_async(function) for function in functions.values()):
        importlib.import_module("asyncio")
    faulthandler.cancel_dump_traceback_later()
    return functions


def warm_up():
    """Run the path of a call, so that the interpreter has adapted its code before any fork."""
    for _ in range(100):
        child.answer({"echo": dict}, b'["echo", {"a": [1, 2.5, "x", null]}]', MAX_REQUEST)


def resolve(module, function):
    """The function that a module offers under a name: by `get_tools()`, or as an attribute."""
    offered = vars(importlib.import_module(module))
    if "get_tools" in offered:
        offered = offered["get_tools"]()
    if not callable(offered.get(function)):
        raise LookupError(f"no function {function}")
    return offered[function]


def is_async(function):
    """Whether a plain function is declared `async def`."""
    function = getattr(function, "__wrapped__", function)
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & CO_COROUTINE)


def connect(address):
    """A connection to the host that listens there, as a descriptor; None if nobody does."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        return None
    return connection.detach()


def serve(host, base):
    """Serve one host until it hangs up."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    configuration = receive_json(host)
    configuration["tools"] = os.path.join(base, configuration["tools"])
    given = os.environ.get("TMPDIR")
    scratch = [given] if given else [path for path in SCRATCH if os.access(path, os.W_OK)]
    runner = Runner(host, null, configuration, scratch)  # opens what isolation would close to it
    proxies = egress.hand_over(host) if configuration["egress"] else {}
    isolate(configuration, scratch)
    os.environ.update(proxies)
    cleanup.wipe(scratch)
    runner.functions = load(host, null, configuration)
    warm_up()
    # Collection in a fork would touch, and so copy, every page that holds an object.
    gc.collect()
    gc.freeze()
    gc.disable()
    tell(host, event="ready", protocol=PROTOCOL, python=sys.version)
    runner.serve()


def attend(folder):
    """Serve one host after another, each with a process of its own: the container outlives them.

    A host opens `folder/*/socket` for each runner that it wants.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    while True:
        for name in os.listdir(folder):
            host = connect(os.path.join(folder, name, "socket"))
            if host is None:
                continue
            pid = os.fork()
            if pid == 0:
                libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # until it has isolated itself
                serve(host, folder)
            os.close(host)
            os.waitpid(pid, 0)
            cleanup.sweep(alone=True)
        time.sleep(ATTEND_INTERVAL_S)


def main(address):
    """Serve the host at a socket; or, given a folder, whoever opens sockets in it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.path.isdir(address):
        attend(address)
    host = connect(address)
    if host is None:
        sys.exit(f"nobody listens at {address}")
    serve(host, os.path.dirname(address))


if __name__ == "__main__":
    main(sys.argv[1])
