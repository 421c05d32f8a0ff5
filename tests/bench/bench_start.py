"""Where the seconds of a small run go, from the command to the prompt.

    uv run python tests/bench/bench_start.py --runs 3
    uv run python tests/bench/bench_start.py configs/quickstart.yaml --set sandbox.kind=process

A run in a process of its own, with some of its functions timed: when each began and ended, in
seconds since the command. Then the CPU time of each process that it started: Ray's services, the
workers, the simulated models. A worker's name is that of its actor; `idle worker` never had one.
CPU seconds are steadier than seconds on a machine that does other things, too.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
TICK = os.sysconf("SC_CLK_TCK")
TIMED = {  # what the table calls it, and where it is looked up
    "tools and seeds": "apigen_ray.workflows.run:_read_inputs",
    "models answer": "apigen_ray.workflows.prepare:probe",
    "sandbox tried": "apigen_ray.workflows.run:prepare_executor",
    "Ray starts": "apigen_ray.pipeline.session:_start_ray",
    "judges audited": "apigen_ray.workflows.run:audit_judges",
    "counted, data set, report": "apigen_ray.workflows.run:finish",
}
NAMES = {  # what a command line holds, and what the table calls the process
    "bench_start.py": "driver",
    "->": "stages",
    "(generate(": "generate",
    "(execute)": "execute",
    "(judge)": "judge",
    "IDLE": "idle worker",
    "::Coordinator": "coordinator",
    "ray::DashboardAgent": "dashboard agent",
    "models.simulated": "simulated models",
    "raylet/raylet": "raylet",
    "gcs_server": "gcs_server",
    "ray::RuntimeEnvAgent": "runtime_env agent",
    "ray::": "Ray Data, other",
    "log_monitor.py": "log_monitor",
    "autoscaler": "monitor",
    "dashboard/dashboard.py": "dashboard",
    "dashboard/agent.py": "dashboard agent",
    "default_worker.py": "idle worker",
    "runner.py": "sandbox",
}


def named(command: str) -> str:
    """What the table calls a process."""
    return next((name for part, name in NAMES.items() if part in command), "Ray, other")


class Processes:
    """CPU seconds of a process and all that it has started."""

    def __init__(self, root: int) -> None:
        self._known = {root}
        self._seen: dict[int, tuple[str, float]] = {}

    def look(self) -> None:
        """Take a sample; a process that has ended keeps what it was last seen with."""
        for pid in sorted(int(path.name) for path in Path("/proc").glob("[0-9]*")):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) not in self._known and pid not in self._known:
                    continue
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            self._known.add(pid)
            if command:
                cpu = (int(fields[11]) + int(fields[12])) / TICK
                self._seen[pid] = named(command), cpu

    def by_name(self) -> dict[str, tuple[int, float]]:
        """The number of processes of each name, and their CPU seconds."""
        found: dict[str, list[float]] = defaultdict(list)
        for name, cpu in self._seen.values():
            found[name].append(cpu)
        return {name: (len(each), sum(each)) for name, each in found.items()}


def timed_run(config: str, out: str, overrides: list[str]) -> None:
    """The run itself, in this process: prints a JSON line for each moment on stderr."""
    started = process_start()
    moments = os.fdopen(os.dup(2), "w")  # a run has its own stderr while Ray runs

    def mark(name: str, begun: float) -> None:
        line = {"name": name, "from": begun - started, "to": time.time() - started}
        print(json.dumps(line), file=moments, flush=True)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*positional: Any, **named: Any) -> Any:
            begun = time.time()
            try:
                return function(*positional, **named)
            finally:
                mark(name, begun)

        return run

    from apigen_ray.cli import main  # noqa: PLC0415 - is timed
    from apigen_ray.workflows import run  # noqa: PLC0415 - is timed

    mark("imports", started)
    for name, place in TIMED.items():
        module_name, _, attribute = place.partition(":")
        module = importlib.import_module(module_name)
        setattr(module, attribute, timed(name, getattr(module, attribute)))
    collect = run.collect

    def watched(tables: Iterable[Any], *rest: Any, **options: Any) -> Any:
        begun = time.time()

        def arriving() -> Iterator[Any]:
            nonlocal begun
            some = False
            for table in tables:
                if len(table) and not some:
                    mark("first rows", begun)
                    begun, some = time.time(), True
                yield table
            mark("all rows", begun)

        return collect(arriving(), *rest, **options)

    run.collect = watched
    words = [word for override in overrides for word in ("--set", override)]
    try:
        main(["run", config, "--out", out, *words])
    finally:
        mark("from the command to the last line", started)


def process_start() -> float:
    """When this process was started, in seconds of the clock."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.time() - float(Path("/proc/uptime").read_text().split()[0]) + ticks / TICK


def measure(config: str, overrides: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """One run: its moments, and the CPU seconds of its processes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, config, "--child", f"{folder}/run"]
        command += [word for override in overrides for word in ("--set", override)]
        log = Path(folder, "log")
        begun = time.time()
        with log.open("w") as errors:
            child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
            processes = Processes(child.pid)
            while child.poll() is None:
                processes.look()
                time.sleep(0.05)
        ended = time.time()
        text = log.read_text()
        if child.returncode:
            sys.exit(text)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    moments = {line["name"]: (line["from"], line["to"]) for line in lines}
    moments["until the prompt"] = (0.0, ended - begun)
    return moments, processes.by_name()


def main() -> None:
    """Measure some runs and print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", nargs="?", default="configs/quickstart.yaml")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--child", metavar="OUT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        timed_run(arguments.config, arguments.child, arguments.set)
        return
    runs = [measure(arguments.config, arguments.set) for _ in range(arguments.runs)]
    print("| moment | from s | to s |\n|---|---|---|")
    for name in runs[0][0]:
        begun, ended = (median(moments[name][end] for moments, _ in runs) for end in (0, 1))
        print(f"| {name} | {begun:.1f} | {ended:.1f} |")
    print("\n| process | how many | CPU s |\n|---|---|---|")
    names = {name for _, processes in runs for name in processes}
    figures = {
        name: [median(cpu.get(name, (0, 0.0))[part] for _, cpu in runs) for part in (0, 1)]
        for name in names
    }
    for name, (count, cpu) in sorted(figures.items(), key=lambda item: -item[1][1]):
        print(f"| {name} | {count:g} | {cpu:.1f} |")
    print(f"| all | | {sum(cpu for _, cpu in figures.values()):.1f} |")


if __name__ == "__main__":
    main()
