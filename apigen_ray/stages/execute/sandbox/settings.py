"""How calls are isolated, as the user sets it."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from apigen_ray.models.settings import Settings
from apigen_ray.stages.execute.rest.policy import Policy

Kind = Literal["docker", "sidecar", "bubblewrap", "process"]
WITH_EGRESS: Sequence[Kind] = ("docker", "bubblewrap")
"""Kinds whose sandboxes have a network namespace of their own."""


class EgressSettings(Settings):
    """The hosts that Python tools may reach by HTTP themselves; all others stay closed to them."""

    hosts: tuple[str, ...] = Field(min_length=1)
    """Hosts that may be reached: `api.example.com`, `*.example.com:443`."""
    allow: tuple[str, ...] = ()
    """Addresses and networks that these names may have although they are not public:
    `127.0.0.1:8080`, `10.0.0.0/8`."""

    @field_validator("hosts")
    @classmethod
    def _readable_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        Policy(hosts=hosts)
        return hosts

    @field_validator("allow")
    @classmethod
    def _readable_allow(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        Policy(allow)
        return allow


class SandboxSettings(Settings):
    """Where calls run, and what each may use."""

    kind: Literal["auto"] | Kind = "auto"
    """`auto` takes the first that works here: `docker`, `bubblewrap`, `process`."""
    slots: int = Field(2, ge=1)
    """Warm runners per executor actor: as many calls run at once."""
    timeout_s: float = Field(10.0, gt=0)
    """Wall time of one call."""
    memory_mb: int = Field(256, ge=64)
    """Memory of one slot, shared by the call and the files it writes."""
    cpus: float = Field(1.0, gt=0)
    """CPU time a slot may use per second of wall time (Docker only)."""
    result_bytes: int = Field(1 << 20, ge=1024)
    """Size of a result as JSON text; a call that returns more fails."""
    output_bytes: int = Field(64 << 10, ge=0)
    """How much of what a call prints is kept to explain a crash; the rest is dropped."""
    fork_per: Literal["call", "data_point"] = "call"
    """What is isolated: every call, or all calls of a data point together (faster)."""
    base_image: str = "python:3.12-slim"
    """Image with a `python3` to build the sandbox on; `host` copies this machine's Python."""
    image: str | None = None
    """An existing sandbox image; by default one is built on `base_image`."""
    runtime: str | None = None
    """Docker runtime, such as `runsc` (gVisor)."""
    socket_dir: str | None = None
    """Sidecar only: the folder shared with the runner containers."""
    egress: EgressSettings | None = None
    """What tools may reach by HTTP, through a proxy (Docker and bubblewrap only); null: nothing."""

    @model_validator(mode="after")
    def _can_have_egress(self) -> Self:
        if self.egress and self.kind not in ("auto", *WITH_EGRESS):
            raise ValueError(f"egress: {no_egress(self.kind)}")
        return self


def no_egress(kind: str) -> str:
    """Why a kind of sandbox can't have egress."""
    where = "shares its pod's" if kind == "sidecar" else "has this machine's"
    return f"a sandbox of kind {kind} {where} network; {' and '.join(WITH_EGRESS)} can have it"
