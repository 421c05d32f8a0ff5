"""`apigen-ray audit`: what every check and judge catches, of rows that are wrong for sure."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console

from apigen_ray.config import RunConfig, as_config
from apigen_ray.errors import BadInput, InfrastructureError
from apigen_ray.models.budget import Limits
from apigen_ray.models.caching_model import CachingModel
from apigen_ray.models.clients import client_of
from apigen_ray.models.endpoints import Endpoint, split_limits
from apigen_ray.models.response_cache import LocalCache, ResponseCache
from apigen_ray.models.vllm import VllmEndpoint
from apigen_ray.pipeline.executor import Executor
from apigen_ray.pipeline.session import ray_session
from apigen_ray.report.audit_record import AUDIT, Audit
from apigen_ray.report.audit_tables import print_audit
from apigen_ray.report.quality import Quality
from apigen_ray.report.refresh import refresh
from apigen_ray.run_folder.store import REPLIES, RunFolder
from apigen_ray.stages.ballot import Judge
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.grounding import GroundingSettings
from apigen_ray.tools.library import Library, load_library
from apigen_ray.workflows.audit import sources
from apigen_ray.workflows.audit.checks import Runner, open_runner
from apigen_ray.workflows.audit.judges import Hearing, hear
from apigen_ray.workflows.audit.labelled import LabelledRows, labelled_rows
from apigen_ray.workflows.audit.measure import (
    Findings,
    examine_all,
    questions,
    records,
    refused,
    stages_of,
)
from apigen_ray.workflows.audit.sources import RightRows
from apigen_ray.workflows.prepare import (
    QUIET,
    cluster_endpoints_of,
    endpoints_of,
    judge_settings,
    prepare_executor,
    run_async,
)

OUT = "runs/audit"
"""Where the audit of something that is no run goes."""


def audit(
    data: str | Path | None = None,
    *,
    config: RunConfig | Mapping[str, Any] | str | Path | None = None,
    sample: int = 200,
    labels: str | Path | None = None,
    out: str | Path | None = None,
    console: Console = QUIET,
) -> Audit:
    """Ask every check, and the judges of a config, about right rows and about wrong ones.

    Args:
        data: A run folder, or other data; the seeds of the config if there is neither.
        config: Where judges, tools and settings come from; by default, the run's own.
        sample: How many right rows; as many right and wrong pairs go to the judges.
        labels: Labelled rows, in a form that `labels` lists, in place of rows made wrong.
        out: The folder that gets `audit.json`; by default, the run folder.
        console: Where the tables are shown; nowhere by default.

    Raises:
        BadInput: if there are no right rows, or the folder can't be written.
    """
    run = _run_folder(data)
    chosen, notices = _config_of(run, None if config is None else as_config(config))
    folder = RunFolder(out or (run.path if run else OUT))
    library = _library(chosen, notices)
    rows: RightRows | LabelledRows
    if labels is not None:
        rows = labelled_rows(Path(labels), run)
    else:
        rows = _right_rows(data, run, chosen, library, sample)
    notices += rows.notices
    quality: Quality | None = None
    with folder.writing():
        request = _Request(rows, chosen, library, folder, sample, notices)
        found = request.audited(console)
        folder.write_json(AUDIT, found.as_json())
        if run and run.path == folder.path:
            _, quality = refresh(run)
    print_audit(console, found)
    if quality and quality.clean_line:
        console.print(quality.clean_line, soft_wrap=True)
    console.print(f"audit: {folder.path / AUDIT}", soft_wrap=True)
    return found


def _run_folder(data: str | Path | None) -> RunFolder | None:
    if data is None:
        return None
    folder = RunFolder(data)
    return folder if folder.read_manifest() is not None else None


def _config_of(
    run: RunFolder | None, config: RunConfig | None
) -> tuple[RunConfig | None, list[str]]:
    """The config given, or else that of the run."""
    if config or run is None:
        return config, []
    own: Any = (run.read_manifest() or {}).get("config")
    if not own:
        return None, ["the run has no config: give --config for execution and judges"]
    try:
        return as_config(own), []
    except BadInput as error:
        return None, [f"{run.path}/manifest.json: {error}; give --config"]


def _library(config: RunConfig | None, notices: list[str]) -> Library:
    """The tools of the config; none, with a notice, if they are gone."""
    if config is not None:
        try:
            return load_library(config.tools)
        except BadInput as error:
            notices.append(f"{error}; calls are not run")
    return Library((), (), ())


def _right_rows(
    data: str | Path | None,
    run: RunFolder | None,
    config: RunConfig | None,
    library: Library,
    sample: int,
) -> RightRows:
    if run:
        return sources.of_run(run, sample, config.seed if config else 0)
    if data is not None:
        check = config.check if config else CheckSettings()
        return sources.of_data(str(data), library, check, sample)
    if config is None:
        raise BadInput("audit: give a run, data, or --config with seeds")
    return sources.of_seeds(config, library, sample)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is to be audited, and with what."""

    rows: RightRows | LabelledRows
    config: RunConfig | None
    library: Library
    folder: RunFolder
    sample: int
    notices: list[str]

    def audited(self, console: Console) -> Audit:
        executor = self._executor(console)
        with self._judges(console) as judges:
            return run_async(self._ask(executor, judges))

    @property
    def _reject(self) -> str:
        return (self.config.grounding if self.config else GroundingSettings()).reject

    def _executor(self, console: Console) -> Executor | None:
        if self.config is None or not self.library.tools:
            return None
        try:
            executor, _ = prepare_executor(
                self.library,
                console,
                execute=self.config.execute,
                sandbox=self.config.sandbox,
                rest=self.config.rest,
                mcp_servers=self.config.mcp_servers,
            )
        except BadInput as error:
            self.notices.append(f"{error}; calls are not run")
            return None
        if executor.sandbox.kind == "sidecar" and executor.code.functions:
            self.notices.append("sandbox: sidecars run on workers only; calls are not run")
            return None
        called = {name for case in self.rows.cases for name in case.called}
        if gone := sorted(name for name in called if not executor.can_run(name)):
            self.notices.append(
                f"{len(gone)} tools of the rows have no code any more, such as {gone[0]}: "
                "calls of these are not run"
            )
        return executor

    @contextmanager
    def _judges(self, console: Console) -> Iterator[dict[str, Endpoint]]:
        """The judges that answer, by name; a notice on each that doesn't."""
        if self.config is None:
            yield {}
            return
        endpoints: dict[str, Endpoint] = {}
        with ExitStack() as stack:
            for key, settings in judge_settings(self.config).items():
                one = {key: settings}
                try:
                    if isinstance(settings, VllmEndpoint):
                        stack.enter_context(ray_session(self.folder.path / "ray.log"))
                        endpoints |= stack.enter_context(cluster_endpoints_of(one, console))
                    else:
                        endpoints |= stack.enter_context(
                            endpoints_of(one, console, self.folder.path)
                        )
                except BadInput as error:
                    self.notices.append(f"judge {settings.name}: not audited: {error}")
            yield split_limits(endpoints)

    async def _ask(self, executor: Executor | None, endpoints: Mapping[str, Endpoint]) -> Audit:
        seed = self.config.seed if self.config else 0
        async with open_runner(executor) as runner:
            try:
                found = await self._examined(runner, seed)
            except InfrastructureError as error:
                self.notices.append(f"execution: {error}; calls are not run")
                found = await self._examined(None, seed)
        hearing = None
        if self.config and endpoints:
            asked = questions(found, self._reject, 2 * self.sample, Random(seed))
            hearing = await self._hear(self.config, endpoints, asked)
        recorded = self.rows.recorded
        return Audit(
            source=self.rows.source,
            caveat=self.rows.caveat,
            rows=len(found.right),
            sample=self.sample,
            grounding=self._reject,
            stages=stages_of(found),
            refused=refused(found.right),
            mutations=tuple(records(found, self._reject, hearing.verdicts if hearing else {})),
            judges=(*(hearing.judges if hearing else ()), *recorded.judges),
            jury=hearing.jury if hearing else None,
            agreements=(*(hearing.agreements if hearing else ()), *recorded.agreements),
            notices=tuple(self.notices),
        )

    async def _examined(self, runner: Runner | None, seed: int) -> Findings:
        check = self.config.check if self.config else CheckSettings()
        if isinstance(self.rows, LabelledRows):
            return await self.rows.examined(check, runner)
        return await examine_all(self.rows.cases, check, runner, seed=seed)

    async def _hear(
        self, config: RunConfig, endpoints: Mapping[str, Endpoint], asked: Sequence[Any]
    ) -> Hearing:
        limits = Limits(config.budget_usd, config.max_tokens_total)
        cache = ResponseCache(self.folder.path / REPLIES, limits)
        async with AsyncExitStack() as stack:
            stack.callback(cache.close)
            judges = []
            for endpoint in endpoints.values():
                client = client_of(endpoint, self.notices.append)
                model = CachingModel(client, endpoint, LocalCache(cache))
                stack.push_async_callback(model.close)
                judges.append(Judge(endpoint.name, model, endpoint.lists_requests))
            return await hear(judges, asked, config.votes, self._reject)
