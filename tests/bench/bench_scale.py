"""How far a run goes on this machine, and on several nodes.

    uv run python tests/bench/bench_scale.py run --points 40000 --plot memory.png
    uv run python tests/bench/bench_scale.py nodes --nodes 1 2 4 8
    uv run python tests/bench/bench_scale.py driver --rows 1000000

`run`: four models at once, all stages, real containers. The models are simulated and answer at
once, so what is measured is this program, their servers and the containers on the same cores. CPU
is that of a process with all its threads; `sandbox` is all that runs in the containers. Outside our
stages: the driver (but for its own work on rows, which is small), Ray's processes, and in the
actors of the stages every thread but the one that runs the stage. Memory is what the processes
don't share.

`nodes`: as many raylets on this machine, a generating and an executing actor for each, and stages
that only sleep, so that not the cores decide. Efficiency: rows/s in the middle of the run over
nodes times the rows/s that the sleeps allow one node.

`driver`: a run whose stages do nothing, with rows of 2 KB: what is left is the driver's own work,
and Ray's.
"""

import argparse
import asyncio
import functools
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from rich.console import Console

import apigen_ray.workflows.run
from apigen_ray.config import RunConfig
from apigen_ray.pipeline import dataset
from apigen_ray.prompting.prompt_specs import point_id
from apigen_ray.records import Style
from apigen_ray.run_folder.rows import as_table, new_row
from apigen_ray.workflows.collect import collect

import ray  # isort: skip
from ray.cluster_utils import Cluster  # isort: skip
from ray.util.state import list_actors  # isort: skip

ROOT = Path(__file__).parents[2]
STYLES = ("simple", "multiple", "parallel", "parallel_multiple")
TICK, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
STAGES = ("generate", "execute", "judge")
NAMES = {  # what a command line holds, and what the table calls the process
    "(generate(": "generate",
    "(execute)": "execute",
    "(judge)": "judge",
    "Coordinator": "coordinator",
    "models.simulated": "simulated models",
    "raylet/raylet": "raylet",
    "gcs_server": "gcs_server",
    "apigen_ray": "driver",
}


def named(command: str) -> str:
    """What the table calls a process."""
    return next((name for part, name in NAMES.items() if part in command), "ray, other")


def fields_of(stat: Path) -> list[str]:
    """What the kernel says of a process or thread, from its state on; see `man proc_pid_stat`."""
    return stat.read_text().rpartition(")")[2].split()


class Watch:
    """CPU and memory of a process and all that it started, by name, and of its containers."""

    def __init__(self, root: int) -> None:
        self._known = {root: fields_of(Path(f"/proc/{root}/stat"))[19]}  # and when it started
        self._names: dict[int, str] = {}
        self._cpu: dict[tuple[str, int, str], float] = {}
        self._loops: dict[int, float] = {}
        self._engine = docker.from_env()
        self._runners: dict[str | None, int] = {}
        self.memory: list[tuple[float, dict[str, int]]] = []
        self.started = time.monotonic()

    def look(self) -> None:
        """Take a sample; a process that has ended keeps what it was last seen with."""
        memory: dict[str, int] = defaultdict(int)
        for pid in sorted(
            int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()
        ):
            try:
                fields = fields_of(Path(f"/proc/{pid}/stat"))
                # Forks take the numbers of processes that have ended: a number alone names none.
                if int(fields[1]) not in self._known and self._known.get(pid) != fields[19]:
                    continue
                self._known[pid] = fields[19]
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                shared = int(Path(f"/proc/{pid}/statm").read_text().split()[2])
                threads = self._threads(pid)
            except OSError:
                continue
            name = named(command)
            if name == "ray, other":
                name = self._names.get(pid, name)
            self._names[pid] = name
            one = (pid, fields[19])
            self._cpu = {key: cpu for key, cpu in self._cpu.items() if key[1:] != one}
            self._cpu[name, *one] = (int(fields[11]) + int(fields[12])) / TICK
            self._loops[pid] = max(threads, default=0.0)
            memory[name] += (int(fields[21]) - shared) * PAGE
        for pid, cpu, bytes_ in self._in_containers():
            self._cpu["sandbox", pid, ""] = cpu
            memory["sandbox"] += bytes_
        self.memory.append((time.monotonic() - self.started, dict(memory)))

    def _threads(self, pid: int) -> list[float]:
        """CPU seconds of each thread of an actor of a stage."""
        if self._names.get(pid) not in STAGES:
            return []
        fields = list(map(fields_of, Path(f"/proc/{pid}/task").glob("*/stat")))
        return [(int(f[11]) + int(f[12])) / TICK for f in fields]

    def _in_containers(self) -> list[tuple[int, float, int]]:
        """CPU and memory of the runners, with the children that they have waited for."""
        found = []
        for container in self._engine.containers.list(filters={"label": "apigen-ray"}, sparse=True):
            owner = container.attrs["Labels"]["apigen-ray"].removeprefix("runner of process ")
            if not owner.isdigit() or int(owner) not in self._known:
                continue
            if container.id not in self._runners:
                try:
                    container.reload()
                except docker.errors.NotFound:
                    continue
                self._runners[container.id] = container.attrs["State"]["Pid"]
            pid = self._runners[container.id]
            try:
                text = Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                continue
            fields = text.rpartition(")")[2].split()
            found.append((pid, sum(map(int, fields[11:15])) / TICK, int(fields[21]) * PAGE))
        return found

    def by_name(self) -> dict[str, float]:
        """CPU seconds by name of process."""
        total: dict[str, float] = defaultdict(float)
        for (name, *_), cpu in self._cpu.items():
            total[name] += cpu
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def outside(self) -> float:
        """CPU seconds that went into moving rows, not into stages."""
        total = 0.0
        for (name, pid, _), cpu in self._cpu.items():
            if name in STAGES:
                total += cpu - self._loops[pid]
            elif name not in ("sandbox", "simulated models"):
                total += cpu
        return total


