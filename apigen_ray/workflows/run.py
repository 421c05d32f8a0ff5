"""One run from config to data set: prepare, ask for what is missing, commit, count."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial

import pyarrow as pa
from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.datasets.card import dataset_card
from apigen_ray.errors import BadInput
from apigen_ray.models.endpoints import split_limits
from apigen_ray.models.response_cache import SAME_COMMAND, Limits, Summary
from apigen_ray.pipeline.dataset import Generation, Jury, end_early, generate
from apigen_ray.pipeline.session import ray_session
from apigen_ray.pipeline.shared_actors import RemoteCoordinator, RemotePools
from apigen_ray.prompting.sampler import Sampler, Task
from apigen_ray.prompting.seed_pool import Feedback
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Outcome
from apigen_ray.report.page import write_report
from apigen_ray.report.stats import COLUMNS, count
from apigen_ray.report.terminal import print_funnel, print_warnings
from apigen_ray.report.tracking import TrackSettings, check_tracker, track
from apigen_ray.run_folder.event_log import forwarding_logs
from apigen_ray.run_folder.rows import SCHEMA
from apigen_ray.run_folder.store import REPLIES, RunFolder, clear
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.collect import collect
from apigen_ray.workflows.manifest import check_same_run, identity_of, manifest_of
from apigen_ray.workflows.prepare import (
    check_styles,
    cluster_endpoints_of,
    endpoints_of,
    judge_settings,
    prepare_executor,
)
from apigen_ray.workflows.run_plan import RunPlan

log = logging.getLogger(__name__)


def run(
    config: RunConfig,
    *,
    fresh: bool,
    console: Console,
    keep_replies: bool = True,
    command: str = SAME_COMMAND,
) -> int:
    """Generate and verify what is missing from a run folder.

    Args:
        config: The run.
        fresh: Make all rows anew. Replies that are still valid are used again.
        console: Where progress and the funnel are shown.
        keep_replies: Use the replies kept in the run folder, and keep new ones there.
        command: What the user ran, to say how to go on.

    Returns:
        The exit code: 0 if every data point has an outcome other than `error`, else 1.

    Raises:
        BadInput: if the config, its files or this machine don't allow the run.
    """
    if fresh:
        clear(config.out, keeping=(REPLIES,) if keep_replies else ())
    folder = RunFolder(config.out)
    with folder.writing():
        run_plan = generate_missing(
            folder, config, console, keep_replies=keep_replies, command=command
        )
        return finish(folder, run_plan.requested, console, run_plan, config.track)


def generate_missing(
    folder: RunFolder,
    config: RunConfig,
    console: Console,
    *,
    keep_replies: bool = True,
    prompts_each: int | None = None,
    command: str = SAME_COMMAND,
) -> RunPlan:
    """Ask for the data points that a folder lacks; with `prompts_each`, only for its first prompts.

    Raises:
        BadInput: if the config, its files or this machine don't allow the run.
        StoreLost: if the folder can't be written any more.
    """
    check_tracker(config.track)
    library = load_library(config.tools)
    check_styles(config, library)
    seeds, notices = load_seeds(config.seeds, library.by_name())
    for notice in (*library.notices, *notices):
        console.print(notice, style="yellow")
    identity = identity_of(config, library.tools, seeds)
    check_same_run(folder, identity)
    run_plan = RunPlan(folder, config, sorted({tool.category for tool in library.tools}))
    tasks = run_plan.missing(prompts_each)
    if not tasks and not prompts_each and run_plan.extend():
        tasks = run_plan.missing()
    if not tasks:
        return run_plan
    with ExitStack() as stack:
        settings = {model.name: model for model in config.models} | judge_settings(config)
        endpoints = stack.enter_context(endpoints_of(settings, console))
        executor, image = prepare_executor(
            library,
            console,
            execute=config.execute,
            sandbox=config.sandbox,
            rest=config.rest,
        )
        manifest = manifest_of(config, identity, image, folder)
        console.print("starting Ray ...", style="dim")
        stack.enter_context(ray_session(folder.path / "ray.log"))
        endpoints = split_limits(
            endpoints | stack.enter_context(cluster_endpoints_of(settings, console))
        )
        replies = folder.path / REPLIES if keep_replies else None
        limits = Limits(config.budget_usd, config.max_tokens_total, command)
        coordinator = RemoteCoordinator(folder.path, replies, limits, *folder.spent())
        stack.enter_context(forwarding_logs(coordinator.log))
        log.info("run started", extra=manifest["attempts"][-1])
        generating = partial(
            generate,
            sampler=Sampler(library.tools, seeds, config.sampling, config.seed),
            check=config.check,
            executor=executor,
            jury=Jury(tuple(endpoints[key] for key in judge_settings(config)), config.votes),
            coordinator=coordinator,
            actors=config.actors,
        )
        while tasks:
            folder.write_json("manifest.json", {"requested": run_plan.requested} | manifest)
            rounds = {model: specs[-1].round + 1 for model, specs in run_plan.specs.items()}
            feedback = Feedback(config.feedback, seeds, library.by_name(), rounds, folder)
            pools = RemotePools()
            generations = [
                Generation(endpoints[model], missing, feedback.owner(model))
                for model, missing in tasks.items()
            ]
            feedback.expect(tasks)
            _settle(feedback, pools, SCHEMA.empty_table())
            with closing(generating(generations, pools=pools)) as rows:
                went_on = collect(
                    rows,
                    folder,
                    run_plan.requested,
                    console,
                    end=partial(end_early, coordinator, pools),
                    grace_s=config.grace_s,
                    committed=partial(_settle, feedback, pools),
                    activity=coordinator.activity,
                )
            if not went_on or prompts_each:
                break
            tasks = _left(run_plan, tasks)
        log.info("run ended")
        print_summary(coordinator.summary(), console)
    return run_plan


def _settle(feedback: Feedback, pools: RemotePools, rows: pa.Table) -> None:
    """Hand on the pools that can be made now that `rows` are committed."""
    feedback.settle(rows)
    for pool in feedback.ready():
        pools.publish(pool)


def _left(run_plan: RunPlan, tasks: Mapping[str, Sequence[Task]]) -> dict[str, list[Task]]:
    """What to ask next: what was put off, if not all of it was; or what the target lacks."""
    left = run_plan.missing()
    if left and sum(map(len, left.values())) < sum(map(len, tasks.values())):
        return left
    return run_plan.missing() if not left and run_plan.extend() else {}


def print_summary(summary: Summary, console: Console) -> None:
    """Say what was asked, and what did not have to be."""
    for notice in summary.notices:
        console.print(notice, style="yellow", soft_wrap=True)
    if summary.reused:
        console.print(f"{summary.reused:,} replies were kept from before and used again")


def finish(
    folder: RunFolder,
    requested: int,
    console: Console,
    run_plan: RunPlan | None = None,
    tracking: TrackSettings | None = None,
) -> int:
    """Count the rows, write the data set, the statistics and the report, print the funnel."""
    stats = count(folder.tables(COLUMNS), requested)
    manifest = folder.read_manifest() or {}
    surplus = run_plan.surplus() if run_plan else set()
    card = dataset_card(stats, manifest, folder.first_verified(), surplus=len(surplus))
    folder.write_json("stats.json", stats.as_json())
    with ThreadPoolExecutor(1) as pool:  # Arrow works at the one while Python does at the other
        written = pool.submit(folder.write_dataset, card, surplus)
        write_report(folder, stats)
        written.result()
    print_funnel(console, stats)
    print_warnings(console, folder.passed_over)
    if tracking:
        try:
            track(tracking, folder, stats)
        except BadInput as error:  # the run is none the worse for it
            console.print(f"not tracked: {error}", style="yellow", soft_wrap=True)
    if surplus:
        console.print(f"{len(surplus):,} verified data points beyond the target stay in samples")
    complaints = list(run_plan.complaints()) if run_plan else []
    for complaint in complaints:
        console.print(complaint, style="yellow", soft_wrap=True)
    console.print(f"run folder: {folder.path}", soft_wrap=True)
    errors = stats.whole.outcomes[Outcome.ERROR]
    if errors or stats.missing:
        console.print(
            f"{stats.missing} data points are missing and {errors} ended in an error; "
            "run the same command to continue",
            style="yellow",
            soft_wrap=True,
        )
    return 1 if errors or stats.missing or complaints else 0
