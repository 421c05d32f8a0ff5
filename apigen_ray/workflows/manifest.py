"""The manifest of a run folder, and whether a config may resume it."""

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apigen_ray import __version__, strict_json
from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.prompting import templates
from apigen_ray.records import JsonObject, Seed, Tool
from apigen_ray.run_folder.rows import pair_form
from apigen_ray.run_folder.store import RunFolder, digest
from apigen_ray.stages.agreement.solve import TEMPLATE_NAMES as SOLVE_TEMPLATES
from apigen_ray.stages.agreement.solve import TEMPLATES as SOLVE
from apigen_ray.stages.answer import TEMPLATE_NAMES as ANSWER_TEMPLATES
from apigen_ray.stages.ballot import TEMPLATES as JUDGE
from apigen_ray.stages.judge import TEMPLATE_NAMES as JUDGE_TEMPLATES
from apigen_ray.tools.write_forms import own_form

_WITHOUT_EFFECT_ON_ROWS = {
    "config": {
        "out",
        "actors",
        "sandbox",
        "rest",
        "judge_audit",
        "budget_usd",
        "max_tokens_total",
        "max_attempts",
        "grace_s",
        "track",
    },
    "execute": {"skip_unreachable"},  # the tools left say it
    "target": {"count", "asked_at_most"},
    "model": {
        "base_url",
        "base_urls",
        "api_key_env",
        "concurrency",
        "requests_per_minute",
        "tokens_per_minute",
        "timeout_s",
        "max_retries",
        "latency_s",
        "replicas",
        "tensor_parallel_size",
        "num_gpus",
        "python",
        "env",
        "startup_timeout_s",
    },
    "sandbox": {"kind", "slots", "socket_dir", "runtime", "base_image", "image"},
    "rest": {"mode", "cassette", "per_host_concurrency", "per_host_rate", "retries"},
}


def identity_of(config: RunConfig, tools: Sequence[Tool], seeds: Sequence[Seed]) -> dict[str, Any]:
    """Everything the rows depend on: a run may only be resumed with the same."""
    values = config.model_dump(mode="json", exclude=_WITHOUT_EFFECT_ON_ROWS["config"])
    writers = [values["answer"]["model"]] if config.answer else []
    for model in (*values["models"], values["judge"], *values["further_judges"], *writers):
        _drop_without_effect(model)
    values["agreement"] = agreement_identity(config)
    for section in ("execute", "target"):
        for key in _WITHOUT_EFFECT_ON_ROWS[section]:
            del values[section][key]
    values["sandbox"] = config.sandbox.model_dump(
        mode="json", exclude=_WITHOUT_EFFECT_ON_ROWS["sandbox"]
    )
    values["rest"] = config.rest.model_dump(mode="json", exclude=_WITHOUT_EFFECT_ON_ROWS["rest"])
    values["hashes"] = {
        "tools": digest(strict_json.canonical(own_form(tool)) for tool in tools),
        "seeds": digest(strict_json.canonical(pair_form(seed.pair)) for seed in seeds),
        "prompts": digest(text for _, text in sorted(_prompts().items())),
    }
    return values


def agreement_identity(config: RunConfig | None) -> JsonObject | None:
    """What the rows depend on of `agreement`."""
    if config is None or config.agreement is None:
        return None
    values = config.agreement.model_dump(mode="json")
    for model in values["models"]:
        _drop_without_effect(model)
    return values


def _drop_without_effect(model: dict[str, Any]) -> None:
    for key in _WITHOUT_EFFECT_ON_ROWS["model"]:
        model.pop(key, None)


def check_same_run(folder: RunFolder, identity: Mapping[str, Any]) -> None:
    """Check that a folder is new, or that its rows depend on the same things.

    Raises:
        BadInput: with what differs, if they don't.
    """
    manifest = folder.read_manifest()
    if manifest is None:
        return
    before, now = _leaves(manifest.get("identity")), _leaves(identity)
    changed = [
        f"{key}: {before.get(key)!r} -> {now.get(key)!r}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise BadInput(
            f"{folder.path}: made with another config ({'; '.join(changed[:5])}); "
            "set another `out`, or start over with --fresh"
        )


def manifest_of(
    config: RunConfig,
    identity: Mapping[str, Any],
    sandbox: JsonObject,
    folder: RunFolder,
) -> dict[str, Any]:
    """The manifest of a run folder, with one more attempt at the run."""
    earlier: Any = (folder.read_manifest() or {}).get("attempts", [])
    packages = ("ray", "pyarrow", "pydantic", "aiohttp", "jsonschema")
    attempt = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "git": _git_revision(),
        "job": _job(),
    }
    return {
        "config": config.model_dump(mode="json"),
        "identity": dict(identity),
        "sandbox": sandbox,
        "versions": {
            "apigen_ray": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "attempts": [*earlier, attempt],
    }


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {
            key: leaf
            for name, inner in value.items()
            for key, leaf in _leaves(inner, f"{path}.{name}" if path else str(name)).items()
        }
    if isinstance(value, list) and value:
        return _leaves(dict(enumerate(value)), path)
    return {path: value}


def _job() -> str | None:
    """The id of the job, if `ray job submit` started this program."""
    told = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
    id_: str | None = told.get("metadata", {}).get("job_submission_id")
    return id_


def _git_revision() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return None  # no git here: an installed package
    return done.stdout.strip() or None


def _prompts() -> dict[str, str]:
    """The templates of all prompts, by file name."""
    judge = {name: JUDGE.text(name) for name in (*JUDGE_TEMPLATES, *ANSWER_TEMPLATES)}
    return templates.texts() | judge | {name: SOLVE.text(name) for name in SOLVE_TEMPLATES}
