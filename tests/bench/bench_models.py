"""How busy a whole run keeps an endpoint: generator, check, execution and judge, on real Ray.

    uv run python tests/bench/bench_models.py --slots 64 512 0
    uv run python tests/bench/bench_models.py --slots 64 512 0 --peer /tmp/distilabel/v/bin/python

With `--peer`, the Python of an environment with distilabel 1.5.3, the same work is done with that
as well, in the same minutes (`distilabel_pipeline.py`). `--chart` draws the medians of `--runs`.

The endpoint is a stub in a process of its own, generator and judge in one: log-normal latency (mean
200 ms, sigma 1), at most `--slots` requests at a time (0: any number), the same completions every
time. So what is measured is the program, and the stub on the same cores. Busy: requests in flight
over slots, between the first and the last 5 % of the requests. CPU: of all processes of the run and
its containers, in that time, but not of the stub; a row is two calls. Ratio: the wall time of that
middle part over what it takes with all slots busy. Memory: the sum of what processes don't share,
at its highest.
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

PAIR = '[{"query": "Double 4.", "answers": [{"name": "double", "arguments": {"x": 4}}]}]'
VERDICT = '{"thought": "", "pass": "yes", "passes": "yes"}'
TOOL = '''
def double(x: int) -> int:
    """Double a number.

    Args:
        x: The number.
    """
    return 2 * x
'''
SIGMA = 1.0
UNBOUNDED = 1000
"""Requests that our side has in flight at most, where the stub takes any number."""
ROWS = {64: 2000}
"""Rows by slots, where `--rows` does not say: few of a slow endpoint, so that the start counts."""


def stub(slots: int, mean_s: float, port: "multiprocessing.Queue[int]") -> None:
    """Serve until killed; a GET of /busy tells when each request came and went.

    Bare HTTP: a server on aiohttp would take as much of the two cores as the program measured.
    """
    drawn = random.Random(0)
    replies = {
        path: http_response(completion(text))
        for path, text in ((b"POST /generator", PAIR), (b"POST /judge", VERDICT))
    }
    spans: list[tuple[float, float]] = []
    free = asyncio.Semaphore(slots or sys.maxsize)

    async def complete(head: bytes) -> bytes:
        async with free:
            started = time.monotonic()
            await asyncio.sleep(drawn.lognormvariate(math.log(mean_s) - SIGMA**2 / 2, SIGMA))
            spans.append((started, time.monotonic()))
        return next(reply for path, reply in replies.items() if head.startswith(path))

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                _, found, length = head.lower().partition(b"content-length:")
                if found:
                    await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
                    writer.write(await complete(head))
                else:
                    busy = head.startswith(b"GET /busy")
                    writer.write(http_response(spans if busy else {"data": []}))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(converse, "127.0.0.1", 0, backlog=4096)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def completion(text: str) -> dict[str, object]:
    """A chat completion."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 800, "completion_tokens": 60, "total_tokens": 860},
    }


def http_response(value: object) -> bytes:
    """A response with a JSON body."""
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


Spans = list[tuple[float, float]]


def middle(spans: Spans) -> tuple[float, float, int]:
    """Start and end of the middle 90 % of the requests, and their number."""
    starts = sorted(start for start, _ in spans)
    cut = len(starts) // 20
    return starts[cut], starts[-cut - 1], len(starts) - 2 * cut


def in_flight(spans: Spans, first: float, last: float) -> float:
    """The mean number of requests in flight between two moments."""
    used = sum(max(0.0, min(end, last) - max(start, first)) for start, end in spans)
    return used / (last - first)


class Usage:
    """CPU seconds and peak memory of a process, all that it started, and its containers.

    Containers are those of Docker that start in this time: nobody else should start any.
    """

    def __init__(self, root: int) -> None:
        self._known = {root}
        self._contained: dict[int, bool] = {}
        self._since = float(Path("/proc/uptime").read_text().split()[0])
        self._cpu: dict[int, float] = {}
        self._seen: list[tuple[float, float]] = []
        self.peak_bytes = 0

    def look(self) -> None:
        """Take a sample; a process that has ended keeps what it was last seen with."""
        tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        memory = 0
        pids = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        for pid in pids:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                shared = int(Path(f"/proc/{pid}/statm").read_text().split()[2])
                if pid not in self._contained:
                    new = int(fields[19]) / tick > self._since
                    cgroup = Path(f"/proc/{pid}/cgroup").read_text()
                    self._contained[pid] = new and "docker" in cgroup
            except OSError:
                continue
            parent, own, reaped = int(fields[1]), fields[11:13], fields[13:15]
            if parent in self._known:
                self._known.add(pid)
            if self._contained[pid]:
                # A call's process is gone before it is seen: the first of a container reaps it.
                if not self._contained.get(parent):
                    self._cpu[pid] = sum(map(int, own + reaped)) / tick
            elif pid in self._known:
                self._cpu[pid] = sum(map(int, own)) / tick
            if pid in self._known or self._contained[pid]:
                memory += (int(fields[21]) - shared) * page
        self.peak_bytes = max(self.peak_bytes, memory)
        self._seen.append((time.monotonic(), sum(self._cpu.values())))

    def cpu_s(self, first: float, last: float) -> float:
        """CPU seconds between two moments: without the start of Ray."""
        return self._until(last) - self._until(first)

    def _until(self, moment: float) -> float:
        return max((cpu for seen, cpu in self._seen if seen <= moment), default=0.0)


@dataclass(frozen=True)
class Work:
    """What both programs are given."""

    slots: int
    rows: int
    mean_s: float
    url: str
    folder: Path

    @property
    def tools(self) -> Path:
        """The tool library, of one tool."""
        return self.folder / "double.py"


