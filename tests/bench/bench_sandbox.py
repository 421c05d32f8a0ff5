"""How fast calls are isolated. Run it by hand, on an idle machine:

    uv run python tests/bench/bench_sandbox.py [--calls 2000]

All lines are measured in this one run; the floors before and after, since shared machines change
their speed. A floor is what fork itself costs: a CPython process, all collection frozen, makes a
pipe, forks, the child writes one byte and exits, the parent reads it and waits for the child.
Nothing is called, limited, cleaned up or sent to another process. It depends on how much memory the
parent has, so there are three:

    small           it has imported the modules that the runner imports
    library         also the 161 tools of sandbox/tools, as a runner that serves them has
    library, in     the same in a container with the limits of a slot, which forks pay for, too
    container

"to the floor" is a method's rate over that of the floor with the same tools in memory.
"""

import argparse
import ast
import asyncio
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import docker
from rich.console import Console
from rich.table import Table

from apigen_ray.errors import BadInput, SandboxLost
from apigen_ray.records import Call, Returned
from apigen_ray.stages.execute.sandbox import (
    Sandbox,
    SandboxSettings,
    choose_kind,
    ensure_image,
    open_sandbox,
    pack,
)
from apigen_ray.stages.execute.sandbox.image import runner_files
from apigen_ray.stages.execute.sandbox.toolcode import ToolCode
from apigen_ray.stages.execute.sandbox.transports.docker import CPU_PERIOD_US

PEER = "llm-sandbox[docker]==0.3.46"
ONE_TOOL = ToolCode(
    {"bench_tool.py": b"def add(a, b):\n    return a + b\n"}, {"add": ("bench_tool", "add")}
)
ADD = (Call("add", {"a": 1, "b": 2}), 3)
GCD = (Call("gcd_and_lcm", {"numbers": [12, 18]}), {"gcd": 6, "lcm": 36})


def library() -> ToolCode:
    """All tools of sandbox/tools."""
    names = {}
    for path in sorted((runner_files() / "tools").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names[node.name] = (f"tools.{path.stem}", node.name)
    return pack([runner_files() / "tools"], names)


@dataclass
class Measured:
    """Latencies of a method, and how long all took together."""

    method: str
    latencies: list[float]
    seconds: float
    library: bool = False
    """Whether the process that forks has all tools of the library in memory."""

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
import sys
import contextlib, ctypes, faulthandler, gc, importlib, json, mmap, os, resource, select, signal
import socket, struct, time, typing
times, folder = int(sys.argv[1]), sys.argv[2]
if folder:
    sys.path.insert(0, folder)
    for name in sorted(os.listdir(folder + "/tools")):
        if name.endswith(".py"):
            importlib.import_module("tools." + name[:-3])
gc.collect(); gc.freeze(); gc.disable()
latencies, started = [], time.perf_counter()
for _ in range(times):
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
seconds = time.perf_counter() - started
resident = int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) / 1024
print(json.dumps([latencies, seconds, resident]))
"""
FLOOR = {False: "floor: bare fork, small", True: "floor: bare fork, library"}


def bare_fork(times: int, library: bool) -> Measured:
    """Fork, pipe and exit in a CPython on this machine."""
    command = [sys.executable, "-s", "-E", "-B", "-c", BARE_FORK, str(times)]
    output = subprocess.run(
        [*command, str(runner_files()) if library else ""],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    latencies, seconds, resident = json.loads(output)
    return Measured(f"{FLOOR[library]} ({resident:.0f} MB)", latencies, seconds, library)


def bare_fork_in_container(image: str, times: int) -> Measured:
    """The same in a container with the limits that a slot has."""
    output = docker.from_env().containers.run(
        image,
        ["-s", "-E", "-B", "-c", BARE_FORK, str(times), "/opt"],
        entrypoint="python3",
        remove=True,
        network_mode="none",
        cap_drop=["ALL"],
        read_only=True,
        mem_limit="256m",
        memswap_limit="256m",
        pids_limit=64,
        cpu_period=CPU_PERIOD_US,
        cpu_quota=CPU_PERIOD_US,
        volumes={str(runner_files() / "tools"): {"bind": "/opt/tools", "mode": "ro"}},
    )
    latencies, seconds, resident = json.loads(output)
    name = f"bare fork, library, in container ({resident:.0f} MB)"
    return Measured(name, latencies, seconds, True)


async def through_sandbox(
    method: str, settings: SandboxSettings, code: ToolCode, times: int, calls_a_point: int = 1
) -> Measured:
    sandbox = await open_sandbox(settings, code)
    latencies: list[float] = []
    asked, expected = ADD if code is ONE_TOOL else GCD

    async def client(count: int) -> None:
        for _ in range(count):
            begun = time.perf_counter()
            results = await sandbox.run([asked] * calls_a_point)
            latencies.extend([(time.perf_counter() - begun) / calls_a_point] * calls_a_point)
            assert all(isinstance(one, Returned) and one.result == expected for one in results)

    try:
        await client(50 // calls_a_point + 1)
        latencies.clear()
        started = time.perf_counter()
        points = times // calls_a_point
        await asyncio.gather(*(client(points // settings.slots) for _ in range(settings.slots)))
        return Measured(method, latencies, time.perf_counter() - started, code is not ONE_TOOL)
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
        label: dict[str, str | list[str] | bool] = {
            "label": f"apigen-ray=runner of process {os.getpid()}"
        }
        [container] = docker.from_env().containers.list(filters=label)
        resident = resident_mb(container.attrs["State"]["Pid"])
        stats = container.stats(stream=False)
        assert isinstance(stats, dict)
        return resident, stats["memory_stats"]["usage"] / (1 << 20)
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
            assert container.exec_run(command).exit_code == 0

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


LLM_SANDBOX = """
import json, sys, time
from llm_sandbox import SandboxSession
latencies = []
with SandboxSession(
    container_id=sys.argv[1], lang="python", workdir="/tmp", skip_environment_setup=True
) as session:
    for _ in range(int(sys.argv[2]) + 1):
        begun = time.perf_counter()
        assert session.run("print(1 + 2)").stdout.strip() == "3"
        latencies.append(time.perf_counter() - begun)
