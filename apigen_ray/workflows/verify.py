"""Data made elsewhere, through the same stages as our own."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from apigen_ray import strict_json
from apigen_ray.config import GRACE_S, Actors, RunConfig
from apigen_ray.datasets.external import Batch, open_source, read_answers, read_batches
from apigen_ray.errors import BadInput
from apigen_ray.models.endpoints import split_limits
from apigen_ray.models.response_cache import Limits
from apigen_ray.pipeline.dataset import Jury, end_early
from apigen_ray.pipeline.dataset import verify as verified
from apigen_ray.pipeline.operators import Executor
from apigen_ray.pipeline.session import ray_session
from apigen_ray.pipeline.shared_actors import RemoteCoordinator
from apigen_ray.pipeline.steps import finished
from apigen_ray.records import Reason, Rejected, Stage
from apigen_ray.report.terminal import print_warnings
from apigen_ray.run_folder.event_log import forwarding_logs
from apigen_ray.run_folder.rows import Row, as_rows, as_table, rejected_row, with_column
from apigen_ray.run_folder.store import REPLIES, RunFolder, digest
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.execute.dispatch import ExecuteSettings
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import SandboxSettings
from apigen_ray.tools.library import Library, load_library
from apigen_ray.tools.write_forms import prompt_form
from apigen_ray.workflows.collect import collect
from apigen_ray.workflows.prepare import (
    cluster_endpoints_of,
    endpoints_of,
    judge_settings,
    prepare_executor,
)
from apigen_ray.workflows.run import finish

STAGES = ("format", "execution", "semantic")
WAVE = 20_000
"""Rows that go through Ray at once: no more of them wait in memory."""
MOST_UNREAD_SHOWN = 10


def verify(
    data: str,
    *,
    tools: Sequence[str],
    stages: Sequence[str],
    out: str | Path,
    config: RunConfig | None,
    console: Console,
    answers: Path | None = None,
) -> int:
    """Take the rows of a file through the stages asked for, into a run folder.

    Args:
        data: JSONL, Parquet, a folder of them or a data-set name, in a form of `elsewhere.forms`.
        tools: Sources of tools, for rows without any and for the code to execute.
        stages: Of `format`, `execution`, `semantic`; the first is always taken.
        out: The run folder.
        config: Where the judge and the settings of the stages come from.
        console: Where progress and the funnel are shown.
        answers: A file with the calls of the rows, if they stand apart, as BFCL's do.

    Returns:
        The exit code: 0 if every row has an outcome other than `error`, else 1; 1, too, if one of
        several files can't be read.

    Raises:
        BadInput: if a source can't be read, or the choice of stages is wrong. Rows that can't be
            read are no reason to stop: they fail stage 1.
    """
    for stage in stages:
        if stage not in STAGES:
            raise BadInput(f"--stages: {stage!r} is none of {', '.join(STAGES)}")
    if "semantic" in stages and config is None:
        raise BadInput(
            "--stages: `semantic` needs a judge: give --config, or --stages format,execution"
        )
    if "execution" in stages and not tools:
        raise BadInput("--stages: `execution` needs --tools with the code of the calls")
    library = load_library(tools) if tools else Library((), (), ())
    strictness = config.check if config else CheckSettings()
    source = open_source(data)
    if not source.count and not source.unread:
        raise BadInput(f"{data}: holds no rows")
    apart = read_answers(answers) if answers else {}
    folder = RunFolder(out)
    with ExitStack() as stack:
        stack.enter_context(folder.writing())
        made_with = {
            "data": data,
            "answers": str(answers) if answers else None,
            "tools": digest(strict_json.canonical(prompt_form(tool)) for tool in library.tools),
            "stages": list(stages),
            "check": strictness.model_dump(mode="json"),
        }
        _check_same(folder, made_with)
        manifest: dict[str, Any] = {
            "requested": source.count,
            "verify": made_with,
            "config": config.model_dump(mode="json") if config else {},
        }
        executor = jury = None
        if "execution" in stages:
            executor, manifest["sandbox"] = prepare_executor(
                library,
                console,
                execute=config.execute if config else ExecuteSettings(),
                sandbox=config.sandbox if config else SandboxSettings(),
                rest=config.rest if config else RestSettings(),
            )
        if "semantic" in stages and config:
            settings = judge_settings(config)
            endpoints = stack.enter_context(endpoints_of(settings, console))
            if len(endpoints) < len(settings):  # the cluster serves the others
                stack.enter_context(ray_session(folder.path / "ray.log"))
                endpoints |= stack.enter_context(cluster_endpoints_of(settings, console))
            jury = Jury(tuple(split_limits(endpoints)[key] for key in settings), config.votes)
        folder.write_json("manifest.json", manifest)
        batches = read_batches(source.chunks, library.tools, strictness, apart)
        reading = _Reading(batches, folder)
        tables: Iterator[pa.Table] = map(finished, reading)
        if executor or jury:
            limits = Limits(config.budget_usd, config.max_tokens_total) if config else Limits()
            actors = config.actors if config else Actors()
            tables = _through(
                reading, executor, jury, folder=folder, limits=limits, actors=actors, stack=stack
            )
        collect(
            tables,
            folder,
            source.count,
            console,
            end=reading.end,
            grace_s=config.grace_s if config else GRACE_S,
        )
        reading.report(console)
        print_warnings(console, source.unread)
        read = reading.points + source.lost
        requested = read if reading.done else max(source.count, read)
        folder.write_json("manifest.json", manifest | {"requested": requested})
        code = finish(folder, requested, console, tracking=config.track if config else None)
        return 1 if source.unread else code


class _Reading:
    """Rows as stage 1 leaves them, without those that an earlier attempt has settled."""

    def __init__(self, batches: Iterable[Batch], folder: RunFolder) -> None:
        self.points = 0
        """Data points read so far."""
        self.done = False
        """Whether all were."""
        self.ending = False
        self._batches = batches
        self._settled, self._tried = folder.attempts_by_id()
        self._seen = _Seen()
        self._unread: list[str] = []
        self._unread_count = 0
        self._renamed = 0
        self._first_renamed: str | None = None

    def end(self) -> None:
        """Read no more, and have what is in flight finish."""
        self.ending = True
        end_early()

    def __iter__(self) -> Iterator[pa.Table]:
        for batch in self._batches:
            if self.ending:
                return
            self._unread += batch.unread[: MOST_UNREAD_SHOWN - len(self._unread)]
            self._unread_count += len(batch.unread)
            yield self._left(self._named(batch.rows))
        self.done = True

    def report(self, console: Console) -> None:
        """Say which rows could not be read, and which were given another id."""
        print_warnings(console, self._unread)
        if self._unread_count > len(self._unread):
            console.print(f"... {self._unread_count:,} rows could not be read", style="yellow")
        if self._renamed:
            console.print(
                f"{self._renamed:,} ids stood more than once, the first {self._first_renamed!r}: "
                "the rows are kept as ID@PLACE",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )

    def _named(self, rows: pa.Table) -> pa.Table:
        """Rows by ids that no row before them has."""
        ids = rows["id"].to_pylist()
        again = [place for place, id_ in enumerate(ids) if not self._seen.add(id_)]
        if again:
            self._first_renamed = self._first_renamed or ids[again[0]]
            self._renamed += len(again)
            for place in again:
                ids[place] = f"{ids[place]}@{self.points + place + 1}"
            rows = with_column(rows, "id", ids)
        self.points += len(rows)
        return rows

    def _left(self, rows: pa.Table) -> pa.Table:
        """The rows that are not settled, with how often they were asked for."""
        if not self._settled and not self._tried:
            return rows
        ids = rows["id"].to_pylist()
        attempts = [self._tried.get(id_, 0) + 1 for id_ in ids]
        rows = with_column(rows, "attempts", attempts)
        return rows.filter(pa.array([id_ not in self._settled for id_ in ids], pa.bool_()))


class _Seen:
    """Ids. Those that number rows one after the other, as most data sets' do, take no memory."""

    def __init__(self) -> None:
        self._run = range(0)
        self._others: set[str] = set()

    def add(self, id_: str) -> bool:
        """Take an id in; say whether it is new."""
        number = int(id_) if len(id_) < 18 and id_.isascii() and id_.isdigit() else -1
        if str(number) != id_:  # such as 007
            number = -1
        if number in self._run or id_ in self._others:
            return False
        if number >= 0 and (not self._run or number == self._run.stop):
            self._run = range(self._run.start if self._run else number, number + 1)
        else:
            self._others.add(id_)
        return True


