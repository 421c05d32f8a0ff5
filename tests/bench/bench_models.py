"""How busy a whole run keeps an endpoint: generator, check, execution and judge, on real Ray.

    uv run python tests/bench/bench_models.py --slots 64 --rows 6000

The endpoint is a stub in a process of its own: log-normal latency (mean 200 ms, sigma 1), at most
`--slots` requests at a time, the same completion every time. So what is measured is this program,
and the stub on the same cores. Busy share: requests in flight over slots, between the first and the
last 5 % of the requests to the generator. CPU: of all processes of the run but the stubs, in that
time.
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from aiohttp import web

PAIR = '[{"query": "Double 4.", "answers": [{"name": "double", "arguments": {"x": 4}}]}]'
VERDICT = '{"thought": "", "pass": "yes"}'
TOOL = '''
def double(x: int) -> int:
    """Double a number.

    Args:
        x: The number.
    """
    return 2 * x
'''
SIGMA = 1.0


def stub(slots: int, mean_s: float, text: str, port: "multiprocessing.Queue[int]") -> None:
    """Serve until killed; /v1/busy tells the moments at which requests came and went."""
    drawn = random.Random(0)
    reply = json.dumps(
        {
            "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 800, "completion_tokens": 60},
        }
    ).encode()
    spans: list[tuple[float, float]] = []
    free = asyncio.Semaphore(slots)

    async def complete(request: web.Request) -> web.Response:
        await request.read()
        async with free:
            started = time.monotonic()
            await asyncio.sleep(drawn.lognormvariate(math.log(mean_s) - SIGMA**2 / 2, SIGMA))
            spans.append((started, time.monotonic()))
        return web.Response(body=reply, content_type="application/json")

    async def models(_request: web.Request) -> web.Response:
        return web.json_response({"data": []})

    async def busy(_request: web.Request) -> web.Response:
        return web.json_response(spans)

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", complete)
        app.router.add_get("/v1/models", models)
        app.router.add_get("/v1/busy", busy)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.put(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


Spans = list[tuple[float, float]]


def middle(spans: Spans) -> tuple[float, float, int]:
    """Start and end of the middle 90 % of the requests, and their number."""
    starts = sorted(start for start, _ in spans)
    cut = len(starts) // 20
    return starts[cut], starts[-cut - 1], len(starts) - 2 * cut


def busy_share(spans: Spans, slots: int, first: float, last: float) -> float:
    """Share of the slots in use between two moments."""
    used = sum(max(0.0, min(end, last) - max(start, first)) for start, end in spans)
    return used / (slots * (last - first))


class Usage:
    """CPU seconds and peak memory of a process and all that it started."""

    def __init__(self, root: int) -> None:
        self._known = {root}
        self._cpu: dict[int, float] = {}
        self._seen: list[tuple[float, float]] = []
        self.peak_bytes = 0

    def look(self) -> None:
        """Take a sample; a process that has ended keeps what it was last seen with."""
        tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        memory = 0
        for entry in sorted((e for e in Path("/proc").iterdir() if e.name.isdigit()), key=str):
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                shared = int((entry / "statm").read_text().split()[2])
            except OSError:
                continue
            pid = int(entry.name)
            if int(fields[1]) in self._known:
                self._known.add(pid)
            if pid in self._known:
                self._cpu[pid] = (int(fields[11]) + int(fields[12])) / tick
                memory += (int(fields[21]) - shared) * page
        self.peak_bytes = max(self.peak_bytes, memory)
        self._seen.append((time.monotonic(), sum(self._cpu.values())))

    def cpu_s(self, first: float, last: float) -> float:
        """CPU seconds between two moments: without the start of Ray."""
        return self._until(last) - self._until(first)

    def _until(self, moment: float) -> float:
        return max((cpu for seen, cpu in self._seen if seen <= moment), default=0.0)


def config(folder: Path, rows: int, slots: int, ports: list[int], sandbox: str) -> Path:
    """A run over one tool."""
    (folder / "double.py").write_text(TOOL)

    def endpoint(name: str, port: int) -> dict[str, object]:
        url = f"http://127.0.0.1:{port}/v1"
        return {"kind": "openai", "name": name, "model": "stub", "base_url": url} | {
            "concurrency": slots
        }

    path = folder / "config.yaml"
    path.write_text(
        json.dumps(
            {
                "out": str(folder / "run"),
                "points": {"simple": rows},
                "tools": [str(folder / "double.py")],
                "models": [endpoint("generator", ports[0])],
                "judge": endpoint("judge", ports[1]),
                "sandbox": {"kind": sandbox, "slots": 2},
            }
        )
    )
    return path


def main() -> None:
    """Run the benchmark, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--mean", type=float, default=0.2, help="mean latency in seconds")
    parser.add_argument("--sandbox", default="auto")
    arguments = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    ports = []
    for text in (PAIR, VERDICT):
        port: multiprocessing.Queue[int] = spawn.Queue()
        spawn.Process(
            target=stub, args=(arguments.slots, arguments.mean, text, port), daemon=True
        ).start()
        ports.append(port.get())
    with tempfile.TemporaryDirectory() as folder:
        path = config(Path(folder), arguments.rows, arguments.slots, ports, arguments.sandbox)
        started = time.monotonic()
        run = subprocess.Popen([sys.executable, "-m", "apigen_ray", "run", str(path)], stdout=2)
        usage = Usage(run.pid)
        while run.poll() is None:
            usage.look()
            time.sleep(0.5)
        wall = time.monotonic() - started
    with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/v1/busy") as answer:
        spans = json.load(answer)
    first, last, count = middle(spans)
    print(
        json.dumps(
            {
                "slots": arguments.slots,
                "rows": len(spans),
                "exit": run.returncode,
                "busy": round(busy_share(spans, arguments.slots, first, last), 3),
                "rows_per_s": round(count / (last - first), 1),
                "rows_per_s_with_start": round(len(spans) / wall, 1),
                "ideal_s": round(len(spans) * arguments.mean / arguments.slots, 1),
                "wall_s": round(wall, 1),
                "cpu_s_per_1000_calls": round(500 * usage.cpu_s(first, last) / count, 2),
                "cpu_s_whole": round(usage.cpu_s(0, math.inf), 1),
                "peak_mib": usage.peak_bytes >> 20,
            }
        )
    )


if __name__ == "__main__":
    main()
