"""What a run needs before its first prompt: models that answer, a sandbox with the tools, Ray."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from upath import UPath

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput, EndpointError
from apigen_ray.models.budget import Limits
from apigen_ray.models.clients import ModelSettings, api_key_of, client_of
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.local import LocalEndpoint, local_servers
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.models.vllm import VllmEndpoint
from apigen_ray.pipeline.dataset import Jury
from apigen_ray.pipeline.executor import Executor
from apigen_ray.pipeline.operators import Conversing, Panel
from apigen_ray.pipeline.session import node_count
from apigen_ray.pipeline.shared_actors import RemoteCoordinator
from apigen_ray.pipeline.vllm_engine import engines
from apigen_ray.prompting.follow_up import Turns
from apigen_ray.prompting.sampler import ONE_TOOL_STYLES
from apigen_ray.records import JsonObject, PythonBackend, RestBackend, Style, VirtualBackend
from apigen_ray.run_folder.event_log import forwarding_logs
from apigen_ray.run_folder.owned_folders import log_folder
from apigen_ray.run_folder.storage import is_local
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.execute.dispatch import ExecuteSettings, RestTools
from apigen_ray.stages.execute.mcp import McpServers
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import (
    SandboxSettings,
    ToolCode,
    choose_kind,
    ensure_image,
    open_sandbox,
    pack,
)
from apigen_ray.tools.library import Library
from apigen_ray.tools.links import links_of
from apigen_ray.workflows.mcp_servers import prepare_servers, started, tools_of

NO_SERVERS: McpServers = {}
QUIET = Console(quiet=True, force_terminal=False)
"""Shows nothing: what functions print to unless they are told otherwise."""

T = TypeVar("T")


def check_styles(config: RunConfig, library: Library) -> None:
    """Check that the library has enough tools for the styles asked for.

    Raises:
        BadInput: naming the style, if it doesn't.
    """
    for style, wanted in config.points.items():
        if wanted and style not in ONE_TOOL_STYLES and len(library.tools) < 2:
            raise BadInput(f"points.{style}: this style shows several tools, and there is only one")
    if config.points.get(Style.SEQUENTIAL) and not links_of(library.tools):
        raise BadInput(
            "points.sequential: no tool's result fits an argument of another: tools need `returns`,"
            " the schema of their results (of Python functions: a return type, and an example in "
            "the docstring)"
        )


def judge_settings(config: RunConfig) -> dict[str, ModelSettings]:
    """The judges, by keys that no generating model can have: names contain no slash."""
    return {f"judge/{judge.name}": judge for judge in config.judges}


def solver_settings(config: RunConfig) -> dict[str, ModelSettings]:
    """The solvers of `agreement`, by such keys."""
    return {f"solver/{solver.name}": solver for solver in config.solvers}


def writer_settings(config: RunConfig) -> dict[str, ModelSettings]:
    """The writer of final answers, by such a key."""
    return {"writer": config.answer.model} if config.answer else {}


def verifier_settings(config: RunConfig) -> dict[str, ModelSettings]:
    """All models that verify what others have generated."""
    return judge_settings(config) | solver_settings(config)


def settings_of(config: RunConfig) -> dict[str, ModelSettings]:
    """All models of a run, by keys: the generating ones have their names."""
    generating = {model.name: model for model in config.models}
    return generating | verifier_settings(config) | writer_settings(config)


def jury_of(config: RunConfig, endpoints: Mapping[str, Endpoint]) -> Jury:
    """The verifying models of a config, once their endpoints are known."""
    solvers = tuple(endpoints[key] for key in solver_settings(config))
    return Jury(
        tuple(endpoints[key] for key in judge_settings(config)),
        config.votes,
        config.grounding,
        Panel(solvers, config.agreement) if config.agreement else None,
    )


def _writers_of_turns(config: RunConfig) -> list[str]:
    """The keys of the models that write further turns: all generating ones, if any do."""
    return [model.name for model in config.models] if config.points.get(Style.MULTI_TURN) else []


def asked_twice(config: RunConfig) -> list[str]:
    """The keys of the models that conversations ask besides the stage that they are of."""
    names = _writers_of_turns(config)
    return [*names, *judge_settings(config)] if names or config.answer else []


def conversing_of(
    config: RunConfig, endpoints: Mapping[str, Endpoint], jury: Jury
) -> Conversing | None:
    """What goes on with conversations, if any are wanted."""
    names = _writers_of_turns(config)
    writer = next((endpoints[key] for key in writer_settings(config)), None)
    if not names and not writer:
        return None
    generators = tuple(endpoints[name] for name in names)
    turns = Turns(config.turns, config.seed)
    return Conversing(
        jury.endpoints, jury.rule, jury.grounding, config.check, turns, writer, generators
    )


@contextmanager
def endpoints_of(
    settings: Mapping[str, ModelSettings], console: Console, folder: UPath
) -> Iterator[dict[str, Endpoint]]:
    """The endpoints of models, each probed; this machine serves what it can meanwhile.

    Models that the cluster serves itself are left out; see `cluster_endpoints_of`.

    Args:
        settings: The models, by any key.
        console: Where the user is told what is served.
        folder: The run folder, which gets the logs of the servers.

    Raises:
        BadInput: naming the URL, if one doesn't answer, or the model, if it can't be served.
    """
    simulated = {k: s for k, s in settings.items() if isinstance(s, SimulatedEndpoint)}
    if simulated:
        names = ", ".join(sorted({s.name for s in simulated.values()}))
        console.print(
            f"{names}: SIMULATED model, with planted faults: do not train on its data",
            style="yellow",
            soft_wrap=True,
        )
    local = {key: s for key, s in settings.items() if isinstance(s, LocalEndpoint)}
    with (
        serving(list(dict.fromkeys(simulated.values()))) as served,
        _log_folder(folder) as logs,
        local_servers(local, logs, partial(console.print, style="dim")) as started,
    ):
        endpoints = {key: s for key, s in settings.items() if isinstance(s, Endpoint)}
        endpoints |= {key: served[s.name] for key, s in simulated.items()} | started
        for endpoint in endpoints.values():
            probe(endpoint, lambda text: console.print(text, style="yellow", soft_wrap=True))
        yield endpoints


def _log_folder(folder: UPath) -> AbstractContextManager[Path]:
    """Where servers on this machine log: in the run folder, unless that is an object store."""
    return nullcontext(Path(folder.path)) if is_local(folder) else log_folder()


@contextmanager
def cluster_endpoints_of(
    settings: Mapping[str, ModelSettings], console: Console
) -> Iterator[dict[str, Endpoint]]:
    """The endpoints of models that the cluster serves while the context is open. Needs Ray.

    Raises:
        BadInput: naming the model, if it can't be served.
    """
    own = {key: s for key, s in settings.items() if isinstance(s, VllmEndpoint)}
    if not own:
        yield {}
        return
    with engines(own, lambda text: console.print(text, style="dim", soft_wrap=True)) as served:
        yield served


def check_reach(settings: Mapping[str, ModelSettings]) -> None:
    """Check that actors reach the models that this machine serves itself. Needs Ray.

    Raises:
        BadInput: naming these models, if the cluster has other nodes.
    """
    here = [s.name for s in settings.values() if isinstance(s, LocalEndpoint | SimulatedEndpoint)]
    if here and node_count() > 1:
        raise BadInput(
            f"model {', '.join(dict.fromkeys(here))}: served on this machine, where other nodes of "
            "the cluster don't reach it; serve it at an address of its own, with `kind: openai`"
        )


@contextmanager
def coordination(
    folder: RunFolder, replies: UPath | None, limits: Limits
) -> Iterator[RemoteCoordinator]:
    """The coordinator that all actors of a run share, while the context is open. Needs Ray.

    Args:
        folder: The run folder, which gets the log; what its rows cost counts towards the limits.
        replies: Where replies of models are kept; None to keep none.
        limits: What the run may spend.
    """
    coordinator = RemoteCoordinator(folder.path, replies, limits, *folder.spent())
    with forwarding_logs(coordinator.log):
        yield coordinator


def probe(endpoint: Endpoint, notice: Callable[[str], object]) -> None:
    """Check that an endpoint answers; of several servers one is enough, `notice` names the others.

    Raises:
        BadInput: naming its URL, if it doesn't, or if its key is not in the environment.
    """
    if endpoint.api_key_env and not api_key_of(endpoint):
        raise BadInput(f"model {endpoint.name}: ${endpoint.api_key_env} is not set")

    async def ask() -> None:
        model = client_of(endpoint, notice)
        try:
            await model.probe()
        finally:
            await model.close()

    try:
        run_async(ask())
    except EndpointError as error:
        raise BadInput(f"model {endpoint.name}: {error}") from error


def prepare_executor(
    library: Library,
    console: Console,
    *,
    execute: ExecuteSettings,
    sandbox: SandboxSettings,
    rest: RestSettings,
    mcp_servers: McpServers = NO_SERVERS,
) -> tuple[Executor, JsonObject]:
    """Choose the sandbox, build its image if it needs one, and check that the tools load in it.

    MCP servers are started once, and held against the tools that were imported from them.

    Returns:
        What runs calls, and how the manifest describes the sandbox.

    Raises:
        BadInput: if this kind of sandbox doesn't work here, a tool can't be loaded in it, the API
            key of a tool is not set, or an MCP server does not start.
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
    if rest.mode != "replay":
        _check_keys(rest_tools)
    mcp_tools = tools_of(library.tools, mcp_servers)
    described: JsonObject = {"kind": None}
    if functions or started(mcp_tools, mcp_servers):
        sandbox, described = _chosen(sandbox, console)
    if functions and sandbox.kind != "sidecar":
        run_async(_try_sandbox(sandbox, code))
    mcp = run_async(prepare_servers(mcp_tools, mcp_servers, sandbox, rest))
    images: JsonObject = {name: one.image for name, one in mcp.servers.items() if one.image}
    described |= {"mcp_images": images} if images else {}
    return Executor(execute, sandbox, code, rest, rest_tools, mcp), described


