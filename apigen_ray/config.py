"""The configuration of a run: a YAML file, overridden by `--set KEY=VALUE`."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator

from apigen_ray.errors import BadInput
from apigen_ray.models.clients import MODEL_KINDS, MODEL_SETTINGS, ModelSettings
from apigen_ray.prompting.sampler import SamplingSettings
from apigen_ray.prompting.seed_pool import FeedbackSettings
from apigen_ray.prompting.targets import Target
from apigen_ray.records import Settings, Style
from apigen_ray.report.tracking import MlflowSettings, TrackSettings
from apigen_ray.run_folder.remote_files import resolve_sources
from apigen_ray.run_folder.storage import resolve_path
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.execute.dispatch import ExecuteSettings
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import EgressSettings, SandboxSettings
from apigen_ray.stages.judge import Rule

GRACE_S = 60.0


class ActorCount(Settings):
    """How many actors a stage has: a plain number, or from `min` to `max`, as the work asks for."""

    min: Annotated[int, Field(ge=1)] = 1
    """As many there are from the start."""
    max: Annotated[int, Field(ge=1)]
    """No more than this; one more comes whenever all are full, on a node that has room."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"min": value, "max": value} if isinstance(value, int) else value

    @model_validator(mode="after")
    def _in_order(self) -> "ActorCount":
        if self.min > self.max:
            raise ValueError(f"min is {self.min}, more than max, which is {self.max}")
        return self


ONE = ActorCount(min=1, max=1)


class Actors(Settings):
    """How many Ray actors each stage has. Each is one process that holds many calls in flight."""

    generate: ActorCount = ONE
    """Actors that ask the generating model; the most there may be share its `concurrency`."""
    execute: ActorCount = ONE
    """Actors that own sandboxes, `sandbox.slots` each."""
    judge: ActorCount = ONE
    """Actors that ask the judge; the most there may be share its `concurrency`."""


class RunConfig(Settings):
    """One run.

    Paths are relative to the folder the command is started in; tools and seeds of a config that
    stands at a URL are beside it there.
    """

    out: str
    """The run folder. Running again with the same folder resumes."""
    seed: int = 0
    """Everything that is drawn, is drawn from this."""
    points: dict[Style, Annotated[int, Field(ge=0)]]
    """How many data points are wanted, by style, of each model."""
    target: Target = Target()
    """What these numbers mean: data points asked for, as in the paper, or verified ones."""
    feedback: FeedbackSettings = FeedbackSettings()
    """Whether verified pairs are shown as examples, as in the paper; `off` shows seeds only."""
    tools: Annotated[tuple[str, ...], Field(min_length=1)]
    """Python files or packages, and JSON or JSONL tool lists."""
    seeds: tuple[str, ...] = ()
    """Files in the xLAM row format (JSONL, Parquet), or names of data sets."""
    sampling: SamplingSettings = SamplingSettings()
    """What prompts are made of."""
    models: Annotated[tuple[ModelSettings, ...], Field(min_length=1)]
    """The generating models. Each sees the same prompts."""
    judge: ModelSettings
    """The model that judges in stage 3."""
    further_judges: tuple[ModelSettings, ...] = ()
    """More judges, asked in turn, and only where the votes before leave it open."""
    votes: Rule = "all"
    """Which votes of several judges count: `all` must pass; the `majority`; or the `first` one that
    can be read."""
    budget_usd: float | None = Field(default=None, ge=0)
    """What the run may spend, over all attempts at it; then it stops, and keeps what it has."""
    max_tokens_total: int | None = Field(default=None, ge=0)
    """How many tokens the run may use, read and written, over all attempts at it."""
    max_attempts: Annotated[int, Field(ge=1)] = 5
    """How often a data point that ends in an `error` is asked for, over all attempts at the run."""
    grace_s: Annotated[float, Field(ge=0)] = GRACE_S
    """On SIGTERM, how long the run may take to finish what is in flight."""
    check: CheckSettings = CheckSettings()
    """Stage 1."""
    execute: ExecuteSettings = ExecuteSettings()
    """Stage 2."""
    sandbox: SandboxSettings = SandboxSettings()
    """Where Python tools run."""
    rest: RestSettings = RestSettings()
    """What REST tools may reach."""
    actors: Actors = Actors()
    """The size of each stage's actor pool."""
    track: TrackSettings = TrackSettings()
    """A tracker of experiments that is told the final table, too."""

    @model_validator(mode="after")
    def _distinct_names(self) -> "RunConfig":
        for key, models in (("models", self.models), ("further_judges", self.judges)):
            names = [model.name for model in models]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{key}: two are named {name!r}")
        if not sum(self.points.values()):
            raise ValueError("points: no data point is asked for")
        return self

    @property
    def judges(self) -> tuple[ModelSettings, ...]:
        """All judges, in the order they are asked."""
        return (self.judge, *self.further_judges)


def load_config(source: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read and validate a config file.

    Args:
        source: The YAML file, or its URL.
        overrides: `dotted.key=value`, the value in YAML.

    Raises:
        BadInput: naming the file and the key, with the nearest key where one is unknown.
    """
    path = resolve_path(source)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except Exception as error:  # each store's client raises its own types
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path}: a config is a mapping of keys; see configs/quickstart.yaml")
    resolve_sources(path, values)
    for override in overrides:
        _override(values, override)
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise BadInput(f"{path}: {_first_problem(error)}") from error


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise BadInput(f"--set {override}: KEY=VALUE is needed, such as seed=1")
    *parents, last = key.split(".")
    holder: Any = values
    try:
        for step in parents:
            holder = holder[int(step)] if isinstance(holder, list) else holder.setdefault(step, {})
        value = yaml.safe_load(text)
        if isinstance(holder, list):
            holder[int(last)] = value
        else:
            holder[last] = value
    except (AttributeError, TypeError, ValueError, IndexError, yaml.YAMLError) as error:
        raise BadInput(f"--set {override}: no such key, or no YAML value") from error


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    problem = problems[0]
    # pydantic adds the kind of a model to the path
    steps = [str(step) for step in problem["loc"] if step not in MODEL_KINDS]
    key = ".".join(steps) or "config"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "unknown key" + _suggestion(steps)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    given = problem["input"]
    shown = f", not {given!r}" if isinstance(given, str | int | float) and steps else ""
    shown = re.sub(r"//[^/@\s]*@", "//***@", shown)  # a password in a URL
    return f"{key}: {message}{'' if 'unknown' in message else shown}{more}"


def _suggestion(steps: Sequence[str]) -> str:
    known = {key for section in _SECTIONS for key in section.model_fields}
    close = difflib.get_close_matches(steps[-1], sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


_SECTIONS: tuple[type[Settings], ...] = (
    RunConfig,
    Target,
    FeedbackSettings,
    SamplingSettings,
    *MODEL_SETTINGS,
    CheckSettings,
    ExecuteSettings,
    SandboxSettings,
    EgressSettings,
    RestSettings,
    Actors,
    ActorCount,
    TrackSettings,
    MlflowSettings,
)
