"""The final table in a real MLflow, whose store is a database file."""

import io
import json
import sys

import pytest
from rich.console import Console
from stored_rows import row

from apigen_ray.config import load_config
from apigen_ray.errors import BadInput
from apigen_ray.report.tracking import TrackSettings, check_tracker
from apigen_ray.run_folder.rows import as_table
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.finish import finish

QUICKSTART = "configs/quickstart.yaml"


@pytest.fixture(autouse=True)
def artifacts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where MLflow puts what is no number


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """A database for all tests: MLflow takes seconds to make one."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


def to(uri, experiment="e"):
    return TrackSettings.model_validate({"mlflow": {"uri": uri, "experiment": experiment}})


def concluded(out, rows, requested, settings):
    folder = RunFolder(out)
    console = Console(file=io.StringIO(), width=200)
    with folder.writing():
        folder.commit(as_table(rows))
        attempts = [*(folder.read_manifest() or {"attempts": []})["attempts"], {"started": "now"}]
        folder.write_json("manifest.json", {"attempts": attempts, "config": {"seed": 7}})
        code = finish(folder, requested, console, tracking=settings).exit_code
    return code, console.file.getvalue()


def tracked(uri, experiment="e"):
    from mlflow import MlflowClient  # noqa: PLC0415 - else each worker takes seconds to import it

    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    return client, client.search_runs([found.experiment_id])


def test_a_run_and_its_resume_are_one_run_there_with_the_numbers_of_the_report(tmp_path, uri):
    out = tmp_path / "out"
    assert concluded(out, [row("a"), row("b", "error")], 3, to(uri))[0] == 1
    client, (first,) = tracked(uri)
    assert (first.data.metrics["verified"], first.data.metrics["missing"]) == (1, 1)
    assert first.info.status == "KILLED"
    assert concluded(out, [row("b", tried=1), row("c")], 3, to(uri))[0] == 0
    client, (second,) = tracked(uri)
    assert second.info.run_id == first.info.run_id
    assert second.info.status == "FINISHED"
    assert second.data.params["seed"] == "7"
    stats = json.loads((out / "stats.json").read_text())
    for name, number in stats["outcomes"].items():
        assert second.data.metrics[name] == number
    assert second.data.metrics["m/pass_rate"] == stats["by_model"]["m"]["pass_rate"]
    history = client.get_metric_history(second.info.run_id, "verified")
    assert [(m.step, m.value) for m in history] == [(1, 1), (2, 3)]
    names = {one.path for one in client.list_artifacts(second.info.run_id)}
    assert names == {"manifest.json", "stats.json", "report.html"}


def test_another_experiment_gets_a_run_of_its_own(tmp_path, uri):
    concluded(tmp_path / "out", [row("a")], 2, to(uri, "one"))
    concluded(tmp_path / "out", [row("b")], 2, to(uri, "other"))
    assert len(tracked(uri, "one")[1]) == len(tracked(uri, "other")[1]) == 1


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "gopher://host"])
def test_a_tracker_that_takes_no_runs_is_one_line(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BadInput, match=rf"^track\.mlflow: {uri}: \S") as caught:
        check_tracker(to(uri))
    assert "\n" not in str(caught.value)


def test_a_tracker_that_is_gone_at_the_end_costs_nothing_but_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, said = concluded(tmp_path / "out", [row("a")], 1, to("http://127.0.0.1:9"))
    assert code == 0
    assert "not tracked: track.mlflow: http://127.0.0.1:9" in said
    assert (tmp_path / "out" / "report.html").exists()


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(BadInput, match="needs the extra `mlflow`"):
        check_tracker(to("http://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("track.mlflow={uri: x, url: y}", "unknown key; did you mean 'uri'"),
        ("track.mlflow={uri: 'https://me:secret@h'}", "MLFLOW_TRACKING_PASSWORD"),
        ("track.mlflow={experiment: e}", "track.mlflow.uri"),
    ],
)
def test_settings_that_are_wrong_are_one_line(override, said, request):
    with pytest.raises(BadInput, match=said) as caught:
        load_config(request.config.rootpath / QUICKSTART, [override])
    assert "secret" not in str(caught.value)
