"""A cluster of containers, as cluster/compose.yaml starts it, and jobs from outside it.

`pytest -m cluster`: building the images takes up to ten minutes, the tests eight.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import docker
import pytest
from moto.server import ThreadedMotoServer
from upath import UPath

from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.execute.sandbox import SandboxSettings, ensure_image

ROOT = Path(__file__).parents[2]
BASE, NODE = "apigen-ray-test-base:bookworm", "apigen-ray-node:test"
MINUTES = 60
STYLES = ("simple", "multiple", "parallel", "parallel_multiple")
pytestmark = [pytest.mark.cluster, pytest.mark.docker]


class Cluster:
    """The containers, and the commands a user types."""

    def __init__(self, runs: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.runs = runs
        self.name = f"apigen-ray-test-{os.getpid()}"
        self.env = os.environ | {
            "NODE_IMAGE": NODE,
            "SANDBOX_IMAGE": ensure_image(SandboxSettings(base_image="host")).tag,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{port}",
            "DASHBOARD_PORT": port,
            "RUNS": str(runs),
            "LATENCY": "1.5",
        }

    def run(self, *command, check=True, **env):
        return subprocess.run(
            command, cwd=ROOT, env=self.env | env, check=check, capture_output=True, text=True
        )

    def compose(self, *arguments):
        file = str(ROOT / "cluster" / "compose.yaml")
        return self.run(*compose_program(), "-p", self.name, "-f", file, *arguments)

    def ray(self, *arguments, check=True, **env):
        return self.run(str(Path(sys.executable).parent / "ray"), *arguments, check=check, **env)

    def submit(self, job, *overrides):
        self.ray(
            *("job", "submit", "--no-wait", "--submission-id", job, "--working-dir", "cluster/job"),
            *("--", "apigen-ray", "run", "run.yaml", *overrides),
        )

    def status(self, job):
        said = self.ray("job", "status", job, check=False)
        found = re.search(rf"Job '{job}' (?:was )?(\w+)", said.stdout + said.stderr)
        return found[1] if found else "running"

    def ended(self, job):
        wait_until(lambda: self.status(job) in ("succeeded", "failed", "stopped"))
        return self.status(job), self.ray("job", "logs", job).stdout


@pytest.fixture(scope="module")
def bucket():
    """A bucket on an S3 server of this process, at an address that containers reach."""
    client = docker.from_env()
    (subnet,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    server = ThreadedMotoServer(ip_address=subnet["Gateway"], port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        UPath("s3://bucket").fs.mkdir("bucket")
        yield "s3://bucket"
    server.stop()


def compose_program():
    """Docker Compose, as a plugin of Docker or alone; None if there is none."""
    if shutil.which("docker"):
        plugin = ["docker", "compose"]
        if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
            return plugin
    return ["docker-compose"] if shutil.which("docker-compose") else None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, bucket):
    if not compose_program():
        pytest.skip("no Docker Compose")
    subprocess.run([ROOT / "tests" / "cluster" / "base_image.sh", BASE], check=True)
    subprocess.run(
        [
            *("docker", "build", "--quiet", "--file", "cluster/Dockerfile", "--tag", NODE),
            *("--build-arg", f"BASE_IMAGE={BASE}", "."),
        ],
        cwd=ROOT,
        check=True,
    )
    runs = tmp_path_factory.mktemp("runs")
    runs.chmod(0o777)  # the containers' user writes there
    cluster = Cluster(runs)
    cluster.compose("up", "--detach")
    try:
        wait_until(lambda: cluster.ray("job", "list", check=False).returncode == 0)
        yield cluster
    finally:
        cluster.compose("down", "--volumes", "--timeout", "5")


def wait_until(holds, minutes=15):
    deadline = time.monotonic() + minutes * MINUTES
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def rows(folder):
    return [row for table in RunFolder(folder).tables() for row in table.to_pylist()]


def assert_each_point_once(folder, requested):
    found = rows(folder)
    assert len({row["id"] for row in found}) == len(found) == requested
    assert Counter(row["outcome"] for row in found).total() == requested


def test_ray_refuses_who_has_no_token(cluster):
    refused = cluster.ray("job", "list", check=False, RAY_AUTH_TOKEN="a" * 64)
    assert refused.returncode != 0
    assert "token" in refused.stdout + refused.stderr


def test_a_run_survives_the_loss_of_a_worker(cluster):
    out = cluster.runs / "lost"
    cluster.submit("lost", "--out", "/runs/lost")
    wait_until(lambda: RunFolder(out).parts() or cluster.status("lost") == "failed")
    settled = len(rows(out))
    assert 0 < settled < 400
    cluster.compose("kill", "worker-1")
    status, log = cluster.ended("lost")
    assert status == "succeeded", log
    assert_each_point_once(out, 400)
    assert not any(row["outcome"] == "error" for row in rows(out))
    (attempt,) = json.loads((out / "manifest.json").read_text())["attempts"]
    assert attempt["job"] == "lost"
    # The dead worker's rows were begun again, on the other machine.
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert any(event["event"] == "process died" and event["rows"] for event in events)
    cluster.compose("up", "--detach")


@pytest.mark.parametrize("place", ["volume", "object-store"])
def test_a_run_is_stopped_cleanly_and_resumed_by_submitting_it_again(cluster, bucket, place):
    there = "/runs/stopped" if place == "volume" else f"{bucket}/stopped"
    out = UPath(cluster.runs / "stopped" if place == "volume" else there)
    run = ("--out", there, "--set", f"points={json.dumps(dict.fromkeys(STYLES, 50))}")
    first, second = f"stopped-{place}", f"resumed-{place}"
    cluster.submit(first, *run)
    wait_until(lambda: RunFolder(out).parts() or cluster.status(first) == "failed")
    cluster.ray("job", "stop", first)
    status, log = cluster.ended(first)
    assert status == "stopped"
    assert "run the same command to continue" in log
    settled = {row["id"] for row in rows(out) if row["outcome"] != "error"}
    assert 0 < len(settled) < 200
    cluster.submit(second, *run)
    status, log = cluster.ended(second)
    assert status == "succeeded", log
    assert_each_point_once(out, 200)
    attempts = json.loads((out / "manifest.json").read_text())["attempts"]
    assert [attempt["job"] for attempt in attempts] == [first, second]
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [e["job"] for e in events if e["event"] == "run started"] == [first, second]
    assert "SIGTERM" in {event.get("why") for event in events}


def test_a_check_tries_all_that_a_run_needs_there(cluster, bucket):
    cluster.submit("checked", "--check", "--out", f"{bucket}/checked")
    status, log = cluster.ended("checked")
    assert status == "succeeded", log
    for part in ("tools: 161, ", "sandbox sidecar", "stage 1 accepts it", "ray: 3 nodes"):
        assert part in log
    assert "ok      model simulated: " in log
    cluster.submit("no-bucket", "--check", "--out", "s3://nowhere/run")
    status, log = cluster.ended("no-bucket")
    assert status == "failed"
    (failed,) = [line for line in log.splitlines() if line.startswith("FAILED")]
    assert "output: s3://nowhere/run: not writable" in failed


def test_a_config_that_is_wrong_is_one_line(cluster):
    cluster.submit("wrong", "--set", "sandbox.slot=2")
    status, log = cluster.ended("wrong")
    assert status == "failed"
    assert "did you mean 'slots'?" in log
    assert "Traceback" not in log
