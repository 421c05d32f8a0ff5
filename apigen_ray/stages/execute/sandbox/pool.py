"""A pool of warm runners; each call goes to one that is free."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from apigen_ray.errors import SandboxLost
from apigen_ray.records import Call, CallResult, Failed, Reason
from apigen_ray.run_folder.owned_folders import OwnedFolder
from apigen_ray.stages.execute.rest.proxy import EgressProxy
from apigen_ray.stages.execute.sandbox.protocol import (
    MAX_REQUEST,
    Connection,
    Refused,
    configure,
    encode,
    take_listener,
)
from apigen_ray.stages.execute.sandbox.settings import EgressSettings, SandboxSettings
from apigen_ray.stages.execute.sandbox.toolcode import ToolCode

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 30.0
ATTEMPTS = 2


class Sandbox(Protocol):
    """Runs calls in isolation."""

    async def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """Make one data point's calls in order; all are tried, each has its own result.

        Raises:
            SandboxLost: the infrastructure failed, also at a second attempt.
        """
        ...

    async def close(self) -> None:
        """End the runners."""
        ...


class Process(Protocol):
    """A started runner: a container or a process."""

    async def wait(self) -> str:
        """Wait until it has ended; returns what is known about the cause."""
        ...

    async def stop(self) -> None:
        """End it; returns when nothing of it is left."""
        ...


class Transport(Protocol):
    """Starts runners of one kind."""

    sockets: Path
    """The folder for sockets, each in a folder of its own."""

    async def start(self, folder: Path) -> Process:
        """Start a runner that connects to `folder / "socket"`."""
        ...

    def configuration(self) -> dict[str, Any]:
        """What the runner needs to know: the tools' folder as it sees it, and its limits."""
        ...


@dataclass
class Slot:
    """A runner that is ready for calls."""

    connection: Connection
    process: Process
    proxy: EgressProxy | None

    async def close(self) -> None:
        """End the runner."""
        self.connection.close()
        if self.proxy:
            self.proxy.close()
        await self.process.stop()


async def open_slot(transport: Transport, code: ToolCode, settings: SandboxSettings) -> Slot:
    """Start a runner, and wait until it has imported the tools."""
    configuration = transport.configuration() | {"functions": code.functions}
    accepted, process, proxy = await start_runner(transport, configuration, settings.egress)
    reader, writer = await asyncio.open_unix_connection(sock=accepted)
    slot = Slot(Connection(reader, writer, settings.timeout_s), process, proxy)
    try:
        await slot.connection.ready(configuration)
    except BaseException:
        await slot.close()
        raise
    return slot


async def start_runner(
    transport: Transport, configuration: dict[str, Any], egress: EgressSettings | None
) -> tuple[socket.socket, Process, EgressProxy | None]:
    """Start a runner and send it its configuration; returns the channel to it."""
    with _listening(transport.sockets) as (listener, folder):
        process = await transport.start(folder)
        try:
            accepted = await _accept(listener, process)
            await configure(accepted, configuration)
            if not egress or not configuration["egress"]:
                return accepted, process, None
            proxy = EgressProxy(egress.hosts, egress.allow)
            proxy.start(await take_listener(accepted))
        except BaseException:
            await process.stop()
            raise
    return accepted, process, proxy


@contextlib.contextmanager
def _listening(sockets: Path) -> Iterator[tuple[socket.socket, Path]]:
    """A socket for a single use, in a folder of its own that only those who know its name reach."""
    owned = OwnedFolder("socket", sockets)
    folder = owned.path
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            folder.chmod(0o711)
            listener.bind(str(folder / "socket"))
            (folder / "socket").chmod(0o666)
            listener.listen(1)
            listener.setblocking(False)
            yield listener, folder
        finally:
            owned.remove()


