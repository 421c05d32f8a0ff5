"""What a run was made with, as the top of its report says it: read from the manifest."""

from collections.abc import Iterator, Mapping
from typing import Any

from apigen_ray.records import Stage


def subtitle(manifest: Mapping[str, Any]) -> str:
    """When the run was started, and with which version."""
    attempts = manifest.get("attempts") or []
    parts = [f"started {attempts[0]['started']}"] if attempts else []
    if version := manifest.get("versions", {}).get("apigen_ray"):
        parts.append(f"apigen_ray {version}")
    return " · ".join(parts)


def warnings(manifest: Mapping[str, Any]) -> list[str]:
    """That models are simulated, if any is."""
    config = manifest.get("config", {})
    writer = (config.get("answer") or {}).get("model")
    models = [*config.get("models", []), config.get("judge") or {}, writer or {}]
    names = [model["name"] for model in models if model.get("kind") == "simulated"]
    if not names:
        return []
    return [f"{', '.join(names)}: simulated, with planted faults. Do not train on this data."]


def facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the rows depend on most, each with its label."""
    return [(label, text) for label, text in _facts(manifest) if text]


def _facts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    config, given = manifest.get("config", {}), manifest.get("verify")
    judged = not given or Stage.JUDGE.option in given["stages"]
    if given:
        yield "data", str(given["data"])
        yield "stages", ", ".join(given["stages"])
    else:
        yield "models", _names(config.get("models", ()))
        yield "strategy", str(config.get("strategy") or "")
        yield "seed", str(config.get("seed", ""))
    if judged:
        judges = [config.get("judge"), *config.get("further_judges", ())]
        yield "judge" if len(judges) == 1 else "judges", _names(judges)
    for label, section in (("solvers", "agreement"), ("answers", "answer")):
        settings = config.get(section) or {}
        asked = settings.get("models") or [settings.get("model")]
        yield label, _names(asked)
    sandbox = manifest.get("sandbox") or {}
    yield "sandbox", ", ".join(str(sandbox[key]) for key in ("kind", "image") if sandbox.get(key))
    yield "tools", ", ".join(map(str, (given or config).get("tools") or ()))


def _names(models: Any) -> str:
    """The labels of models, each with what is behind it."""
    return ", ".join(
        f"{model['name']} ({model.get('model') or model['kind']})" for model in models if model
    )
