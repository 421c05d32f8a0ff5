"""Runs that are stopped, killed, or out of money or room: nothing is lost, and they go on."""

import io
import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from example_runs import (
    config,
    config_file,
    go,
    judge_down,
    planted_by,
    rows,
    served,
    simulated,
    started,
    stats,
    wait_for,
    wait_until_it_has,
)
from rich.console import Console

from apigen_ray.cli import main
from apigen_ray.errors import BadInput
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.execute.sandbox.transports.docker import LABEL
from apigen_ray.workflows import collect as collecting

pytestmark = pytest.mark.usefixtures("shared_ray")


def containers():
    """All sandboxes on this machine: other tests may have some at the same time."""
    return docker.from_env().containers.list(filters={"label": LABEL}, ignore_removed=True)


def containers_of(process):
    """The sandboxes of a process that has a session of its own."""
    return {c.id for c in containers() if session_of(c.labels[LABEL].split()[-1]) == process.pid}


def session_of(pid):
    try:
        return os.getsid(int(pid))
    except (ProcessLookupError, ValueError):
        return None


def unlocked(out):
    try:
        with RunFolder(Path(out)).writing():
            return True
    except BadInput:
        return False


@pytest.mark.docker
def test_a_run_killed_in_the_middle_is_completed_exactly_and_little_is_paid_twice(tmp_path):
    with served(latency_s=0.5, concurrency=16) as (running, models):
        settings = config(tmp_path / "run", points=60, sandbox="docker", **models)
        process = started(settings)
        wait_until_it_has(process, settings)
        # Rows that fail stage 1 may be committed before the first call opens a container.
        wait_for(lambda: containers_of(process), 30)
        left = containers_of(process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before = {row["id"] for row in rows(settings.out)}
        assert left
        assert 0 < len(before) < 240
        wait_for(lambda: not left & {container.id for container in containers()}, 30)
        wait_for(lambda: unlocked(settings.out), 30)
        assert go(settings) == 0
        most = 240 + 2 * 16  # in flight, or come within the 50 ms for which replies are gathered
        assert planted_by(running["model"])["requests"] <= most
    after = [row["id"] for row in rows(settings.out)]
    assert len(after) == len(set(after)) == 240
    assert before <= set(after)
    assert sum(stats(settings.out)["outcomes"].values()) == 240
    assert all(row["attempts"] == 1 for row in rows(settings.out))


@contextmanager
def signalled(number, settings):
    """Within, this process gets a signal once the run has committed its first part."""
    before = signal.signal(number, lambda *_: None)  # should the run end before

    def send():
        wait_for(lambda: list(Path(settings.out).glob("samples/part-*")), 60)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(number, before)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_run_finishes_what_is_in_flight_and_says_how_to_go_on(
    sent, tmp_path, monkeypatch
):
    monkeypatch.setattr(collecting, "SECONDS_PER_PART", 0.5)
    console = Console(file=io.StringIO(), width=200)
    with served(latency_s=1.0, concurrency=16) as (running, models):
        settings = config(tmp_path / "run", points=100, **models)
        with signalled(sent, settings):
            assert go(settings, console=console) == 1
        asked = planted_by(running["model"])["requests"]
    output = console.file.getvalue()
    assert "finishing what is in flight" in output
    assert "run the same command to continue" in output
    assert len(rows(settings.out)) == asked < 400


def test_a_run_that_may_not_wait_stops_at_once(tmp_path):
    judge = simulated("judge", latency_s=500.0)
    signals = {"second": [signal.SIGINT, signal.SIGINT], "no-grace": [signal.SIGTERM]}
    runs = {}
    for name in signals:  # side by side: each starts a Ray of its own
        settings = config(tmp_path / name, points=100, judge=judge, grace_s=0.0)
        runs[name] = started(settings), settings
    for name, (process, settings) in runs.items():
        wait_until_it_has(process, settings, "replies/*")
        for number in signals[name]:
            os.kill(process.pid, number)
            time.sleep(0.3)  # two at the same time count as one
    for name, (process, _) in runs.items():
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1, name
        assert "finishing what is in flight" in output, name
        assert "what has come is kept" in output, name
        assert "Traceback" not in output, name


def test_a_run_that_reaches_its_budget_stops_and_goes_on_with_more(tmp_path):
    console = Console(file=io.StringIO())
    with served(latency_s=0.1, concurrency=8) as (running, models):
        models["models"][0]["usd_per_million_output"] = 1e6  # a dollar a token
        settings = config(tmp_path, points=25, budget_usd=1500, **models)
        assert go(settings, console=console) == 1
        found = rows(tmp_path)
        assert 0 < len(found) < 100
        assert all(row["completion"] for row in found), "what was never asked has no row"
        advice = "to continue, run the same command with --set budget_usd=3000"
        assert advice in console.file.getvalue()
        assert planted_by(running["model"])["requests"] < 100

        assert go(settings.model_copy(update={"budget_usd": None})) == 0
        assert len({row["id"] for row in rows(tmp_path)}) == 100
        assert planted_by(running["model"])["requests"] == 100, "none is paid for twice"


def test_errors_are_asked_again_and_superseded_but_not_for_ever(tmp_path):
    """The judge is down in the first attempts: no model is blamed, and nothing is lost."""
    console = Console(file=io.StringIO(), width=200)
    with judge_down() as (up, down):
        broken = config(tmp_path, points=5, judge=down, max_attempts=2)
        assert go(broken) == 1
        first = rows(tmp_path)
        errors = {row["id"] for row in first if row["outcome"] == "error"}
        assert errors
        assert {row["reason"] for row in first if row["id"] in errors} == {"endpoint"}
        assert all(row["completion"] for row in first)

        assert go(broken) == 1
        parts = RunFolder(tmp_path).parts()
        assert go(broken, console=console) == 1
        assert RunFolder(tmp_path).parts() == parts
        assert "--set max_attempts=4" in console.file.getvalue()

        assert go(config(tmp_path, points=5, judge=up, max_attempts=4)) == 0
    last = rows(tmp_path)
    assert len(last) == len({row["id"] for row in last}) == 20
    assert {row["id"]: row["attempts"] for row in last} == {
        row["id"]: 3 if row["id"] in errors else 1 for row in last
    }


def test_a_run_whose_judge_is_down_stops_before_all_is_paid_for(tmp_path):
    console = Console(file=io.StringIO())
    with judge_down() as (_, down):
        assert go(config(tmp_path, points=200, judge=down), console=console) == 1
    assert len(rows(tmp_path)) < 800
    printed = console.file.getvalue()
    assert "data points ended in an error" in printed
    assert "404" in printed


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
    tiny_disk, capfd, monkeypatch
):
    monkeypatch.setattr(collecting, "RETRY_DELAYS_S", (0.0, 0.0))
    settings = config(tiny_disk / "run", points=60)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(config_file(settings))])
    assert ended.value.code == 1
    said = capfd.readouterr().err
    assert "No space left on device" in said
    assert "Traceback" not in said
    whole = [row["id"] for row in rows(settings.out)]
    assert len(whole) == len(set(whole)) < 240

    subprocess.run(["mount", "-o", "remount,size=64m", str(tiny_disk)], check=True)
    assert go(settings) == 0
    assert len(rows(settings.out)) == 240
