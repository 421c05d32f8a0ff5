"""The fork that makes the calls. Everything here runs beside untrusted code, and may be lied to.

It leaves by `os._exit` and answers each call with one frame: a length, a kind byte, and text.
The runner and the host treat these bytes as opaque and possibly forged.
"""

import ctypes
import gc
import json
import os
import resource
import struct

import binding
import seccomp

VALUE, RAISED, OUT_OF_MEMORY, NOT_JSON, TOO_LARGE = b"V", b"R", b"M", b"N", b"L"
MAX_MESSAGE = 1000
MAX_DEPTH = 100
FRAME_LENGTH = struct.Struct("!I")

CHANNEL = 3
PR_SET_PDEATHSIG = 1
SIGKILL = 9
MAX_DESCRIPTORS = 256

_libc = ctypes.CDLL(None)


class NotJson(Exception):
    """The value has no faithful JSON form."""


class TooLarge(Exception):
    """The value's JSON text is over the cap."""


def serve(functions, requests, ends, limits):
    """Make the calls in order, answer each on the channel, and exit."""
    enter(*ends, cpu_s=len(requests) * int(limits["timeout_s"] + 1) + 1)
    for index, request in enumerate(requests):
        if index and not os.read(CHANNEL, 1):  # the runner has taken the answer before
            os._exit(0)
        send(answer(functions, request, limits["result_bytes"]))
    os._exit(0)


def enter(channel, output, null, cpu_s):
    """Keep four descriptors, and limit the CPU time."""
    os.setsid()
    channel, output = _above_standard(channel), _above_standard(output)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(channel, CHANNEL)
    os.closerange(CHANNEL + 1, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))  # counts from the fork on
    if os.getppid() != 1:  # PID 1 takes its namespace with it, and is deaf to it
        _libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        seccomp.install_signal_guard()
    gc.enable()


def _above_standard(descriptor):
    """A copy out of the way of the numbers that are about to be assigned."""
    while descriptor <= CHANNEL:
        descriptor = os.dup(descriptor)
    return descriptor


def answer(functions, request, result_bytes):
    """Make one call; -> kind byte and text."""
    try:
        name, arguments = json.loads(bytes(request))
        if name not in functions:
            return RAISED + f"NameError: no tool is named {name!r}".encode("utf-8", "replace")
        value = functions[name](**arguments)
        if hasattr(value, "__await__"):
            value = await_now(value)
    except MemoryError as error:
        return OUT_OF_MEMORY + describe(error)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the call's, not ours
        return RAISED + describe(error)
    try:
        return VALUE + to_json(value, result_bytes)
    except TooLarge as error:
        return TOO_LARGE + describe(error)
    except MemoryError as error:
        return OUT_OF_MEMORY + describe(error)
    except BaseException as error:
        return NOT_JSON + describe(error)


def await_now(awaitable):
    """Run an async tool to its end."""
    import asyncio  # noqa: PLC0415 - preloaded when a tool is async; costly for all others

    async def wait():
        return await awaitable

    return asyncio.run(wait())


def describe(error):
    """One line about an exception, whose own methods may be hostile."""
    try:
        text = str(error)
    except BaseException:
        text = "<no message>"
    name = "" if isinstance(error, (NotJson, TooLarge)) else type(error).__name__
    line = ": ".join(part for part in (name, text) if part)
    return line[:MAX_MESSAGE].encode("utf-8", "replace")


def to_json(value, result_bytes):
    """JSON text that means the same value. Tuples become lists, as `json` has it."""
    measure = Measure(result_bytes)
    measure.add(value, 0)
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=measure.plain).encode()
    if len(text) > result_bytes:
        raise TooLarge(f"the result has {len(text)} bytes, over {result_bytes}")
    return text


class Measure:
    """Refuses what `json` would coerce in silence, and a size that it would take long to write."""

    def __init__(self, result_bytes):
        self.limit = self.left = result_bytes

    def add(self, value, depth):
        """Count the characters that a value takes at the least."""
        if depth > MAX_DEPTH:
            raise NotJson(f"the result is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, str):
            self.spend(len(value) + 2)
        elif isinstance(value, dict):
            self.spend(2)
            for key, item in value.items():
                if not isinstance(key, str):
                    raise NotJson(f"a key of the result is not a string but {type(key).__name__}")
                self.spend(len(key) + 3)
                self.add(item, depth + 1)
        elif isinstance(value, (list, tuple)):
            self.spend(max(2, len(value)))
            for item in value:
                self.add(item, depth + 1)
        else:
            self.spend(1)

    def plain(self, value):
        """What stands for a value that JSON doesn't have."""
        told = binding.plain(value)
        self.add(told, 0)
        return told

    def spend(self, characters):
        """Take from the budget."""
        self.left -= characters
        if self.left < 0:
            raise TooLarge(f"the result has over {self.limit} bytes")


def send(frame):
    """Write one frame to the runner."""
    data = memoryview(FRAME_LENGTH.pack(len(frame)) + frame)
    while data:
        data = data[os.write(CHANNEL, data) :]
