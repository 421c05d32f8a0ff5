"""How REST tools are called, as the user sets it."""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from apigen_ray.models.settings import Settings
from apigen_ray.stages.execute.rest.envelopes import ERROR_FORMS, ErrorPattern
from apigen_ray.stages.execute.rest.policy import Policy


class RestSettings(Settings):
    """What REST tools may reach, and what a call may take."""

    allow: tuple[str, ...] = ()
    """Addresses and networks that may be called although not public, with or without a port:
    `127.0.0.1:8080`, `10.0.0.0/8`, `[::1]:8080`."""
    hosts: tuple[str, ...] | None = None
    """If given, only these hosts may be called: `api.example.com`, `*.example.com:443`."""
    timeout_s: float = Field(default=10, gt=0)
    """How long an attempt may take, including redirects and the complete response, in seconds."""
    response_bytes: int = Field(default=1 << 20, ge=1024)
    """The largest response that is read, in bytes after decompression."""
    redirects: int = Field(default=3, ge=0)
    """How many redirects are followed at most."""
    per_host_concurrency: int = Field(default=8, ge=1)
    """How many calls to one host are in flight at most, from each executor actor."""
    per_host_rate: float | None = Field(default=None, gt=0)
    """How many calls per second go to one host at most, from each executor actor; null: any."""
    retries: int = Field(default=2, ge=0)
    """How often an idempotent call (GET, HEAD, OPTIONS, PUT, DELETE) is retried after a connection
    error, or a 429 or 503 that says when to retry."""
    errors: tuple[ErrorPattern, ...] = ERROR_FORMS
    """How to recognise an error that an API reports with status 200."""
    mode: Literal["live", "record", "replay"] = "live"
    """`record` also writes every exchange to the cassette; `replay` answers from it, offline."""
    cassette: str | None = None
    """The JSONL file of recorded exchanges; API keys are never in it."""

    @field_validator("allow", "hosts")
    @classmethod
    def _readable(
        cls, entries: tuple[str, ...] | None, info: ValidationInfo
    ) -> tuple[str, ...] | None:
        if entries is not None:
            Policy(**{str(info.field_name): entries})
        return entries

    @model_validator(mode="after")
    def _has_cassette(self) -> Self:
        if self.mode != "live" and self.cassette is None:
            raise ValueError(f"mode {self.mode} needs a cassette")
        return self
