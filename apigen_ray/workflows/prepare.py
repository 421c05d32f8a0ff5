"""What a run needs before its first prompt: endpoints that answer, a sandbox with the tools."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput, EndpointError
from apigen_ray.models.clients import ModelSettings, api_key_of, client_of
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.models.vllm import VllmEndpoint
from apigen_ray.pipeline.operators import Executor
from apigen_ray.pipeline.vllm_engine import engines
from apigen_ray.prompting.sampler import ONE_TOOL_STYLES
from apigen_ray.records import JsonObject, PythonBackend, RestBackend, VirtualBackend
from apigen_ray.stages.execute.dispatch import ExecuteSettings, RestTools
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


def check_styles(config: RunConfig, library: Library) -> None:
    """See that the library has enough tools for the styles asked for.

    Raises:
        BadInput: naming the style, if it doesn't.
    """
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

    Models of the cluster's own engines are left out: `engines` serves them, once Ray is up.

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
            if not isinstance(s, VllmEndpoint)
        }
        for endpoint in endpoints.values():
            probe(endpoint, lambda text: console.print(text, style="yellow", soft_wrap=True))
        yield endpoints


@contextmanager
def cluster_endpoints_of(
    settings: Mapping[str, ModelSettings], console: Console
) -> Iterator[dict[str, Endpoint]]:
    """The endpoints of models that the cluster serves itself, until the end. Ray must be up.

    Raises:
        BadInput: naming the model, if it can't be served.
    """
    own = {key: s for key, s in settings.items() if isinstance(s, VllmEndpoint)}
    if not own:
        yield {}
        return
    with engines(own, lambda text: console.print(text, style="dim", soft_wrap=True)) as served:
        yield served


def probe(endpoint: Endpoint, notice: Callable[[str], object]) -> None:
    """See that an endpoint answers; of several servers one is enough, `notice` names the others.

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
    if rest.mode != "replay":
        _check_keys(rest_tools)
    if not functions:
        return Executor(execute, sandbox, code, rest, rest_tools), {"kind": None}
    # Sidecars are beside the workers, not here: the pipeline tries them.
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
    if kind != "sidecar":
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
