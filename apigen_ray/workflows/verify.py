"""Data made elsewhere, through the same stages as our own."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from rich.console import Console
from upath import UPath

from apigen_ray import strict_json
from apigen_ray.config import GRACE_S, Actors, RunConfig, as_config
from apigen_ray.datasets.external import Batch, Source, read_answers, read_batches
from apigen_ray.datasets.external.padding import PaddedNulls
from apigen_ray.errors import BadInput
from apigen_ray.models.budget import Limits
from apigen_ray.models.endpoints import split_limits
from apigen_ray.pipeline.dataset import Jury, end_early
from apigen_ray.pipeline.dataset import verify as verify_on_ray
from apigen_ray.pipeline.executor import Executor
from apigen_ray.pipeline.session import ray_session
from apigen_ray.pipeline.shared_actors import RemoteCoordinator
from apigen_ray.pipeline.steps import finished
from apigen_ray.records import STAGE_OPTIONS, JsonObject, Stage
from apigen_ray.report.terminal import print_warnings
from apigen_ray.report.tracking import TrackSettings
from apigen_ray.run_folder.owned_folders import temporary_folder
from apigen_ray.run_folder.rows import Row, as_rows, as_table
from apigen_ray.run_folder.store import REPLIES, RunFolder, digest
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.execute.dispatch import ExecuteSettings
from apigen_ray.stages.execute.mcp import McpServers
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import SandboxSettings
from apigen_ray.stages.grounding import GroundingSettings
from apigen_ray.tools.library import Library
from apigen_ray.tools.write_forms import own_form
from apigen_ray.workflows.audit.judge_audit import audit_judges_with
from apigen_ray.workflows.collect import collect
from apigen_ray.workflows.external_rows import UnsettledRows, open_data
from apigen_ray.workflows.finish import RunResult, finish
from apigen_ray.workflows.manifest import agreement_identity
from apigen_ray.workflows.prepare import (
    NO_SERVERS,
    QUIET,
    cluster_endpoints_of,
    coordination,
    endpoints_of,
    jury_of,
    prepare_executor,
    verifier_settings,
)
from apigen_ray.workflows.reachable import error_if_unreachable, unreachable
from apigen_ray.workflows.tools import ToolSources, as_library

WAVE = 20_000
"""Rows that go through Ray at once: no more of them wait in memory."""


@dataclass(frozen=True, repr=False)
class VerifyResult(RunResult):
    """What a verification has come to, and where its files are."""

    unread: tuple[str, ...] = ()
    """Files of the data that could not be read, or not to their end, a line each."""

    @property
    def complete(self) -> bool:
        """Whether every data point has an outcome other than `error`, and every file was read."""
        return not self.unread and super().complete


def verify(
    data: str | Path | Iterable[Mapping[str, Any]],
    *,
    tools: ToolSources = (),
    stages: Iterable[Stage | str] = tuple(STAGE_OPTIONS),
    out: str | Path | None = None,
    config: RunConfig | Mapping[str, Any] | str | Path | None = None,
    console: Console = QUIET,
    answers: str | Path | None = None,
    padded_nulls: PaddedNulls = "keep",
) -> VerifyResult:
    """Take rows through the stages asked for, into a run folder.

    Stage 1 of large data runs in several processes: a script that calls this needs the usual
    `if __name__ == "__main__":`.

    Args:
        data: JSONL, Parquet, a folder of them, a data-set name, or rows as dicts; their forms are
            in `datasets.external.forms`.
        tools: A tool library, or its sources: for rows without tools, and for the code to execute.
        stages: Of `format`, `execution` and `semantic`; the first is always included.
        out: The run folder; by default, a temporary one that is deleted when this process ends.
        config: Where the judge and the settings of the stages come from.
        console: Where progress and the funnel are shown; nowhere by default.
        answers: A file with the calls of the rows, for data that keeps them apart, such as BFCL's.
        padded_nulls: Whether to `drop` nulls in arguments that look as if Arrow had put them there.

    Returns:
        The counts and files of the verification, whether or not it is complete.

    Raises:
        BadInput: if a source can't be read, or the choice of stages is wrong. Rows that can't be
            read don't stop it: they fail stage 1.
    """
    chosen = _read_stages(stages)
    settings = _Settings.of(None if config is None else as_config(config))
    if Stage.JUDGE in chosen and settings.config is None:
        raise BadInput(
            "stages: `semantic` needs a judge: give a config, or only the stages format,execution"
        )
    if Stage.EXECUTE in chosen and not tools:
        raise BadInput("stages: `execution` needs tools with the code of the calls")
    library = as_library(tools)
    source, name = open_data(data)
    request = _Request(source, name, answers, library, chosen, settings, padded_nulls)
    folder = RunFolder(temporary_folder("verify") if out is None else out)
    with folder.writing():
        _check_same(folder, request.made_with)
        return _verify_into(folder, request, console)


class _Settings(NamedTuple):
    """What a config says of the stages, or the defaults where there is none."""

    config: RunConfig | None = None
    check: CheckSettings = CheckSettings()
    execute: ExecuteSettings = ExecuteSettings()
    grounding: GroundingSettings = GroundingSettings()
    sandbox: SandboxSettings = SandboxSettings()
    rest: RestSettings = RestSettings()
    mcp_servers: McpServers = NO_SERVERS
    actors: Actors = Actors()
    limits: Limits = Limits()
    grace_s: float = GRACE_S
    track: TrackSettings | None = None

    @classmethod
    def of(cls, config: RunConfig | None) -> "_Settings":
        if config is None:
            return cls()
        return cls(
            config=config,
            check=config.check,
            execute=config.execute,
            grounding=config.grounding,
            sandbox=config.sandbox,
            rest=config.rest,
            mcp_servers=config.mcp_servers,
            actors=config.actors,
            limits=Limits(config.budget_usd, config.max_tokens_total),
            grace_s=config.grace_s,
            track=config.track,
        )


@dataclass(frozen=True, slots=True)
class _Request:
    """What is to be verified, and how."""

    source: Source
    name: str
    answers: str | Path | None
    library: Library
    stages: tuple[Stage, ...]
    settings: _Settings
    padded_nulls: PaddedNulls = "keep"

    @property
    def made_with(self) -> JsonObject:
        """All that the rows depend on: a folder may only be resumed with the same."""
        dropped: JsonObject = {"padded_nulls": "drop"} if self.padded_nulls == "drop" else {}
        return dropped | {
            "data": self.name,
            "answers": str(self.answers) if self.answers else None,
            "tools": digest(strict_json.canonical(own_form(t)) for t in self.library.tools),
            "stages": [stage.option for stage in self.stages],
            "check": self.settings.check.model_dump(mode="json"),
            "grounding": self.settings.grounding.model_dump(mode="json"),
            "agreement": agreement_identity(self.settings.config),
        }

    def checked(self) -> Iterator[Batch]:
        """The rows as stage 1 leaves them."""
        answers = read_answers(Path(self.answers)) if self.answers else {}
        given = self.library.tools, self.settings.check, answers, self.padded_nulls
        return read_batches(self.source.chunks, *given)


def _read_stages(stages: Iterable[Stage | str]) -> tuple[Stage, ...]:
    by_option: dict[str, Stage] = {option: stage for stage, option in STAGE_OPTIONS.items()}
    by_name: dict[str, Stage] = {stage.value: stage for stage in STAGE_OPTIONS}
    found = {stage: by_option.get(stage) or by_name.get(stage) for stage in stages}
    unknown = [stage for stage, known in found.items() if known is None]
    if unknown:
        raise BadInput(f"stages: must be of {', '.join(by_option)}, not {str(unknown[0])!r}")
    return tuple(stage for stage in found.values() if stage)


def _check_same(folder: RunFolder, made_with: JsonObject) -> None:
    before = folder.read_manifest()
    if before is not None and before.get("verify") != made_with:
        raise BadInput(f"{folder.path}: holds another run; choose another folder")


def _verify_into(folder: RunFolder, request: _Request, console: Console) -> VerifyResult:
    settings, source = request.settings, request.source
    rows = UnsettledRows(request.checked(), folder)
    with _prepared(request, folder, console) as verifiers:
        manifest: JsonObject = {
            "requested": source.count,
            "verify": request.made_with,
            "config": settings.config.model_dump(mode="json") if settings.config else {},
            **verifiers.described,
        }
        folder.write_json("manifest.json", manifest)
        _verify_rows(rows, verifiers, request, folder, console)
    rows.print_notices(console)
    print_warnings(console, source.unread)
    read = rows.count + source.lost
    requested = read if rows.exhausted else max(source.count, read)
    folder.write_json("manifest.json", manifest | {"requested": requested})
    result = finish(folder, requested, console, tracking=settings.track)
    return VerifyResult(result.folder, result.stats, unread=tuple(source.unread))


@dataclass(frozen=True, slots=True)
class _Verifiers:
    """What the stages after the first need; None for a stage that was not asked for."""

    executor: Executor | None
    jury: Jury | None
    described: JsonObject
    """Their part of the manifest."""
    unreachable: Mapping[str, str]
    """What keeps tools from being called, by their names."""

    def or_error(self, row: Row) -> Row:
        """A row, in error if its calls can't be run here."""
        return error_if_unreachable(row, self.executor, self.unreachable) if self.executor else row


