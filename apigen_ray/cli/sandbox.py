"""`sandbox` and `simulate`: the parts of a run, alone."""

import argparse
import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from apigen_ray.cli.arguments import Commands, command, make_console

if TYPE_CHECKING:
    from apigen_ray.stages.execute.sandbox.attacks.self_check import CheckResult


def add_sandbox(commands: Commands) -> None:
    parser = command(
        commands,
        "sandbox",
        "make the sandbox image, or prove the isolation on this machine",
        "apigen-ray sandbox build --base host",
    )
    actions = parser.add_subparsers(required=True, metavar="build|test")
    build = command(
        actions, "build", "make the sandbox image", "apigen-ray sandbox build --base host"
    )
    build.add_argument(
        "--base",
        help="the base image; `host` makes one of this machine's Python, without a registry",
    )
    build.set_defaults(command=_sandbox_build)
    test = command(
        actions,
        "test",
        "run the attack suite here, and print what holds",
        "apigen-ray sandbox test --kind docker",
    )
    kinds = ["auto", "docker", "sidecar", "bubblewrap", "process"]
    test.add_argument("--kind", default="auto", choices=kinds, help="which sandbox")
    test.add_argument("--runtime", help="a Docker runtime, such as runsc")
    test.set_defaults(command=_sandbox_test)


def _sandbox_build(arguments: argparse.Namespace) -> int:
    from apigen_ray.stages.execute.sandbox import SandboxSettings, ensure_image

    chosen = {"base_image": arguments.base} if arguments.base else {}
    image = ensure_image(SandboxSettings(kind="docker", **chosen))
    print("\n".join(filter(None, (image.notice, f"{image.tag}  {image.digest}"))))
    return 0


def _sandbox_test(arguments: argparse.Namespace) -> int:
    from apigen_ray.stages.execute.sandbox import SandboxSettings, choose_kind
    from apigen_ray.stages.execute.sandbox.attacks.self_check import self_check

    settings = SandboxSettings(kind=arguments.kind, runtime=arguments.runtime)
    kind, notice = choose_kind(settings)
    print(notice or f"sandbox: {kind}")
    return 0 if _print_self_check(make_console(), asyncio.run(self_check(settings))) else 1


def _print_self_check(console: Console, results: "Sequence[CheckResult]") -> bool:
    """Print which promises of the sandbox hold here; return whether all do."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Sandbox", title_justify="left", expand=True)
    table.add_column("promise", ratio=2)
    table.add_column("holds")
    table.add_column("evidence", no_wrap=True, overflow="ellipsis", ratio=1)
    for result in results:
        holds = Text("yes", "green") if result.holds else Text("NO", "bold red")
        table.add_row(Text(result.name), holds, Text(result.detail if result.holds else ""))
        if not result.holds:
            table.add_row(Text(result.detail, "red"))
    console.print(table)
    held = sum(result.holds for result in results)
    console.print(f"{held} of {len(results)} hold")
    return held == len(results)


def add_simulate(commands: Commands) -> None:
    parser = command(
        commands,
        "simulate",
        "serve the simulated model as an OpenAI-compatible endpoint",
        "apigen-ray simulate --port 8000 --profile default",
    )
    parser.add_argument("--port", type=int, required=True, help="the port, on the loopback address")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument("--profile", default="default", help="how often it plants which fault")
    parser.add_argument("--seed", type=int, default=0, help="what is drawn, is drawn from this")
    parser.add_argument("--latency", type=float, help="mean seconds a reply, in place of its own")
    parser.set_defaults(command=_simulate)


def _simulate(arguments: argparse.Namespace) -> int:
    from apigen_ray.models.simulated import run_server

    run_server(
        arguments.port,
        arguments.profile,
        arguments.seed,
        arguments.latency,
        host=arguments.host,
    )
    return 0
