"""Every reply is kept before anything is done with it: nothing is paid for twice.

`ReplyStore` is the folder of replies, `ResponseCache` what all clients of a run share (the replies,
the budget, and notices to the user), and `CachingModel` a model that goes through it. One cache
writes for a whole cluster, on the machine that holds the run folder: the other machines need no
shared disk, and no two processes write one file.

A run folder on an object store has its replies there, too. The cache works on a copy on its own
disk, and puts what is new every few seconds: as much may be paid for twice if its machine is lost.
"""

import asyncio
import errno
import gzip
import json
import logging
import os
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from upath import UPath

from apigen_ray import strict_json
from apigen_ray.errors import BudgetSpent, StoreLost
from apigen_ray.models import Model
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.structured_output import SCHEMATIC
from apigen_ray.records import JsonObject, Message, Reply
from apigen_ray.run_folder.storage import atomic_write
from apigen_ray.run_folder.store import digest

log = logging.getLogger(__name__)

SYNCED_S = 1.0
"""What was written is on the disk after this time, whatever happens to the machine."""

GROUPED_S = 0.05
"""Replies that come within this time are written together: a write costs more than a reply."""
CHUNK_BYTES = 1 << 14
SECONDS_PER_OBJECT = 5.0

Entry = tuple[str, Reply]


class ReplyStore:
    """A folder of gzipped JSON lines; `zcat replies/*.gz` shows it all.

    It only grows. Each write is a whole gzip member; a process that is killed while writing leaves
    a torn one at the end of its file, and the next process writes a file of its own. What a killed
    process has written is safe; a machine that loses power forgets the last second at most.
    """

    def __init__(self, folder: Path | UPath) -> None:
        self._remote = None if isinstance(folder, Path) else folder
        self._folder = folder if isinstance(folder, Path) else _copied(folder)
        self._file: BinaryIO | None = None
        self._put_at = time.monotonic()
        self._bytes_put = 0
        self._syncing: threading.Timer | None = None
        self._closing = threading.Lock()
        self._places: dict[str, tuple[Path, int]] = {}
        self.cost_usd = 0.0
        self.tokens = 0
        for path in sorted(self._folder.glob("*.jsonl.gz")):
            for offset, entries in _members(path):
                self._count(entries, (path, offset))

    def keys(self) -> frozenset[str]:
        """The requests that have a reply."""
        return frozenset(self._places)

    def get(self, key: str) -> Reply:
        """The reply to a request.

        Raises:
            KeyError: if there is none.
        """
        path, offset = self._places[key]
        _, entries = next(_members(path, offset))
        return dict(entries)[key]

    def put(self, entries: Sequence[Entry]) -> None:
        """Append replies: they outlive this process from here on (on an object store: soon)."""
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Named by time: the newest reply to a request counts.
            name = f"{time.time_ns():020d}-{os.getpid()}.jsonl.gz"
            self._file = (self._folder / name).open("xb", buffering=0)
            self._bytes_put = 0
        lines = [strict_json.dumps({"key": key, **asdict(reply)}) + "\n" for key, reply in entries]
        place = Path(self._file.name), self._file.tell()
        member = gzip.compress("".join(lines).encode(), compresslevel=6)
        try:
            if self._file.write(member) < len(member):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._file.close()
            self._file = None  # its end may be torn
            raise
        self._count(entries, place)
        if self._syncing is None:  # else what is written now goes with what was written before
            self._syncing = threading.Timer(SYNCED_S, self._sync)
            self._syncing.daemon = True
            self._syncing.start()
        if time.monotonic() - self._put_at > SECONDS_PER_OBJECT:
            self.flush()

    def _sync(self) -> None:
        self._syncing = None  # first: what is written from here on has to be synced again
        with self._closing:
            if (file := self._file) is None:
                return
            folder = os.open(self._folder, os.O_RDONLY)  # it holds the file's name
            try:
                os.fsync(file.fileno())
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        """Have all that was written on the disk, and the file closed; another `put` begins one."""
        self._sync()
        with self._closing:
            if self._file is not None:
                self._file.close()
            self._file = None

    def flush(self) -> None:
        """Put what an object store lacks: whole gzip members, in an object of their own.

        Raises:
            StoreLost: if it keeps refusing.
        """
        if self._remote is None or self._file is None:
            return
        written = Path(self._file.name)
        with written.open("rb") as file:
            file.seek(self._bytes_put)
            new = file.read()
        if new:
            name = f"{written.name.partition('.')[0]}-{self._bytes_put:012d}.jsonl.gz"
            with atomic_write(self._remote / name) as handle:
                handle.write(new)
            self._bytes_put += len(new)
        self._put_at = time.monotonic()

    def _count(self, entries: Sequence[Entry], place: tuple[Path, int]) -> None:
        for key, reply in entries:
            self._places[key] = place
            self.cost_usd += reply.cost_usd
            self.tokens += reply.input_tokens + reply.output_tokens


