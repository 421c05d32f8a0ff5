"""The folder of replies: every reply of a model, on disk before anything is done with it.

A run folder on an object store has its replies there, too. The store works on a copy on the local
disk, and uploads what is new every few seconds: replies since the last upload are paid for twice if
the machine is lost.
"""

import errno
import gzip
import json
import os
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO

import msgspec
from upath import UPath

from apigen_ray.models.reply_index import ReplyIndex
from apigen_ray.records import Reply
from apigen_ray.run_folder.hashed_keys import HashedKeys
from apigen_ray.run_folder.owned_folders import temporary_folder
from apigen_ray.run_folder.storage import atomic_write

SYNC_DELAY_S = 1.0
"""Written replies are synced to disk after this time: a power cut loses no more than that."""

UPLOAD_INTERVAL_S = 5.0
CHUNK_BYTES = 1 << 14
LARGEST_FILE = 1 << 44

Entry = tuple[str, Reply]
"""A reply, with the key of its request."""


class ReplyStore:
    """A folder of gzipped JSON lines; `zcat replies/*.gz` shows it all.

    It only grows. Each write is a complete gzip member; a process that is killed while writing
    leaves a truncated one at the end of its file, and the next process writes a file of its own.
    Replies written by a killed process are safe; a machine that loses power loses at most the last
    second.
    """

    def __init__(self, folder: Path | UPath) -> None:
        self._remote = None if isinstance(folder, Path) else folder
        self._folder = folder if isinstance(folder, Path) else _local_copy(folder)
        self._file: BinaryIO | None = None
        self._uploaded_at = time.monotonic()
        self._bytes_uploaded = 0
        self._syncing: threading.Timer | None = None
        self._closing = threading.Lock()
        self._index = ReplyIndex()
        self._files: list[Path] = []
        self.cost_usd = 0.0
        self.tokens = 0
        for path in sorted(self._folder.glob("*.jsonl.gz")):
            self._files.append(path)
            for offset, entries in _members(path):
                self._count(entries, offset)

    def known(self) -> HashedKeys:
        """The keys of all requests that have a reply."""
        return self._index.known()

    def get(self, key: str) -> Reply | None:
        """The reply to a request; None if there is none."""
        place = self._index.place(key)
        if place is None:
            return None
        number, offset = divmod(place, LARGEST_FILE)
        _, entries = next(_members(self._files[number], offset))
        return dict(entries).get(key)

    def put(self, entries: Sequence[Entry]) -> None:
        """Append replies, which then survive this process (on an object store: once uploaded)."""
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Named by time: the newest reply to a request counts.
            name = f"{time.time_ns():020d}-{os.getpid()}.jsonl.gz"
            self._file = (self._folder / name).open("xb", buffering=0)
            self._files.append(Path(self._file.name))
            self._bytes_uploaded = 0
        lines = _ENCODER.encode_lines({"key": key, **_fields_of(reply)} for key, reply in entries)
        offset = self._file.tell()
        member = gzip.compress(lines, compresslevel=6)
        try:
            if self._file.write(member) < len(member):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._file.close()
            self._file = None  # it may end in a truncated member
            raise
        self._count(entries, offset)
        if self._syncing is None:  # else a sync is due anyway
            self._syncing = threading.Timer(SYNC_DELAY_S, self._sync)
            self._syncing.daemon = True
            self._syncing.start()
        if time.monotonic() - self._uploaded_at > UPLOAD_INTERVAL_S:
            self.flush()

    def _sync(self) -> None:
        self._syncing = None  # first: later writes need another sync
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
        """Sync and close the file; another `put` starts a new one."""
        self._sync()
        with self._closing:
            if self._file is not None:
                self._file.close()
            self._file = None

    def flush(self) -> None:
        """Upload what the object store lacks: complete gzip members, in an object of their own.

        Raises:
            StoreLost: if the object store keeps failing.
        """
        if self._remote is None or self._file is None:
            return
        written = Path(self._file.name)
        with written.open("rb") as file:
            file.seek(self._bytes_uploaded)
            new = file.read()
        if new:
            name = f"{written.name.partition('.')[0]}-{self._bytes_uploaded:012d}.jsonl.gz"
            with atomic_write(self._remote / name) as handle:
                handle.write(new)
            self._bytes_uploaded += len(new)
        self._uploaded_at = time.monotonic()

    def _count(self, entries: Sequence[Entry], offset: int) -> None:
        """Count replies of a member of the last file."""
        for key, reply in entries:
            self._index.add(key, (len(self._files) - 1) * LARGEST_FILE + offset)
            self.cost_usd += reply.cost_usd
            self.tokens += reply.input_tokens + reply.output_tokens


_ENCODER = msgspec.json.Encoder()
_NAMES = [field.name for field in fields(Reply)]


def _fields_of(reply: Reply) -> dict[str, object]:
    """As `asdict`, which copies each value."""
    return {name: getattr(reply, name) for name in _NAMES}


def _local_copy(folder: UPath) -> Path:
    copy = temporary_folder("replies")
    if folder.exists():
        folder.fs.get(f"{folder.path}/", f"{copy}/", recursive=True)
    return copy


def _members(path: Path, offset: int = 0) -> Iterator[tuple[int, list[Entry]]]:
    """The complete gzip members of a file from `offset` on, each with its position."""
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            parts = []
            try:
                while not decompressor.eof and (chunk := file.read(CHUNK_BYTES)):
                    parts.append(decompressor.decompress(chunk))
            except zlib.error:
                return  # a lost disk block: what precedes it is good
            if not decompressor.eof:
                return  # the end of the file, or a truncated member
            lines = [json.loads(line) for line in b"".join(parts).split(b"\n") if line]
            yield offset, [(line.pop("key"), Reply(**line)) for line in lines]
            offset = file.tell() - len(decompressor.unused_data)
