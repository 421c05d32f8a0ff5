"""How fast calls are isolated. Run it by hand, on an idle machine:

    uv run python tests/bench/bench_sandbox.py [--calls 2000]

All lines are measured in this one run, the floor (a bare fork of CPython) among them, before and
after, since shared machines change their speed.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
from rich.console import Console
from rich.table import Table

from apigen_ray.records import Call, Returned
from apigen_ray.sandbox import Sandbox, SandboxSettings, ensure_image, open_sandbox
from apigen_ray.sandbox.toolcode import ToolCode

TOOL = "def add(a, b):\n    return a + b\n"


@dataclass
class Measured:
    """Latencies of a method, and how long all took together."""

    method: str
    latencies: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        return statistics.quantiles(self.latencies, n=1000)[round(share * 1000) - 1] * 1e3


def measure(method: str, once: Callable[[], None], times: int) -> Measured:
    latencies = []
    started = time.perf_counter()
    for _ in range(times):
        begun = time.perf_counter()
        once()
        latencies.append(time.perf_counter() - begun)
    return Measured(method, latencies, time.perf_counter() - started)


BARE_FORK = """
import ctypes, contextlib, faulthandler, gc, importlib, itertools, json, mmap, os, resource, select
import signal, socket, struct, sys, time
gc.collect(); gc.freeze(); gc.disable()
latencies, started = [], time.perf_counter()
for _ in range(int(sys.argv[1])):
    begun = time.perf_counter()
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writable, b"3")
        os._exit(0)
    os.read(readable, 1)
    os.waitpid(pid, 0)
    os.close(readable); os.close(writable)
    latencies.append(time.perf_counter() - begun)
print(json.dumps([latencies, time.perf_counter() - started]))
"""


def bare_fork(times: int) -> Measured:
    """Fork, pipe and exit in a CPython with the runner's modules: nothing called or isolated."""
    command = [sys.executable, "-s", "-E", "-S", "-c", BARE_FORK, str(times)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Measured("bare CPython fork, pipe, exit (floor)", *json.loads(output))


async def through_sandbox(
    method: str, settings: SandboxSettings, code: ToolCode, times: int, calls_a_point: int = 1
) -> Measured:
    sandbox = await open_sandbox(settings, code)
    latencies: list[float] = []

    async def client(count: int) -> None:
        for _ in range(count):
            begun = time.perf_counter()
            results = await sandbox.run([Call("add", {"a": 1, "b": 2})] * calls_a_point)
            latencies.extend([(time.perf_counter() - begun) / calls_a_point] * calls_a_point)
            assert all(isinstance(one, Returned) and one.result == 3 for one in results)

    try:
        await client(50 // calls_a_point + 1)
        latencies.clear()
        started = time.perf_counter()
        points = times // calls_a_point
        await asyncio.gather(*(client(points // settings.slots) for _ in range(settings.slots)))
        return Measured(method, latencies, time.perf_counter() - started)
    finally:
        await sandbox.close()


async def cold_starts(settings: SandboxSettings, code: ToolCode, times: int) -> list[float]:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        sandbox = await open_sandbox(settings, code)
        found.append(time.perf_counter() - begun)
        await sandbox.close()
    return found


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def idle_memory(settings: SandboxSettings, code: ToolCode) -> tuple[float, float]:
    """Resident memory of the runner, and what its cgroup counts, in MB."""
    sandbox: Sandbox = await open_sandbox(settings, code)
    try:
        label = {"label": f"apigen-ray=runner of process {os.getpid()}"}
        [container] = docker.from_env().containers.list(filters=label)
        resident = resident_mb(container.attrs["State"]["Pid"])
        return resident, container.stats(stream=False)["memory_stats"]["usage"] / (1 << 20)
    finally:
        await sandbox.close()


def docker_exec(image: str, times: int) -> Measured:
    client = docker.from_env()
    container = client.containers.run(
        image,
        ["-c", "import time; time.sleep(600)"],
        entrypoint="python3",
        detach=True,
        auto_remove=True,
        network_mode="none",
    )
    try:
        command = ["python3", "-c", "print(1 + 2)"]

        def once() -> None:
            assert container.exec_run(command).output == b"3\n"

        return measure("docker exec of Python", once, times)
    finally:
        container.remove(force=True)


def docker_run(image: str, times: int) -> Measured:
    client = docker.from_env()

    def once() -> None:
        client.containers.run(
            image, ["-c", "print(1 + 2)"], entrypoint="python3", remove=True, network_mode="none"
        )

    return measure("docker run of Python", once, times)


def llm_sandbox(image: str, times: int) -> Measured | None:
    """The library's warm session, where it is installed; it needs `docker cp` of a file a call."""
    try:
        from llm_sandbox import SandboxSession  # noqa: PLC0415 - not a dependency of ours
    except ImportError:
        return None
    with SandboxSession(image=image, lang="python", skip_environment_setup=True) as session:

        def once() -> None:
            assert session.run("print(1 + 2)").stdout.strip() == "3"

        return measure("llm-sandbox, warm session", once, times)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--base-image", default="host")
    options = parser.parse_args()
    calls: int = options.calls

    code = ToolCode({"bench_tool.py": TOOL.encode()}, {"add": ("bench_tool", "add")})
    one = SandboxSettings(kind="docker", slots=1, base_image=options.base_image)
    image = ensure_image(one).tag
    shared = one.model_copy(update={"fork_per": "data_point"})

    rows = [
        bare_fork(calls),
        await through_sandbox("1 container, a fork per call", one, code, calls),
        await through_sandbox(
            "2 containers, a fork per call", one.model_copy(update={"slots": 2}), code, calls
        ),
        await through_sandbox("1 container, a fork per 8 calls", shared, code, calls, 8),
        bare_fork(calls),
    ]
    for kind in ("bubblewrap", "process"):
        settings = one.model_copy(update={"kind": kind})
        method = f"{kind}, 1 slot, a fork per call"
        rows.append(await through_sandbox(method, settings, code, calls))
    rows += [docker_exec(image, 20), docker_run(image, 5)]
    rows += [measured for measured in [llm_sandbox(image, 10)] if measured]

    table = Table("method", "calls/s", "p50 ms", "p99 ms", "to the floor")
    floor = statistics.mean(row.rate for row in rows if "floor" in row.method)
    for row in rows:
        numbers = (row.rate, row.quantile(0.5), row.quantile(0.99))
        table.add_row(row.method, *(f"{n:,.1f}" for n in numbers), f"{row.rate / floor:.2f}")
    console = Console()
    console.print(table)
    starts = await cold_starts(one, code, 10)
    console.print(f"cold start: median {statistics.median(starts) * 1e3:.0f} ms")
    resident, counted = await idle_memory(one, code)
    console.print(f"idle: {resident:.1f} MB resident, {counted:.1f} MB in its cgroup")


if __name__ == "__main__":
    asyncio.run(main())
