"""The configuration of a run: a YAML file, overridden by `--set KEY=VALUE`."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from apigen_ray.errors import BadInput
from apigen_ray.models.clients import MODEL_KINDS, MODEL_SETTINGS, ModelSettings, check_names
from apigen_ray.models.settings import Settings
from apigen_ray.prompting.sampler import Range, SamplingSettings
from apigen_ray.prompting.seed_pool import FeedbackSettings
from apigen_ray.prompting.targets import Target
from apigen_ray.records import Strategy, Style
from apigen_ray.report.tracking import MlflowSettings, TrackSettings
from apigen_ray.run_folder.remote_files import no_such_file, resolve_sources
from apigen_ray.run_folder.storage import resolve_path
from apigen_ray.stages.agreement import AgreementSettings
from apigen_ray.stages.answer import AnswerSettings
from apigen_ray.stages.ballot import Rule
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.execute.dispatch import ExecuteSettings
from apigen_ray.stages.execute.mcp import McpServer, read_servers
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import EgressSettings, SandboxSettings
from apigen_ray.stages.grounding import GroundingSettings
from apigen_ray.stages.judge import JudgeAuditSettings

GRACE_S = 60.0
SHOWN = 5
"""How many problems of a config are listed."""


class ActorCount(Settings):
    """How many actors a stage has: a fixed number, or `min` to `max`, depending on the load."""

    min: Annotated[int, Field(ge=1)] = 1
    """The number at the start."""
    max: Annotated[int, Field(ge=1)]
    """The largest number; one is added whenever all are busy, on a node that has room."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"min": value, "max": value} if isinstance(value, int) else value

    @model_validator(mode="after")
    def _in_order(self) -> "ActorCount":
        if self.min > self.max:
            raise ValueError(f"min {self.min} is larger than max {self.max}")
        return self


ONE = ActorCount(min=1, max=1)


class Actors(Settings):
    """How many Ray actors each stage has. Each is one process that holds many calls in flight."""

    generate: ActorCount = ONE
    """Actors that ask the generating model; `max` of them share its `concurrency`."""
    execute: ActorCount = ONE
    """Actors that own sandboxes, `sandbox.slots` each."""
    judge: ActorCount = ONE
    """Actors that ask the judge; `max` of them share its `concurrency`."""
    agree: ActorCount = ONE
    """Actors that ask the solvers, and own sandboxes to compare what calls return."""
    converse: ActorCount = ONE
    """Actors that go on with conversations: they ask all models, and own sandboxes."""


