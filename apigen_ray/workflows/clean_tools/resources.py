"""What a cleaning works with: the executor, the model, and the files that make it resumable."""

import asyncio
import os
from collections.abc import AsyncIterator, Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from upath import UPath

from apigen_ray.config import RunConfig
from apigen_ray.models import Model
from apigen_ray.models.budget import Limits
from apigen_ray.models.caching_model import CachingModel
from apigen_ray.models.clients import client_of
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.reply_store import Entry
from apigen_ray.models.response_cache import ResponseCache
from apigen_ray.records import Reply
from apigen_ray.run_folder.store import digest
from apigen_ray.stages.execute.dispatch import Dispatcher, ExecuteSettings
from apigen_ray.stages.execute.rest import RestCaller, RestSettings
from apigen_ray.stages.execute.sandbox import Sandbox, SandboxSettings, open_sandbox
from apigen_ray.tools.library import Library
from apigen_ray.workflows.clean_tools.access import Journal
from apigen_ray.workflows.clean_tools.cleaner import Settings, Step
from apigen_ray.workflows.prepare import NO_SERVERS, endpoints_of, prepare_executor

if TYPE_CHECKING:
    from apigen_ray.pipeline.executor import Executor


@dataclass(frozen=True, slots=True)
class Resources:
    """What is open while tools are cleaned."""

    executor: "Executor | None"
    """None if no tool is called."""
    model: Model | None
    """None if there is no config."""
    cache: ResponseCache
    journal: Journal

    @asynccontextmanager
    async def runner(self) -> AsyncIterator[Dispatcher]:
        """What calls the tools; when it is closed, so are the sandbox and the model."""
        executor = self.executor
        opening = asyncio.Lock()
        opened: list[Sandbox] = []
        async with AsyncExitStack() as stack:

            async def sandbox() -> Sandbox:
                assert executor is not None
                async with opening:
                    if not opened:
                        opened.append(await open_sandbox(executor.sandbox, executor.code))
                        stack.push_async_callback(opened[0].close)
                    return opened[0]

            rest = RestCaller(executor.rest if executor else RestSettings(), os.environ)
            stack.push_async_callback(rest.close)
            if self.model is not None:
                stack.push_async_callback(self.model.close)
            if executor is None:
                yield Dispatcher({}, rest, sandbox)
                return
            runner, mcp = executor.dispatcher(rest, sandbox)
            stack.push_async_callback(mcp.close)
            yield runner


@contextmanager
def open_resources(
    out: Path, library: Library, settings: Settings, config: RunConfig | None, console: Console
) -> Iterator[Resources]:
    """Open what the steps need.

    Raises:
        BadInput: if the model, the sandbox or a key is missing, or another process cleans into
            the same list.
    """
    with ExitStack() as stack:
        endpoint = None
        if config is not None:
            endpoints = endpoints_of({"model": config.models[0]}, console, UPath(out.parent))
            endpoint = stack.enter_context(endpoints)["model"]
        executor = None
        if Step.ACCESS in settings.steps:
            executor, _ = prepare_executor(
                library,
                console,
                execute=config.execute if config else ExecuteSettings(),
                sandbox=config.sandbox if config else SandboxSettings(),
                rest=config.rest if config else RestSettings(),
                mcp_servers=config.mcp_servers if config else NO_SERVERS,
            )
        limits = Limits(config.budget_usd, config.max_tokens_total) if config else Limits()
        cache = ResponseCache(beside(out, "replies"), limits)
        stack.callback(cache.close)
        journal = Journal(beside(out, "journal.jsonl"), _context(executor))
        stack.callback(journal.close)
        model = _model(endpoint, cache) if endpoint else None
        yield Resources(executor, model, cache, journal)


def beside(out: Path, suffix: str) -> Path:
    """The file beside a list with the list's name and another suffix."""
    return out.with_name(f"{out.name.removesuffix('.jsonl')}.{suffix}")


def _context(executor: "Executor | None") -> str:
    """A digest of all that a verdict depends on besides the tool and its arguments."""
    if executor is None:
        return ""
    code = [f"{name}:{content!r}" for name, content in sorted(executor.code.files.items())]
    limits = executor.sandbox.model_dump_json(exclude={"slots"})
    pace = {"per_host_concurrency", "per_host_rate", "retries"}
    rest = executor.rest.model_dump_json(exclude=pace)
    return digest([rest, limits, executor.settings.model_dump_json(), *code])


class _LocalResponseCache:
    """The cache as a model of the same process uses it."""

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        # In a thread: unpacking thousands of replies would let the calls in flight time out.
        self._reading = ThreadPoolExecutor(1)

    async def known(self) -> tuple[Container[str], str | None]:
        return self._cache.known()

    async def get(self, key: str) -> Reply | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self._cache.get, key)

    async def put(self, entries: Sequence[Entry]) -> str | None:
        return self._cache.put(entries)


def _model(endpoint: Endpoint, cache: ResponseCache) -> Model:
    return CachingModel(client_of(endpoint, cache.notice), endpoint, _LocalResponseCache(cache))
