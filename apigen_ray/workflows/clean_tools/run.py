"""One cleaning from tool list to tool list: read, prepare what is called and asked, write."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.models import Model
from apigen_ray.models.caching_model import CachingModel
from apigen_ray.models.clients import client_of
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.reply_store import Entry
from apigen_ray.models.response_cache import Limits, ResponseCache, Summary
from apigen_ray.records import JsonObject, PythonBackend, Reply
from apigen_ray.run_folder.store import digest
from apigen_ray.stages.execute.dispatch import Dispatcher, ExecuteSettings
from apigen_ray.stages.execute.rest import RestCaller, RestSettings
from apigen_ray.stages.execute.sandbox import Sandbox, SandboxSettings, open_sandbox
from apigen_ray.tools.importers.findings import Imported, imported_form, write_lines
from apigen_ray.tools.library import Library, load_library
from apigen_ray.workflows.clean_tools.access import Journal
from apigen_ray.workflows.clean_tools.cleaner import (
    Cleaner,
    Kept,
    Lost,
    Settings,
    Step,
    clean_all,
    sift,
)
from apigen_ray.workflows.prepare import endpoints_of, prepare_executor

if TYPE_CHECKING:
    from apigen_ray.pipeline.operators import Executor


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What became of the tools, in the order they were given: `tools = kept + lost`."""

    kept: tuple[Kept, ...]
    lost: tuple[Lost, ...]
    called: int
    """Calls made this time; others were made before."""
    asked: Summary

    def reasons(self) -> Counter[tuple[str, str, str]]:
        """How many were lost, by outcome, step and reason."""
        return Counter((lost.outcome, lost.step.value, lost.reason) for lost in self.lost)


def clean_tools(
    sources: Sequence[str],
    out: Path,
    settings: Settings,
    *,
    config: RunConfig | None,
    console: Console,
    seen: Callable[[Kept | Lost], None] = lambda _: None,
) -> Cleaning:
    """Clean tools, and write the list of those kept, and beside it what was lost and why.

    Args:
        sources: Tool lists, and the files and packages that hold the code of their Python tools.
        out: The list that is written. Beside it stand `.dropped.jsonl`, `.journal.jsonl` with the
            verdict of every call, and the folder `.replies` of what the model answered.
        settings: What is done.
        config: Where the model (the first of its `models`), and the settings of the sandbox and of
            REST calls come from; without one no model is asked.
        console: Where notices are shown.
        seen: Is told what became of each tool, as it comes.

    Raises:
        BadInput: if a file, the config or this machine don't allow it.
    """
    items, library = _read(sources, out)
    for notice in library.notices:
        console.print(notice, style="yellow", soft_wrap=True)
    fit, lost = sift(items, settings)
    for each in lost:
        seen(each)
    with ExitStack() as stack:
        endpoint = None
        if config is not None:
            endpoints = endpoints_of({"model": config.models[0]}, console)
            endpoint = stack.enter_context(endpoints)["model"]
        executor = None
        if Step.ACCESS in settings.steps:
            executor, _ = prepare_executor(
                Library(tuple(item.tool for item in fit), library.roots, ()),
                console,
                execute=config.execute if config else ExecuteSettings(),
                sandbox=config.sandbox if config else SandboxSettings(),
                rest=config.rest if config else RestSettings(),
            )
        limits = Limits(config.budget_usd, config.max_tokens_total) if config else Limits()
        cache = ResponseCache(beside(out, "replies"), limits)
        stack.callback(cache.close)
        journal = Journal(beside(out, "journal.jsonl"), _context(executor))
        stack.callback(journal.close)
        model = _model(endpoint, cache)

        async def settle() -> dict[str, Kept | Lost]:
            async with _running(executor) as runner:
                try:
                    return await clean_all(fit, Cleaner(settings, runner, journal, model), seen)
                finally:
                    if model is not None:
                        await model.close()

        settled = asyncio.run(settle())
    by_name = settled | {each.item.tool.name: each for each in lost}
    results = [by_name[item.tool.name] for item in items]
    kept = tuple(result for result in results if isinstance(result, Kept))
    cleaning = Cleaning(
        kept,
        tuple(result for result in results if isinstance(result, Lost)),
        journal.called,
        cache.summary(),
    )
    write_lines(out, map(kept_form, cleaning.kept))
    write_lines(beside(out, "dropped.jsonl"), map(lost_form, cleaning.lost))
    return cleaning


