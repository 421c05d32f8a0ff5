"""Whole runs on real Ray, real HTTP and real sandboxes: the ledger adds up whatever happens."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import datasets
import docker
import pytest
from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.models.simulated.profiles import PROFILES
from apigen_ray.run import run
from apigen_ray.store import RunFolder

ROOT = Path(__file__).parents[1]
STYLES = ("simple", "multiple", "parallel", "parallel_multiple")
REASON_OF_FAULT = {
    "malformed_json": "invalid_json",
    "prose": "invalid_json",
    "infeasible": "raised",
    "mismatch": "judged_no",
}


pytestmark = pytest.mark.usefixtures("shared_ray")


def config(out, *, points=8, sandbox="process", models=None, judge=None, **more):
    fast = {"kind": "simulated", "name": "fast", "latency_s": 0.01}
    return RunConfig.model_validate(
        {
            "out": str(out),
            "points": points if isinstance(points, dict) else dict.fromkeys(STYLES, points),
            "tools": [str(ROOT / "sandbox" / "tools")],
            "seeds": [str(ROOT / "configs" / "seeds.jsonl")],
            "models": models or [fast],
            "judge": judge or fast | {"name": "judge"},
            "sandbox": {"kind": sandbox},
            **more,
        }
    )


def go(settings, *, fresh=False, console=None, **options):
    return run(settings, fresh=fresh, console=console or Console(file=io.StringIO()), **options)


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


@pytest.mark.parametrize(
    "kind", [pytest.param("docker", marks=pytest.mark.docker), "bubblewrap", "process"]
)
def test_every_planted_fault_is_found_under_its_reason_and_nothing_else_is(kind, tmp_path):
    if kind == "bubblewrap" and subprocess.run(["which", "bwrap"], check=False).returncode:
        pytest.skip("bubblewrap is not installed")
    points = 75 if kind == "docker" else 25
    model = SimulatedEndpoint(name="model", latency_s=0.01)
    judge = SimulatedEndpoint(name="judge", latency_s=0.01)
    with serving([model, judge]) as served:
        endpoints = {name: e.model_dump(mode="json") for name, e in served.items()}
        settings = config(
            tmp_path,
            points=points,
            sandbox=kind,
            models=[endpoints["model"]],
            judge=endpoints["judge"],
        )
        assert go(settings) == 0
        planted = planted_by(served["model"])["generate"]

    expected: Counter[str] = Counter()
    for fault, count in planted["planted"].items():
        expected[REASON_OF_FAULT.get(fault, fault)] += count
    found = Counter(row["reason"] for row in rows(tmp_path) if row["reason"])
    assert found == +expected
    assert sum(stats(tmp_path)["outcomes"].values()) == 4 * points
    for fault, rate in PROFILES["default"].faults.items():
        chances = planted["opportunities"].get(fault, 0)
        error = 4.5 * math.sqrt(chances * rate * (1 - rate)) + 1
        assert abs(planted["planted"].get(fault, 0) - rate * chances) <= error, fault

    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["sandbox"]["kind"] == kind
    loaded = datasets.load_dataset(
        str(tmp_path / "dataset"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == stats(tmp_path)["outcomes"]["verified"]
    for row in loaded:
        results = json.loads(row["execution_results"])
        assert len(results) == len(json.loads(row["answers"]))
        assert all(result["ok"] for result in results)


def test_parallelism_changes_no_row(tmp_path):
    def content(out):
        columns = ("id", "messages_hash", "query", "answers", "tools", "outcome", "reason")
        return sorted(tuple(row[c] for c in columns) for row in rows(out))

    rounds = {"round_points": 8}
    go(config(tmp_path / "one", feedback=rounds))
    slow = {"kind": "simulated", "name": "fast", "latency_s": 0.05, "concurrency": 3}
    more = {"generate": 2, "execute": 2}
    go(config(tmp_path / "two", models=[slow], actors=more, feedback=rounds))
    assert content(tmp_path / "one") == content(tmp_path / "two")

    go(config(tmp_path / "off", feedback="off"))
    changed = {
        one[0]
        for one, off in zip(content(tmp_path / "one"), content(tmp_path / "off"), strict=True)
        if one != off
    }
    of_late = {row["id"] for row in rows(tmp_path / "one") if row["round"] >= 2}
    assert changed
    assert changed <= of_late, "the first rounds draw from the seeds alone"


def test_several_models_see_the_same_prompts(tmp_path):
    models = [
        {"kind": "simulated", "name": name, "profile": profile, "latency_s": 0.01}
        for name, profile in (("good", "perfect"), ("bad", "weak"))
    ]
    assert go(config(tmp_path, models=models)) == 0
    asked = {name: set() for name in ("good", "bad")}
    for row in rows(tmp_path):
        asked[row["model"]].add((row["prompt_id"], row["messages_hash"]))
    assert asked["good"] == asked["bad"]
    assert len(asked["good"]) == 32
    by_model = stats(tmp_path)["by_model"]
    assert by_model["good"]["outcomes"]["verified"] == 32
    assert by_model["bad"]["outcomes"]["verified"] < 32


def test_several_pairs_a_completion_still_settle_every_data_point(tmp_path):
    settings = config(tmp_path, points=10, sampling={"pairs_per_prompt": 4})
    assert go(settings) == 0
    found = rows(tmp_path)
    assert len({row["id"] for row in found}) == len(found) == 40
    assert len({row["prompt_id"] for row in found}) == 12  # 4 + 4 + 2 for each of four styles


def test_errors_are_asked_again_and_superseded(tmp_path):
    """The judge is down in the first attempt: no model is blamed, and nothing is lost."""
    judge = SimulatedEndpoint(name="judge", latency_s=0.01)
    with serving([judge]) as served:
        up = served["judge"].model_dump(mode="json") | {"max_retries": 0}
        broken = up | {"base_url": up["base_url"].removesuffix("/v1") + "/nowhere/v1"}
        assert go(config(tmp_path, judge=broken)) == 1
        first = rows(tmp_path)
        errors = {row["id"] for row in first if row["outcome"] == "error"}
        assert errors
        assert {row["reason"] for row in first if row["id"] in errors} == {"endpoint"}
        assert all(row["completion"] for row in first)

        assert go(config(tmp_path, judge=up)) == 0
    second = rows(tmp_path)
    assert len(second) == len({row["id"] for row in second}) == 32
    assert {row["id"]: row["attempts"] for row in second} == {
        row["id"]: 2 if row["id"] in errors else 1 for row in second
    }


def test_a_run_whose_judge_is_down_stops_before_all_is_paid_for(tmp_path):
    console = Console(file=io.StringIO())
    with serving([SimulatedEndpoint(name="judge")]) as served:
        up = served["judge"].model_dump(mode="json") | {"max_retries": 0}
        broken = up | {"base_url": up["base_url"].removesuffix("/v1") + "/nowhere/v1"}
        settings = config(tmp_path, points=200, judge=broken)
        assert run(settings, fresh=False, console=console) == 1
    assert len(rows(tmp_path)) < 800
    printed = console.file.getvalue()
    assert "data points ended in an error" in printed
    assert "404" in printed


@pytest.mark.parametrize("keep_replies", [True, False])
def test_a_run_that_reaches_its_budget_stops_and_goes_on_with_more(keep_replies, tmp_path):
    console = Console(file=io.StringIO())
    with served(latency_s=0.1, concurrency=8) as (running, models):
        models["models"][0]["usd_per_million_output"] = 1e6  # a dollar a token
        settings = config(tmp_path, points=25, budget_usd=1500, **models)
        assert go(settings, console=console, keep_replies=keep_replies) == 1
        found = rows(tmp_path)
        assert 0 < len(found) < 100
        assert all(row["completion"] for row in found), "what was never asked has no row"
        assert (
            "to go on, run the same command with --set budget_usd=3000" in console.file.getvalue()
        )
        paid = planted_by(running["model"])["requests"]

        more = settings.model_copy(update={"budget_usd": None})
        assert go(more, keep_replies=keep_replies) == 0
        assert len({row["id"] for row in rows(tmp_path)}) == 100
        twice = planted_by(running["model"])["requests"] - 100
        assert paid < 100
        assert twice <= (0 if keep_replies else paid)


def test_several_judges_vote_and_every_vote_is_kept(tmp_path):
    judges = [
        {"kind": "simulated", "name": f"j{n}", "profile": profile, "latency_s": 0.01}
        for n, profile in enumerate(("perfect", "weak", "perfect"))
    ]
    assert go(config(tmp_path, judge=judges[0], further_judges=judges[1:], votes="majority")) == 0
    votes = [json.loads(row["votes"]) for row in rows(tmp_path) if row["votes"]]
    assert {len(each) for each in votes} <= {2, 3}
    assert {vote["judge"] for each in votes for vote in each} >= {"j0", "j1"}


def test_another_check_is_made_without_paying_for_a_reply_again(tmp_path):
    console = Console(file=io.StringIO())
    with served() as (running, models):
        assert go(config(tmp_path, points=25, **models)) == 0
        first = {row["id"]: row for row in rows(tmp_path)}
        asked = {name: planted_by(endpoint)["requests"] for name, endpoint in running.items()}
        lenient = config(tmp_path, points=25, check={"strict": False}, **models)
        assert go(lenient, fresh=True, console=console) == 0
        again = {row["id"]: row for row in rows(tmp_path)}
        assert planted_by(running["model"])["requests"] == asked["model"] == 100
        newly_judged = [
            id_ for id_, row in again.items() if row["votes"] and not first[id_]["votes"]
        ]
        more = planted_by(running["judge"])["requests"] - asked["judge"]
        assert 0 < len(newly_judged) <= more <= 2 * len(newly_judged)
        reused = sum(asked.values())
        assert f"{reused} replies were kept from before and used again" in console.file.getvalue()
        for id_ in again.keys() - newly_judged:
            for column in ("completion", "cost_usd", "input_tokens", "outcome", "votes"):
                assert again[id_][column] == first[id_][column]

        assert go(lenient, fresh=True, keep_replies=False) == 0
        assert planted_by(running["model"])["requests"] == 200
        assert not (tmp_path / "replies").exists()


def test_a_finished_run_is_not_asked_again(tmp_path):
    go(config(tmp_path))
    parts = RunFolder(tmp_path).parts()
    assert go(config(tmp_path)) == 0
    assert RunFolder(tmp_path).parts() == parts


def test_another_config_is_refused_by_the_keys_that_differ(tmp_path):
    go(config(tmp_path, points=1))
    with pytest.raises(BadInput, match="seed: 0 -> 5"):
        go(config(tmp_path, points=1, seed=5))
    faster = {"kind": "simulated", "name": "fast", "latency_s": 0.02, "concurrency": 4}
    assert go(config(tmp_path, points=1, models=[faster])) == 0  # changes no row


def config_file(settings, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(settings.model_dump(mode="json")))
    return path


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def started(settings, tmp_path, sign="samples/part-*"):
    """A run in a process (and a Ray) of its own, once it has committed its first part."""
    # A shell's background jobs ignore Ctrl-C, and so would this child: give it the default.
    default_interrupt = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{default_interrupt}; from apigen_ray.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", str(config_file(settings, tmp_path))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    seen = Path(settings.out)
    wait_for(lambda: list(seen.glob(sign)) or process.poll() is not None, 120)
    assert process.poll() is None, process.stdout.read()
    return process


SLOW = {"kind": "simulated", "name": "slow", "latency_s": 1.0, "concurrency": 16}


@pytest.mark.docker
def test_a_run_killed_in_the_middle_is_completed_exactly(tmp_path):
    settings = config(tmp_path / "run", points=100, sandbox="docker", models=[SLOW])
    process = started(settings, tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {row["id"] for row in rows(settings.out)}
    assert 0 < len(before) < 400
    wait_for(lambda: not ours_running(), 30)

    fast = SLOW | {"latency_s": 0.01, "concurrency": 64}
    wait_for(lambda: unlocked(settings.out), 30)
    assert go(config(tmp_path / "run", points=100, sandbox="docker", models=[fast])) == 0
    after = [row["id"] for row in rows(settings.out)]
    assert len(after) == len(set(after)) == 400
    assert before <= set(after)
    assert sum(stats(settings.out)["outcomes"].values()) == 400
    assert all(row["attempts"] == 1 for row in rows(settings.out))


def test_a_killed_run_pays_twice_for_no_more_than_was_in_flight(tmp_path):
    with served(latency_s=0.5, concurrency=16) as (running, models):
        settings = config(tmp_path / "run", points=40, **models)
        process = started(settings, tmp_path)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_for(lambda: unlocked(settings.out), 30)
        assert go(settings) == 0
        assert planted_by(running["model"])["requests"] <= 160 + 16
    assert len({row["id"] for row in rows(settings.out)}) == 160


def ours_running():
    return docker.from_env().containers.list(filters={"label": "apigen-ray"}, ignore_removed=True)


def unlocked(out):
    try:
        with RunFolder(Path(out)).writing():
            return True
    except BadInput:
        return False


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_run_finishes_what_is_in_flight_and_says_how_to_go_on(sent, tmp_path):
    with served(latency_s=1.0, concurrency=16) as (running, models):
        settings = config(tmp_path / "run", points=100, **models)
        process = started(settings, tmp_path)
        os.kill(process.pid, sent)
        output, _ = process.communicate(timeout=60)
        asked = planted_by(running["model"])["requests"]
    assert process.returncode == 1, output
    assert "finishing what is in flight" in output
    assert "run the same command to continue" in output
    assert "Traceback" not in output
    assert len(rows(settings.out)) == asked < 400


@pytest.mark.parametrize(
    "sent", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM]], ids=["second ctrl-c", "no grace"]
)
def test_a_run_that_may_not_wait_stops_at_once(sent, tmp_path):
    judge = {"kind": "simulated", "name": "judge", "latency_s": 500.0}
    settings = config(tmp_path / "run", points=100, judge=judge, grace_s=0.0)
    process = started(settings, tmp_path, sign="replies/*")
    for number in sent:
        os.kill(process.pid, number)
        time.sleep(0.3)  # two at the same time count as one
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "what has come is kept" in output
    assert "Traceback" not in output


def test_a_target_of_verified_points_is_met_exactly(tmp_path):
    models = [
        {"kind": "simulated", "name": name, "profile": profile, "latency_s": 0.01}
        for name, profile in (("good", "perfect"), ("bad", "weak"))
    ]
    wanted = {"points": {"simple": 15, "parallel": 15}, "target": {"count": "verified"}}
    assert go(config(tmp_path, models=models, **wanted)) == 0
    loaded = datasets.load_dataset(
        str(tmp_path / "dataset"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert Counter((row["model"], row["style"]) for row in loaded) == {
        (model, style): 15 for model in ("good", "bad") for style in ("simple", "parallel")
    }
    found = rows(tmp_path)
    assert sum(stats(tmp_path)["outcomes"].values()) == stats(tmp_path)["requested"] == len(found)
    asked = {
        name: {r["prompt_id"] for r in found if r["model"] == name} for name in ("good", "bad")
    }
    assert asked["good"] < asked["bad"]
    parts = RunFolder(tmp_path).parts()
    assert go(config(tmp_path, models=models, **wanted)) == 0
    assert RunFolder(tmp_path).parts() == parts


def test_a_target_that_cannot_be_met_is_said_to_be(tmp_path):
    console = Console(file=io.StringIO(), width=200)
    model = {"kind": "simulated", "name": "bad", "profile": "weak", "latency_s": 0.01}
    target = {"count": "verified", "asked_at_most": 1.0}
    settings = config(tmp_path, points={"simple": 30}, models=[model], target=target)
    assert go(settings, console=console) == 1
    verified = stats(tmp_path)["outcomes"]["verified"]
    assert f"bad: simple: {verified} of 30 are verified, after 30 were asked" in (
        console.file.getvalue()
    )


def test_a_point_that_fails_again_and_again_is_given_up(tmp_path):
    console = Console(file=io.StringIO(), width=200)
    with serving([SimulatedEndpoint(name="judge")]) as running:
        up = running["judge"].model_dump(mode="json") | {"max_retries": 0}
        broken = up | {"base_url": up["base_url"].removesuffix("/v1") + "/nowhere/v1"}
        settings = config(tmp_path, points={"simple": 3}, judge=broken, max_attempts=2)
        for _ in range(2):
            assert go(settings) == 1
        parts = RunFolder(tmp_path).parts()
        assert go(settings, console=console) == 1
    assert RunFolder(tmp_path).parts() == parts
    assert "--set max_attempts=4" in console.file.getvalue()


@pytest.fixture
def tiny_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_run_on_a_full_disk_stops_with_all_it_could_commit_and_goes_on_with_room(
    tiny_disk, tmp_path
):
    settings = config(tiny_disk / "run", points=60)
    command = [sys.executable, "-m", "apigen_ray", "run", str(config_file(settings, tmp_path))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    whole = [row["id"] for row in rows(settings.out)]
    assert len(whole) == len(set(whole)) < 240

    subprocess.run(["mount", "-o", "remount,size=64m", str(tiny_disk)], check=True)
    assert go(settings) == 0
    assert len(rows(settings.out)) == 240


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {
                "judge": {
                    "kind": "openai",
                    "name": "j",
                    "model": "m",
                    "base_url": "http://127.0.0.1:9/v1",
                }
            },
            "http://127.0.0.1:9/v1",
        ),
        (
            {
                "judge": {
                    "kind": "openai",
                    "name": "j",
                    "model": "m",
                    "base_url": "http://127.0.0.1:9/v1",
                    "api_key_env": "NO_SUCH_KEY",
                }
            },
            r"\$NO_SUCH_KEY is not set",
        ),
        ({"points": {"multiple": 1}, "tools": ["{tmp}/one.py"], "seeds": []}, "only one"),
        ({"tools": ["{tmp}/list.jsonl"], "seeds": []}, "'f': no parameters schema"),
        ({"seeds": ["{tmp}/seeds.jsonl"]}, "seeds.jsonl:1: tools: no tool is named 'f'"),
    ],
)
def test_bad_input_is_found_before_anything_is_paid_for(change, message, tmp_path):
    (tmp_path / "one.py").write_text('def f(x: int) -> int:\n    """Do."""\n    return x\n')
    (tmp_path / "list.jsonl").write_text('{"name": "f"}\n')
    seed = {"query": "x", "answers": [{"name": "f", "arguments": {}}], "tools": ["f"]}
    (tmp_path / "seeds.jsonl").write_text(json.dumps(seed))
    text = json.dumps(change).replace("{tmp}", str(tmp_path))
    with pytest.raises(BadInput, match=message) as caught:
        go(config(tmp_path / "run", **json.loads(text)))
    assert "\n" not in str(caught.value)


def test_a_library_of_ones_own_runs_from_a_single_file(tmp_path):
    (tmp_path / "mine.py").write_text(
        '''
def _double(x: float) -> float:
    """Double a number.

    >>> double(4)
    8
    >>> double(2.5)
    5.0
    """
    return 2 * x


def get_tools():
    return {"double": _double}
'''
    )
    settings = config(
        tmp_path / "run",
        tools=[str(tmp_path / "mine.py")],
        seeds=[],
    )
    settings = settings.model_copy(update={"points": {"simple": 6}})
    assert go(settings) == 0
    found = [row for row in rows(tmp_path / "run") if row["outcome"] == "verified"]
    assert found
    assert all("double" in row["answers"] for row in found)
