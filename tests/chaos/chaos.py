"""A run that everything happens to, and what must be true of it in the end.

    python tests/chaos/chaos.py --points 150 --kills 5 --seed 7

Three Ray nodes on this machine, a model and a judge behind a proxy that counts what it delivers.
While the run is under way workers, containers and a node are killed and the endpoint goes down;
the driver is killed at a random moment and the run resumed, again and again. The last attempts are
left alone. Then the books are checked. Exit code 0 if all is as it should be.
"""

import argparse
import asyncio
import contextlib
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import docker
import pyarrow.parquet as pq
from aiohttp import web
from docker.errors import DockerException

ROOT = Path(__file__).parents[2]
STYLES = ("simple", "multiple", "parallel", "parallel_multiple")
CONCURRENCY = 12
PATIENCE_S = 240
"""For an attempt to get going, and for what was killed to be gone, on a busy machine."""


class Proxy:
    """Stands before the servers; counts the replies it delivers, by request."""

    def __init__(self, targets: dict[str, str]) -> None:
        self.targets = targets
        self.delivered: dict[str, Counter[str]] = {name: Counter() for name in targets}
        self.down = False
        self.refused = 0
        self.port = 0
        started = threading.Event()
        threading.Thread(target=self._serve, args=(started,), daemon=True).start()
        started.wait()

    def _serve(self, started: threading.Event) -> None:
        async def main() -> None:
            app = web.Application(client_max_size=1 << 26)
            app.router.add_route("*", "/{name}/{rest:.*}", self._forward)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = site._server.sockets[0].getsockname()[1]
            async with aiohttp.ClientSession() as self._session:
                started.set()
                await asyncio.Event().wait()

        asyncio.run(main())

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            self.refused += 1
            if self.refused % 2:
                request.transport.abort()  # type: ignore[union-attr]
            return web.Response(status=503, text="down")
        name, body = request.match_info["name"], await request.read()
        url = f"{self.targets[name]}/{request.match_info['rest']}"
        headers = {"Content-Type": request.content_type}
        sent = self._session.request(request.method, url, data=body, headers=headers)
        async with sent as answer:
            content = await answer.read()
        response = web.Response(status=answer.status, body=content, content_type="application/json")
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:  # the one who asked is dead
            return response
        if request.method == "POST" and answer.status == 200:
            self.delivered[name][hashlib.sha256(body).hexdigest()] += 1
        return response


