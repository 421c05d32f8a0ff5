"""What Prometheus scrapes from a node in a run, and that the dashboard shows no more than that."""

import io
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray  # the tests' conftest has imported our pipeline before
from rich.console import Console
from stored_rows import row

from apigen_ray.config import RunConfig
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.pipeline.metrics import RowMeter
from apigen_ray.run_folder.rows import as_table
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.run import run

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "cluster" / "grafana.json"
DENIED = [{"ok": False, "reason": "egress_denied", "message": "", "seconds": 0.1}]


def target():
    (node,) = [node for node in ray.nodes() if node["Alive"]]
    return f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"


def get(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read().decode()


def samples(text, name):
    """The samples of a metric, as labels and value."""
    for labels, value in re.findall(rf"^{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE):
        yield dict(re.findall(r'(\w+)="([^"]*)"', labels)), float(value)


def counted_rows(text):
    """The samples of our run: others of this process had no model of that name."""
    for labels, value in samples(text, "ray_apigen_rows_total"):
        if labels["model"] == "generator":
            yield labels, value


def expressions():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@contextmanager
def prometheus(folder):
    """A Prometheus that scrapes our Ray, or None where none is installed."""
    if not shutil.which("prometheus"):
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    scrape = [{"job_name": "ray", "static_configs": [{"targets": [target()]}]}]
    settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": scrape}
    (folder / "prometheus.yml").write_text(json.dumps(settings))
    command = [
        *("prometheus", "--config.file", folder / "prometheus.yml"),
        *("--storage.tsdb.path", folder, "--web.listen-address", address),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            yield f"http://{address}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def exposed(shared_ray, tmp_path_factory):
    """A run, what is scraped when the last of its rows has been counted, and a Prometheus."""
    out = tmp_path_factory.mktemp("run")
    model = SimulatedEndpoint(name="generator", latency_s=0.1)
    with prometheus(tmp_path_factory.mktemp("prometheus")) as server, serving([model]) as served:
        up = served["generator"].model_dump(mode="json")
        # One of two servers is down, so that requests are sent again.
        urls = {"base_url": None, "base_urls": [up["base_url"], "http://127.0.0.1:9/v1"]}
        settings = {
            "out": str(out),
            "points": {"simple": 20},
            "tools": [str(ROOT / "sandbox" / "tools")],
            "models": [up | urls | {"usd_per_million_input": 1}],
            "judge": up | {"name": "judge"},
            "sandbox": {"kind": "process"},
        }
        run(RunConfig.model_validate(settings), fresh=False, console=Console(file=io.StringIO()))
        RowMeter().count(as_table([row("a", execution_results=json.dumps(DENIED))]))
        rows = [row for table in RunFolder(out).tables() for row in table.to_pylist()]
        deadline = time.monotonic() + 60
        text = ""
        while sum(value for _, value in counted_rows(text)) < len(rows) or not list(
            samples(text, "ray_apigen_egress_denials_total")
        ):
            assert time.monotonic() < deadline, text[-2000:]
            time.sleep(1)
            text = get(f"http://{target()}/metrics")
        yield rows, text, server


def test_rows_are_counted_by_model_stage_outcome_and_reason(exposed):
    rows, text, _ = exposed
    counted = {}
    for labels, value in counted_rows(text):
        key = tuple(labels[name] for name in ("model", "stage", "outcome", "reason"))
        counted[key] = counted.get(key, 0) + value
    keys = [tuple(str(r[n] or "") for n in ("model", "stage", "outcome", "reason")) for r in rows]
    assert counted == {key: keys.count(key) for key in keys}


def test_the_dashboard_shows_what_is_exported(exposed):
    _, text, _ = exposed
    exported = set(re.findall(r"^(ray_apigen_\w+)\{", text, re.MULTILINE))
    shown = {name for text in expressions() for name in re.findall(r"ray_apigen_\w+", text)}
    assert shown <= exported
    # Every metric is shown, a histogram by its buckets.
    kinds = {re.sub("_(sum|count|bucket)$", "", name) for name in exported}
    assert kinds == {name.removesuffix("_bucket") for name in shown}


def test_each_panel_of_the_dashboard_has_data_in_a_real_prometheus(exposed):
    _, _, server = exposed
    if server is None:
        pytest.skip("no Prometheus here")

    def empty(expression):
        asked = urllib.parse.urlencode({"query": f"last_over_time(({expression})[10m:1s])"})
        answer = json.loads(get(f"{server}/api/v1/query?{asked}"))
        return not answer["data"]["result"]

    deadline = time.monotonic() + 60
    missing = expressions()
    while missing:
        assert time.monotonic() < deadline, missing
        time.sleep(1)
        missing = [expression for expression in missing if empty(expression)]


def test_a_denied_call_is_counted(exposed):
    _, text, _ = exposed
    denials = [value for _, value in samples(text, "ray_apigen_egress_denials_total")]
    assert sum(denials) == 1


def test_requests_and_calls_are_counted(exposed):
    _, text, _ = exposed
    requests = [
        (labels["model"], value) for labels, value in samples(text, "ray_apigen_requests_total")
    ]
    assert sum(value for model, value in requests if model == "generator") == 20
    assert sum(value for _, value in samples(text, "ray_apigen_calls_total")) > 0
    assert sum(value for _, value in samples(text, "ray_apigen_call_seconds_count")) > 0
