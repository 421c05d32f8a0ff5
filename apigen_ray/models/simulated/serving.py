"""Simulated models as child processes of a run, reached over real HTTP like any endpoint."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from apigen_ray.errors import BadInput
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.settings import Settings
from apigen_ray.models.simulated.profiles import PROFILES

SHUTDOWN_S = 5


def _known_profile(name: str) -> str:
    if name not in PROFILES:
        raise ValueError(f"must be one of {', '.join(PROFILES)}")
    return name


class SimulatedEndpoint(Settings):
    """A simulated model, which is started and stopped with the run."""

    kind: Literal["simulated"] = "simulated"
    """Not a language model, but a server that imitates one and plants faults."""
    name: str = Field(default="simulated", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """The label of the model in rows, ids and reports."""
    profile: Annotated[str, AfterValidator(_known_profile)] = "default"
    """How good it is: `default`, `perfect` or `weak`; `reasoning` and `think` are as good as the
    default, and reason first: in a field of its own, or between `<think>` and `</think>`."""
    seed: int = 0
    """The same seed gives the same answers."""
    latency_s: float | None = Field(default=None, ge=0)
    """The mean latency, instead of the profile's."""
    known: str | None = None
    """A file of right pairs (JSON lines with `query` and `answers`) that it judges by heart: it is
    no language model, and takes the values of other pairs word for word."""
    concurrency: int = Field(default=32, ge=1)
    """The most requests in flight at a time."""


@contextmanager
def serving(
    endpoints: Sequence[SimulatedEndpoint], host: str = "127.0.0.1"
) -> Iterator[dict[str, Endpoint]]:
    """Serve each endpoint from a child process, which ends with this one, however this one ends.

    Endpoints that are equal share a process.

    Yields:
        The endpoint of each, by name.

    Raises:
        BadInput: if two different endpoints have one name, or a server doesn't start.
    """
    from apigen_ray.models.simulated.judging import read_known  # noqa: PLC0415 - few runs need it

    by_name: dict[str, SimulatedEndpoint] = {}
    for path in {endpoint.known for endpoint in endpoints if endpoint.known}:
        read_known(path)  # here, where an error can be shown
    for endpoint in endpoints:
        if by_name.setdefault(endpoint.name, endpoint) != endpoint:
            raise BadInput(f"two different simulated models are named {endpoint.name!r}")
    with ExitStack() as stack:
        # Start all before waiting for any.
        children = {n: stack.enter_context(_child(e, host)) for n, e in by_name.items()}
        yield {
            name: Endpoint(
                name=name,
                base_url=f"http://{host}:{_port_of(children[name])}/v1",
                model=f"simulated-{endpoint.profile}",
                extra_body={"seed": endpoint.seed}
                | ({"known": known} if (known := endpoint.known) else {}),
                concurrency=endpoint.concurrency,
            )
            for name, endpoint in by_name.items()
        }


@contextmanager
def _child(endpoint: SimulatedEndpoint, host: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "apigen_ray.models.simulated", host, endpoint.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for the run, which still needs replies while it shuts down.
        start_new_session=True,
    )
    with child:
        try:
            yield child
        finally:
            assert child.stdin is not None
            child.stdin.close()
            try:
                child.wait(SHUTDOWN_S)
            except subprocess.TimeoutExpired:
                child.kill()


def _port_of(child: subprocess.Popen[str]) -> int:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise BadInput("a simulated model did not start; its error message is above")
    return int(line)
