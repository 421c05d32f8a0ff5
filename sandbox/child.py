"""The fork that makes the calls. Everything here runs beside untrusted code, which may lie to it.

It leaves by `os._exit` and answers each call with one frame: a length, a kind byte, and text.
The runner and the host treat these bytes as opaque and possibly forged.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

import binding
import seccomp

Functions = Mapping[str, Callable[..., Any]]
VALUE, RAISED, OUT_OF_MEMORY, NOT_JSON, TOO_LARGE = b"V", b"R", b"M", b"N", b"L"
MAX_MESSAGE = 1000
MAX_DEPTH = 100
HEAD = struct.Struct("!II")  # before a group: calls to leave out, and its size
SMALL = 4096
FRAME_LENGTH = struct.Struct("!I")
DECODE = json.JSONDecoder().scan_once  # type: ignore[attr-defined] # typeshed lacks it
SCALARS = frozenset({int, float, bool, type(None)})

ANSWERS, REQUESTS = 3, 4  # descriptors
PR_SET_PDEATHSIG = 1
SIGKILL = 9
MAX_DESCRIPTORS = 256

_libc = ctypes.CDLL(None)


class NotJson(Exception):
    """The value has no faithful JSON form."""


class TooLarge(Exception):
    """The value's JSON text is over the cap."""


def serve(
    functions: Functions,
    encoder: Encoder,
    ends: tuple[int, int, int, int],
    limits: dict[str, Any],
) -> NoReturn:
    """Wait for calls, make them in order, answer each, and exit."""
    enter(*ends)
    requests = receive(REQUESTS)
    if os.getppid() != 1:  # PID 1 takes its namespace with it, and is deaf to it
        guard(cpu_s=len(requests) * int(limits["timeout_s"] + 1) + 1)
    make(functions, requests, encoder, REQUESTS, ANSWERS)
    os._exit(0)


def enter(requests: int, answers: int, output: int, null: int) -> None:
    """Keep five descriptors, and no other."""
    os.setpgrp()  # for who signals its own group
    requests, answers, output = map(_above_kept, (requests, answers, output))
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(answers, ANSWERS)
    os.dup2(requests, REQUESTS)
    os.closerange(REQUESTS + 1, MAX_DESCRIPTORS)
    gc.enable()


def guard(cpu_s: int) -> None:
    """Guard a runner that is not PID 1: calls could signal it, and may outlive it."""
    end_with_parent()
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))  # counts from the fork on
    seccomp.install_signal_guard()


def end_with_parent() -> None:
    """Have the kernel end this process when its parent has ended."""
    _libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)


def _above_kept(descriptor: int) -> int:
    """A copy out of the way of the numbers that are about to be assigned."""
    while descriptor <= REQUESTS:
        descriptor = os.dup(descriptor)
    return descriptor


def receive(source: int) -> Sequence[bytes | bytearray]:
    """The requests of a group of calls, without those that an earlier fork has made."""
    start = os.read(source, SMALL)
    first, size = HEAD.unpack_from(start)
    texts: bytes | bytearray = start[HEAD.size :]
    if len(texts) < size:
        texts = complete(texts, size, source)
    return texts.split(b"\n")[first:]


def complete(start: bytes | bytearray, size: int, source: int) -> bytearray:
    """Read on until there are `size` bytes, or exit: the runner is gone."""
    data = bytearray(size)
    data[: len(start)] = start
    rest = memoryview(data)[len(start) :]
    while rest:
        count = os.readv(source, [rest])
        if not count:
            os._exit(0)
        rest = rest[count:]
    return data


def make(
    functions: Functions,
    requests: Sequence[bytes | bytearray],
    encoder: Encoder,
    source: int,
    sink: int,
) -> None:
    """Make the calls; each waits until the runner has taken the answer to the one before."""
    for index, request in enumerate(requests):
        if index and not os.read(source, 1):
            return
        send(sink, answer(functions, request, encoder))


def answer(functions: Functions, request: bytes | bytearray, encoder: Encoder) -> bytes:
    """Make one call; returns a kind byte and text."""
    try:
        name, arguments = DECODE(request.decode(), 0)[0]
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
        return VALUE + encoder.encode(value)
    except TooLarge as error:
        return TOO_LARGE + describe(error)
    except MemoryError as error:
        return OUT_OF_MEMORY + describe(error)
    except BaseException as error:
        return NOT_JSON + describe(error)


def await_now(awaitable: Awaitable[Any]) -> Any:
    """Run an async tool to its end."""
    import asyncio  # noqa: PLC0415 - preloaded when a tool is async; costly for all others

    async def wait() -> Any:
        return await awaitable

    return asyncio.run(wait())


def describe(error: BaseException) -> bytes:
    """One line about an exception, whose own methods may be hostile."""
    try:
        text = str(error)
    except BaseException:
        text = "<no message>"
    name = "" if isinstance(error, (NotJson, TooLarge)) else type(error).__name__
    line = ": ".join(part for part in (name, text) if part)
    return line[:MAX_MESSAGE].encode("utf-8", "replace")


class Encoder:
    """Makes JSON text that means the same value. Tuples become lists, as `json` has it."""

    def __init__(self, result_bytes: int) -> None:
        self.limit = self.left = result_bytes
        self.write = writer(self.plain)

    def encode(self, value: Any) -> bytes:
        """The text; raises NotJson for what has no faithful form, TooLarge over the cap."""
        self.left = self.limit
        self.measure(value, 0)
        text = self.write(value).encode()
        if len(text) > self.limit:
            raise TooLarge(f"the result has {len(text)} bytes, over {self.limit}")
        return text

    def measure(self, value: Any, depth: int) -> None:
        """Count the characters that a value takes at the least: what is too long isn't written.

        Refuses what `json` would coerce in silence.
        """
        size = 1
        if type(value) not in SCALARS:
            if depth > MAX_DEPTH:
                raise NotJson(f"the result is nested deeper than {MAX_DEPTH} levels")
            if isinstance(value, (str, list, tuple, dict)):
                size = len(value) + 2
        self.left -= size
        if self.left < 0:
            raise TooLarge(f"the result has over {self.limit} bytes")
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise NotJson(f"a key of the result is not a string but {type(key).__name__}")
                self.left -= len(key)
                self.measure(item, depth + 1)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.measure(item, depth + 1)

    def plain(self, value: Any) -> Any:
        """The JSON form of a value that JSON doesn't have."""
        form = binding.plain(value)
        self.measure(form, 0)
        return form


def writer(default: Callable[[Any], Any]) -> Callable[[Any], str]:
    """Writes values; `json` would make anew for each what is made here once.

    In a fork, that copies 40 pages. Cycles have been refused as too deep.
    """
    plain = json.JSONEncoder(allow_nan=False, ensure_ascii=False, default=default)
    strings, options = json.encoder.encode_basestring, (None, ": ", ", ", False, False, False)
    try:
        write = json.encoder.c_make_encoder(  # type: ignore[attr-defined] # typeshed lacks it
            None, default, strings, *options
        )
        write(0, 0)
    except TypeError:  # this Python has another one, or none
        return plain.encode
    return lambda value: "".join(write(value, 0))


def send(sink: int, frame: bytes) -> None:
    """Write one frame."""
    data = memoryview(FRAME_LENGTH.pack(len(frame)) + frame)
    while data:
        data = data[os.write(sink, data) :]
