"""The Ray shell: models that share a run, and what becomes of rows when its processes die."""

import asyncio
import io
import json
import os
import signal
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from example_runs import wait_for
from rich.console import Console
from upath import UPath

import apigen_ray.workflows.run
from apigen_ray.config import ActorCount, RunConfig
from apigen_ray.models.budget import Limits
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.pipeline import dataset, ray_data, sizing
from apigen_ray.pipeline.session import ending
from apigen_ray.pipeline.shared_actors import RemoteCoordinator
from apigen_ray.prompting.prompt_specs import PromptSpec, Task
from apigen_ray.records import Style
from apigen_ray.workflows.collect import collect

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("shared_ray")


def simulated(name, latency_s, **more):
    return {"kind": "simulated", "name": name, "latency_s": latency_s, **more}


def arrived(out, monkeypatch, watch=len, **settings):
    """The rows of a run in the order in which they reached the driver; `watch` sees them come."""
    rows = []

    def watched(tables, *rest, **options):
        def recorded():
            for table in tables:
                batch = table.to_pylist()
                rows.extend(batch)
                watch(batch)
                yield table

        return collect(recorded(), *rest, **options)

    monkeypatch.setattr(apigen_ray.workflows.run, "collect", watched)
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
    apigen_ray.workflows.run.run(config, fresh=False, console=Console(file=io.StringIO()))
    return rows


