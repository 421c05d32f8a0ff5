"""vLLM inside the cluster: what the config says of it, and one server of it as a child process.

An engine is vLLM's own OpenAI server, started on a node that has the GPUs (by `engines`, which
knows Ray), and asked by the one client there is: pace, retries, replicas, prices and kept replies
are the same as for any endpoint. The other two ways that Ray has were left: `ray.data.llm` owns the
dataset and its stages, so that a single completion can't be awaited, asked again or kept before
it is used; `ray.serve.llm` would be asked the same way as this, but wants vLLM in our own
environment, and puts a controller, a proxy and a queue of its own between.

An engine that dies is not started again: the other replicas serve, or the run stops and says why.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue

from apigen_ray.errors import EndpointError
from apigen_ray.models.endpoints import Endpoint, GenerationSettings

GUIDED: dict[str, JsonValue] = {
    "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True}
}
"""Held to a schema, a model may go on writing white space until its tokens run out. Of vLLM 0.32's
engines for that, this one keeps to most of a schema."""

SUPERVISED = """
exec 3<&0
"$@" < /dev/null 3<&- &
engine=$!
(
    cat <&3 > /dev/null
    kill -TERM $engine
    for _ in $(seq 100); do kill -0 $engine 2> /dev/null || break; sleep 0.1; done
    kill -KILL 0
) > /dev/null 2>&1 &
exec 3<&-
wait $engine
"""
"""Runs a command until standard input is closed, by whatever end of the process that holds it; then
nothing of its process group is left."""

STOP_S = 20.0


class VllmEndpoint(GenerationSettings):
    """A model served by vLLM on the cluster's GPUs, for as long as the run takes."""

    kind: Literal["vllm"] = "vllm"
    """Started before the run and stopped after it; `model` is a name on the Hub or a folder."""
    replicas: int = Field(default=1, ge=1)
    """How many engines serve the model, each on GPUs of its own."""
    tensor_parallel_size: int = Field(default=1, ge=1)
    """Over how many GPUs of one node an engine spreads the model."""
    num_gpus: int | None = Field(default=None, ge=0)
    """GPUs for each engine, where that is not `tensor_parallel_size`; 0 for an engine on CPUs."""
    dtype: str = "auto"
    """The type of weights and activations."""
    engine_args: dict[str, JsonValue] = Field(default={})
    """Further options of vLLM's server, such as `max_model_len: 16384`."""
    python: str | None = None
    """The Python that has vLLM, on every node with GPUs; without it, that of Ray."""
    env: dict[str, str] = Field(default={})
    """Environment variables for the engine."""
    startup_timeout_s: float = Field(default=1800, gt=0)
    """How long loading the model may take, in seconds."""

    @property
    def gpus_each(self) -> int:
        """GPUs of one engine."""
        return self.tensor_parallel_size if self.num_gpus is None else self.num_gpus

    @property
    def engine(self) -> str:
        """What tells engines apart: two entries that differ in nothing else share them."""
        own = VllmEndpoint.model_fields.keys() - GenerationSettings.model_fields.keys()
        return self.model_dump_json(include=(own | {"model"}) - {"startup_timeout_s"})

    def served_at(self, urls: tuple[str, ...]) -> Endpoint:
        """The same model as an endpoint."""
        asking = self.model_dump(include=set(GenerationSettings.model_fields))
        gpus = max(1, self.replicas * self.gpus_each)
        return Endpoint(base_urls=urls, gpus=gpus, **asking)

    def command(self, host: str, port: int) -> list[str]:
        """How one engine is started."""
        options: dict[str, JsonValue] = {
            "model": self.model,
            "host": host,
            "port": port,
            "tensor_parallel_size": self.tensor_parallel_size,
            "dtype": self.dtype,
            **GUIDED,
            **self.engine_args,
        }
        module = "vllm.entrypoints.openai.api_server"
        arguments = [_option(name, value) for name, value in options.items()]
        return [self.python or sys.executable, "-m", module, *arguments]


def _option(name: str, value: JsonValue) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag}={json.dumps(value) if isinstance(value, dict | list) else value}"


class Engine:
    """One server, as a child process that ends with this one."""

    def __init__(self, settings: VllmEndpoint, host: str) -> None:
        """Start it; it is not ready yet.

        Args:
            settings: What is served.
            host: The address of this machine under which the run's actors reach it.
        """
        with socket.create_server((host, 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://{host}:{port}/v1"
        descriptor, log = tempfile.mkstemp(prefix="apigen-ray-vllm-", suffix=".log")
        self._log = Path(log)
        with os.fdopen(descriptor, "wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - what the config says
                ["/bin/sh", "-c", SUPERVISED, "engine", *settings.command(host, port)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=os.environ | settings.env,
                start_new_session=True,
            )

    def ready(self) -> bool:
        """Whether it answers by now.

        Raises:
            EndpointError: if it has ended, with its own words.
        """
        if self._process.poll() is not None:
            raise EndpointError(
                f"vLLM did not start: {self._last_words()} (all of it: {self._log})"
            )
        try:
            health = self.url.removesuffix("/v1") + "/health"
            with urllib.request.urlopen(health, timeout=5) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (OSError, HTTPException):
            return False

    def stop(self) -> None:
        """End it, and all that it started. Its log stays if it ended before."""
        if self._process.poll() is None:
            self._log.unlink()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STOP_S)

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines()]
        errors = [line for line in lines if "Error" in line or "error:" in line]
        return (errors or [line for line in lines if line] or ["it said nothing"])[-1][:300]
