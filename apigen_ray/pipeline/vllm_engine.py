"""vLLM on the cluster's GPUs: one actor per engine, on a node with free GPUs."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from apigen_ray.errors import BadInput, EndpointError
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.vllm import STOP_S, Engine, VllmEndpoint

POLL_INTERVAL_S = 1.0


class _Engine:
    """The actor. However it ends, its engine ends with it."""

    def start(self, settings: VllmEndpoint, *, alone: bool) -> str:
        """Start the engine; returns its URL."""
        self._engine = Engine(settings, "127.0.0.1" if alone else ray.util.get_node_ip_address())
        return self._engine.url

    def ready(self) -> bool:
        """See `Engine.ready`."""
        return self._engine.ready()

    def stop(self) -> None:
        """See `Engine.stop`."""
        self._engine.stop()


@contextmanager
def engines(
    settings: Mapping[str, VllmEndpoint], notice: Callable[[str], object]
) -> Iterator[dict[str, Endpoint]]:
    """Serve models while the context is open, each once it answers. Needs Ray.

    Raises:
        BadInput: naming the model, if the cluster has too few GPUs for it, or it doesn't start.
    """
    different: dict[str, VllmEndpoint] = {}
    for entry in settings.values():
        different.setdefault(entry.engine, entry)
    for entry in different.values():
        check_gpu_capacity(entry)
    with ExitStack() as stack:
        # Start all engines before waiting for any.
        actors = {
            key: [stack.enter_context(_actor(entry)) for _ in range(entry.replicas)]
            for key, entry in different.items()
        }
        urls = {}
        for key, entry in different.items():
            notice(f"{entry.name}: starting {entry.replicas} x vLLM with {entry.model} ...")
            urls[key] = _ready(entry, actors[key])
        yield {key: entry.served_at(urls[entry.engine]) for key, entry in settings.items()}


def check_gpu_capacity(entry: VllmEndpoint) -> None:
    """Check that the cluster has the GPUs for the engines of a model. Needs Ray.

    Raises:
        BadInput: naming the model, if it has not.
    """
    largest = max(node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"])
    total = ray.cluster_resources().get("GPU", 0)
    if largest < entry.gpus_each:
        raise BadInput(
            f"model {entry.name}: an engine needs {entry.gpus_each} GPU(s) of one node, but no "
            f"node has more than {largest:g}; add GPUs to the cluster, or set num_gpus and "
            "tensor_parallel_size"
        )
    if total < entry.gpus_each * entry.replicas:
        raise BadInput(
            f"model {entry.name}: {entry.replicas} engines need {entry.gpus_each} GPU(s) each, but "
            f"the cluster has {total:g} in total; lower replicas"
        )


@contextmanager
def _actor(entry: VllmEndpoint) -> Iterator[Any]:
    # A fraction of a CPU: on a small machine, whole CPUs would leave none for the run.
    actor = ray.remote(_Engine).options(num_cpus=0.1, num_gpus=entry.gpus_each).remote()
    try:
        yield actor
    finally:
        with suppress(RayError):
            ray.get(actor.stop.remote(), timeout=2 * STOP_S)
        ray.kill(actor)


def _ready(entry: VllmEndpoint, actors: Sequence[Any]) -> tuple[str, ...]:
    """Wait until all engines answer; returns their URLs."""
    timeout_s = entry.startup_timeout_s
    deadline = time.monotonic() + timeout_s
    alone = len(ray.nodes()) == 1
    try:
        urls = ray.get([a.start.remote(entry, alone=alone) for a in actors], timeout=timeout_s)
        while not all(ray.get([a.ready.remote() for a in actors], timeout=timeout_s)):
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(POLL_INTERVAL_S)
    except TimeoutError:  # Ray's GetTimeoutError is one, too
        raise BadInput(
            f"model {entry.name}: vLLM is not ready after {timeout_s:g} s; are enough GPUs free? "
            "If the model only takes long to load, raise startup_timeout_s"
        ) from None
    except RayTaskError as error:
        if isinstance(error.cause, EndpointError | OSError):
            raise BadInput(f"model {entry.name}: {error.cause}") from None
        raise
    return tuple(urls)