print(json.dumps(latencies[1:]))
"""


def llm_sandbox(image: str, times: int) -> Measured | str:
    """llm-sandbox's warm session, in a container of our image; the library in a venv of its own."""
    client = docker.from_env()
    container = client.containers.run(
        image,
        ["-c", "import time; time.sleep(600)"],
        entrypoint="python3",
        detach=True,
        auto_remove=True,
        network_mode="none",
        user="0:0",
    )
    try:
        python = links({"tmp/.sandbox-venv/bin/python": "/usr/local/bin/python3"})
        container.put_archive("/", python)
        command = ["uv", "run", "-q", "--isolated", "--no-project", "--with", PEER]
        found = subprocess.run(
            [*command, "python", "-c", LLM_SANDBOX, str(container.id), str(times)],
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode:
            return f"{PEER}: {(found.stderr.splitlines() or ['it ended'])[-1]}"
        latencies = json.loads(found.stdout.splitlines()[-1])
        return Measured(f"{PEER}, warm session", latencies, sum(latencies))
    finally:
        container.remove(force=True)


def links(targets: dict[str, str]) -> bytes:
    """A tar archive of symbolic links."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, target in targets.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    return archive.getvalue()


async def kinds(one: SandboxSettings, times: int) -> AsyncIterator[Measured | str]:
    """The other kinds of sandbox, or why one does not work here."""
    for changes, calls in (
        ({"kind": "bubblewrap"}, times),
        ({"kind": "process"}, times),
        ({"runtime": "runsc"}, times // 20),
    ):
        name = " ".join(changes.values())
        settings = one.model_copy(update=changes)
        try:
            choose_kind(settings)
            yield await through_sandbox(f"{name}, 1 slot", settings, ONE_TOOL, calls)
        except (BadInput, SandboxLost) as error:
            yield f"{name}: {error}"


def print_table(console: Console, rows: list[Measured]) -> None:
    """Rates and latencies, each rate over the mean of its floor's."""
    floors = {
        library: statistics.mean(row.rate for row in rows if row.method.startswith(name))
        for library, name in FLOOR.items()
    }
    table = Table("method", "calls/s", "p50 ms", "p99 ms", "to the floor")
    for row in rows:
        numbers = (row.rate, row.quantile(0.5), row.quantile(0.99))
        ratio = row.rate / floors[row.library]
        table.add_row(row.method, *(f"{n:,.1f}" for n in numbers), f"{ratio:.2f}")
    console.print(table)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--base-image", default="host")
    options = parser.parse_args()
    calls: int = options.calls

    one = SandboxSettings(kind="docker", slots=1, base_image=options.base_image)
    two = one.model_copy(update={"slots": 2})
    shared = one.model_copy(update={"fork_per": "data_point"})
    image, tools = ensure_image(one).tag, library()

    rows: list[Measured] = []
    for _ in range(2):
        rows += [bare_fork(calls, library=False), bare_fork(calls, library=True)]
        rows.append(bare_fork_in_container(image, calls))
        rows += [
            await through_sandbox("1 container, library", one, tools, calls),
            await through_sandbox("2 containers, library", two, tools, calls),
            await through_sandbox("1 container, one tool", one, ONE_TOOL, calls),
            await through_sandbox("2 containers, one tool", two, ONE_TOOL, calls),
        ]
    rows.append(
        await through_sandbox("1 container, one tool, a fork per 8", shared, ONE_TOOL, calls, 8)
    )
    others = [row async for row in kinds(one, calls)]
    others += [docker_exec(image, 20), docker_run(image, 5), llm_sandbox(image, 10)]
    rows += [row for row in others if isinstance(row, Measured)]

    console = Console()
    print_table(console, sorted(rows, key=lambda row: row.method))
    for reason in others:
        if isinstance(reason, str):
            console.print(f"left out: {reason}")
    starts = await cold_starts(one, ONE_TOOL, 10)
    console.print(f"cold start: median {statistics.median(starts) * 1e3:.0f} ms")
    resident, counted = await idle_memory(one, ONE_TOOL)
    console.print(f"idle: {resident:.1f} MB resident, {counted:.1f} MB in its cgroup")


if __name__ == "__main__":
    asyncio.run(main())
