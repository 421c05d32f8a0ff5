"""Runs for tests: of the example tools and simulated models, here or in a process of their own."""

import io
import json
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.run import run

ROOT = Path(__file__).parents[1]
SEEDS = str(ROOT / "configs" / "seeds.jsonl")
STYLES = ("simple", "multiple", "parallel", "parallel_multiple")


def simulated(name, *, latency_s=0.01, **more):
    return {"kind": "simulated", "name": name, "latency_s": latency_s, **more}


def config(out, *, points=8, sandbox="process", models=None, judge=None, **more):
    # One server is model and judge, unless a test has its own: each takes a second to start.
    judge = judge or simulated("judge" if models else "fast")
    return RunConfig.model_validate(
        {
            "out": str(out),
            "points": points if isinstance(points, dict) else dict.fromkeys(STYLES, points),
            "tools": [str(ROOT / "sandbox" / "tools")],
            "seeds": [SEEDS],
            "models": models or [simulated("fast")],
            "judge": judge,
            "sandbox": {"kind": sandbox},
            "judge_audit": {"pairs": 0},
            **more,
        }
    )


def go(settings, *, fresh=False, console=None, **options):
    console = console or Console(file=io.StringIO())
    return run(settings, fresh=fresh, console=console, **options).exit_code


def rows(out):
    return [row for table in RunFolder(Path(out)).tables() for row in table.to_pylist()]


def stats(out):
    return json.loads((Path(out) / "stats.json").read_text())


def planted_by(endpoint):
    address = endpoint.base_url.removesuffix("/v1") + "/stats"
    with urllib.request.urlopen(address) as answer:
        return json.load(answer)


@contextmanager
def served(**options):
    """A model and a judge that outlive a run, so that it can be seen what they were asked."""
    endpoints = [
        SimulatedEndpoint(name=name, **{"latency_s": 0.01, **options})
        for name in ("model", "judge")
    ]
    with serving(endpoints) as running:
        forms = {name: e.model_dump(mode="json") for name, e in running.items()}
        yield running, {"models": [forms["model"]], "judge": forms["judge"]}


@contextmanager
def judge_down():
    """A judge that is up, and the same one at an address that nobody answers."""
    with serving([SimulatedEndpoint(name="judge", latency_s=0.01)]) as running:
        up = running["judge"].model_dump(mode="json") | {"max_retries": 0}
        yield up, up | {"base_url": up["base_url"].removesuffix("/v1") + "/nowhere/v1"}


def config_file(settings):
    """The config beside the run folder."""
    path = Path(settings.out).with_suffix(".yaml")
    path.write_text(json.dumps(settings.model_dump(mode="json")))
    return path


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def started(settings):
    """A run in a process (and a Ray) of its own."""
    # A shell's background jobs ignore Ctrl-C, and so would this child: give it the default.
    default_interrupt = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{default_interrupt}; from apigen_ray.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "run", str(config_file(settings))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until_it_has(process, settings, sign="samples/part-*"):
    """Wait until a run that goes on has written something."""
    seen = Path(settings.out)
    wait_for(lambda: list(seen.glob(sign)) or process.poll() is not None, 120)
    assert process.poll() is None, process.stdout.read()