def configured(folder: Path, points: int, models: int, sandbox: dict[str, Any]) -> Path:
    """The config of `run`."""

    def simulated(name: str, seed: int) -> dict[str, Any]:
        at_once = {"latency_s": 0, "concurrency": 128}
        return {"kind": "simulated", "name": name, "seed": seed, **at_once}

    config = {
        "out": str(folder / "run"),
        "points": dict.fromkeys(STYLES, points // len(STYLES)),
        "tools": [str(ROOT / "sandbox" / "tools")],
        "seeds": [str(ROOT / "configs" / "seeds.jsonl")],
        "models": [simulated(f"model-{number}", number) for number in range(models)],
        "judge": simulated("judge", models),
        "sandbox": sandbox,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return path


def committed(folder: Path) -> tuple[int, int]:
    """Parts and rows that a run has written."""
    parts = list((folder / "run" / "samples").glob("part-*.parquet"))
    return len(parts), sum(map(rows_of, parts))


@functools.cache
def rows_of(part: Path) -> int:
    """The rows of a part, which never changes: reading all of them each time is work, too."""
    return int(pq.read_metadata(part).num_rows)


def run(arguments: argparse.Namespace) -> None:
    """The large run."""
    folder = Path(arguments.out or tempfile.mkdtemp(prefix="bench-scale-"))
    folder.mkdir(parents=True, exist_ok=True)
    sandbox = {
        "kind": arguments.sandbox,
        "slots": arguments.slots,
        "fork_per": arguments.fork_per,
    }
    path = configured(folder, arguments.points, arguments.models, sandbox)
    print(f"folder: {folder}", flush=True)
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "apigen_ray", "run", str(path)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        watch = Watch(process.pid)
        # Rows, CPU by name, CPU outside our stages: from the first part to the last but one.
        marks: list[tuple[float, int, dict[str, float], float]] = []
        parts, said = 0, 0.0
        while process.poll() is None:
            time.sleep(arguments.every)
            watch.look()
            before, (parts, rows) = parts, committed(folder)
            if parts > before:
                marks.append((time.monotonic(), rows, watch.by_name(), watch.outside()))
            if marks and time.monotonic() - said > 30:
                said = time.monotonic()
                seconds = said - watch.started
                print(f"{seconds:6.0f} s  {rows:,} rows, {parts} parts", flush=True)
    wall = time.monotonic() - watch.started
    parts, rows = committed(folder)
    if process.returncode or len(marks) < 2:
        sys.exit((folder / "log").read_text()[-2000:])
    (start, rows_first, cpu_first, outside_first), (end, rows_last, cpu_last, outside_last) = (
        marks[0],
        marks[-1],
    )
    count = rows_last - rows_first
    cpu = {name: seconds - cpu_first.get(name, 0) for name, seconds in cpu_last.items()}
    outside = (outside_last - outside_first) / sum(cpu.values())
    peak = max(sum(memory.values()) for _, memory in watch.memory)
    driver = cpu["driver"] / count
    print(f"\n{rows:,} rows in {parts} parts, {wall:.0f} s in all, exit {process.returncode}")
    print(f"rows/s between the first part and the last: {count / (end - start):.1f}")
    print(f"outside our stages: {outside:.1%} of the CPU time; peak memory {peak >> 20:,} MiB")
    print(
        f"driver: {1000 * driver:.2f} CPU s / 1,000 rows: one core of it would carry "
        f"{1 / driver:,.0f} rows/s"
    )
    print("\n| process | CPU s / 1,000 rows | memory at its highest, MiB |\n|---|---|---|")
    for name, seconds in cpu.items():
        memory = max(seen.get(name, 0) for _, seen in watch.memory)
        print(f"| {name} | {1000 * seconds / count:.2f} | {memory >> 20} |")
    print(f"| all | {1000 * sum(cpu.values()) / count:.2f} | {peak >> 20} |")
    (folder / "memory.json").write_text(json.dumps(watch.memory))
    if arguments.plot:
        plot(watch.memory, arguments.plot)


def plot(memory: Sequence[tuple[float, dict[str, int]]], path: str) -> None:
    """Draw memory over time, by name of process."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    names = sorted({name for _, seen in memory for name in seen})
    moments = [moment for moment, _ in memory]
    series = [[seen.get(name, 0) / 2**20 for _, seen in memory] for name in names]
    axes.stackplot(moments, series, labels=names)
    axes.set(xlabel="seconds", ylabel="MiB that no other process shares")
    axes.legend(loc="upper left", fontsize="small", ncols=3)
    figure.savefig(path)


def nodes(arguments: argparse.Namespace) -> None:
    """Rows/s over a growing number of raylets."""
    print("| nodes | with actors | rows | rows/s | efficiency |\n|---|---|---|---|---|", flush=True)
    for count in arguments.nodes:
        command = [sys.executable, __file__, "sleep", str(count), str(arguments.rows)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr[-2000:])
        print(done.stdout.splitlines()[-1], flush=True)


def driver(arguments: argparse.Namespace) -> None:
    """A run with stages that do nothing."""
    tools = json.dumps([{"name": "gcd_and_lcm", "description": "x" * 800}])
    row = new_row("", model="stub", style=Style.SIMPLE, prompt_id="", tried=0, tools=tools)
    answers = json.dumps([{"name": "gcd_and_lcm", "arguments": {"numbers": [4, 6]}}])
    filled = row | {"answers": answers, "completion": "c" * 600}

    words = (ROOT / "configs" / "seeds.jsonl").read_text().split()

    def query(id_: str) -> str:  # no two are alike
        return " ".join(random.Random(id_).choices(words, k=15))

    async def generated(self: Any, block: pa.Table) -> pa.Table:
        ids = [point_id(self._name, index, 0) for index in block["index"].to_pylist()]
        rounds = block["round"].to_pylist()
        return as_table(
            [
                filled | {"id": id_, "query": query(id_), "round": round_}
                for id_, round_ in zip(ids, rounds, strict=True)
            ]
        )

    async def passed(_self: Any, block: pa.Table) -> pa.Table:
        return block

    for name, call in (
        ("GenerateBlock", generated),
        ("ExecuteBlock", passed),
        ("JudgeBlock", passed),
    ):
        setattr(dataset, name, type(name, (getattr(dataset, name),), {"__call__": call}))
    marks: list[tuple[int, float, float, int]] = []

    def watched(tables: Iterable[pa.Table], *rest: Any, **more: Any) -> Any:
        def counted() -> Iterator[pa.Table]:
            rows = 0
            for table in tables:
                rows += len(table)
                marks.append((rows, time.monotonic(), time.process_time(), resident()))
                yield table

        return collect(counted(), *rest, **more)

    apigen_ray.workflows.run.collect = watched
    stub = {"kind": "simulated", "profile": "perfect", "latency_s": 0}
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "out": f"{folder}/run",
            "points": {"simple": arguments.rows},
            "tools": [str(ROOT / "sandbox" / "tools")],
            "seeds": [str(ROOT / "configs" / "seeds.jsonl")],
            "models": [stub | {"name": "stub", "concurrency": arguments.concurrency}],
            "judge": stub | {"name": "judge", "concurrency": arguments.concurrency},
            "sandbox": {"kind": "process", "slots": 1},
            "feedback": arguments.feedback,
        }
        before = resident()
        apigen_ray.workflows.run.run(
            RunConfig.model_validate(config), console=Console(file=io.StringIO())
        )
    (low, start, cpu_low, _), (high, end, cpu_high, _) = (
        next(mark for mark in marks if mark[0] >= share * arguments.rows) for share in (0.2, 0.8)
    )
    cpu = (cpu_high - cpu_low) / (high - low)
    print(f"{arguments.rows:,} rows, {(high - low) / (end - start):,.0f} rows/s in the middle")
    print(f"driver: {1e6 * cpu:.0f} CPU us a row: one core of it would carry {1 / cpu:,.0f} rows/s")
    print(f"driver, resident MiB: before {before >> 20}; after a tenth, half and all of the rows:")
    for share in (0.1, 0.5, 1.0):
        print(f"  {next(m[3] for m in marks if m[0] >= share * arguments.rows) >> 20}")


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


STAGE_S, AT_ONCE = 4.0, 32


def sleep(arguments: argparse.Namespace) -> None:
    """One line of `nodes`: a real run, but for stages that sleep."""
    generated = dataset.GenerateBlock._generate

    async def executed(_self: Any, row: Any) -> Any:
        return row

    for name, step in (("GenerateBlock", generated), ("ExecuteBlock", executed)):
        original = getattr(dataset, name)
        method = "_generate" if name == "GenerateBlock" else "_execute"
        setattr(dataset, name, type(name, (original,), {method: sleeping(step)}))

    arrived: list[float] = []
    used: set[str] = set()

    def watched(tables: Iterable[pa.Table], *rest: Any, **more: Any) -> Any:
        def counted() -> Iterator[pa.Table]:
            for table in tables:
                arrived.extend([time.monotonic()] * len(table))
                yield table
            used.update(a.node_id for a in list_actors() if "(generate(" in a.class_name)

        return collect(counted(), *rest, **more)

    apigen_ray.workflows.run.collect = watched
    apigen_ray.workflows.run.check_reach = lambda _: None  # all nodes are on this machine
    dataset.SMALL_RUN = 0  # one node, too, has an actor for each stage
    count = arguments.count
    perfect = {"kind": "simulated", "name": "perfect", "profile": "perfect", "latency_s": 0}
    rows = arguments.rows * count
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(count - 1):
        cluster.add_node(num_cpus=1)
    ray.init(cluster.address, log_to_driver=False)
    try:
        with tempfile.TemporaryDirectory() as folder:
            config = RunConfig.model_validate(
                {
                    "out": f"{folder}/run",
                    "points": {"simple": rows},
                    "tools": [str(ROOT / "sandbox" / "tools")],
                    "seeds": [str(ROOT / "configs" / "seeds.jsonl")],
                    "models": [perfect | {"concurrency": AT_ONCE * count}],
                    "judge": perfect | {"name": "judge", "concurrency": AT_ONCE * count},
                    "sandbox": {"kind": "process", "slots": 2},
                    "actors": {"generate": count, "execute": count},
                }
            )
            apigen_ray.workflows.run.run(config, fresh=False, console=Console(file=io.StringIO()))
    finally:
        ray.shutdown()
        cluster.shutdown()
    first, last = rows * 2 // 10, rows * 8 // 10
    rate = (last - first) / (arrived[last] - arrived[first])
    efficiency = rate * STAGE_S / AT_ONCE / count
    print(f"| {count} | {len(used)} | {rows} | {rate:.1f} | {efficiency:.1%} |")


def sleeping(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A step that sleeps before it does its work, for a few rows of each actor at a time."""

    async def slept(self: Any, item: Any) -> Any:
        if not hasattr(self, "slots"):
            self.slots = asyncio.Semaphore(AT_ONCE)
        async with self.slots:
            await asyncio.sleep(STAGE_S)
        return await step(self, item)

    return slept


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    large = commands.add_parser("run")
    large.add_argument("--points", type=int, default=2000, help="of each model")
    large.add_argument("--models", type=int, default=4)
    large.add_argument("--sandbox", default="auto")
    large.add_argument("--slots", type=int, default=2, help="warm sandboxes")
    large.add_argument("--fork-per", choices=["call", "data_point"], default="call")
    large.add_argument("--every", type=float, default=5.0, help="seconds between samples")
    large.add_argument("--plot", help="a PNG of memory over time")
    large.add_argument("--out", help="a folder to keep; it must be new")
    large.set_defaults(command=run)
    several = commands.add_parser("nodes")
    several.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4, 8])
    several.add_argument("--rows", type=int, default=1600, help="for each node")
    several.set_defaults(command=nodes)
    stubs = commands.add_parser("driver")
    stubs.add_argument("--rows", type=int, default=100_000)
    stubs.add_argument("--concurrency", type=int, default=1024)
    stubs.add_argument("--feedback", action="store_true", help="make a pool of each round")
    stubs.set_defaults(command=driver)
    one = commands.add_parser("sleep")
    one.add_argument("count", type=int)
    one.add_argument("rows", type=int)
    one.set_defaults(command=sleep)
    arguments = parser.parse_args()
    arguments.command(arguments)


if __name__ == "__main__":
    main()