def _copied(folder: UPath) -> Path:
    copy = Path(tempfile.mkdtemp(prefix="apigen-ray-replies-"))
    if folder.exists():
        folder.fs.get(f"{folder.path}/", f"{copy}/", recursive=True)
    return copy


def _members(path: Path, offset: int = 0) -> Iterator[tuple[int, list[Entry]]]:
    """The whole gzip members of a file from `offset` on, each with its place."""
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            parts = []
            try:
                while not unpacking.eof and (chunk := file.read(CHUNK_BYTES)):
                    parts.append(unpacking.decompress(chunk))
            except zlib.error:
                return  # a block of the disk was lost: what stands before it is good
            if not unpacking.eof:
                return  # the end of the file, or a torn tail
            lines = [json.loads(line) for line in b"".join(parts).splitlines()]
            yield offset, [(line.pop("key"), Reply(**line)) for line in lines]
            offset = file.tell() - len(unpacking.unused_data)


SAME_COMMAND = "the same command with"


@dataclass(frozen=True, slots=True)
class Limits:
    """What all attempts at a run may take together; None is no limit."""

    budget_usd: float | None = None
    max_tokens_total: int | None = None
    command: str = SAME_COMMAND
    """What to run to go on, up to the `--set` of a higher limit."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a keeper has to say at the end."""

    paid: int
    """Replies that endpoints gave."""
    reused: int
    """Replies that were there already."""
    notices: tuple[str, ...]


class ResponseCache:
    """What the clients of a run share."""

    def __init__(
        self, folder: Path | UPath | None, limits: Limits, cost_usd: float = 0.0, tokens: int = 0
    ) -> None:
        """Open the store at `folder`; without one, start from what the rows say was spent."""
        self._store = ReplyStore(folder) if folder else None
        self._limits = limits
        self._cost_usd = self._store.cost_usd if self._store else cost_usd
        self._tokens = self._store.tokens if self._store else tokens
        self._paid = 0
        self._reused = 0
        self._notices: dict[str, None] = {}  # in the order they came
        self._ending = False
        self._unwritable: str | None = None

    def known(self) -> tuple[frozenset[str], str | None]:
        """The requests that have a reply, and the limit that is reached already, if any."""
        return self._store.keys() if self._store else frozenset(), self._reached()

    def get(self, key: str) -> Reply:
        """A reply that is there already."""
        assert self._store is not None
        self._reused += 1
        return replace(self._store.get(key), reused=True)

    def put(self, entries: Sequence[Entry]) -> str | None:
        """Keep replies; returns the limit that is reached now, if any."""
        if self._store:
            self._write(self._store, entries)
        self._paid += len(entries)
        self._cost_usd += sum(reply.cost_usd for _, reply in entries)
        self._tokens += sum(reply.input_tokens + reply.output_tokens for _, reply in entries)
        return self._reached()

    def end(self) -> None:
        """Nothing more is to be asked."""
        self._ending = True

    def ending(self) -> bool:
        """Whether nothing more is to be asked."""
        return self._ending

    def notice(self, text: str) -> None:
        """Have the run say something, once."""
        if text not in self._notices:
            log.warning("notice", extra={"text": text})
        self._notices[text] = None

    def summary(self) -> Summary:
        """What happened, with all replies kept by now."""
        if self._store:
            self._store.flush()
        return Summary(self._paid, self._reused, tuple(self._notices))

    def close(self) -> None:
        """Close the store."""
        if self._store:
            self._store.close()

    def _write(self, store: ReplyStore, entries: Sequence[Entry]) -> None:
        try:
            store.put(entries)
        except (OSError, StoreLost) as error:  # these have come; no more are asked for
            self._unwritable = f"replies can't be kept: {error}"

    def _reached(self) -> str | None:
        if self._unwritable:
            return self._unwritable
        budget, tokens = self._limits.budget_usd, self._limits.max_tokens_total
        if budget is not None and self._cost_usd >= budget:
            spent = f"budget_usd: {self._cost_usd:.4g} of {budget:g} are spent"
            return f"{spent}; to go on, run {self._limits.command} --set budget_usd={2 * budget:g}"
        if tokens is not None and self._tokens >= tokens:
            used = f"max_tokens_total: {self._tokens} of {tokens} are used"
            return (
                f"{used}; to go on, run {self._limits.command} --set max_tokens_total={2 * tokens}"
            )
        return None