async def _accept(listener: socket.socket, process: Process) -> socket.socket:
    accepting = asyncio.ensure_future(asyncio.get_running_loop().sock_accept(listener))
    ending = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait(
            (accepting, ending),
            timeout=CONNECT_TIMEOUT_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if accepting.done():
            return accepting.result()[0]
        if ending.done():
            raise SandboxLost(f"the sandbox ended at its start: {ending.result()}")
        raise SandboxLost(f"the sandbox did not connect within {CONNECT_TIMEOUT_S:.0f} s")
    finally:
        accepting.cancel()
        ending.cancel()


class Pool:
    """A sandbox of warm runners. One that failed, or could not clean up, is replaced at once."""

    def __init__(
        self,
        transport: Transport,
        code: ToolCode,
        settings: SandboxSettings,
        on_close: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._code = code
        self._on_close = on_close
        self._settings = settings
        self.egress_denials = 0
        """How often calls requested a host that they may not reach."""
        self._starts: set[asyncio.Task[Slot]] = set()
        self._ends: set[asyncio.Task[None]] = set()
        # Runners that are free, or about to be; whoever waits longest gets the next one.
        self._free: asyncio.Queue[asyncio.Task[Slot]] = asyncio.Queue()
        self._closed = False

    async def open(self) -> None:
        """Start all runners."""
        try:
            await asyncio.gather(*(self._start() for _ in range(self._settings.slots)))
        except BaseException:
            await self.close()
            raise

    async def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """Make one data point's calls in order."""
        results: dict[int, CallResult] = {}
        requests: dict[int, bytes] = {}
        for index, call in enumerate(calls):
            match encode(call):
                case Failed() as failed:
                    results[index] = failed
                case request:
                    requests[index] = request
        failures = 0
        while requests:
            try:
                async with self._slot() as slot:
                    await self._send_calls(slot, requests, results)
            except Refused:  # by a runner that has been replaced
                continue
            except SandboxLost:
                failures += 1
                if failures == ATTEMPTS:
                    raise
        return [results[index] for index in range(len(calls))]

    async def _send_calls(
        self, slot: Slot, requests: dict[int, bytes], results: dict[int, CallResult]
    ) -> None:
        """Move answered calls from `requests` to `results`, as long as the runner works."""
        connection = slot.connection
        for group in self._groups(requests):
            connection.send([requests[index] for index in group])
            for index in group:
                result = await connection.receive()
                results[index] = self._with_denials(result, slot.proxy) if slot.proxy else result
                del requests[index]
            if slot.proxy:
                slot.proxy.cut()

    def _with_denials(self, result: CallResult, proxy: EgressProxy) -> CallResult:
        """The result of a call; if it raised after a denial by the proxy, that is the reason."""
        denials = proxy.take_denials()
        self.egress_denials += len(denials)
        for denial in denials:
            log.warning("egress denied", extra={"why": denial})
        if not denials or not isinstance(result, Failed) or result.reason != Reason.RAISED:
            return result
        message = f"{denials[0]}; then it raised {result.message}"
        return Failed(Reason.EGRESS_DENIED, message, result.seconds)

    def _groups(self, requests: Mapping[int, bytes]) -> list[list[int]]:
        """The calls that share a fork."""
        fits = sum(len(one) + 1 for one in requests.values()) <= MAX_REQUEST
        if self._settings.fork_per == "data_point" and fits:
            return [list(requests)]
        return [[index] for index in requests]

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[Slot]:
        """Exclusive use of a runner; it is replaced if anything went wrong."""
        start = await self._take()
        try:
            yield start.result()
        except BaseException as error:
            self._replace(start, str(error) or type(error).__name__)
            raise
        self._free.put_nowait(start)

    async def _take(self) -> asyncio.Task[Slot]:
        """Wait for a free runner that is alive."""
        while True:
            start = await self._free.get()
            if self._closed:
                self._free.put_nowait(start)  # for others who wait
                raise SandboxLost("the sandbox is closed")
            try:
                slot = await asyncio.shield(start)
            except asyncio.CancelledError:
                self._free.put_nowait(start)
                raise
            except Exception as error:  # also BadInput: the modules did load at the start
                self._replace(start, str(error))
                raise SandboxLost(f"a runner could not be replaced: {error}") from error
            if not slot.connection.ended:
                return start
            self._replace(start, "the runner ended while it was free")

    def _start(self) -> asyncio.Task[Slot]:
        start = asyncio.create_task(open_slot(self._transport, self._code, self._settings))
        self._starts.add(start)
        self._free.put_nowait(start)
        return start

    def _replace(self, start: asyncio.Task[Slot], why: str) -> None:
        self._starts.discard(start)
        if not start.exception():
            end = asyncio.create_task(start.result().close())
            self._ends.add(end)
            end.add_done_callback(self._ends.discard)
        if not self._closed:
            log.warning("sandbox replaced", extra={"why": why})
            self._start()

    async def close(self) -> None:
        """End the runners, including those that are starting or busy."""
        if self._closed:
            return
        self._closed = True
        for start in self._starts:
            start.cancel()
            self._free.put_nowait(start)  # wakes those who wait for a runner
        opened = await asyncio.gather(*self._starts, return_exceptions=True)
        closing = [slot.close() for slot in opened if isinstance(slot, Slot)]
        await asyncio.gather(*closing, *self._ends, return_exceptions=True)
        self._on_close()
