"""Where a model is served and how it is asked: the part of a config that names a model."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    TypeAdapter,
    model_validator,
)
from pydantic.networks import HttpUrl

from apigen_ray.models.structured_output import ResponseFormat
from apigen_ray.records import Settings


def _plain_base_url(url: str) -> str:
    """Refuse what would break joining a path, or show a password in messages."""
    parsed = TypeAdapter(HttpUrl).validate_python(url)
    if parsed.username or parsed.password:
        raise ValueError("put the key into the variable that `api_key_env` names, not into the URL")
    if parsed.query or parsed.fragment:
        raise ValueError("a base URL ends with its path, such as http://localhost:8000/v1")
    return url.rstrip("/")


class GenerationSettings(Settings):
    """How a model is asked, wherever it is served."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """The label of the model in rows, ids and reports."""
    model: str = Field(min_length=1)
    """The model's id, as the endpoint knows it."""
    temperature: float = Field(default=0.7, ge=0)
    """The sampling temperature."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Nucleus sampling; without it the endpoint's own default holds."""
    max_tokens: int = Field(default=2048, ge=1)
    """The longest completion, in tokens."""
    response_format: ResponseFormat = "none"
    """`none`, as in the paper, leaves the form of a completion to the model; `json_object` asks for
    JSON, `json_schema` for JSON of the right schema; `guided_json` is an older way to say that."""
    concurrency: int = Field(default=32, ge=1)
    """The most requests in flight at a time. An endpoint that refuses or gets slow has fewer."""
    timeout_s: float = Field(default=120, gt=0)
    """How long one attempt may take, in seconds."""
    max_retries: int = Field(default=10, ge=0)
    """How often a request is sent again after a fault that may pass. Ten outlast a minute."""
    extra_body: dict[str, JsonValue] = Field(default={})
    """Further fields of the request body, passed through as they are."""
    usd_per_gpu_hour: float = Field(default=0, ge=0)
    """The price of a GPU hour, for a server of one's own: its replies share the time it is busy."""


class Endpoint(GenerationSettings):
    """Where a model is served, and how it is asked."""

    kind: Literal["openai"] = "openai"
    """Any endpoint that speaks OpenAI's chat completions."""
    base_url: Annotated[str, AfterValidator(_plain_base_url)] | None = None
    """What stands before `/chat/completions`, such as `http://localhost:8000/v1`."""
    base_urls: tuple[Annotated[str, AfterValidator(_plain_base_url)], ...] = ()
    """In place of `base_url`, where several servers serve the model: the least loaded is asked."""
    api_key_env: str | None = None
    """The environment variable that holds the key; the key itself is never written anywhere."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """The most requests a minute, where the endpoint has such a limit."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """The most tokens a minute, read and written, where the endpoint has such a limit."""
    usd_per_million_input: float = Field(default=0, ge=0)
    """The price of a million input tokens."""
    usd_per_million_output: float = Field(default=0, ge=0)
    """The price of a million output tokens."""
    usd_per_million_cached: float | None = Field(default=None, ge=0)
    """The price of a million input tokens that the endpoint had cached; else that of the others."""
    gpus: int = Field(default=1, ge=1)
    """How many GPUs serve the model, over all servers."""

    @model_validator(mode="after")
    def _served_somewhere(self) -> "Endpoint":
        if bool(self.base_url) == bool(self.base_urls):
            raise ValueError("give either base_url or base_urls")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """The base URL of each server."""
        return (self.base_url,) if self.base_url else self.base_urls


def shared(endpoints: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    """Split what a server allows by the minute, and what it costs, among those who ask it.

    A generator and a judge may be one model on one server. Their `concurrency` is not split: each
    slows down when the server does, so they come to share it, and neither waits for the other's
    idle part.
    """
    askers = Counter((endpoint.urls, endpoint.model) for endpoint in endpoints.values())
    return {
        key: part_of(endpoint, askers[endpoint.urls, endpoint.model])
        for key, endpoint in endpoints.items()
    }


def part_of(endpoint: Endpoint, askers: int) -> Endpoint:
    """What one of several equal askers may take of the limits a minute, and pays of the hour."""
    limits = ("requests_per_minute", "tokens_per_minute", "usd_per_gpu_hour")
    parts = {limit: whole / askers for limit in limits if (whole := getattr(endpoint, limit))}
    return endpoint.model_copy(update=parts)
