"""`run` and `plan`: data from models."""

import shlex
from collections.abc import Sequence

from apigen_ray.cli.command import Argument, command, make_console
from apigen_ray.errors import BadInput

CONFIG = Argument("config", "a YAML file, or its URL; see configs/")
OUT = Argument("--out", "the run folder, in place of the config's `out`")
SET = Argument(
    "--set",
    "override a config key",
    dest="overrides",
    action="append",
    default=[],
    metavar="KEY=VALUE",
)


@command(
    "run",
    "generate and verify data points; run again to resume",
    "apigen-ray run configs/quickstart.yaml --set points.simple=500",
    CONFIG,
    OUT,
    SET,
    Argument(
        "--fresh",
        "make all rows again; cached replies that are still valid are reused",
        action="store_true",
    ),
    Argument("--no-cache", "neither read nor write the response cache", action="store_true"),
    Argument(
        "--check",
        "only check what the run needs: tools, sandbox, models, keys, output, Ray",
        action="store_true",
    ),
)
def run(
    config: str, *, out: str | None, overrides: list[str], fresh: bool, no_cache: bool, check: bool
) -> int:
    from apigen_ray.config import load_config

    overrides = _with_out(overrides, out)
    loaded = load_config(config, overrides)
    if check:
        from apigen_ray.workflows.preflight import preflight

        return preflight(loaded, make_console())
    from apigen_ray.workflows import run as workflow  # takes seconds: after the config is checked

    return workflow.run(
        loaded,
        fresh=fresh,
        console=make_console(),
        keep_replies=not no_cache,
        command=_run_command(config, overrides),
    ).exit_code


@command(
    "plan",
    "estimate tokens, cost and time of a run from its first prompts",
    "apigen-ray plan configs/quickstart.yaml --prompts 20",
    CONFIG,
    Argument("--prompts", "how many prompts to send to each model", type=int, default=20),
    OUT,
    SET,
)
def plan(config: str, prompts: int, out: str | None, overrides: list[str]) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.workflows.plan import print_plan

    if prompts < 1:
        raise BadInput("--prompts: must be at least 1")
    overrides = _with_out(overrides, out)
    command = _run_command(config, overrides)
    return print_plan(load_config(config, overrides), prompts, make_console(), command)


def _with_out(overrides: list[str], out: str | None) -> list[str]:
    return [*overrides, f"out={out}"] if out else overrides


def _run_command(config: str, overrides: Sequence[str]) -> str:
    """The command line of a run, shown where it says how to resume."""
    settings = [word for override in overrides for word in ("--set", override)]
    return shlex.join(["apigen-ray", "run", config, *settings])