def _read(sources: Sequence[str], out: Path) -> tuple[list[Imported], Library]:
    if any(Path(source).resolve() == out.resolve() for source in sources):
        raise BadInput(f"--out {out}: the list that is read can't be the one that is written")
    if out.is_dir():
        raise BadInput(f"--out {out}: a folder, where a file is needed")
    out.parent.mkdir(parents=True, exist_ok=True)
    library = load_library(sources)
    known = {name: told for source in sources for name, told in _provenance(Path(source))}
    items = []
    for tool in library.tools:
        told = known.get(tool.name, {})
        source = told.get("source") or _source(tool.backend)
        items.append(Imported(tool, str(source), str(told.get("original_name") or tool.name)))
    return items, library


def _provenance(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the lines of a list say about where their tools came from."""
    if path.suffix != ".jsonl":
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            value = json.loads(line) if line.strip() else None
            if isinstance(value, dict) and isinstance(value.get("name"), str):
                yield value["name"], value


def _source(backend: object) -> str:
    return f"python:{backend.module}" if isinstance(backend, PythonBackend) else "list"


def beside(out: Path, ending: str) -> Path:
    """The file beside a list that has its name and another ending."""
    return out.with_name(f"{out.name.removesuffix('.jsonl')}.{ending}")


def _context(executor: "Executor | None") -> str:
    """All that a verdict depends on besides the tool and its arguments."""
    if executor is None:
        return ""
    code = [f"{name}:{content!r}" for name, content in sorted(executor.code.files.items())]
    limits = executor.sandbox.model_dump_json(exclude={"slots"})
    pace = {"per_host_concurrency", "per_host_rate", "retries"}
    rest = executor.rest.model_dump_json(exclude=pace)
    return digest([rest, limits, executor.settings.model_dump_json(), *code])


class _LocalResponseCache:
    """The response cache of a program that is one process."""

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        # Thousands of replies that are unpacked would hold up the calls under way, which time out.
        self._reading = ThreadPoolExecutor(1)

    async def known(self) -> tuple[frozenset[str], str | None]:
        return self._cache.known()

    async def get(self, key: str) -> Reply:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self._cache.get, key)

    async def put(self, entries: Sequence[Entry]) -> str | None:
        return self._cache.put(entries)


def _model(endpoint: Endpoint | None, cache: ResponseCache) -> Model | None:
    if endpoint is None:
        return None
    client = client_of(endpoint, cache.notice)
    return CachingModel(client, endpoint, _LocalResponseCache(cache))


@asynccontextmanager
async def _running(executor: "Executor | None") -> AsyncIterator[Dispatcher]:
    """What calls tools, as an executor of a run does."""
    opening = asyncio.Lock()
    opened: list[Sandbox] = []

    async def sandbox() -> Sandbox:
        assert executor is not None
        async with opening:
            if not opened:
                opened.append(await open_sandbox(executor.sandbox, executor.code))
            return opened[0]

    rest = RestCaller(executor.rest if executor else RestSettings(), os.environ)
    try:
        errors = executor.settings.errors if executor else ()
        yield Dispatcher(executor.rest_tools if executor else {}, rest, sandbox, errors)
    finally:
        await rest.close()
        for each in opened:
            await each.close()


def kept_form(kept: Kept) -> JsonObject:
    """A line of the list that is written: the arguments that worked are an example call."""
    form = imported_form(kept.item)
    if kept.before is not None:
        form["original_description"] = kept.before
    if kept.accessed is not None:
        arguments = kept.accessed.arguments
        parameters = kept.item.tool.parameters
        if arguments and not parameters.get("examples"):
            form["parameters"] = parameters | {"examples": [arguments]}
        form["access"] = {"arguments": arguments, "seconds": kept.accessed.verdict["seconds"]}
    return form


def lost_form(lost: Lost) -> JsonObject:
    """A line of the file beside it."""
    return {
        "name": lost.item.tool.name,
        "source": lost.item.source,
        "outcome": lost.outcome,
        "step": lost.step.value,
        "reason": lost.reason,
        "detail": lost.detail,
    }
