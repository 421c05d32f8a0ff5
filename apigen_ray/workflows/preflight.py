"""`run --check`: everything a run needs is tried, with a line for each thing."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput, StoreLost
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.vllm import VllmEndpoint
from apigen_ray.pipeline.operators import Executor
from apigen_ray.pipeline.session import ray_nodes, ray_session
from apigen_ray.pipeline.sidecars import check_sidecars
from apigen_ray.pipeline.vllm_engine import check_gpu_capacity
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.report.tracking import check_tracker
from apigen_ray.run_folder.storage import is_local, resolve_path
from apigen_ray.run_folder.store import RunFolder, clear
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.prepare import check_styles, judge_settings, prepare_executor, probe

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


def _checks(config: RunConfig, console: Console) -> Iterator[tuple[str, Check]]:
    prepared: list[Executor] = []
    yield "tools", partial(_tools, config, console, prepared)
    models = {model.name: model for model in config.models} | judge_settings(config)
    for name, model in models.items():
        if isinstance(model, Endpoint):
            yield f"model {name}", partial(_answers, model, console)
    yield "output", partial(_output, config)
    if config.track.mlflow:
        yield "tracker", partial(_tracker, config)
    own = [model for model in models.values() if isinstance(model, VllmEndpoint)]
    yield "ray", partial(_ray, prepared, own)


def _tools(config: RunConfig, console: Console, prepared: list[Executor]) -> str:
    library = load_library(config.tools)
    check_styles(config, library)
    seeds, _ = load_seeds(config.seeds, library.by_name())
    executor, sandbox = prepare_executor(
        library, console, execute=config.execute, sandbox=config.sandbox, rest=config.rest
    )
    prepared.append(executor)
    return f"{len(library.tools)}, {len(seeds)} seeds, sandbox {sandbox['kind']}"


def _answers(model: Endpoint, console: Console) -> str:
    probe(model, partial(console.print, style="yellow", soft_wrap=True))
    return "answers"


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


def _ray(prepared: list[Executor], own: Sequence[VllmEndpoint]) -> str:
    if "RAY_ADDRESS" not in os.environ and not own:
        return "started by the run, on this machine"
    with ray_session(resolve_path(os.devnull)):
        for entry in own:
            check_gpu_capacity(entry)
        for executor in prepared:
            check_sidecars(executor, SECONDS_FOR_A_NODE)
        return ray_nodes()
