"""vLLM inside the cluster: its settings, and one vLLM server as a child process.

An engine is vLLM's own OpenAI server, started on a node that has the GPUs (by
`pipeline.vllm_engine`, which knows Ray). It is used through the same client as any endpoint, with
the same pacing, retries, replicas, prices and response cache. Ray's two alternatives don't fit:
`ray.data.llm` owns the dataset and its stages, so that a single completion can't be awaited,
retried or cached before it is used; `ray.serve.llm` needs vLLM in our own environment, and adds a
controller, a proxy and a queue.

An engine that dies is not restarted: the other replicas serve, or the run stops and says why.
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
"""With a schema, a model may write white space until its tokens run out. Of the backends for
structured output in vLLM 0.32, this one enforces most of a schema."""

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
"""Runs a command until standard input is closed, however the process that holds it ends; then the
whole process group is killed."""

STOP_S = 20.0


class VllmEndpoint(GenerationSettings):
    """A model served by vLLM on the cluster's GPUs for the duration of the run."""

    kind: Literal["vllm"] = "vllm"
    """Started before the run and stopped after it; `model` is a name on the Hub or a folder."""
    replicas: int = Field(default=1, ge=1)
    """How many engines serve the model, each on GPUs of its own."""
    tensor_parallel_size: int = Field(default=1, ge=1)
    """How many GPUs of one node each engine uses for tensor parallelism."""
    num_gpus: int | None = Field(default=None, ge=0)
    """GPUs per engine; by default, `tensor_parallel_size`; 0 for an engine on CPUs."""
    dtype: str = "auto"
    """The data type of weights and activations."""
    engine_args: dict[str, JsonValue] = Field(default={})
    """More options of vLLM's server, such as `max_model_len: 16384`."""
    python: str | None = None
    """The Python interpreter that has vLLM, on every node with GPUs; by default, Ray's own."""
    env: dict[str, str] = Field(default={})
    """Environment variables of the engine."""
    startup_timeout_s: float = Field(default=1800, gt=0)
    """How long loading the model may take, in seconds."""

    @property
    def gpus_each(self) -> int:
        """GPUs per engine."""
        return self.tensor_parallel_size if self.num_gpus is None else self.num_gpus

    @property
    def engine(self) -> str:
        """The settings of the engine itself: entries that agree in them share engines."""
        own = VllmEndpoint.model_fields.keys() - GenerationSettings.model_fields.keys()
        return self.model_dump_json(include=(own | {"model"}) - {"startup_timeout_s"})

    def served_at(self, urls: tuple[str, ...]) -> Endpoint:
        """The endpoint of the model, served at these URLs."""
        settings = self.model_dump(include=set(GenerationSettings.model_fields))
        gpus = max(1, self.replicas * self.gpus_each)
        return Endpoint(base_urls=urls, gpus=gpus, **settings)

    def command(self, host: str, port: int) -> list[str]:
        """The command that starts one engine."""
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
    """One vLLM server, as a child process that ends with this process."""

    def __init__(self, settings: VllmEndpoint, host: str) -> None:
        """Start it; it is not ready yet.

        Args:
            settings: The model and how to serve it.
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
        """Whether it answers yet.

        Raises:
            EndpointError: if it has exited, with its last error message.
        """
        if self._process.poll() is not None:
            raise EndpointError(f"vLLM did not start: {self._last_error()} (full log: {self._log})")
        try:
            health = self.url.removesuffix("/v1") + "/health"
            with urllib.request.urlopen(health, timeout=5) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (OSError, HTTPException):
            return False

    def stop(self) -> None:
        """Stop it and all its processes. The log is kept if it had exited before."""
        if self._process.poll() is None:
            self._log.unlink()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(STOP_S)

    def _last_error(self) -> str:
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines()]
        errors = [line for line in lines if "Error" in line or "error:" in line]
        return (errors or [line for line in lines if line] or ["no output"])[-1][:300]
