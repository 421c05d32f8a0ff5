"""`sandbox` and `simulate`: parts of a run on their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apigen_ray.cli.command import Argument, Group, command, make_console

if TYPE_CHECKING:
    from rich.console import Console

    from apigen_ray.stages.execute.sandbox.attacks.self_check import CheckResult
    from apigen_ray.stages.execute.sandbox.settings import Kind


@command(
    "build",
    "make the sandbox image",
    "apigen-ray sandbox build --base host",
    Argument(
        "--base", "the base image; `host` makes one of this machine's Python, without a registry"
    ),
    Argument(
        "--mcp",
        "a config, or a file with `mcpServers`: make what each of its servers runs in, with the"
        " packages that it needs",
        metavar="CONFIG",
    ),
)
def build(base: str | None, mcp: str | None) -> int:
    from apigen_ray.stages.execute.sandbox import SandboxSettings, ensure_image

    if mcp is not None:
        from apigen_ray.workflows.mcp_servers import build_servers

        for line in build_servers(mcp):
            print(line, flush=True)
        return 0

    chosen = {"base_image": base} if base else {}
    image = ensure_image(SandboxSettings(kind="docker", **chosen))
    print("\n".join(filter(None, (image.notice, f"{image.tag}  {image.digest}"))))
    return 0


@command(
    "test",
    "run the attack suite on this machine, and print what the sandbox withstands",
    "apigen-ray sandbox test --kind docker",
    Argument(
        "--kind",
        "the kind of sandbox",
        default="auto",
        choices=["auto", "docker", "sidecar", "bubblewrap", "process"],
    ),
    Argument("--runtime", "a Docker runtime, such as runsc"),
)
def test(kind: "Kind", runtime: str | None) -> int:
    import asyncio

    from apigen_ray.stages.execute.sandbox import SandboxSettings, choose_kind
    from apigen_ray.stages.execute.sandbox.attacks.self_check import self_check

    settings = SandboxSettings(kind=kind, runtime=runtime)
    chosen, notice = choose_kind(settings)
    print(notice or f"sandbox: {chosen}")
    return 0 if _print_self_check(make_console(), asyncio.run(self_check(settings))) else 1


def _print_self_check(console: "Console", results: "Sequence[CheckResult]") -> bool:
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


SANDBOX = Group(
    "sandbox",
    "make the sandbox image, or prove the isolation on this machine",
    "apigen-ray sandbox build --base host",
    lambda: (build, test),
)


@command(
    "simulate",
    "serve the simulated model as an OpenAI-compatible endpoint",
    "apigen-ray simulate --port 8000 --profile default",
    Argument("--port", "the port to listen on", type=int, required=True),
    Argument("--host", "the address to listen on", default="127.0.0.1"),
    Argument("--profile", "how often it makes each kind of mistake", default="default"),
    Argument("--seed", "the random seed", type=int, default=0),
    Argument("--latency", "mean seconds per reply, in place of the profile's", type=float),
)
def simulate(port: int, host: str, profile: str, seed: int, latency: float | None) -> int:
    from apigen_ray.models.simulated.server import run_server

    run_server(port, profile, seed, latency, host=host)
    return 0
