"""Logs the results of a run to an experiment tracker, if the config names one.

A run folder is one run in the tracker, which a resume updates: its metrics are the funnel, its
steps the attempts. All that is logged is in the run folder as well.
"""

import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from apigen_ray.errors import BadInput
from apigen_ray.models.settings import Settings
from apigen_ray.records import Outcome
from apigen_ray.report.stats import Funnel, Stats
from apigen_ray.run_folder.store import RunFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

TRACKED = "tracked.json"
"""The file of a run folder that has the id of its run in the tracker."""


class MlflowSettings(Settings):
    """An MLflow server or database. MLflow takes credentials from the environment."""

    uri: str
    """The tracking URI, such as `https://mlflow.example.com` or `sqlite:///mlflow.db`."""
    experiment: str = Field(default="apigen_ray", min_length=1)
    """The experiment that the run is added to; it is created if it does not exist."""

    @field_validator("uri")
    @classmethod
    def _without_password(cls, uri: str) -> str:
        if urlsplit(uri).password:
            raise ValueError("put the password into MLFLOW_TRACKING_PASSWORD, not into the URI")
        return uri


class TrackSettings(Settings):
    """Where the results of a run are logged, besides its folder."""

    mlflow: MlflowSettings | None = None
    """MLflow; needs the extra `mlflow`."""


def check_tracker(settings: TrackSettings) -> None:
    """Check that the tracker accepts runs.

    Raises:
        BadInput: if its package is missing, or it does not answer.
    """
    if settings.mlflow:
        _experiment(settings.mlflow)


def track(settings: TrackSettings, folder: RunFolder, stats: Stats) -> None:
    """Log the results of a run to the tracker.

    Raises:
        BadInput: if the tracker refuses them, or does not answer.
    """
    if settings.mlflow:
        _track_mlflow(settings.mlflow, folder, stats)


def _experiment(settings: MlflowSettings) -> tuple["MlflowClient", str]:
    # By default it retries for minutes, and both the start and the end of a run wait for it.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # the run is nobody else's business
    try:
        from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and it takes a second
    except ImportError as error:
        raise BadInput(
            "track.mlflow: needs the extra `mlflow`: pip install 'apigen-ray[mlflow]'"
        ) from error
    try:
        client = MlflowClient(settings.uri)
        found = client.get_experiment_by_name(settings.experiment)
        return client, found.experiment_id if found else client.create_experiment(
            settings.experiment
        )
    except Exception as error:  # MLflow has many kinds of store, each with its own exceptions
        raise _refused(settings, error) from error


def _track_mlflow(settings: MlflowSettings, folder: RunFolder, stats: Stats) -> None:
    client, experiment = _experiment(settings)
    manifest: Any = folder.read_manifest() or {}
    into = {"uri": settings.uri, "experiment": settings.experiment}
    before = json.loads(folder.read_text(TRACKED) or "{}")
    try:
        run = before.get("run")
        if not run or before != into | {"run": run}:
            run = client.create_run(experiment, run_name=folder.path.name).info.run_id
            for name, text in _described(folder, manifest).items():
                client.log_param(run, name, text)
        folder.write_json(TRACKED, into | {"run": run})
        for name, value in _metrics(stats).items():
            client.log_metric(run, name, value, step=len(manifest.get("attempts", [])))
        for name in ("manifest.json", "stats.json", "report.html"):
            client.log_text(run, folder.read_text(name) or "", name)
        client.set_terminated(run, "KILLED" if stats.missing else "FINISHED")
    except Exception as error:  # as above
        raise _refused(settings, error) from error


def _refused(settings: MlflowSettings, error: Exception) -> BadInput:
    why = str(error).strip().splitlines() or [type(error).__name__]
    return BadInput(f"track.mlflow: {settings.uri}: {why[0]}")


def _described(folder: RunFolder, manifest: Any) -> dict[str, str]:
    config = manifest.get("config", {})
    return {
        "run_folder": str(folder.path),
        "models": ", ".join(model["name"] for model in config.get("models", [])),
        "judge": config.get("judge", {}).get("name", ""),
        "seed": str(config.get("seed", "")),
        "points": json.dumps(config.get("points", {})),
    }


def _metrics(stats: Stats) -> dict[str, float]:
    metrics: dict[str, float] = {
        "requested": stats.requested,
        "missing": stats.missing,
        "tokens_in": stats.input_tokens,
        "tokens_out": stats.output_tokens,
        "cost_usd": stats.cost_usd,
        **_funnel(stats.whole),
    }
    for model, funnel in stats.by_model.items():
        metrics |= {f"{model}/{name}": value for name, value in _funnel(funnel).items()}
    return metrics


def _funnel(funnel: Funnel) -> dict[str, float]:
    rate = {} if funnel.pass_rate is None else {"pass_rate": funnel.pass_rate}
    return {outcome.value: float(funnel.outcomes[outcome]) for outcome in Outcome} | rate