@contextmanager
def _prepared(request: _Request, folder: RunFolder, console: Console) -> Iterator[_Verifiers]:
    settings = request.settings
    executor, jury = None, None
    described: JsonObject = {}
    causes: dict[str, str] = {}
    with ExitStack() as stack:
        if Stage.EXECUTE in request.stages:
            executor, described["sandbox"] = prepare_executor(
                request.library,
                console,
                execute=settings.execute,
                sandbox=settings.sandbox,
                rest=settings.rest,
                mcp_servers=settings.mcp_servers,
            )
            causes = unreachable(
                request.library.tools, settings.rest, os.environ, settings.mcp_servers
            )
        if Stage.JUDGE in request.stages and settings.config:
            jury = stack.enter_context(_jury(settings.config, folder.path, console))
        yield _Verifiers(executor, jury, described, causes)


@contextmanager
def _jury(config: RunConfig, folder: UPath, console: Console) -> Iterator[Jury]:
    settings = verifier_settings(config)
    with ExitStack() as stack:
        endpoints = stack.enter_context(endpoints_of(settings, console, folder))
        if len(endpoints) < len(settings):  # the cluster serves the others
            stack.enter_context(ray_session(folder / "ray.log"))
            endpoints |= stack.enter_context(cluster_endpoints_of(settings, console))
        yield jury_of(config, split_limits(endpoints))