@contextmanager
def silent_until(event):
    """A model that answers nothing before an event, and nonsense after it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer({"data": []})

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            event.wait()
            message = {"role": "assistant", "content": "nonsense"}
            self.answer({"choices": [{"message": message, "finish_reason": "stop"}]})

        def answer(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_a_slow_model_holds_up_no_fast_one(tmp_path, monkeypatch):
    order, fast_is_done = [], threading.Event()
    patience = threading.Timer(100, fast_is_done.set)
    patience.start()

    def watch(batch):
        order.extend(row["model"] for row in batch)
        if order.count("fast") == 24:
            fast_is_done.set()

    with silent_until(fast_is_done) as url:
        slow = {"kind": "openai", "name": "slow", "model": "slow", "base_url": url}
        models = [slow | {"concurrency": 8}, simulated("fast", 0.02, concurrency=8)]
        arrived(tmp_path, monkeypatch, watch, models=models, points={"simple": 24})
    patience.cancel()
    assert order == ["fast"] * 24 + ["slow"] * 24


@pytest.mark.parametrize(
    ("operator", "method", "small_run"),
    [
        ("GenerateBlock", "_generate", 1000),
        ("ExecuteBlock", "_execute", 1000),
        ("JudgeBlock", "_judge", 0),
    ],
    ids=["generate, one process", "execute, one process", "judge, Ray Data"],
)
def test_a_row_that_kills_its_worker_three_times_is_an_error_and_no_other_row_is(
    operator, method, small_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(dataset, "SMALL_RUN", small_run)
    original = getattr(dataset, operator)
    deaths = tmp_path / "deaths"

    async def deadly(self, item):
        number = item.spec.index if operator == "GenerateBlock" else int(item["prompt_id"])
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


@pytest.mark.parametrize("small_run", [0, 1000], ids=["Ray Data", "one process"])
def test_rows_of_a_worker_that_is_killed_are_done_again_by_another(
    small_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(dataset, "SMALL_RUN", small_run)
    original = dataset.JudgeBlock
    killed = tmp_path / "killed"

    async def judged(self, row):
        if not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return await original._judge(self, row)

    monkeypatch.setattr(dataset, "JudgeBlock", type("JudgeBlock", (original,), {"_judge": judged}))
    perfect = simulated("model", 0.01, profile="perfect")
    rows = arrived(tmp_path / "run", monkeypatch, models=[perfect], points={"simple": 40})
    assert killed.exists()
    assert len(rows) == len({row["id"] for row in rows}) == 40
    assert {row["outcome"] for row in rows} == {"verified"}


def test_a_large_run_is_several_datasets_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "PROMPTS_PER_DATASET", 3)
    monkeypatch.setattr(dataset, "SMALL_RUN", 0)
    streams, stream = [], ray_data.stream
    monkeypatch.setattr(ray_data, "stream", lambda rows: streams.append(rows) or stream(rows))
    perfect = simulated("m", 0, profile="perfect", concurrency=8)  # each row is a block
    rows = arrived(tmp_path, monkeypatch, models=[perfect], points={"simple": 5})
    assert len(streams) == 2
    ids = [row["id"] for row in rows]
    assert sorted(ids[:3]) == [f"m-{number:06d}-0" for number in range(3)]
    assert sorted(ids) == [f"m-{number:06d}-0" for number in range(5)]


def test_each_dataset_has_the_same_prompts_of_all_models_until_the_run_is_ending(monkeypatch):
    monkeypatch.setattr(dataset, "PROMPTS_PER_DATASET", 10)
    monkeypatch.setattr(ray_data, "source", lambda blocks: blocks)
    monkeypatch.setattr(ray_data, "through", lambda blocks, *_: blocks)
    monkeypatch.setattr(ray_data, "union", lambda streams: streams)
    monkeypatch.setattr(ray_data, "stream", lambda streams: [streams])

    def tasks(*indices):
        return [Task(PromptSpec(index, Style.SIMPLE, 1), {0: 0}) for index in indices]

    ending.clear()
    sources = [(tasks(0, 9, 10, 25, 30), stage(), 1), (tasks(3, 28, 29), stage(), 64)]
    datasets = dataset._stream_large(sources, [], 1)
    found = [
        [[index for block in blocks for index in block["index"].to_pylist()] for blocks in points]
        for points in (next(datasets), next(datasets), next(datasets))
    ]
    assert found == [[[0, 9], [3]], [[10]], [[25], [28, 29]]]
    dataset.end_early()
    assert list(datasets) == []


def test_each_row_of_a_model_that_works_on_few_settles_alone(tmp_path, monkeypatch):
    sizes = []
    local = simulated("local", 0.3, profile="perfect", concurrency=4)
    rows = arrived(
        tmp_path / "run",
        monkeypatch,
        watch=lambda batch: sizes.append(len(batch)),
        models=[local],
        points={"simple": 12},
    )
    assert len(rows) == 12
    assert set(sizes) <= {0, 1}


def test_what_an_earlier_wave_has_rejected_is_not_counted_again(tmp_path):
    coordinator = RemoteCoordinator(UPath(tmp_path), None, Limits())
    coordinator.report_settled(["fail_format"])
    wait_for(lambda: coordinator.activity().settled == {"fail_format": 1}, 60)
    coordinator.activity()  # asks once more: the answer is that of the earlier wave
    coordinator.begin_wave()
    assert not coordinator.activity().settled
    coordinator.report_settled(["error"])
    wait_for(lambda: coordinator.activity().settled, 60)
    assert coordinator.activity().settled == {"error": 1}


def endpoint(concurrency):
    return Endpoint(name="m", model="m", base_url="http://x", concurrency=concurrency)


@pytest.mark.parametrize(
    ("generator", "judge", "rows"),
    [(1, 64, 1), (16, 64, 1), (64, 16, 1), (17, 64, 8), (32, 17, 16), (64, 64, 32), (999, 64, 64)],
)
def test_blocks_are_single_rows_where_a_model_works_on_few(generator, judge, rows):
    assert sizing.rows_per_block([endpoint(generator)], [endpoint(judge)]) == rows


@pytest.mark.parametrize("rows", [1, 4, 64])
@pytest.mark.parametrize("concurrency", [1, 3, 64, 1000])
def test_no_block_queues_at_an_actor_where_it_could_overtake_an_earlier_round(concurrency, rows):
    operator = sizing.Operator("o", object, (), ActorCount(max=2), concurrency)
    pool = ray_data._pool(operator, rows)
    assert pool.max_tasks_in_flight_per_actor == pool.max_concurrent_calls_per_actor
    assert pool.max_concurrent_calls_per_actor * rows > concurrency


def generations(*numbers, last_round=0):
    """Of as many models as numbers, with these numbers of data points."""
    return [
        dataset.Generation(
            endpoint(32),
            [Task(PromptSpec(n, Style.SIMPLE, 1, last_round), {0: 0}) for n in range(number)],
        )
        for number in numbers
    ]


def stage(actors=1, **options):
    return sizing.Operator("o", object, (), ActorCount(max=actors), 32, options)


@pytest.mark.parametrize(
    ("asked", "stages", "small"),
    [
        (generations(400), [stage(), stage()], True),
        (generations(3001), [stage(), stage()], False),
        (generations(10, 10), [stage(), stage()], False),
        (generations(400, last_round=1), [stage(), stage()], True),
        (generations(400, last_round=2), [stage(), stage()], False),
        (generations(400), [stage(), stage(actors=2)], False),
        (generations(400), [stage(), stage(resources={"sandbox": 1})], False),
    ],
    ids=["few", "many", "models", "rounds", "pools", "actors", "places"],
)
def test_one_process_has_all_stages_of_a_small_run_alone(asked, stages, small):
    assert dataset.is_small(asked, stages) == small


def test_a_full_pool_grows_and_no_further_than_it_may(tmp_path, monkeypatch):
    judges, counts = tmp_path / "judges", tmp_path / "counts"
    judges.mkdir()
    counts.mkdir()

    def is_running(pid):  # in here: Ray's workers can't import this file
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    def alive():
        return sum(is_running(int(judge.name)) for judge in judges.iterdir())

    class Counted(dataset.JudgeBlock):
        def __init__(self, *given):
            super().__init__(*given)
            (judges / str(os.getpid())).touch()

        async def _judge(self, row):
            for _ in range(900):  # on a busy machine the last actor may take long to start
                if alive() >= 3:
                    break
                await asyncio.sleep(0.1)
            (counts / str(alive())).touch()
            return await super()._judge(row)

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
    # At a time: Ray replaces an actor that takes too long to start.
    assert max(int(count.name) for count in counts.iterdir()) == 3
