"""One run from config to data set: prepare, ask for what is missing, commit, count."""

import asyncio
import importlib.metadata
import os
import platform
import signal
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from apigen_ray import __version__, jsontext, prompts
from apigen_ray.card import dataset_card
from apigen_ray.config import ModelSettings, RunConfig
from apigen_ray.errors import BadInput, EndpointError
from apigen_ray.execution import ExecuteSettings, RestTools
from apigen_ray.models.openai import Endpoint, OpenAIModel
from apigen_ray.models.replies import Limits, Summary
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.pipeline import (
    Executor,
    Generation,
    Jury,
    RemoteKeeper,
    generate,
    ray_session,
)
from apigen_ray.records import (
    JsonObject,
    Outcome,
    PythonBackend,
    Reason,
    RestBackend,
    Seed,
    Stage,
    Tool,
    VirtualBackend,
)
from apigen_ray.report.page import write_report
from apigen_ray.report.stats import COLUMNS, count
from apigen_ray.report.terminal import Progress, print_funnel
from apigen_ray.rest import RestSettings
from apigen_ray.sampling import ONE_TOOL_STYLES, Ask, Sampler, pair_form, plan
from apigen_ray.sandbox import (
    SandboxSettings,
    ToolCode,
    choose_kind,
    ensure_image,
    open_sandbox,
    pack,
)
from apigen_ray.seeds import load_seeds
from apigen_ray.stages import Task, point_id
from apigen_ray.store import REPLIES, Row, RunFolder, clear, digest
from apigen_ray.tools import Library, load_library, prompt_form

ROWS_PER_PART = 256
SECONDS_PER_PART = 5.0
"""What was paid for is on disk after this time, or this many rows, whichever comes first."""

HOPELESS = 100
IN_A_ROW = 20
"""When half of the last hundred data points end in an error, or the last twenty all do, the rest
is not asked for: something is broken for good, such as a key that has expired."""


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
    path = Path(config.out)
    if fresh:
        clear(path, sparing=(REPLIES,) if keep_replies else ())
    folder = RunFolder(path)
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
    _check_styles(config, library)
    seeds, notices = load_seeds(config.seeds, library.by_name())
    for notice in (*library.notices, *notices):
        console.print(notice, style="yellow")
    identity = _identity(config, library.tools, seeds)
    _check_same_run(folder, identity)
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
        folder.write_json("manifest.json", _manifest(config, identity, image, folder))
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


class Breaker:
    """Says when it makes no sense to go on."""

    def __init__(self) -> None:
        self._errors: deque[bool] = deque(maxlen=HOPELESS)
        self._not_asked = 0
        self._why: str | None = None

    def add(self, row: Row) -> None:
        """Look at a row that has come."""
        if row["reason"] == Reason.BUDGET:
            self._not_asked += 1
            self._why = row["detail"]
        elif row["reason"] != Reason.CONTEXT_LENGTH:  # that prompt's own fault
            self._errors.append(row["outcome"] == Outcome.ERROR)
            self._why = row["detail"] if self._errors[-1] else self._why

    @property
    def verdict(self) -> str | None:
        """Why to stop; None to go on."""
        errors = list(self._errors)
        if self._not_asked >= HOPELESS:  # what was under way when the limit was reached, has come
            return self.limit
        if sum(errors) * 2 >= HOPELESS:
            return (
                f"stopping: half of the last {HOPELESS} data points ended in an error: {self._why}"
            )
        if len(errors) >= IN_A_ROW and all(errors[-IN_A_ROW:]):
            return f"stopping: the last {IN_A_ROW} data points ended in an error: {self._why}"
        return None

    @property
    def limit(self) -> str | None:
        """The limit that was reached, if one was."""
        return f"stopping: {self._why}" if self._not_asked else None


def _never_asked(row: Row) -> bool:
    """Whether a row is only there because its prompt came after the limit: it stays missing."""
    return row["reason"] == Reason.BUDGET and row["stage"] == Stage.GENERATE


