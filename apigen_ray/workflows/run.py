"""One run from config to data set: prepare, ask for what is missing, commit, count."""

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from upath import UPath

from apigen_ray.config import RunConfig, as_config
from apigen_ray.models.budget import SAME_COMMAND, Limits
from apigen_ray.models.endpoints import Endpoint, split_limits
from apigen_ray.models.response_cache import Summary
from apigen_ray.pipeline.dataset import Generation, end_early, generate
from apigen_ray.pipeline.executor import Executor
from apigen_ray.pipeline.session import StartingRay, starting_ray
from apigen_ray.pipeline.shared_actors import RemoteCoordinator, RemotePools
from apigen_ray.prompting.calls_first import CallsFirstSampler
from apigen_ray.prompting.prompt_specs import Task
from apigen_ray.prompting.sampler import PromptSampler, Sampler
from apigen_ray.prompting.seed_pool import SeedPools, need_pools
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import JsonObject, Seed
from apigen_ray.report.activity import Activity
from apigen_ray.report.terminal import Notices
from apigen_ray.report.tracking import check_tracker
from apigen_ray.run_folder.rows import SCHEMA
from apigen_ray.run_folder.store import REPLIES, RunFolder, clear
from apigen_ray.tools.library import Library, load_library
from apigen_ray.workflows.audit.judge_audit import Pairs, audit_judges, choosing_pairs
from apigen_ray.workflows.collect import collect
from apigen_ray.workflows.drawn_calls import Drawing
from apigen_ray.workflows.finish import RunResult, finish, import_ahead
from apigen_ray.workflows.manifest import check_same_run, identity_of, manifest_of
from apigen_ray.workflows.prepare import (
    QUIET,
    asked_twice,
    check_reach,
    check_styles,
    cluster_endpoints_of,
    conversing_of,
    coordination,
    endpoints_of,
    judge_settings,
    jury_of,
    prepare_executor,
    settings_of,
)
from apigen_ray.workflows.reachable import reachable_tools
from apigen_ray.workflows.resume import RunPlan

log = logging.getLogger(__name__)


def run(
    config: RunConfig | Mapping[str, Any] | str | Path,
    *,
    fresh: bool = False,
    console: Console = QUIET,
    keep_replies: bool = True,
    command: str = SAME_COMMAND,
) -> RunResult:
    """Generate and verify what is missing from a run folder.

    Args:
        config: The run: a config, its values, or the YAML file or URL that holds them.
        fresh: Make all rows anew. Replies that are still valid are used again.
        console: Where progress and the funnel are shown; nowhere by default.
        keep_replies: Use the replies kept in the run folder, and keep new ones there.
        command: The command that continues the run, for messages.

    Returns:
        The counts and files of the run, whether or not it is complete.

    Raises:
        BadInput: if the config, its files or this machine don't allow the run.
        StoreLost: if the folder can't be written any more.
    """
    config = as_config(config)
    if fresh:
        clear(config.out, keeping=(REPLIES,) if keep_replies else ())
    folder = RunFolder(config.out)
    with (
        folder.writing(),
        generated(folder, config, console, keep_replies=keep_replies, command=command) as run_plan,
    ):
        return finish(folder, run_plan.requested, console, run_plan, config.track)