def _verify_rows(
    rows: UnsettledRows,
    verifiers: _Verifiers,
    request: _Request,
    folder: RunFolder,
    console: Console,
) -> None:
    """Take rows through the stages after the first, and commit them as they come."""
    settings = request.settings

    def end() -> None:
        rows.stop()
        end_early()

    with ExitStack() as stack:

        @cache
        def coordinator() -> RemoteCoordinator:  # starts Ray, once a row needs it
            replies = folder.path / REPLIES
            stack.enter_context(ray_session(folder.path / "ray.log"))
            opened = stack.enter_context(coordination(folder, replies, settings.limits))
            if verifiers.jury and settings.config:
                audit_judges_with(
                    request.library,
                    folder,
                    settings.config,
                    executor=verifiers.executor,
                    judges=verifiers.jury.endpoints,
                    cache=opened,
                    console=console,
                )
            return opened

        tables: Iterator[pa.Table] = map(finished, rows)
        if verifiers.executor or verifiers.jury:
            through_ray = _through_ray(rows, verifiers, settings.actors, coordinator)
            tables = stack.enter_context(closing(through_ray))
        collect(tables, folder, request.source.count, console, end=end, grace_s=settings.grace_s)


def _through_ray(
    rows: UnsettledRows,
    verifiers: _Verifiers,
    actors: Actors,
    coordinator: Callable[[], RemoteCoordinator],
) -> Generator[pa.Table, None, None]:
    """Rows that stage 1 rejected are settled; the others go through Ray, in waves."""

    def wave(passed: Sequence[Row]) -> Iterator[pa.Table]:
        return verify_on_ray(
            as_table(passed),
            executor=verifiers.executor,
            jury=verifiers.jury,
            coordinator=coordinator(),
            actors=actors,
        )

    waiting: list[Row] = []
    for table in rows:
        checked = list(map(verifiers.or_error, as_rows(table)))
        yield as_table([row for row in checked if row["outcome"]])
        waiting += [row for row in checked if not row["outcome"]]
        if len(waiting) >= WAVE:
            yield from wave(waiting)
            waiting = []
    if waiting and not rows.stopped:
        yield from wave(waiting)
