"""How calls are isolated, as the user sets it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["docker", "sidecar", "bubblewrap", "process"]


class SandboxSettings(BaseModel):
    """Where calls run, and what each may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    """Of what a call prints, as much is kept to explain a crash; the rest is dropped."""
    fork_per: Literal["call", "data_point"] = "call"
    """What is isolated: every call, or all calls of a data point together (faster)."""
    base_image: str = "python:3.12-slim"
    """Image with a `python3` to build the sandbox on; `host` copies this machine's Python."""
    runtime: str | None = None
    """Docker runtime, such as `runsc` (gVisor)."""
    socket_dir: str | None = None
    """Sidecar only: the folder shared with the runner containers."""