class Processes:
    """The processes below this one, and those that once were."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, str], str] = {}

    def living(self) -> dict[tuple[int, str], str]:
        """By pid and start time, the command lines of all descendants."""
        parents, found = {}, {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                words = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                )
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1]), fields[19], words
        ours = {os.getpid()} | {pid for pid, _ in self.seen}
        while more := {p for p, (parent, *_) in parents.items() if parent in ours} - ours:
            ours |= more
        for pid in ours - {os.getpid()}:
            if pid in parents:
                found[pid, parents[pid][1]] = parents[pid][2]
        known = dict(self.seen)
        found = {key: w for key, w in found.items() if known.get(key[0], key[1]) == key[1]}
        self.seen.update(found)
        return found

    def named(self, word: str) -> list[int]:
        """The pids of descendants whose command lines hold a word."""
        return [pid for (pid, _), words in self.living().items() if word in words]


class Chaos:
    """The cluster, the run, and what is done to them."""

    def __init__(self, folder: Path, points: int, seed: int, *, containers: bool) -> None:
        from ray.cluster_utils import Cluster  # noqa: PLC0415 - after the environment is set

        self.out = folder / "run"
        self.random = random.Random(seed)
        self.ledger: Counter[str] = Counter()
        self.processes = Processes()
        self.temp = folder
        self.engine = docker.from_env() if containers else None
        self.points = points
        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
        )
        self.nodes = [self.cluster.add_node(num_cpus=2) for _ in range(2)]
        self.environment = os.environ | {"RAY_ADDRESS": self.cluster.address}

    def config(self, proxy: Proxy) -> Path:
        """Write the config of the run."""

        def endpoint(name: str, profile: str) -> dict[str, object]:
            return {
                "kind": "openai",
                "name": name,
                "model": f"simulated-{profile}",
                "base_url": f"http://127.0.0.1:{proxy.port}/{name}",
                "concurrency": CONCURRENCY,
                "timeout_s": 20,
            }

        config = {
            "out": str(self.out),
            "points": dict.fromkeys(STYLES, self.points),
            "feedback": {"round_points": max(40, self.points // 2), "cap": 60},
            "tools": ["sandbox/tools"],
            "seeds": ["configs/seeds.jsonl"],
            "models": [endpoint("model", "default")],
            "judge": endpoint("judge", "perfect"),
            "sandbox": {"kind": "docker" if self.engine else "process"},
            "actors": {"generate": 2, "execute": 2, "judge": 2},
            "max_attempts": 50,
        }
        path = self.temp / "config.yaml"
        path.write_text(json.dumps(config))
        return path

    def start(self, config: Path) -> subprocess.Popen[bytes]:
        """Begin an attempt at the run."""
        log = (self.temp / "driver.log").open("ab")
        command = [sys.executable, "-m", "apigen_ray", "run", str(config)]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def parts(self) -> int:
        """How many parts are committed."""
        return len(list(self.out.glob("samples/part-*.parquet")))

    def disturb(self, proxy: Proxy) -> None:
        """Let something go wrong."""
        what = self.random.choice(("worker", "worker", "endpoint", "container", "runner"))
        if what == "endpoint":
            proxy.down = True
            time.sleep(self.random.uniform(0.5, 2.0))
            proxy.down = False
        elif what == "container" and self.engine:
            for container in self.containers()[:1]:
                with contextlib.suppress(DockerException):
                    container.kill()
        elif what == "worker":
            # Not Ray's own: a node ends with its agents.
            actors = self.processes.named("MapWorker") + self.processes.named("Coordinator")
            if not actors:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(actors), signal.SIGKILL)
        elif what == "runner":
            runners = self.processes.named("runner.py")
            if not runners:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(runners), signal.SIGKILL)
        self.ledger[f"{what} killed" if what != "endpoint" else "endpoint down"] += 1

    def lose_a_node(self) -> None:
        """Kill a node with all that runs on it, and give the cluster another one."""
        lost = self.nodes.pop(self.random.randrange(len(self.nodes)))
        self.cluster.remove_node(lost, allow_graceful=False)
        self.nodes.append(self.cluster.add_node(num_cpus=2))
        self.ledger["node killed"] += 1

    def attempt(self, config: Path, proxy: Proxy, number: int) -> bool:
        """Run for a while, then kill the driver; returns whether it was over before."""
        driver = self.start(config)
        before, began = self.parts(), time.monotonic()
        if number % 3 != 2:  # each third one is killed at any moment, perhaps in its start
            while self.parts() == before and driver.poll() is None:
                assert time.monotonic() - began < PATIENCE_S, "an attempt has not got going"
                self.processes.living()
                time.sleep(0.2)
        ends = time.monotonic() + self.random.uniform(2, 12)
        if number == 1:
            self.lose_a_node()
        while time.monotonic() < ends and driver.poll() is None:
            self.disturb(proxy)
            time.sleep(self.random.uniform(0.3, 2.0))
        self.processes.living()
        if driver.poll() is not None:
            return driver.returncode == 0
        driver.kill()
        driver.wait()
        self.ledger["driver killed"] += 1
        return False

    def containers(self) -> list[docker.models.containers.Container]:
        """The containers of this run: their folders are ours."""
        if not self.engine:
            return []
        found = self.engine.containers.list(filters={"label": "apigen-ray"}, ignore_removed=True)
        return [
            c
            for c in found
            if any(
                str(mount.get("Source", "")).startswith(str(self.temp))
                for mount in c.attrs["Mounts"]
            )
        ]

    def finish(self, config: Path) -> None:
        """Let the run come to its end."""
        for _ in range(4):
            driver = self.start(config)
            while driver.poll() is None:
                self.processes.living()
                time.sleep(0.5)
            if driver.returncode == 0:
                return
            self.ledger["attempts with errors left"] += 1
        raise AssertionError((self.temp / "driver.log").read_text()[-3000:])


def check(chaos: Chaos, proxy: Proxy, kills: int, config: Path) -> Iterator[tuple[str, object]]:
    """What must be true in the end, each with what was seen."""
    rows = [
        row
        for part in sorted(chaos.out.glob("samples/part-*.parquet"))
        for row in pq.read_table(part).to_pylist()
    ]
    settled = Counter(row["id"] for row in rows if row["outcome"] != "error")
    expected = {f"model-{index:06d}-0" for index in range(4 * chaos.points)}
    yield "every id asked for is settled", len(expected)
    assert settled.keys() == expected, sorted(settled.keys() ^ expected)[:5]
    yield "no id is settled twice", max(settled.values())
    assert set(settled.values()) == {1}, settled.most_common(3)
    stats = json.loads((chaos.out / "stats.json").read_text())
    outcomes = stats["outcomes"]
    yield "the funnel adds up", outcomes
    assert sum(outcomes.values()) == stats["requested"] == len(expected)
    assert outcomes["error"] == stats["missing"] == 0

    yield "prompts are those of the stored pools", same_prompts(config, rows)

    dataset = chaos.temp / "verified.parquet"
    verified = [row for row in rows if row["outcome"] == "verified"]
    pieces = sorted((chaos.out / "dataset" / "data").glob("*.parquet"))
    assert sum(pq.read_metadata(piece).num_rows for piece in pieces) == len(verified)
    with pq.ParquetWriter(dataset, pq.read_schema(pieces[0])) as writer:
        for piece in pieces:
            writer.write_table(pq.read_table(piece))
    again = chaos.temp / "again"
    command = ["verify", str(dataset), "--tools", "sandbox/tools", "--out", str(again)]
    command += ["--stages", "format,execution,semantic", "--config", str(config)]
    done = subprocess.run(
        [sys.executable, "-m", "apigen_ray", *command],
        cwd=ROOT, env=chaos.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    passed = json.loads((again / "stats.json").read_text())["outcomes"]["verified"]
    yield "verified rows pass all checks again", f"{passed} of {len(verified)}"
    assert passed == len(verified)

    kept = kept_replies(chaos.out)
    twice = sum(times - 1 for times in kept.values())
    yield "replies kept, and paid for twice after they were kept", f"{len(kept)}, {twice}"
    assert twice == 0
    for name, delivered in proxy.delivered.items():
        more = delivered.total() - len(delivered)
        yield f"{name}: replies delivered, and delivered twice", f"{len(delivered)}, {more}"


def kept_replies(out: Path) -> Counter[str]:
    """How often a reply to each request was kept, torn tails left out."""
    kept: Counter[str] = Counter()
    for path in out.glob("replies/*.jsonl.gz"):
        with gzip.open(path) as lines, contextlib.suppress(EOFError, OSError):
            kept.update(json.loads(line)["key"] for line in lines)
    return kept


def same_prompts(config: Path, rows: list[dict[str, object]]) -> int:
    """See that each row was asked with the prompt that its round's stored pool gives."""
    program = """
import json, sys
from pathlib import Path
from apigen_ray.workflows.resume import RunPlan
from apigen_ray.config import load_config
from apigen_ray.prompting.seed_pool import SeedPools
from apigen_ray.prompting.sampler import Sampler
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.run_folder.store import RunFolder, digest
from apigen_ray.tools.library import load_library
config = load_config(Path(sys.argv[1]))
library = load_library(config.tools)
seeds, _ = load_seeds(config.seeds, library.by_name())
folder = RunFolder(config.out)
specs = RunPlan(folder, config, []).specs["model"]
feedback = SeedPools(config.feedback, seeds, library.by_name(), {"model": 0}, folder)
base = Sampler(library.tools, seeds, config.sampling, config.seed)
samplers = {pool.round: base.with_pool(pool.pairs) for pool in feedback.ready()}
hashes = {}
for spec in specs:
    prompt = samplers.get(spec.round, base).prompt(spec)
    hashes[prompt.id] = digest(f"{m.role}:{m.content}" for m in prompt.messages)
print(json.dumps([hashes, len(samplers)]))
"""
    command = [sys.executable, "-c", program, str(config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    hashes, pools = json.loads(done.stdout)
    assert pools >= 2
    wrong = [row["id"] for row in rows if row["messages_hash"] != hashes[row["prompt_id"]]]
    assert not wrong, wrong[:5]
    return len(hashes)


@contextlib.contextmanager
def served() -> Iterator[Proxy]:
    """The simulated model and judge, behind the proxy."""
    from apigen_ray.models.simulated import SimulatedEndpoint, serving  # noqa: PLC0415

    models = [
        SimulatedEndpoint(name="model", profile="default", latency_s=2.0),
        SimulatedEndpoint(name="judge", profile="perfect", latency_s=0.2),
    ]
    with serving(models) as running:
        yield Proxy({name: endpoint.base_url for name, endpoint in running.items()})


def main() -> int:
    """Do it all, and print the ledger."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=60, help="data points of each of four styles")
    parser.add_argument("--kills", type=int, default=5, help="how often the driver is killed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-containers", action="store_true")
    arguments = parser.parse_args()
    began = time.monotonic()
    # All that is started here, and by that, has its temporary files there.
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    chaos = Chaos(folder, arguments.points, arguments.seed, containers=not arguments.no_containers)
    try:
        with served() as proxy:
            config = chaos.config(proxy)
            for number in range(arguments.kills):
                if chaos.attempt(config, proxy, number):
                    break
                print(f"{time.monotonic() - began:5.0f} s  {dict(chaos.ledger)}", flush=True)
            proxy.down = False
            chaos.finish(config)
            for name, count in sorted(chaos.ledger.items()):
                print(f"{name}: {count}")
            for promise, seen in check(chaos, proxy, arguments.kills, config):
                print(f"{promise}: {seen}", flush=True)
    finally:
        chaos.processes.living()
        chaos.cluster.shutdown()
    deadline = time.monotonic() + 30
    while (left := chaos.processes.living()) or chaos.containers():
        if time.monotonic() > deadline:
            print(f"left over: {list(left.values())[:5]} {chaos.containers()}")
            return 1
        time.sleep(0.5)
    print("processes and containers left over: 0")
    assert chaos.ledger["driver killed"] >= arguments.kills, "the run was over too soon"
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