class ResponseCacheClient(Protocol):
    """A keeper, wherever it lives."""

    async def known(self) -> tuple[frozenset[str], str | None]:
        """See `ResponseCache.known`."""
        ...

    async def get(self, key: str) -> Reply:
        """See `ResponseCache.get`."""
        ...

    async def put(self, entries: Sequence[Entry]) -> str | None:
        """See `ResponseCache.put`."""
        ...


class CachingModel:
    """A model whose replies are kept, and serve again when the same is asked again."""

    def __init__(self, model: Model, endpoint: Endpoint, cache: ResponseCacheClient) -> None:
        self._model = model
        self._endpoint = endpoint
        self._cache = cache
        self._known: frozenset[str] | None = None
        self._reached: str | None = None
        self._start = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._group: list[Entry] = []

    async def complete(
        self, messages: Sequence[Message], schema: JsonObject | None = None, *, sample: str = ""
    ) -> Reply:
        """Give the kept reply to a request, or ask for one and keep it.

        Raises:
            BudgetSpent: if it would have to be asked for, and the run may spend no more.
            EndpointError: as the model itself.
        """
        key = request_key(self._endpoint, messages, schema, sample)
        async with self._start:
            if self._known is None:
                self._known, self._reached = await self._cache.known()
        if key in self._known:
            return await self._cache.get(key)
        if self._reached:
            raise BudgetSpent(self._reached)
        reply = await self._model.complete(messages, schema, sample=sample)
        await self._keep(key, reply)
        return reply

    def end(self, why: str) -> None:
        """Ask nothing more: what is in flight is the last."""
        self._reached = why
        self._model.end(why)

    async def close(self) -> None:
        """Close connections."""
        await self._model.close()

    async def _keep(self, key: str, reply: Reply) -> None:
        group = self._group
        group.append((key, reply))
        async with self._writing:
            if group is self._group:  # else someone has written ours with theirs
                await asyncio.sleep(GROUPED_S)
                self._group = []
                self._reached = await self._cache.put(group)


def request_key(
    endpoint: Endpoint, messages: Sequence[Message], schema: JsonObject | None, sample: str
) -> str:
    """What a reply depends on: the model, not where it is served, and how it is asked.

    The schema is no part of it where the endpoint is not told.
    """
    told = schema if endpoint.response_format in SCHEMATIC else None
    asked = endpoint.model_dump(mode="json", include=_OF_REPLIES)
    said = [[message.role, message.content] for message in messages]
    return digest([strict_json.canonical([asked, said, told, sample])])


_OF_REPLIES = {"model", "temperature", "top_p", "max_tokens", "response_format", "extra_body"}