def _chosen(sandbox: SandboxSettings, console: Console) -> tuple[SandboxSettings, JsonObject]:
    """The settings with the kind that works here and its image, and what the manifest says."""
    # Sidecars run beside the workers, not here: the pipeline checks them.
    kind, notice = ("sidecar", None) if sandbox.kind == "sidecar" else choose_kind(sandbox)
    sandbox = sandbox.model_copy(update={"kind": kind})
    described: JsonObject = {"kind": kind}
    if notice:
        console.print(notice, style="yellow", soft_wrap=True)
    if kind == "docker":
        image = ensure_image(sandbox)
        if image.notice:
            console.print(image.notice, style="yellow", soft_wrap=True)
        sandbox = sandbox.model_copy(update={"image": image.tag})
        described |= {"image": image.tag, "image_digest": image.digest}
    return sandbox, described


def _check_keys(rest_tools: RestTools) -> None:
    for name, backend in rest_tools.items():
        for key in keys_of(backend):
            if not os.environ.get(key):
                raise BadInput(f"tool {name}: its API key ${key} is not set")


def keys_of(backend: RestBackend | VirtualBackend) -> Iterator[str]:
    """The environment variables that hold the API keys of a tool."""
    if isinstance(backend, VirtualBackend):
        yield from filter(None, [backend.key_env])
    else:
        yield from (key.env for key in backend.auth_env)


def run_async(coroutine: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end, even inside the running event loop of a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def _try_sandbox(settings: SandboxSettings, code: ToolCode) -> None:
    sandbox = await open_sandbox(settings.model_copy(update={"slots": 1}), code)
    await sandbox.close()
