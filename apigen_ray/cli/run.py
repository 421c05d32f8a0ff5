"""`run` and `plan`: data from models."""

import argparse
from pathlib import Path

from apigen_ray.cli.arguments import Commands, command, make_console
from apigen_ray.errors import BadInput


def add_run(commands: Commands) -> None:
    parser = command(
        commands,
        "run",
        "generate and verify data points; run again to resume",
        "apigen-ray run configs/quickstart.yaml --set points.simple=500",
    )
    parser.add_argument("config", type=Path, help="a YAML file; see configs/")
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
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.run import run

    overrides = list(arguments.set)
    if arguments.out:
        overrides.append(f"out={arguments.out}")
    config = load_config(arguments.config, overrides)
    return run(
        config,
        fresh=arguments.fresh,
        console=make_console(),
        keep_replies=not arguments.no_cache,
    )


def add_plan(commands: Commands) -> None:
    parser = command(
        commands,
        "plan",
        "estimate tokens, cost and time of a run from its first prompts",
        "apigen-ray plan configs/quickstart.yaml --prompts 20",
    )
    parser.add_argument("config", type=Path, help="a YAML file; see configs/")
    parser.add_argument("--prompts", type=int, default=20, help="how many to ask of each model")
    parser.add_argument("--out", help="the run folder, in place of the config's `out`")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a config key"
    )
    parser.set_defaults(command=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.planning import print_plan

    overrides = list(arguments.set)
    if arguments.out:
        overrides.append(f"out={arguments.out}")
    if arguments.prompts < 1:
        raise BadInput("--prompts: a pilot has at least one prompt")
    return print_plan(load_config(arguments.config, overrides), arguments.prompts, make_console())