def ours(work: Work, sandbox: str) -> list[str]:
    """The command that does the work with this program."""

    def endpoint(name: str) -> dict[str, object]:
        where = {"kind": "openai", "model": "stub", "base_url": f"{work.url}/{name}/v1"}
        return {"name": name, "concurrency": work.slots or UNBOUNDED} | where

    config = {
        "out": str(work.folder / "run"),
        "points": {"simple": work.rows},
        "tools": [str(work.tools)],
        "models": [endpoint("generator")],
        "judge": endpoint("judge"),
        "sandbox": {"kind": sandbox, "slots": 2},
        "feedback": "off",  # else the one completion would repeat an example of its prompt
    }
    path = work.folder / "config.yaml"
    path.write_text(json.dumps(config))
    return [sys.executable, "-m", "apigen_ray", "run", str(path)]


def peers(work: Work, python: str, batch: int, replicas: int) -> list[str]:
    """The command that does the work with distilabel."""
    program = Path(__file__).with_name("distilabel_pipeline.py")
    numbers = [str(number) for number in (work.rows, batch, replicas)]
    urls = [f"{work.url}/{name}/v1" for name in ("generator", "judge")]
    return [python, str(program), str(work.tools), *numbers, *urls]


def measure(name: str, command: Sequence[str], work: Work) -> dict[str, object]:
    """Do the work, and say how it went."""
    started = time.monotonic()
    with (work.folder / f"{name}.log").open("w") as log:
        # distilabel keeps a cache under HOME
        run = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | {"HOME": str(work.folder)}
        )
        usage = Usage(run.pid)
        while run.poll() is None:
            usage.look()
            time.sleep(0.5)
    wall = time.monotonic() - started
    if run.returncode:
        print((work.folder / f"{name}.log").read_text()[-2000:], file=sys.stderr)
    with urllib.request.urlopen(f"{work.url}/busy") as answer:
        spans = json.load(answer)
    if len(spans) < 2 * work.rows:
        sys.exit(f"{name} sent {len(spans)} requests for {work.rows} rows")
    first, last, count = middle(spans)
    flying = in_flight(spans, first, last)
    return {
        "program": name,
        "slots": work.slots or "any",
        "rows": work.rows,
        "rows/s": round(count / 2 / (last - first), 1),
        "with start": round(work.rows / wall, 1),
        "in flight": round(flying),
        "busy %": round(100 * flying / work.slots, 1) if work.slots else "-",
        "ratio": round((last - first) * work.slots / (count * work.mean_s), 2)
        if work.slots
        else "-",
        "CPU s / 1,000 calls": round(1000 * usage.cpu_s(first, last) / count, 2),
        "CPU s, all": round(usage.cpu_s(0, math.inf), 1),
        "peak MiB": usage.peak_bytes >> 20,
        "exit": run.returncode,
    }


def main() -> None:
    """Run the benchmark, and print a table in Markdown as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, nargs="+", default=[64], help="0: any number")
    parser.add_argument("--rows", type=int, help="rows of a run (default: by slots)")
    parser.add_argument("--mean", type=float, default=0.2, help="mean latency in seconds")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--peer", metavar="PYTHON", help="of an environment with distilabel")
    parser.add_argument("--peer-batch", type=int, default=1000)
    parser.add_argument("--peer-replicas", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--chart", metavar="PNG", help="draw rows/s")
    arguments = parser.parse_args()
    measured: list[dict[str, object]] = []
    for _ in range(arguments.runs):
        for slots in arguments.slots:
            for name in ("apigen-ray", "distilabel")[: 2 if arguments.peer else 1]:
                row = one_run(name, slots, arguments)
                if not measured:
                    print("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
                print("| " + " | ".join(map(str, row.values())) + " |", flush=True)
                measured.append(row)
    if arguments.chart:
        chart(measured, arguments.chart)


def one_run(name: str, slots: int, arguments: argparse.Namespace) -> dict[str, object]:
    """One program's run against an endpoint of its own."""
    spawn = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = spawn.Queue()
    server = spawn.Process(target=stub, args=(slots, arguments.mean, port), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        rows = arguments.rows or ROWS.get(slots, 8_000)
        url = f"http://127.0.0.1:{port.get()}"
        work = Work(slots, rows, arguments.mean, url, Path(folder))
        work.tools.write_text(TOOL)
        if name == "distilabel":
            batch, replicas = arguments.peer_batch, arguments.peer_replicas
            command = peers(work, arguments.peer, batch, replicas)
        else:
            command = ours(work, arguments.sandbox)
        row = measure(name, command, work)
    server.kill()
    return row


def chart(measured: Sequence[dict[str, object]], path: str) -> None:
    """Draw the medians of rows/s, once the first requests are sent and with the start."""
    keys = list(dict.fromkeys((row["slots"], row["rows"]) for row in measured))
    programs = list(dict.fromkeys(row["program"] for row in measured))
    figure = Figure(figsize=(8, 3), layout="constrained")
    for place, figures in enumerate(("rows/s", "with start")):
        axes = figure.add_subplot(1, 2, place + 1)
        for shift, program in enumerate(programs):
            heights = [
                statistics.median(
                    float(str(row[figures]))
                    for row in measured
                    if row["program"] == program and (row["slots"], row["rows"]) == key
                )
                for key in keys
            ]
            where = [at + shift * 0.4 for at in range(len(keys))]
            bars = axes.bar(where, heights, 0.38, label=program)
            axes.bar_label(bars, fmt="%.0f")
        ticks = [at + 0.2 * (len(programs) - 1) for at in range(len(keys))]
        axes.set_xticks(ticks, [f"{slots} slots\n{rows:,} rows" for slots, rows in keys])
        axes.set(title="rows/s, " + ("without the start" if place == 0 else "with the start"))
        axes.margins(y=0.12)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
