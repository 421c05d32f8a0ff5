"""Where a model is served and how it is asked: the model sections of a config."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    TypeAdapter,
    model_validator,
)
from pydantic.networks import HttpUrl

from apigen_ray.models.settings import Settings
from apigen_ray.models.structured_output import ResponseFormat


def _plain_base_url(url: str) -> str:
    """Refuse URLs to which no path can be appended, or that would show a password in messages."""
    parsed = TypeAdapter(HttpUrl).validate_python(url)
    if parsed.username or parsed.password:
        raise ValueError("put the key into the variable that `api_key_env` names, not into the URL")
    if parsed.query or parsed.fragment:
        raise ValueError(
            "a base URL has no query or fragment; an example: http://localhost:8000/v1"
        )
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
    """Nucleus sampling; by default, the endpoint's own setting."""
    max_tokens: int = Field(default=4096, ge=1)
    """The longest reply, in tokens: reasoning and completion together. A model that reasons may
    need more; how to make it reason less, or not at all, differs by model (`extra_body`)."""
    reasoning: Literal["keep", "drop"] = "keep"
    """Whether what a model wrote before its completion is kept in rows and votes; `drop` only
    counts its tokens."""
    response_format: ResponseFormat = "none"
    """`none`, as in the paper, puts no constraint on completions; `json_object` asks for JSON,
    `json_schema` for JSON that matches the schema; `guided_json` is vLLM's older field for that."""
    concurrency: int = Field(default=32, ge=1)
    """The most requests in flight at a time; fewer while the endpoint refuses or is slow."""
    timeout_s: float = Field(default=120, gt=0)
    """The timeout of one attempt, in seconds."""
    max_retries: int = Field(default=10, ge=0)
    """How often a request is retried after a transient fault. Ten retries span over a minute. One
    that timed out is retried once: a server that is too slow would only get more to do."""
    extra_body: dict[str, JsonValue] = Field(default={})
    """More fields of the request body, passed through unchanged, such as
    `{chat_template_kwargs: {enable_thinking: false}}` for Qwen3, `{reasoning_effort: low}` for
    gpt-oss, or `{chat_template_kwargs: {thinking: true}}` for DeepSeek-V3.1."""
    lists_requests: bool = True
    """Whether, as a judge, it first lists the query's requests with the calls that fulfil them; the
    model of a few hundred million parameters can't, and gives the paper's verdict alone."""
    usd_per_gpu_hour: float = Field(default=0, ge=0)
    """The price of a GPU hour of your own server: replies share the cost of the time it is busy."""


class Endpoint(GenerationSettings):
    """Where a model is served, and how it is asked."""

    kind: Literal["openai"] = "openai"
    """Any endpoint that speaks OpenAI's chat completions."""
    base_url: Annotated[str, AfterValidator(_plain_base_url)] | None = None
    """The URL without `/chat/completions`, such as `http://localhost:8000/v1`."""
    base_urls: tuple[Annotated[str, AfterValidator(_plain_base_url)], ...] = ()
    """Instead of `base_url`, if several servers serve the model: the least loaded is asked."""
    api_key_env: str | None = None
    """The environment variable that holds the key; the key itself is never written anywhere."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """The endpoint's limit of requests per minute, if it has one."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """The endpoint's limit of input and output tokens per minute, if it has one."""
    usd_per_million_input: float = Field(default=0, ge=0)
    """The price of a million input tokens."""
    usd_per_million_output: float = Field(default=0, ge=0)
    """The price of a million output tokens."""
    usd_per_million_cached: float | None = Field(default=None, ge=0)
    """The price of a million cached input tokens; by default, that of other input tokens."""
    gpus: int = Field(default=1, ge=1)
    """How many GPUs serve the model, on all servers together."""

    @model_validator(mode="after")
    def _served_somewhere(self) -> "Endpoint":
        if bool(self.base_url) == bool(self.base_urls):
            raise ValueError("give either base_url or base_urls")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """The base URL of each server."""
        return (self.base_url,) if self.base_url else self.base_urls


def split_limits(
    endpoints: Mapping[str, Endpoint], twice: Collection[str] = ()
) -> dict[str, Endpoint]:
    """Split a server's limits per minute and its price per hour among the endpoints that share it.

    A generator and a judge may be the same model on the same server. Their `concurrency` is not
    split: each slows down when the server does, so they adapt to each other, and neither leaves
    part of the server idle for the other.

    Args:
        endpoints: All endpoints, by any key.
        twice: The keys of those that two stages ask, each with a client of its own.
    """
    asked = (*endpoints.values(), *(endpoints[key] for key in twice))
    clients = Counter((endpoint.urls, endpoint.model) for endpoint in asked)
    return {
        key: share_of(endpoint, clients[endpoint.urls, endpoint.model])
        for key, endpoint in endpoints.items()
    }


def share_of(endpoint: Endpoint, clients: int) -> Endpoint:
    """The endpoint with one client's share of the limits per minute and the price per hour."""
    limits = ("requests_per_minute", "tokens_per_minute", "usd_per_gpu_hour")
    shares = {limit: total / clients for limit in limits if (total := getattr(endpoint, limit))}
    return endpoint.model_copy(update=shares)
