"""One run from config to data set: prepare, ask for what is missing, commit, count."""

from collections.abc import Sequence
from contextlib import ExitStack, closing

from rich.console import Console

from apigen_ray.card import dataset_card
from apigen_ray.collecting import collect
from apigen_ray.config import RunConfig
from apigen_ray.manifest import check_same_run, identity_of, manifest_of
from apigen_ray.models.replies import Limits, Summary
from apigen_ray.pipeline import Generation, Jury, RemoteKeeper, generate, ray_session
from apigen_ray.preparation import check_styles, endpoints_of, judge_settings, prepare_executor
from apigen_ray.records import Outcome
from apigen_ray.report.page import write_report
from apigen_ray.report.stats import COLUMNS, count
from apigen_ray.report.terminal import print_funnel
from apigen_ray.sampling import Ask, Sampler, plan
from apigen_ray.seeds import load_seeds
from apigen_ray.stages import Task, point_id
from apigen_ray.store import REPLIES, RunFolder, clear
from apigen_ray.tools import load_library


def run(config: RunConfig, *, fresh: bool, console: Console, keep_replies: bool = True) -> int:
    """Generate and verify what is missing from a run folder.

    Args:
        config: The run.
        fresh: Make all rows anew. Replies that are still valid are used again.
        console: Where progress and the funnel are shown.
        keep_replies: Use the replies kept in the run folder, and keep new ones there.

    Returns:
        The exit code: 0 if every data point has an outcome other than `error`, else 1.

    Raises:
        BadInput: if the config, its files or this machine don't allow the run.
    """
    if fresh:
        clear(config.out, sparing=(REPLIES,) if keep_replies else ())
    folder = RunFolder(config.out)
    with folder.writing():
        fill(folder, config, console, keep_replies=keep_replies)
        return conclude(folder, config.requested, console)


def fill(
    folder: RunFolder,
    config: RunConfig,
    console: Console,
    *,
    keep_replies: bool = True,
    prompts_each: int | None = None,
) -> None:
    """Ask for the data points that a folder lacks; with `prompts_each`, only for its first prompts.

    Raises:
        BadInput: if the config, its files or this machine don't allow the run.
    """
    library = load_library(config.tools)
    check_styles(config, library)
    seeds, notices = load_seeds(config.seeds, library.by_name())
    for notice in (*library.notices, *notices):
        console.print(notice, style="yellow")
    identity = identity_of(config, library.tools, seeds)
    check_same_run(folder, identity)
    asks = plan(config.points, config.sampling.pairs_per_prompt)[:prompts_each]
    tasks = _missing(folder, asks, [model.name for model in config.models])
    if not any(tasks.values()):
        return
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
        folder.write_json("manifest.json", manifest_of(config, identity, image, folder))
        console.print("starting Ray ...", style="dim")
        stack.enter_context(ray_session(folder.path / "ray.log"))
        replies = folder.path / REPLIES if keep_replies else None
        limits = Limits(config.budget_usd, config.max_tokens_total)
        keeper = RemoteKeeper(replies, limits, *folder.spent())
        rows = generate(
            [Generation(endpoints[name], missing) for name, missing in tasks.items() if missing],
            sampler=Sampler(library.tools, seeds, config.sampling, config.seed),
            check=config.check,
            executor=executor,
            jury=Jury(tuple(endpoints[key] for key in judge_settings(config)), config.votes),
            keeper=keeper,
            actors=config.actors,
        )
        with closing(rows):
            requested = sum(ask.count for ask in asks) * len(config.models)
            collect(rows, folder, requested, console)
        print_summary(keeper.summary(), console)


def print_summary(summary: Summary, console: Console) -> None:
    """Say what was asked, and what did not have to be."""
    for notice in summary.notices:
        console.print(notice, style="yellow", soft_wrap=True)
    if summary.reused:
        console.print(f"{summary.reused:,} replies were kept from before and used again")


def conclude(folder: RunFolder, requested: int, console: Console) -> int:
    """Count the rows, write the data set, the statistics and the report, print the funnel."""
    stats = count(folder.tables(COLUMNS), requested)
    manifest = folder.read_manifest() or {}
    folder.write_dataset(dataset_card(stats, manifest, folder.first_verified()))
    folder.write_json("stats.json", stats.as_json())
    write_report(folder, stats)
    print_funnel(console, stats)
    console.print(f"run folder: {folder.path}", soft_wrap=True)
    errors = stats.whole.outcomes[Outcome.ERROR]
    if not errors and not stats.missing:
        return 0
    console.print(
        f"{stats.missing} data points are missing and {errors} ended in an error; "
        "run the same command to continue",
        style="yellow",
        soft_wrap=True,
    )
    return 1


def _missing(
    folder: RunFolder, asks: Sequence[Ask], models: Sequence[str]
) -> dict[str, list[Task]]:
    """The tasks of each model: the prompts with data points that no committed row settles."""
    settled, tried = folder.attempts_by_id()
    tasks: dict[str, list[Task]] = {model: [] for model in models}
    for model in models:
        for ask in asks:
            ids = {point: point_id(model, ask.index, point) for point in range(ask.count)}
            wanted = {p: tried.get(id_, 0) for p, id_ in ids.items() if id_ not in settled}
            if wanted:
                tasks[model].append(Task(ask, wanted))
    return tasks
