"""`run --check`: a line for each thing, and exit code 2 where the run would fail at its start."""

import os
import subprocess
import sys

import pytest

from apigen_ray import pipeline  # noqa: F401 - it tells Ray about its environment first
from apigen_ray.cli import main

QUICKSTART = "configs/quickstart.yaml"

pytestmark = pytest.mark.usefixtures("shared_ray")


def checked(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main(["run", QUICKSTART, "--check", "--set", "sandbox.kind=process", *arguments])
    said = capsys.readouterr()
    return exit_.value.code, [
        line for line in said.out.splitlines() if line[:6] in ("ok    ", "FAILED")
    ]


def test_all_is_well_and_nothing_is_left_behind(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    code, lines = checked(capsys, "--out", str(tmp_path / "run"))
    assert code == 0
    checks = [line[8:].partition(":")[0] for line in lines]
    models = ["model simulated", "model judge/simulated-judge"]
    assert checks == ["tools", *models, "output", "ray"]
    assert all("tokens/s; fits the context; " in line for line in lines[1:3])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "tools=[no/such/tools]"], "no/such/tools"),
        (["--out", "/proc/run"], "/proc/run: not writable"),
        (["--out", "s3://b/r", "--set", "seed=1"], "s3://b/r: not writable"),
        (
            ["--set", "judge={kind: openai, name: j, base_url: 'http://127.0.0.1:9/v1', model: m}"],
            "model judge/j",
        ),
        (
            [
                "--set",
                "judge={kind: openai, name: j, base_url: 'http://x', model: m, api_key_env: NOKEY}",
            ],
            "$NOKEY is not set",
        ),
        (["--set", "sandbox.kind=docker"], "no Docker engine answers"),
        (
            ["--set", "judge={kind: vllm, name: j, model: m}"],
            "model j: an engine needs 1 GPU(s) of one node",
        ),
    ],
    ids=["tools", "output", "bucket", "endpoint", "key", "sandbox", "gpus"],
)
def test_each_thing_that_is_missing_is_one_line_and_the_rest_is_tried(
    arguments, said, capsys, tmp_path, monkeypatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code, lines = checked(capsys, "--out", str(tmp_path / "run"), *arguments)
    (failed,) = [line for line in lines if line.startswith("FAILED")]
    assert said in failed
    assert code == 2
    assert len(lines) >= 4


def test_a_ray_that_does_not_answer_is_one_line(tmp_path):
    command = [sys.executable, "-m", "apigen_ray", "run", "configs/quickstart.yaml", "--check"]
    done = subprocess.run(  # these tests have joined a Ray already
        [*command, "--out", str(tmp_path / "run")],
        env=os.environ | {"RAY_ADDRESS": "127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    (failed,) = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert "ray: no Ray at RAY_ADDRESS=127.0.0.1:9" in failed
    assert done.returncode == 2
