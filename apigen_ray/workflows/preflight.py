"""`run --check`: everything a run needs is tried, with a line for each thing."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from upath import UPath

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput, StoreLost
from apigen_ray.models.clients import ModelSettings
from apigen_ray.models.vllm import VllmEndpoint
from apigen_ray.pipeline.executor import Executor
from apigen_ray.pipeline.session import ray_nodes, ray_session
from apigen_ray.pipeline.sidecars import check_sidecars
from apigen_ray.pipeline.vllm_engine import check_gpu_capacity
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Seed
from apigen_ray.report.tracking import check_tracker
from apigen_ray.run_folder.owned_folders import log_folder
from apigen_ray.run_folder.storage import is_local, resolve_path
from apigen_ray.run_folder.store import RunFolder, clear
from apigen_ray.tools.library import Library, load_library
from apigen_ray.workflows.prepare import (
    check_reach,
    check_styles,
    endpoints_of,
    judge_settings,
    prepare_executor,
    settings_of,
    solver_settings,
    writer_settings,
)
from apigen_ray.workflows.reachable import reachable_tools
from apigen_ray.workflows.trial import generator_trial, judge_trial, solver_trial

SECONDS_FOR_A_NODE = 30.0

Check = Callable[[], str]


def preflight(config: RunConfig, console: Console) -> int:
    """Try everything a run needs, and print a line for each thing.

    Returns:
        The exit code: 2 if the run would fail at its start, else 0.
    """
    failed = False
    for name, check in _checks(config, console):
        try:
            console.print(f"ok      {name}: {check()}", style="green", soft_wrap=True)
        except (BadInput, StoreLost) as error:
            console.print(f"FAILED  {name}: {error}", style="red", soft_wrap=True)
            failed = True
    return 2 if failed else 0


@dataclass
class _Found:
    """What the checks so far have found, for those that follow."""

    library: Library | None = None
    seeds: tuple[Seed, ...] = ()
    executor: Executor | None = None


def _checks(config: RunConfig, console: Console) -> Iterator[tuple[str, Check]]:
    found = _Found()
    yield "tools", partial(_tools, config, console, found)
    asked = settings_of(config)
    for key, model in asked.items():
        if not isinstance(model, VllmEndpoint):
            yield f"model {key}", partial(_model, key, model, config, found, console)
    yield "output", partial(_output, config)
    if config.track.mlflow:
        yield "tracker", partial(_tracker, config)
    yield "ray", partial(_ray, found, asked)


def _tools(config: RunConfig, console: Console, found: _Found) -> str:
    library = reachable_tools(load_library(config.tools), config, console)
    check_styles(config, library)
    seeds, _ = load_seeds(config.seeds, library.by_name())
    found.library, found.seeds = library, seeds
    found.executor, sandbox = prepare_executor(
        library,
        console,
        execute=config.execute,
        sandbox=config.sandbox,
        rest=config.rest,
        mcp_servers=config.mcp_servers,
    )
    return f"{len(library.tools)}, {len(seeds)} seeds, sandbox {sandbox['kind']}"


def _model(
    key: str, model: ModelSettings, config: RunConfig, found: _Found, console: Console
) -> str:
    """Ask a model for one completion as the run will, if there is something to ask about."""
    with log_folder() as logs, endpoints_of({key: model}, console, UPath(logs)) as endpoints:
        trial = None
        if key in judge_settings(config):
            trial = judge_trial(config, found.seeds, lists_requests=endpoints[key].lists_requests)
        elif key in solver_settings(config):
            trial = solver_trial(config, found.seeds)
        elif found.library and key not in writer_settings(config):
            trial = generator_trial(config, found.library, found.seeds)
        return trial.run(endpoints[key]) if trial else "answers"


def _output(config: RunConfig) -> str:
    path = resolve_path(config.out)
    new = is_local(path) and not path.exists()
    with RunFolder(config.out).writing():
        pass
    if new:
        clear(config.out)
    return f"{config.out} can be written"


def _tracker(config: RunConfig) -> str:
    check_tracker(config.track)
    return "accepts runs"


def _ray(found: _Found, asked: Mapping[str, ModelSettings]) -> str:
    own = [model for model in asked.values() if isinstance(model, VllmEndpoint)]
    if "RAY_ADDRESS" not in os.environ and not own:
        return "started by the run, on this machine"
    with ray_session(resolve_path(os.devnull)):
        check_reach(asked)
        for entry in own:
            check_gpu_capacity(entry)
        if found.executor:
            check_sidecars(found.executor, SECONDS_FOR_A_NODE)
        return ray_nodes()