def _through(
    reading: _Reading,
    executor: Executor | None,
    jury: Jury | None,
    *,
    folder: RunFolder,
    limits: Limits,
    actors: Actors,
    stack: ExitStack,
) -> Iterator[pa.Table]:
    """What stage 1 rejected is done; the rest goes through Ray, in waves."""
    coordinator: RemoteCoordinator | None = None

    def wave(rows: Sequence[Row]) -> Iterator[pa.Table]:
        nonlocal coordinator
        if coordinator is None:
            stack.enter_context(ray_session(folder.path / "ray.log"))
            coordinator = RemoteCoordinator(
                folder.path, folder.path / REPLIES, limits, *folder.spent()
            )
            stack.enter_context(forwarding_logs(coordinator.log))
        yield from verified(
            as_table(rows), executor=executor, jury=jury, coordinator=coordinator, actors=actors
        )

    waiting: list[Row] = []
    for read in reading:
        rows = [_with_code(row, executor) for row in as_rows(read)]
        yield as_table([row for row in rows if row["outcome"]])
        waiting += [row for row in rows if not row["outcome"]]
        if len(waiting) >= WAVE:
            yield from wave(waiting)
            waiting = []
    if waiting and not reading.ending:
        yield from wave(waiting)


def _with_code(row: Row, executor: Executor | None) -> Row:
    """A row whose calls can't be run here is no bad sample: it is left for a run that can."""
    if row["outcome"] or not executor:
        return row
    for call in json.loads(row["answers"] or "[]"):
        name = call["name"]
        if name not in executor.code.functions and name not in executor.rest_tools:
            detail = f"{name}: no code among --tools, so its calls can't be run"
            return rejected_row(row, Stage.EXECUTE, Rejected(Reason.SANDBOX, detail))
    return row


def _check_same(folder: RunFolder, made_with: Mapping[str, Any]) -> None:
    before: Any = folder.read_manifest()
    if before is not None and before.get("verify") != made_with:
        raise BadInput(f"{folder.path}: holds another run; give another --out")
