"""`run` and `plan`: data from models."""

import argparse
import shlex
from collections.abc import Sequence

from apigen_ray.cli.arguments import Commands, command, make_console
from apigen_ray.errors import BadInput


def add_run(commands: Commands) -> None:
    parser = command(
        commands,
        "run",
        "generate and verify data points; run again to resume",
        "apigen-ray run configs/quickstart.yaml --set points.simple=500",
    )
    parser.add_argument("config", help="a YAML file, or its URL; see configs/")
    parser.add_argument("--out", help="the run folder, in place of the config's `out`")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a config key"
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="make all rows anew; replies that are still valid are used again",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="neither use the replies kept before nor keep any"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="only try all that the run needs: tools, sandbox, models, keys, output, Ray",
    )
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from apigen_ray.config import load_config

    overrides = list(arguments.set)
    if arguments.out:
        overrides.append(f"out={arguments.out}")
    config = load_config(arguments.config, overrides)
    if arguments.check:
        from apigen_ray.workflows.preflight import preflight

        return preflight(config, make_console())
    from apigen_ray.workflows.run import (
        run,  # takes seconds to import: a bad config is known before
    )

    return run(
        config,
        fresh=arguments.fresh,
        console=make_console(),
        keep_replies=not arguments.no_cache,
        command=_run_command(arguments.config, overrides),
    ).exit_code


def _run_command(config: str, overrides: Sequence[str]) -> str:
    """The command of a run, to say how to go on."""
    settings = [word for override in overrides for word in ("--set", override)]
    return shlex.join(["apigen-ray", "run", config, *settings])


def add_plan(commands: Commands) -> None:
    parser = command(
        commands,
        "plan",
        "estimate tokens, cost and time of a run from its first prompts",
        "apigen-ray plan configs/quickstart.yaml --prompts 20",
    )
    parser.add_argument("config", help="a YAML file, or its URL; see configs/")
    parser.add_argument("--prompts", type=int, default=20, help="how many to ask of each model")
    parser.add_argument("--out", help="the run folder, in place of the config's `out`")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a config key"
    )
    parser.set_defaults(command=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.workflows.plan import print_plan

    overrides = list(arguments.set)
    if arguments.out:
        overrides.append(f"out={arguments.out}")
    if arguments.prompts < 1:
        raise BadInput("--prompts: a pilot has at least one prompt")
    return print_plan(
        load_config(arguments.config, overrides),
        arguments.prompts,
        make_console(),
        _run_command(arguments.config, overrides),
    )