@contextmanager
def generated(
    folder: RunFolder,
    config: RunConfig,
    console: Console,
    *,
    prompts_each: int | None = None,
    keep_replies: bool = True,
    command: str = SAME_COMMAND,
) -> Iterator[RunPlan]:
    """Ask for the data points that the folder lacks.

    Args:
        folder: The run folder, open for writing.
        config: The run.
        console: As in `run`.
        prompts_each: Ask each model for its first prompts only, as a pilot.
        keep_replies: As in `run`.
        command: As in `run`.

    Yields:
        What the run asks for, once all rows are written; meanwhile Ray ends, in a thread.

    Raises:
        BadInput, StoreLost: as `run` does.
    """
    inputs = _read_inputs(config, console)
    check_same_run(folder, inputs.identity)
    run_plan = RunPlan(folder, config, sorted({tool.category for tool in inputs.library.tools}))
    tasks = run_plan.missing(prompts_each) if prompts_each else run_plan.next_tasks()
    if not tasks:
        yield run_plan
        return
    serving = endpoints_of(settings_of(config), console, folder.path)
    with serving as endpoints, starting_ray(folder.path / "ray.log") as starting:
        with _open_session(
            folder,
            config,
            console,
            inputs,
            endpoints=endpoints,
            starting=starting,
            replies=folder.path / REPLIES if keep_replies else None,
            limits=Limits(config.budget_usd, config.max_tokens_total, command),
        ) as session:
            session.audit_judges()
            while tasks and session.generate(tasks, run_plan):
                tasks = {} if prompts_each else run_plan.next_tasks(tasks)
        starting.end()
        yield run_plan


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What the prompts of a run are made of."""

    library: Library
    seeds: tuple[Seed, ...]
    identity: JsonObject
    """All that the rows depend on; see `manifest`."""


def _read_inputs(config: RunConfig, console: Console) -> _Inputs:
    check_tracker(config.track)
    library = reachable_tools(load_library(config.tools), config, console)
    check_styles(config, library)
    seeds, notices = load_seeds(config.seeds, library.by_name())
    for notice in (*library.notices, *notices):
        console.print(notice, style="yellow")
    return _Inputs(library, seeds, identity_of(config, library.tools, seeds))


@dataclass(frozen=True, slots=True)
class _Session:
    """A run with everything up: models, sandbox, Ray."""

    folder: RunFolder
    config: RunConfig
    console: Console
    inputs: _Inputs
    manifest: JsonObject
    endpoints: Mapping[str, Endpoint]
    executor: Executor
    coordinator: RemoteCoordinator
    notices: Notices
    pairs: Pairs

    def generate(self, tasks: Mapping[str, Sequence[Task]], run_plan: RunPlan) -> bool:
        """Ask for data points and commit them; returns False if that was stopped."""
        self.coordinator.begin_wave()
        self.folder.write_json("manifest.json", {"requested": run_plan.requested} | self.manifest)
        feedback = self._feedback(tasks, run_plan)
        pools = RemotePools(needed=need_pools(tasks.values()))
        committed = partial(_publish_pools, feedback, pools)
        committed(SCHEMA.empty_table())  # those that an earlier attempt has made
        with closing(self._rows(tasks, feedback, pools)) as rows:
            return collect(
                rows,
                self.folder,
                run_plan.requested,
                self.console,
                end=partial(end_early, self.coordinator, pools),
                grace_s=self.config.grace_s,
                committed=committed,
                activity=self._activity,
            )

    def audit_judges(self) -> None:
        """Test the judges before they are needed."""
        audit_judges(
            self.folder,
            self.config,
            self.pairs,
            judges={key: self.endpoints[key] for key in judge_settings(self.config)},
            cache=self.coordinator,
            console=self.console,
        )

    def _activity(self) -> Activity:
        """What is in progress; the user is told at once what the models' clients have noticed."""
        activity = self.coordinator.activity()
        self.notices.show(activity.notices)
        return activity

    def _sampler(self) -> PromptSampler:
        config, library, seeds = self.config, self.inputs.library, self.inputs.seeds
        sampler = Sampler(library.tools, seeds, config.sampling, config.seed)
        if config.strategy == "query_and_calls":
            return sampler
        drawing = Drawing(
            self.folder,
            config,
            library.tools,
            seeds,
            self.executor,
            self.coordinator,
            self.console,
        )
        drawn = drawing.drawn()
        return CallsFirstSampler(sampler, drawn.calls, drawn.chains)

    def _feedback(self, tasks: Mapping[str, Sequence[Task]], run_plan: RunPlan) -> SeedPools:
        rounds = {model: specs[-1].round + 1 for model, specs in run_plan.specs.items()}
        seeds, tools = self.inputs.seeds, self.inputs.library.by_name()
        feedback = SeedPools(self.config.feedback, seeds, tools, rounds, self.folder)
        feedback.expect(tasks)
        return feedback

    def _rows(
        self, tasks: Mapping[str, Sequence[Task]], feedback: SeedPools, pools: RemotePools
    ) -> Generator[pa.Table, None, None]:
        """The rows of all models as they come, from every stage."""
        config = self.config
        jury = jury_of(config, self.endpoints)
        jury = replace(jury, conversing=conversing_of(config, self.endpoints, jury))
        return generate(
            [
                Generation(self.endpoints[model], asked, feedback.owner(model))
                for model, asked in tasks.items()
            ],
            sampler=self._sampler(),
            check=config.check,
            executor=self.executor,
            jury=jury,
            coordinator=self.coordinator,
            pools=pools,
            actors=config.actors,
        )


@contextmanager
def _open_session(
    folder: RunFolder,
    config: RunConfig,
    console: Console,
    inputs: _Inputs,
    *,
    endpoints: Mapping[str, Endpoint],
    starting: StartingRay,
    replies: UPath | None,
    limits: Limits,
) -> Iterator[_Session]:
    """Bring up what a run needs while Ray starts, and take it down again."""
    settings = settings_of(config)
    notices = Notices(console)
    console.print("starting Ray ...", style="dim")
    executor, sandbox = prepare_executor(
        inputs.library,
        console,
        execute=config.execute,
        sandbox=config.sandbox,
        rest=config.rest,
        mcp_servers=config.mcp_servers,
    )
    manifest = manifest_of(config, inputs.identity, sandbox, folder)
    with choosing_pairs(folder, config, inputs.seeds, executor) as pairs:
        starting.wait()
        import_ahead()  # while actors start: before, Ray has use for the cores
        with (
            coordination(folder, replies, limits) as coordinator,
            cluster_endpoints_of(settings, console) as in_cluster,
        ):
            check_reach(settings)
            log.info("run started", extra=manifest["attempts"][-1])
            yield _Session(
                folder,
                config,
                console,
                inputs,
                manifest,
                split_limits(dict(endpoints) | in_cluster, asked_twice(config)),
                executor,
                coordinator,
                notices,
                pairs,
            )
            log.info("run ended")
            _print_summary(coordinator.summary(), notices, console)


def _publish_pools(feedback: SeedPools, pools: RemotePools, rows: pa.Table) -> None:
    """Publish the pools that can be made now that `rows` are committed."""
    feedback.settle(rows)
    for pool in feedback.ready():
        pools.publish(pool)


def _print_summary(summary: Summary, notices: Notices, console: Console) -> None:
    """Print what the model clients had to say and was not shown yet, and what was used again."""
    notices.show(summary.notices)
    if summary.reused:
        console.print(f"{summary.reused:,} replies were kept from before and used again")