class RunConfig(Settings):
    """One run.

    Paths are relative to the working directory. If the config is read from a URL, its tools and
    seeds are relative to that URL.
    """

    out: str
    """The run folder. Running again with the same folder resumes."""
    seed: int = 0
    """The random seed of everything that is sampled."""
    points: dict[Style, Annotated[int, Field(ge=0)]]
    """How many data points each model generates, by style."""
    turns: Range = Range(min=2, max=4)
    """How many turns with calls the conversations of the style `multi_turn` have."""
    strategy: Strategy = "query_and_calls"
    """Who writes what: the model queries and calls, as in the paper; or, with `calls_first`, the
    queries of calls that are drawn from examples, seeds and schemas and run before it is asked."""
    target: Target = Target()
    """Whether `points` counts generated data points, as in the paper, or verified ones."""
    feedback: FeedbackSettings = FeedbackSettings()
    """Whether verified pairs become examples, as in the paper; `off` shows seeds only."""
    tools: Annotated[tuple[str, ...], Field(min_length=1)]
    """Python files or packages, and JSON or JSONL tool lists."""
    seeds: tuple[str, ...] = ()
    """Files in the xLAM row format (JSONL, Parquet), or names of data sets."""
    sampling: SamplingSettings = SamplingSettings()
    """How prompts are sampled."""
    models: Annotated[tuple[ModelSettings, ...], Field(min_length=1)]
    """The generating models. Each sees the same prompts."""
    judge: ModelSettings
    """The model that judges in stage 3."""
    further_judges: tuple[ModelSettings, ...] = ()
    """More judges, asked in this order, each only if the earlier votes don't settle the verdict."""
    votes: Rule = "all"
    """How the votes of several judges are combined: `all` must pass, the `majority`, or the `first`
    readable vote."""
    judge_audit: JudgeAuditSettings = JudgeAuditSettings()
    """How the judges are tested before the first data point is asked for."""
    budget_usd: float | None = Field(default=None, ge=0)
    """What the run may spend in total, resumes included; then it stops and keeps its rows."""
    max_tokens_total: int | None = Field(default=None, ge=0)
    """How many input and output tokens the run may use in total, resumes included."""
    max_attempts: Annotated[int, Field(ge=1)] = 5
    """How often a data point that ends in an `error` is asked for in total, resumes included."""
    grace_s: Annotated[float, Field(ge=0)] = GRACE_S
    """How long the run may take after SIGTERM to finish what is in flight."""
    check: CheckSettings = CheckSettings()
    """Stage 1."""
    execute: ExecuteSettings = ExecuteSettings()
    """Stage 2."""
    grounding: GroundingSettings = GroundingSettings()
    """The part of stage 3 that needs no judge."""
    agreement: AgreementSettings | None = None
    """The last part of stage 3: other models must make the same calls. Not in the paper."""
    answer: AnswerSettings | None = None
    """A model that writes the final answer from the results, for the judges to judge. Not in the
    paper, whose rows end with calls."""
    sandbox: SandboxSettings = SandboxSettings()
    """Where Python tools run."""
    rest: RestSettings = RestSettings()
    """What REST tools may reach."""
    mcp_servers: Annotated[dict[str, McpServer], BeforeValidator(read_servers)] = Field(
        default_factory=dict
    )
    """MCP servers by the names that tools have for them, in the form of any client's `mcpServers`;
    or a file with them."""
    actors: Actors = Actors()
    """The size of each stage's actor pool."""
    track: TrackSettings = TrackSettings()
    """An experiment tracker that also gets the final table."""

    @model_validator(mode="after")
    def _consistent(self) -> "RunConfig":
        if self.strategy == "calls_first" and self.sampling.pairs_per_prompt > 1:
            raise ValueError("sampling.pairs_per_prompt: calls_first asks for one query a prompt")
        if self.turns.min < 2:
            raise ValueError(f"turns.min: {self.turns.min}: a conversation has at least two turns")
        if self.strategy == "calls_first" and self.points.get(Style.CLARIFY):
            raise ValueError("points.clarify: needs `strategy: query_and_calls`")
        check_names(self.models, "models")
        check_names(self.judges, "further_judges")
        if not sum(self.points.values()):
            raise ValueError("points: no data point is requested")
        return self

    @property
    def solvers(self) -> tuple[ModelSettings, ...]:
        """The models that solve queries for `agreement`, in the order in which they are asked."""
        return self.agreement.models if self.agreement else ()

    @property
    def judges(self) -> tuple[ModelSettings, ...]:
        """All judges, in the order in which they are asked."""
        return (self.judge, *self.further_judges)


def as_config(config: RunConfig | Mapping[str, Any] | str | Path) -> RunConfig:
    """A config as Python code may give it: as it is, as its values, or as a YAML file or its URL.

    Raises:
        BadInput: naming the key, and the file if it is one.
    """
    if isinstance(config, RunConfig):
        return config
    return _validated(config, "config") if isinstance(config, Mapping) else load_config(config)


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
    except FileNotFoundError as error:
        raise BadInput(no_such_file(source, "file")) from error
    except Exception as error:  # each store's client raises its own types
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path}: must be a mapping of keys; see configs/quickstart.yaml")
    resolve_sources(path, values)
    for override in overrides:
        _override(values, override)
    return _validated(values, str(path))


def _validated(values: Mapping[str, Any], where: str) -> RunConfig:
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise BadInput(f"{where}: {_problems(error)}") from error


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise BadInput(f"--set {override}: must be KEY=VALUE, such as seed=1")
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
        raise BadInput(f"--set {override}: no such key, or the value is not YAML") from error


def _problems(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    more = f" (and {len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
    return "; ".join(map(_problem, problems[:SHOWN])) + more


def _problem(problem: ErrorDetails) -> str:
    # pydantic adds the kind of a model to the path
    steps = [str(step) for step in problem["loc"] if step not in MODEL_KINDS]
    key = ".".join(steps) or "config"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "unknown key" + _suggestion(steps)
    given = problem["input"]
    shown = f", not {given!r}" if isinstance(given, str | int | float) and steps else ""
    shown = re.sub(r"//[^/@\s]*@", "//***@", shown)  # a password in a URL
    return f"{key}: {message}{'' if 'unknown' in message else shown}"


def _suggestion(steps: Sequence[str]) -> str:
    known = {key for section in _SECTIONS for key in section.model_fields}
    # A key that another section has is no help.
    close = difflib.get_close_matches(steps[-1], sorted(known - {steps[-1]}), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


_SECTIONS: tuple[type[Settings], ...] = (
    RunConfig,
    Target,
    FeedbackSettings,
    SamplingSettings,
    *MODEL_SETTINGS,
    CheckSettings,
    ExecuteSettings,
    GroundingSettings,
    AgreementSettings,
    AnswerSettings,
    Range,
    JudgeAuditSettings,
    SandboxSettings,
    EgressSettings,
    RestSettings,
    McpServer,
    Actors,
    ActorCount,
    TrackSettings,
    MlflowSettings,
)