def collect(
    rows: Iterable[Sequence[Row]], folder: RunFolder, requested: int, console: Console
) -> None:
    """Commit rows as they come, and show the progress. Ctrl-C and SIGTERM end it early."""
    before = _outcomes(folder)
    waiting: list[Row] = []
    breaker = Breaker()
    committed = time.monotonic()
    with _terminable(), Progress(console, requested, before) as progress:
        try:
            for batch in rows:
                for row in batch:
                    breaker.add(row)
                    if not _never_asked(row):
                        waiting.append(row)
                        progress.add(str(row["outcome"]), row["cost_usd"])
                progress.show()
                if breaker.verdict:
                    break
                due = time.monotonic() - committed > SECONDS_PER_PART
                if waiting and (due or len(waiting) >= ROWS_PER_PART):
                    folder.commit(waiting)
                    waiting, committed = [], time.monotonic()
        except KeyboardInterrupt:
            console.print("stopping: what has come is kept", style="yellow")
        finally:
            if waiting:
                folder.commit(waiting)
    if why := breaker.verdict or breaker.limit:
        console.print(why, style="red", soft_wrap=True)


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


# --- what is missing


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


def _outcomes(folder: RunFolder) -> Counter[str]:
    """What is settled already, by outcome; errors will be asked again."""
    counts: Counter[str] = Counter()
    for table in folder.tables(["outcome"]):
        counts.update(table["outcome"].to_pylist())
    del counts[Outcome.ERROR]
    return counts


# --- preparations


def _check_styles(config: RunConfig, library: Library) -> None:
    for style, wanted in config.points.items():
        if wanted and style not in ONE_TOOL_STYLES and len(library.tools) < 2:
            raise BadInput(f"points.{style}: this style shows several tools, and there is only one")


def judge_settings(config: RunConfig) -> dict[str, ModelSettings]:
    """The judges by a key that no generating model has: a name holds no slash."""
    return {f"judge/{judge.name}": judge for judge in config.judges}


@contextmanager
def endpoints_of(
    settings: Mapping[str, ModelSettings], console: Console
) -> Iterator[dict[str, Endpoint]]:
    """The endpoints of models, each seen to answer; simulated ones are served until the end.

    Raises:
        BadInput: naming the URL, if one doesn't answer.
    """
    simulated = {k: s for k, s in settings.items() if isinstance(s, SimulatedEndpoint)}
    if simulated:
        names = ", ".join(sorted({s.name for s in simulated.values()}))
        console.print(
            f"{names}: SIMULATED model, with planted faults: its data trains nothing",
            style="yellow",
            soft_wrap=True,
        )
    with serving(list(dict.fromkeys(simulated.values()))) as served:
        endpoints = {
            key: served[s.name] if isinstance(s, SimulatedEndpoint) else s
            for key, s in settings.items()
        }
        for endpoint in endpoints.values():
            probe(endpoint, lambda text: console.print(text, style="yellow", soft_wrap=True))
        yield endpoints


def probe(endpoint: Endpoint, notice: Callable[[str], object]) -> None:
    """See that an endpoint answers; of several servers one is enough, `notice` names the others.

    Raises:
        BadInput: naming its URL, if it doesn't, or if its key is not in the environment.
    """
    key = None
    if endpoint.api_key_env:
        key = os.environ.get(endpoint.api_key_env)
        if not key:
            raise BadInput(f"model {endpoint.name}: ${endpoint.api_key_env} is not set")

    async def ask() -> None:
        model = OpenAIModel(endpoint, key, notice)
        try:
            await model.probe()
        finally:
            await model.close()

    try:
        asyncio.run(ask())
    except EndpointError as error:
        raise BadInput(f"model {endpoint.name}: {error}") from error


def prepare_executor(
    library: Library,
    console: Console,
    *,
    execute: ExecuteSettings,
    sandbox: SandboxSettings,
    rest: RestSettings,
) -> tuple[Executor, JsonObject]:
    """Choose the sandbox, make its image if it needs one, and see that the tools load in it.

    Returns:
        What executor actors need, and what the manifest says of the sandbox.

    Raises:
        BadInput: if the sandbox can't be had, or a tool can't be loaded in it, or its API key is
            not set.
    """
    functions = {
        tool.name: (tool.backend.module, tool.backend.function)
        for tool in library.tools
        if isinstance(tool.backend, PythonBackend)
    }
    code = pack(library.roots, functions)
    rest_tools = {
        tool.name: tool.backend
        for tool in library.tools
        if isinstance(tool.backend, RestBackend | VirtualBackend)
    }
    _check_keys(rest_tools)
    if not functions:
        return Executor(execute, sandbox, code, rest, rest_tools), {"kind": None}
    kind, notice = choose_kind(sandbox)
    sandbox = sandbox.model_copy(update={"kind": kind})
    described: JsonObject = {"kind": kind}
    if notice:
        console.print(notice, style="yellow", soft_wrap=True)
    if kind == "docker":
        image = ensure_image(sandbox)
        if image.notice:
            console.print(image.notice, style="yellow", soft_wrap=True)
        described |= {"image": image.tag, "image_digest": image.digest}
    asyncio.run(_try_sandbox(sandbox, code))
    return Executor(execute, sandbox, code, rest, rest_tools), described


