"""One cleaning from tool list to tool list: read, sort out, call and ask, write."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.models.response_cache import Summary
from apigen_ray.records import JsonObject, PythonBackend
from apigen_ray.tools.importers.findings import Imported, imported_form, write_lines
from apigen_ray.tools.library import Library, load_library
from apigen_ray.workflows.clean_tools.cleaner import (
    Cleaner,
    Excluded,
    Kept,
    Settings,
    clean_all,
    select,
)
from apigen_ray.workflows.clean_tools.resources import beside, open_resources


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What became of the tools, in the order they were given: `tools = kept + excluded`."""

    kept: tuple[Kept, ...]
    excluded: tuple[Excluded, ...]
    called: int
    """Calls made this time, without those of earlier attempts."""
    asked: Summary

    def reasons(self) -> Counter[tuple[str, str, str]]:
        """How many were excluded, by outcome, step and reason."""
        return Counter((each.outcome, each.step.value, each.reason) for each in self.excluded)


def clean_tools(
    sources: Sequence[str],
    out: Path,
    settings: Settings,
    *,
    config: RunConfig | None,
    console: Console,
    on_result: Callable[[Kept | Excluded], None] = lambda _: None,
) -> Cleaning:
    """Clean tools, and write the list of those kept, and beside it those excluded and why.

    Args:
        sources: Tool lists, and the files and packages that hold the code of their Python tools.
        out: The list to write. Beside it: `.dropped.jsonl`, `.journal.jsonl` with the verdict of
            every call, and the folder `.replies` with the model's replies.
        settings: The steps, and how they are done.
        config: Where the model (the first of its `models`) and the settings of the sandbox and of
            REST calls come from; without one, no model is asked.
        console: Where notices are shown.
        on_result: Called with the result of each tool as it comes.

    Raises:
        BadInput: if a file or the config is wrong, or this machine can't do it.
    """
    items, library = _read(sources, out)
    for notice in library.notices:
        console.print(notice, style="yellow", soft_wrap=True)
    fit, excluded = select(items, settings)
    for each in excluded:
        on_result(each)
    callable_tools = Library(tuple(item.tool for item in fit), library.roots, ())
    with open_resources(out, callable_tools, settings, config, console) as resources:

        async def clean() -> dict[str, Kept | Excluded]:
            async with resources.runner() as runner:
                cleaner = Cleaner(settings, runner, resources.journal, resources.model)
                return await clean_all(fit, cleaner, on_result)

        results = asyncio.run(clean()) | {each.item.tool.name: each for each in excluded}
        ordered = [results[item.tool.name] for item in items]
        cleaning = Cleaning(
            kept=tuple(result for result in ordered if isinstance(result, Kept)),
            excluded=tuple(result for result in ordered if isinstance(result, Excluded)),
            called=resources.journal.called,
            asked=resources.cache.summary(),
        )
    write_lines(out, map(kept_form, cleaning.kept))
    write_lines(beside(out, "dropped.jsonl"), map(excluded_form, cleaning.excluded))
    return cleaning


def _read(sources: Sequence[str], out: Path) -> tuple[list[Imported], Library]:
    if any(Path(source).resolve() == out.resolve() for source in sources):
        raise BadInput(f"--out {out}: must not be one of the lists to read")
    if out.is_dir():
        raise BadInput(f"--out {out}: is a folder; must be a file")
    out.parent.mkdir(parents=True, exist_ok=True)
    library = load_library(sources)
    provenance = {name: line for source in sources for name, line in _provenance(Path(source))}
    items = []
    for tool in library.tools:
        line = provenance.get(tool.name, {})
        source = line.get("source") or _source(tool.backend)
        items.append(Imported(tool, str(source), str(line.get("original_name") or tool.name)))
    return items, library


def _provenance(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The lines of a list by the name of their tool: they say where it came from."""
    if path.suffix != ".jsonl":
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            value = json.loads(line) if line.strip() else None
            if isinstance(value, dict) and isinstance(value.get("name"), str):
                yield value["name"], value


def _source(backend: object) -> str:
    return f"python:{backend.module}" if isinstance(backend, PythonBackend) else "list"


def kept_form(kept: Kept) -> JsonObject:
    """A line of the list that is written: the arguments that worked are an example call."""
    form = imported_form(kept.item)
    if kept.original_description is not None:
        form["original_description"] = kept.original_description
    if kept.call is not None:
        arguments = kept.call.arguments
        parameters = kept.item.tool.parameters
        if arguments and not parameters.get("examples"):
            form["parameters"] = parameters | {"examples": [arguments]}
        form["access"] = {"arguments": arguments, "seconds": kept.call.verdict["seconds"]}
    return form


def excluded_form(excluded: Excluded) -> JsonObject:
    """A line of the file beside it."""
    return {
        "name": excluded.item.tool.name,
        "source": excluded.item.source,
        "outcome": excluded.outcome,
        "step": excluded.step.value,
        "reason": excluded.reason,
        "detail": excluded.detail,
    }
