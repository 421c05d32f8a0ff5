"""The Ray shell: models that share a run, and what becomes of rows when its processes die."""

import io
import os
import signal
from pathlib import Path

import pytest
from rich.console import Console

import apigen_ray.run
from apigen_ray.collecting import collect
from apigen_ray.config import ActorCount, RunConfig
from apigen_ray.pipeline import dataset

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
            "judge": simulated("judge", 0.01, profile="perfect"),
            "sandbox": {"kind": "process"},
            **settings,
        }
    )
    apigen_ray.run.run(config, fresh=False, console=Console(file=io.StringIO()))
    return rows


def test_a_slow_model_holds_up_no_fast_one(tmp_path, monkeypatch):
    models = [
        simulated("slow", 6.0, concurrency=8),  # so that its actor may start some seconds earlier
        simulated("fast", 0.02, concurrency=8),
    ]
    rows = arrived(tmp_path, monkeypatch, models=models, points={"simple": 24})
    order = [row["model"] for row in rows]
    assert order.count("fast") == order.count("slow") == 24
    last_fast = len(order) - 1 - order[::-1].index("fast")
    assert order[:last_fast].count("slow") < 12


@pytest.mark.parametrize(
    ("operator", "method"),
    [("GenerateBlock", "_generated"), ("ExecuteBlock", "_executed"), ("JudgeBlock", "_judged")],
)
def test_a_row_that_kills_its_worker_three_times_is_an_error_and_no_other_row_is(
    operator, method, tmp_path, monkeypatch
):
    original = getattr(dataset, operator)
    deaths = tmp_path / "deaths"

    async def deadly(self, item):
        number = item.ask.index if operator == "GenerateBlock" else int(item["prompt_id"])
        if number == 7:
            with deaths.open("a") as file:
                file.write("x")
            os._exit(1)
        return await getattr(original, method)(self, item)

    monkeypatch.setattr(dataset, operator, type(operator, (original,), {method: deadly}))
    perfect = simulated("model", 0.01, profile="perfect")
    rows = arrived(tmp_path / "run", monkeypatch, models=[perfect], points={"simple": 40})
    reasons = {row["prompt_id"]: row["reason"] for row in rows}
    assert len(rows) == len(reasons) == 40
    assert reasons.pop("000007") == "worker_died"
    assert set(reasons.values()) == {None}
    assert len(deaths.read_text()) == 3


def test_rows_of_a_worker_that_is_killed_are_done_again_by_another(tmp_path, monkeypatch):
    original = dataset.JudgeBlock
    killed = tmp_path / "killed"

    async def judged(self, row):
        if not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return await original._judged(self, row)

    monkeypatch.setattr(dataset, "JudgeBlock", type("JudgeBlock", (original,), {"_judged": judged}))
    perfect = simulated("model", 0.01, profile="perfect")
    rows = arrived(tmp_path / "run", monkeypatch, models=[perfect], points={"simple": 40})
    assert killed.exists()
    assert len(rows) == len({row["id"] for row in rows}) == 40
    assert {row["outcome"] for row in rows} == {"verified"}


@pytest.mark.parametrize("concurrency", [1, 3, 64, 1000])
def test_no_block_queues_at_an_actor_where_it_could_overtake_an_earlier_round(concurrency):
    pool = dataset._pool(ActorCount(max=2), concurrency, rows_per_block=4)
    assert pool.max_tasks_in_flight_per_actor == pool.max_concurrent_calls_per_actor
    assert pool.max_concurrent_calls_per_actor * 4 > concurrency


def test_a_full_pool_grows_and_no_further_than_it_may(tmp_path, monkeypatch):
    judges = tmp_path / "judges"
    judges.mkdir()

    class Counted(dataset.JudgeBlock):
        def __init__(self, *given):
            super().__init__(*given)
            (judges / str(os.getpid())).touch()

    monkeypatch.setattr(dataset, "JudgeBlock", Counted)
    rows = arrived(
        tmp_path / "run",
        monkeypatch,
        points={"simple": 200},
        models=[simulated("model", 0.01)],
        judge=simulated("judge", 0.4, concurrency=12, profile="perfect"),
        actors={"judge": {"min": 1, "max": 3}},
    )
    assert len({row["id"] for row in rows}) == len(rows) == 200
    assert len(list(judges.iterdir())) == 3
