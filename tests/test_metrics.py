"""What Prometheus scrapes from a node in a run, and that the dashboard shows no more than that."""

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest
import ray  # the tests' conftest has imported our pipeline before

from apigen_ray.cli import main
from apigen_ray.store import RunFolder

DASHBOARD = Path(__file__).parents[1] / "cluster" / "grafana.json"


def scraped():
    (node,) = [node for node in ray.nodes() if node["Alive"]]
    address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
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


def shown():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    return {name for text in expressions for name in re.findall(r"ray_apigen_\w+", text)}


@pytest.fixture(scope="module")
def exposed(shared_ray, tmp_path_factory):
    """A run, and what is scraped when the last of its rows has been counted."""
    out = tmp_path_factory.mktemp("run")
    overrides = ("points={simple: 20}", "models.0.name=generator", "sandbox.kind=process")
    with pytest.raises(SystemExit):
        main(
            ["run", "configs/quickstart.yaml", "--out", str(out)]
            + [word for override in overrides for word in ("--set", override)]
        )
    rows = [row for table in RunFolder(out).tables() for row in table.to_pylist()]
    deadline = time.monotonic() + 60
    text = ""
    while sum(value for _, value in counted_rows(text)) < len(rows):
        assert time.monotonic() < deadline, text[-2000:]
        time.sleep(1)
        text = scraped()
    return rows, text


def test_rows_are_counted_by_model_stage_outcome_and_reason(exposed):
    rows, text = exposed
    counted = {}
    for labels, value in counted_rows(text):
        key = tuple(labels[name] for name in ("model", "stage", "outcome", "reason"))
        counted[key] = counted.get(key, 0) + value
    keys = [tuple(str(r[n] or "") for n in ("model", "stage", "outcome", "reason")) for r in rows]
    assert counted == {key: keys.count(key) for key in keys}


def test_the_dashboard_shows_what_is_exported(exposed):
    _, text = exposed
    exported = set(re.findall(r"^(ray_apigen_\w+)\{", text, re.MULTILINE))
    # Nothing was denied, sent again or paid for in this run.
    unseen = {
        "ray_apigen_egress_denials_total",
        "ray_apigen_retries_total",
        "ray_apigen_cost_usd_total",
    }
    assert shown() - exported <= unseen
    assert len(shown() & exported) > 5


def test_requests_and_calls_are_counted(exposed):
    _, text = exposed
    requests = [
        (labels["model"], value) for labels, value in samples(text, "ray_apigen_requests_total")
    ]
    assert sum(value for model, value in requests if model == "generator") == 20
    assert sum(value for _, value in samples(text, "ray_apigen_calls_total")) > 0
    assert sum(value for _, value in samples(text, "ray_apigen_call_seconds_count")) > 0