def _check_keys(rest_tools: RestTools) -> None:
    for name, backend in rest_tools.items():
        keys = [backend.key_env] if isinstance(backend, VirtualBackend) else []
        keys += [key.env for key in backend.auth_env] if isinstance(backend, RestBackend) else []
        for key in keys:
            if key and not os.environ.get(key):
                raise BadInput(f"tool {name}: its API key ${key} is not set")


async def _try_sandbox(settings: SandboxSettings, code: ToolCode) -> None:
    sandbox = await open_sandbox(settings.model_copy(update={"slots": 1}), code)
    await sandbox.close()


# --- the manifest

_NOT_OF_ROWS = {
    "config": {"out", "actors", "sandbox", "rest", "budget_usd", "max_tokens_total"},
    "model": {
        "base_url",
        "base_urls",
        "api_key_env",
        "concurrency",
        "requests_per_minute",
        "tokens_per_minute",
        "timeout_s",
        "max_retries",
        "latency_s",
    },
    "sandbox": {"kind", "slots", "socket_dir", "runtime", "base_image"},
    "rest": {"mode", "cassette", "per_host_concurrency", "per_host_rate", "retries"},
}


def _identity(config: RunConfig, tools: Sequence[Tool], seeds: Sequence[Seed]) -> dict[str, Any]:
    """All that the rows depend on: a run may only be resumed with the same."""
    values = config.model_dump(mode="json", exclude=_NOT_OF_ROWS["config"])
    for model in (*values["models"], values["judge"], *values["further_judges"]):
        for key in _NOT_OF_ROWS["model"]:
            model.pop(key, None)
    values["sandbox"] = config.sandbox.model_dump(mode="json", exclude=_NOT_OF_ROWS["sandbox"])
    values["rest"] = config.rest.model_dump(mode="json", exclude=_NOT_OF_ROWS["rest"])
    values["hashes"] = {
        "tools": digest(jsontext.canonical(prompt_form(tool)) for tool in tools),
        "seeds": digest(jsontext.canonical(pair_form(seed.pair)) for seed in seeds),
        "prompts": digest(prompts.texts().values()),
    }
    return values


def _check_same_run(folder: RunFolder, identity: Mapping[str, Any]) -> None:
    manifest = folder.read_manifest()
    if manifest is None:
        return
    before, now = _leaves(manifest.get("identity")), _leaves(identity)
    changed = [
        f"{key}: {before.get(key)!r} -> {now.get(key)!r}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise BadInput(
            f"{folder.path}: made with another config ({'; '.join(changed[:5])}); "
            "give another `out`, or --fresh to make its rows anew"
        )


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {
            key: leaf
            for name, inner in value.items()
            for key, leaf in _leaves(inner, f"{path}.{name}" if path else str(name)).items()
        }
    if isinstance(value, list) and value:
        return _leaves(dict(enumerate(value)), path)
    return {path: value}


def _manifest(
    config: RunConfig, identity: Mapping[str, Any], sandbox: JsonObject, folder: RunFolder
) -> dict[str, Any]:
    earlier: Any = (folder.read_manifest() or {}).get("attempts", [])
    packages = ("ray", "pyarrow", "pydantic", "aiohttp", "jsonschema")
    attempt = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "git": _git_revision(),
        "job": os.environ.get("RAY_JOB_ID"),
    }
    return {
        "requested": config.requested,
        "config": config.model_dump(mode="json"),
        "identity": dict(identity),
        "sandbox": sandbox,
        "versions": {
            "apigen_ray": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "attempts": [*earlier, attempt],
    }


def _git_revision() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return None  # no git here: an installed package
    return done.stdout.strip() or None


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM (`ray job stop`, pre-emption) ends a run as Ctrl-C does."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
