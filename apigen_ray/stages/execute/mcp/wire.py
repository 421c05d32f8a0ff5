"""The bytes of a stdio server, held to limits before the SDK reads them.

A server may write anything: lines without end, text that is no message, notifications for ever, a
gigabyte of logs. The first breach ends the connection, and says what was wrong.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from apigen_ray.records import Reason

LINE_BYTES = 8 << 20
"""The longest message. A result may be smaller, by the sandbox's `result_bytes`."""
MESSAGES = 2_000
"""How many messages besides the answer a server may send during a call: progress, logs, requests.
"""
GARBAGE_LINES = 200
"""How many lines that are no message: servers print banners where they shouldn't."""
LOG_BYTES = 16 << 20
"""How much a server may write to stderr."""
KEPT_LOG_BYTES = 4096
LAST_WORDS_S = 0.2


@dataclass(frozen=True, slots=True)
class Breach:
    """What a server did that ends its connection."""

    reason: Reason
    message: str


class Wire:
    """The streams of a started server; a transport of the SDK."""

    def __init__(self, streams: tuple[socket.socket, socket.socket, socket.socket]) -> None:
        self._stdin, self._stdout, self._stderr = streams
        self._messages = self._garbage = self._log_bytes = 0
        self._log: deque[bytes] = deque()
        self.breach: Breach | None = None
        self.ended = asyncio.Event()
        """Set when the server says no more."""
        self._drained = asyncio.Event()

    def allow_more(self) -> None:
        """Count messages anew: another call begins."""
        self._messages = self._garbage = 0

    async def drained(self) -> None:
        """Wait until a server that has ended has been heard out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._drained.wait()

    @property
    def last_words(self) -> str:
        """The last line of what the server wrote to stderr."""
        text = b"".join(self._log).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        """The streams of messages, as the SDK takes them."""
        to_session, incoming = anyio.create_memory_object_stream[Any](0)
        outgoing, from_session = anyio.create_memory_object_stream[Any](0)
        stdin = (await asyncio.open_connection(sock=self._stdin))[1]
        stdout, out_writer = await asyncio.open_connection(sock=self._stdout, limit=LINE_BYTES)
        stderr, err_writer = await asyncio.open_connection(sock=self._stderr)
        async with anyio.create_task_group() as group:
            group.start_soon(self._receive, stdout, to_session)
            group.start_soon(self._send, from_session, stdin, to_session)
            group.start_soon(self._drain, stderr, to_session)
            try:
                yield incoming, outgoing
            finally:
                if self.ended.is_set():
                    with anyio.CancelScope(shield=True):
                        await self.drained()
                group.cancel_scope.cancel()
                for writer in (stdin, out_writer, err_writer):
                    writer.transport.abort()
                for stream in (to_session, incoming, outgoing, from_session):
                    stream.close()

    async def _receive(self, stdout: asyncio.StreamReader, to_session: Any) -> None:
        from mcp.shared.message import SessionMessage  # noqa: PLC0415 - takes half a second
        from mcp_types import jsonrpc_message_adapter  # noqa: PLC0415

        try:
            while line := await self._line(stdout):
                if not line.strip():
                    continue
                self._messages += 1
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except (ValueError, RecursionError):
                    self._garbage += 1
                    if self._garbage > GARBAGE_LINES:
                        self._fail(Reason.CRASHED, "it writes text to stdout that is no message")
                        return
                    continue
                if self._messages > MESSAGES:
                    detail = f"it sent over {MESSAGES:,} messages besides the answer"
                    self._fail(Reason.OUTPUT_TOO_LARGE, detail)
                    return
                await to_session.send(SessionMessage(message))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
        finally:
            self.ended.set()
            to_session.close()

    async def _line(self, stdout: asyncio.StreamReader) -> bytes:
        try:
            return await stdout.readline()
        except ValueError:
            detail = f"it sent a message of over {LINE_BYTES >> 20} MB"
            self._fail(Reason.OUTPUT_TOO_LARGE, detail)
        except OSError:
            pass
        return b""

    async def _send(self, messages: Any, stdin: asyncio.StreamWriter, to_session: Any) -> None:
        try:
            async for message in messages:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                stdin.write(text.encode() + b"\n")
                await stdin.drain()
        except OSError:  # the server has closed its end: no answer will come
            self.ended.set()
            to_session.close()

    async def _drain(self, stderr: asyncio.StreamReader, to_session: Any) -> None:
        try:
            while text := await stderr.read(1 << 16):
                self._log_bytes += len(text)
                self._log.append(text[-KEPT_LOG_BYTES:])
                while sum(map(len, self._log)) > 2 * KEPT_LOG_BYTES and len(self._log) > 1:
                    self._log.popleft()
                if self._log_bytes > LOG_BYTES:
                    detail = f"it wrote over {LOG_BYTES >> 20} MB to stderr"
                    self._fail(Reason.OUTPUT_TOO_LARGE, detail)
                    self.ended.set()
                    to_session.close()
                    return
        except OSError:
            return
        finally:
            self._drained.set()

    def _fail(self, reason: Reason, message: str) -> None:
        self.breach = self.breach or Breach(reason, message)
