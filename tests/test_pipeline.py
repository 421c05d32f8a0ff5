"""The Ray shell: models that share a run, and what becomes of rows when its processes die."""

import io
from pathlib import Path

import pytest
from rich.console import Console

import apigen_ray.run
from apigen_ray.collecting import collect
from apigen_ray.config import RunConfig

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("shared_ray")


def simulated(name, latency_s, **more):
    return {"kind": "simulated", "name": name, "latency_s": latency_s, **more}


def arrived(out, monkeypatch, **settings):
    """The rows of a run in the order in which they reached the driver."""
    rows = []

    def watched(batches, *rest, **options):
        def recorded():
            for batch in batches:
                rows.extend(batch)
                yield batch

        return collect(recorded(), *rest, **options)

    monkeypatch.setattr(apigen_ray.run, "collect", watched)
    config = RunConfig.model_validate(
        {
            "out": str(out),
            "points": {"simple": 60},
            "tools": [str(ROOT / "sandbox" / "tools")],
            "seeds": [str(ROOT / "configs" / "seeds.jsonl")],
            "judge": simulated("judge", 0.01),
            "sandbox": {"kind": "process"},
            **settings,
        }
    )
    apigen_ray.run.run(config, fresh=False, console=Console(file=io.StringIO()))
    return rows


def test_a_slow_model_holds_up_no_fast_one(tmp_path, monkeypatch):
    models = [
        simulated("slow", 0.8, concurrency=8),
        simulated("fast", 0.04, concurrency=8),
    ]
    order = [row["model"] for row in arrived(tmp_path, monkeypatch, models=models)]
    assert order.count("fast") == order.count("slow") == 60
    last_fast = len(order) - 1 - order[::-1].index("fast")
    assert order[:last_fast].count("slow") < 30
