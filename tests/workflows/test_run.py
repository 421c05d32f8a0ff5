"""Whole runs on real Ray, real HTTP and real sandboxes: the ledger adds up whatever happens."""

import io
import json
import math
import subprocess
from collections import Counter

import datasets
import pytest
from example_runs import config, go, planted_by, rows, served, simulated, stats
from rich.console import Console

from apigen_ray.errors import BadInput
from apigen_ray.models.simulated.profiles import PROFILES
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows import collect as collecting

REASON_OF_FAULT = {
    "malformed_json": "invalid_json",
    "prose": "invalid_json",
    "infeasible": "raised",
    "mismatch": "fail_semantic",
    # A mismatch that leaves a call without any value of its query needs no judge.
    "judged_no": "fail_semantic",
    "ungrounded": "fail_semantic",
}


pytestmark = pytest.mark.usefixtures("shared_ray")


@pytest.mark.parametrize(
    "kind", [pytest.param("docker", marks=pytest.mark.docker), "bubblewrap", "process"]
)
def test_every_planted_fault_is_found_under_its_reason_and_nothing_else_is(kind, tmp_path):
    if kind == "bubblewrap" and subprocess.run(["which", "bwrap"], check=False).returncode:
        pytest.skip("bubblewrap is not installed")
    points = 75 if kind == "docker" else 25
    with served() as (running, models):
        assert go(config(tmp_path, points=points, sandbox=kind, **models)) == 0
        planted = planted_by(running["model"])["generate"]

    expected: Counter[str] = Counter()
    for fault, count in planted["planted"].items():
        expected[REASON_OF_FAULT.get(fault, fault)] += count
    reasons = (row["reason"] for row in rows(tmp_path) if row["reason"])
    found = Counter(REASON_OF_FAULT.get(reason, reason) for reason in reasons)
    assert found == +expected
    assert sum(stats(tmp_path)["outcomes"].values()) == 4 * points
    for fault, rate in PROFILES["default"].faults.items():
        error = 4.5 * math.sqrt(4 * points * rate * (1 - rate)) + 1
        assert abs(planted["drawn"][fault] - rate * 4 * points) <= error, fault
        assert planted["planted"][fault] <= planted["drawn"][fault], fault

    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["sandbox"]["kind"] == kind
    loaded = datasets.load_dataset(
        str(tmp_path / "dataset"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == stats(tmp_path)["distinct_verified"]
    for row in loaded:
        results = json.loads(row["execution_results"])
        assert len(results) == len(json.loads(row["answers"]))
        assert all(result["ok"] for result in results)


def test_parallelism_changes_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "SECONDS_PER_PART", 0.5)  # a pool waits for what is committed

    def content(out):
        columns = ("id", "messages_hash", "query", "answers", "tools", "outcome", "reason")
        return sorted(tuple(row[c] for c in columns) for row in rows(out))

    rounds = {"round_points": 8}
    go(config(tmp_path / "one", feedback=rounds))
    slow = simulated("fast", latency_s=0.05, concurrency=3)
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


@pytest.fixture(scope="module")
def finished(shared_ray, tmp_path_factory):
    """The config of a run of two models that has ended."""
    models = [simulated("good", profile="perfect"), simulated("bad", profile="weak")]
    settings = config(tmp_path_factory.mktemp("finished"), models=models)
    assert go(settings) == 0
    return settings


def test_several_models_see_the_same_prompts(finished):
    asked = {name: set() for name in ("good", "bad")}
    for row in rows(finished.out):
        asked[row["model"]].add((row["prompt_id"], row["messages_hash"]))
    assert asked["good"] == asked["bad"]
    assert len(asked["good"]) == 32
    by_model = stats(finished.out)["by_model"]
    assert by_model["good"]["outcomes"]["verified"] == 32
    assert by_model["bad"]["outcomes"]["verified"] < 32


def test_a_finished_run_is_not_asked_again(finished):
    parts = RunFolder(finished.out).parts()
    faster = [model.model_copy(update={"concurrency": 4}) for model in finished.models]
    for same in (finished, finished.model_copy(update={"models": tuple(faster)})):
        assert go(same) == 0
        assert RunFolder(finished.out).parts() == parts


def test_another_config_is_refused_by_the_keys_that_differ(finished):
    with pytest.raises(BadInput, match="seed: 0 -> 5"):
        go(finished.model_copy(update={"seed": 5}))


def test_several_pairs_a_completion_and_several_judges_settle_every_data_point(tmp_path):
    profiles = ("perfect", "weak", "perfect")
    judges = [simulated(f"j{n}", profile=profile) for n, profile in enumerate(profiles)]
    settings = config(
        tmp_path,
        points=10,
        sampling={"pairs_per_prompt": 4},
        judge=judges[0],
        further_judges=judges[1:],
        votes="majority",
    )
    assert go(settings) == 0
    found = rows(tmp_path)
    assert len({row["id"] for row in found}) == len(found) == 40
    assert len({row["prompt_id"] for row in found}) == 12  # 4 + 4 + 2 for each of four styles
    votes = [json.loads(row["votes"]) for row in found if row["votes"]]
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


def test_a_target_of_verified_points_is_met_exactly(tmp_path):
    models = [simulated("good", profile="perfect"), simulated("bad", profile="weak")]
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
    model = simulated("bad", profile="weak")
    target = {"count": "verified", "asked_at_most": 1.0}
    settings = config(tmp_path, points={"simple": 30}, models=[model], target=target)
    assert go(settings, console=console) == 1
    verified = stats(tmp_path)["outcomes"]["verified"]
    assert f"bad: simple: {verified} of 30 are verified after 30 were asked" in (
        console.file.getvalue()
    )


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
        (
            {"points": {"sequential": 1}, "tools": ["{tmp}/two.py"], "seeds": []},
            "points.sequential: no tool's result fits an argument of another",
        ),
        ({"tools": ["{tmp}/list.jsonl"], "seeds": []}, "f: no backend"),
        ({"seeds": ["{tmp}/seeds.jsonl"]}, "seeds.jsonl:1: tools: tool 'f': parameters: must be"),
    ],
)
def test_bad_input_is_found_before_anything_is_paid_for(change, message, tmp_path):
    (tmp_path / "one.py").write_text('def f(x: int) -> int:\n    """Do."""\n    return x\n')
    again = 'def g(y: int) -> str:\n    """Do."""\n    return "y"\n'
    (tmp_path / "two.py").write_text((tmp_path / "one.py").read_text() + again)
    (tmp_path / "list.jsonl").write_text('{"name": "f"}\n')
    seed = {"query": "x", "answers": [{"name": "f", "arguments": {}}]}
    seed["tools"] = [{"name": "f", "parameters": 5}]
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
        points={"simple": 6},
        tools=[str(tmp_path / "mine.py")],
        seeds=[],
    )
    assert go(settings) == 0
    found = [row for row in rows(tmp_path / "run") if row["outcome"] == "verified"]
    assert found
    assert all("double" in row["answers"] for row in found)
