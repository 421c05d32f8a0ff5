"""The host's side of the runner protocol, the same for every transport.

The runner's answers are measured by the runner and trusted in form only; the text inside came from
the call and may be anything: it is capped before it is read, and parsed as if forged.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

from apigen_ray import strict_json
from apigen_ray.errors import BadInput, SandboxLost
from apigen_ray.records import Call, CallResult, Failed, Json, Reason, Returned

PROTOCOL = 3  # of sandbox/runner.py; the structs are those of sandbox/service.py
LENGTH = struct.Struct("!I")
GROUP = struct.Struct("!II")
ANSWER = struct.Struct("!BidI")
RESULT, TIMED_OUT, EXITED, SIGNALED, OUT_OF_MEMORY, FORGED, REFUSED = range(7)

MAX_REQUEST = 32 << 20
MAX_EVENT = 64 << 10
MAX_DEPTH = 101  # of sandbox/child.py, which counts from zero
IMPORT_TIMEOUT_S = 30.0
GRACE_S = 10.0  # beyond a call's own time, to clean up; then the runner counts as lost

_REASONS = {
    b"R": Reason.RAISED,
    b"M": Reason.MEMORY,
    b"N": Reason.NOT_SERIALIZABLE,
    b"L": Reason.OUTPUT_TOO_LARGE,
}


class Refused(Exception):
    """A runner that could not clean up after its last call refuses the next: nothing was lost."""


class Connection:
    """A runner that is connected."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout_s = timeout_s
        self._result_bytes = 0
        self._output_bytes = 0

    async def ready(self, configuration: dict[str, Any]) -> None:
        """Wait until a runner that was sent this configuration has imported all modules.

        Raises:
            BadInput: a tool module can't be imported, or the image lacks what the runner needs.
            SandboxLost: the runner ended or did not answer.
        """
        self._result_bytes = configuration["result_bytes"]
        self._output_bytes = configuration["output_bytes"]
        module = None
        try:
            async with asyncio.timeout(IMPORT_TIMEOUT_S):
                while (event := await self._event()).get("event") == "loading":
                    module = event.get("module")
        except TimeoutError as error:
            if module is None:
                raise SandboxLost("the runner did not answer at its start") from error
            raise BadInput(
                f"tool module {module!r}: still importing after {IMPORT_TIMEOUT_S:.0f} s"
            ) from error
        except SandboxLost as error:
            if module is None:
                raise
            raise BadInput(f"tool module {module!r}: importing it ended the sandbox") from error
        if event.get("event") == "failed":
            module = event.get("module")
            what = f"tool module {module!r} does not load in the sandbox" if module else "sandbox"
            raise BadInput(f"{what}: {event.get('message')}")
        if event.get("protocol") != PROTOCOL:
            raise BadInput(
                "the sandbox image is of another version: run `apigen-ray sandbox build`"
            )

    async def _event(self) -> dict[str, Json]:
        """An event from the runner; a hostile module can send anything instead."""
        (size,) = LENGTH.unpack(await self._read(LENGTH.size))
        event: Json = None
        if size <= MAX_EVENT:
            with contextlib.suppress(ValueError):
                event = _parse(await self._read(size))
        if not isinstance(event, dict):
            raise SandboxLost("the runner broke the protocol at its start")
        return event

    def send(self, group: Sequence[bytes]) -> None:
        """Request calls that share a fork."""
        texts = b"\n".join(group)  # JSON texts have no line ends
        self._writer.write(GROUP.pack(len(group), len(texts)) + texts)

    async def receive(self) -> CallResult:
        """The result of the next call that was requested."""
        try:
            async with asyncio.timeout(self._timeout_s + GRACE_S):
                await self._writer.drain()
                head = await self._read(ANSWER.size)
                outcome, code, seconds, size = ANSWER.unpack(head)
                if size > max(self._result_bytes, self._output_bytes) + MAX_EVENT:
                    raise SandboxLost("the runner broke the protocol")
                text = await self._read(size)
        except TimeoutError as error:
            raise SandboxLost("the runner did not answer in time") from error
        except ConnectionError as error:
            raise SandboxLost("the runner ended") from error
        if outcome == REFUSED:
            raise Refused
        return self._read_answer(outcome, code, seconds, text)

    async def _read(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise SandboxLost("the runner ended") from error

    def _read_answer(self, outcome: int, code: int, seconds: float, text: bytes) -> CallResult:
        if outcome == RESULT:
            return read_frame(text, seconds)
        if outcome == TIMED_OUT:
            return Failed(Reason.TIMEOUT, f"no result in {self._timeout_s:g} s", seconds)
        if outcome == OUT_OF_MEMORY:
            return Failed(Reason.MEMORY, "killed at the memory limit", seconds)
        if outcome == EXITED:
            return Failed(Reason.CRASHED, f"exited with status {code}{_last_line(text)}", seconds)
        if outcome == SIGNALED:
            return Failed(Reason.CRASHED, f"killed by signal {code}{_last_line(text)}", seconds)
        if outcome == FORGED:
            return Failed(Reason.CRASHED, "the answer was malformed", seconds)
        raise SandboxLost("the runner broke the protocol")

    @property
    def ended(self) -> bool:
        """Whether the runner is known to have closed the connection."""
        return self._reader.at_eof()

    def close(self) -> None:
        """Close the connection, which ends the runner."""
        self._writer.close()


async def configure(channel: socket.socket, configuration: dict[str, Any]) -> None:
    """Send the tools' names and the limits to a runner that has connected.

    Raises:
        SandboxLost: it has ended.
    """
    text = json.dumps(configuration | {"import_timeout_s": IMPORT_TIMEOUT_S}).encode()
    try:
        await asyncio.get_running_loop().sock_sendall(channel, LENGTH.pack(len(text)) + text)
    except ConnectionError as error:
        raise SandboxLost("the runner ended") from error


async def take_listener(channel: socket.socket) -> socket.socket:
    """The socket that a runner configured with `egress` listens at, and hands over at once.

    Raises:
        BadInput: it sent none.
        SandboxLost: the runner did not answer.
    """
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(channel, ready.set)
    try:
        async with asyncio.timeout(IMPORT_TIMEOUT_S):
            await ready.wait()
    except TimeoutError as error:
        raise SandboxLost("the runner did not answer at its start") from error
    finally:
        loop.remove_reader(channel)
    try:
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError as error:
        raise SandboxLost("the runner ended") from error
    if not descriptors:
        raise BadInput(
            "sandbox.egress: the sandbox can't pass its socket on: a sandbox.runtime with a"
            " kernel of its own (gVisor, Kata) keeps it"
        )
    return socket.socket(fileno=descriptors[0])


def encode(call: Call) -> bytes | Failed:
    """A call as the runner's JSON."""
    try:
        request = json.dumps([call.name, call.arguments], allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        return Failed(Reason.RAISED, f"the arguments are not JSON: {error}", 0.0)
    if len(request) > MAX_REQUEST:
        return Failed(Reason.RAISED, f"the arguments are over {MAX_REQUEST >> 20} MB", 0.0)
    return request


def read_frame(frame: bytes, seconds: float) -> CallResult:
    """The result that a call reports about itself."""
    kind, text = frame[:1], frame[1:]
    if kind in _REASONS:
        return Failed(_REASONS[kind], text.decode("utf-8", "replace"), seconds)
    if kind != b"V":
        return Failed(Reason.CRASHED, "the answer was malformed", seconds)
    try:
        return Returned(_parse(text), seconds)
    except ValueError as error:
        return Failed(Reason.NOT_SERIALIZABLE, f"the result is not JSON: {error}", seconds)


def _parse(frame: bytes) -> Json:
    """The JSON value of a frame, whose size is capped before."""
    text = frame.decode("utf-8")
    return strict_json.parse(text, max_characters=len(text), max_depth=MAX_DEPTH)


def _last_line(printed: bytes) -> str:
    lines = printed.decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1][:300]}" if lines else ""
