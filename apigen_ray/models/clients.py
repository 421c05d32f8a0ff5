"""Every kind of model that a config may name, and the client that talks to it.

To add a wire protocol: write its client in a file of its own, add its name to `Endpoint.kind`, and
make the client here.
"""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Annotated, Protocol, TypeAlias, get_args

from pydantic import Field

from apigen_ray.models import Model
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.local import LocalEndpoint
from apigen_ray.models.openai_client import OpenAIModel
from apigen_ray.models.settings import Settings
from apigen_ray.models.simulated import SimulatedEndpoint
from apigen_ray.models.vllm import VllmEndpoint

log = logging.getLogger(__name__)

ModelSettings: TypeAlias = Annotated[
    Endpoint | LocalEndpoint | VllmEndpoint | SimulatedEndpoint, Field(discriminator="kind")
]
"""A model of a config: at an endpoint, or served by the run, which makes an `Endpoint` of it."""

MODEL_SETTINGS: tuple[type[Settings], ...] = get_args(get_args(ModelSettings)[0])
"""The classes of `ModelSettings`."""

MODEL_KINDS = frozenset(
    kind for each in MODEL_SETTINGS for kind in get_args(each.model_fields["kind"].annotation)
)
"""What `kind` may be."""


def check_names(models: Sequence[ModelSettings], key: str) -> None:
    """Check that no two models have one name.

    Raises:
        ValueError: naming the key that holds them, and the name.
    """
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{key}: two models are named {name!r}")


class Client(Model, Protocol):
    """A model behind an endpoint."""

    @property
    def load(self) -> tuple[int, int]:
        """The requests in flight, and how many there may be."""
        ...

    async def probe(self) -> None:
        """Check with one cheap request to each server that the endpoint can be used.

        Raises:
            EndpointError: if no server can, in one line that names the URL and what to do.
        """
        ...


def api_key_of(endpoint: Endpoint) -> str | None:
    """The key of an endpoint, from the environment, if it needs one."""
    return os.environ.get(endpoint.api_key_env) if endpoint.api_key_env else None


def client_of(endpoint: Endpoint, notice: Callable[[str], object] = log.warning) -> Client:
    """Make a client for an endpoint; nothing is connected yet.

    Args:
        endpoint: Where and how to ask.
        notice: Called with what the user should know, such as that a schema is not supported.
    """
    match endpoint.kind:
        case "openai":
            return OpenAIModel(endpoint, api_key_of(endpoint), notice)
