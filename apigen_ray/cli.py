"""The command line. Bad input ends in one line and exit code 2; `--debug` shows a traceback."""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from apigen_ray.errors import BadInput

if TYPE_CHECKING:
    from apigen_ray.tools.importing import Finding


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
    except BadInput as error:
        if arguments.debug:
            raise
        print(f"apigen-ray: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 1
    sys.exit(code)


def _console() -> Console:
    # Paths and messages may hold brackets: they are no markup.
    return Console(markup=False, highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="apigen-ray",
        description="Verified function-calling training data, on Ray.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_plan(commands)
    _add_verify(commands)
    _add_report(commands)
    _add_compare(commands)
    _add_export(commands)
    _add_tools(commands)
    _add_sandbox(commands)
    _add_simulate(commands)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
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
        console=_console(),
        keep_replies=not arguments.no_cache,
    )


def _add_plan(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
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
    return print_plan(load_config(arguments.config, overrides), arguments.prompts, _console())


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "verify",
        "take data made elsewhere through the same stages",
        "apigen-ray verify data.jsonl --tools tools.py --stages format,execution --out runs/theirs",
    )
    parser.add_argument("data", help="JSONL, Parquet or a data-set name, in the xLAM row format")
    parser.add_argument(
        "--tools",
        action="append",
        required=True,
        help="a Python file or package, or a tool list; for rows without tools, and for the code",
    )
    parser.add_argument(
        "--stages",
        default="format,execution,semantic",
        help="a comma-separated list of format, execution, semantic (default: all three)",
    )
    parser.add_argument("--config", type=Path, help="a run's config, for judge, check and sandbox")
    parser.add_argument("--out", required=True, help="the run folder")
    parser.set_defaults(command=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.verification import verify

    return verify(
        arguments.data,
        tools=arguments.tools,
        stages=arguments.stages.split(","),
        out=Path(arguments.out),
        config=load_config(arguments.config) if arguments.config else None,
        console=_console(),
    )


def _add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "report",
        "print the funnel of a run folder, and write its report.html and stats.json",
        "apigen-ray report runs/quickstart",
    )
    parser.add_argument("folder", type=Path, help="a run folder")
    parser.set_defaults(command=_report)


def _report(arguments: argparse.Namespace) -> int:
    from apigen_ray.report.terminal import print_report

    print_report(_console(), arguments.folder)
    return 0


def _add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "compare",
        "set models side by side, and pair by pair over the prompts they share",
        "apigen-ray compare runs/quickstart --out comparison.html",
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="a run folder")
    parser.add_argument("--out", type=Path, required=True, help="a .html, .md or .json file")
    parser.set_defaults(command=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from apigen_ray.report.comparison import compare
    from apigen_ray.report.comparison_page import write_comparison

    write_comparison(compare(arguments.folders), arguments.out)
    print(arguments.out)
    return 0


def _add_tools(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "tools",
        "import tools from any kind of source, or count those of a library",
        "apigen-ray tools import openapi api.yaml --out tools.jsonl",
    )
    actions = parser.add_subparsers(required=True, metavar="import|stats")
    _add_tools_import(actions)
    stats = _command(
        actions,
        "stats",
        "count tools by source, backend, category and number of parameters",
        "apigen-ray tools stats tools.jsonl --picture tools.png",
    )
    stats.add_argument("lists", nargs="+", type=Path, help="tool lists that `tools import` wrote")
    stats.add_argument("--picture", type=Path, help="draw the distribution (.png, .svg or .pdf)")
    stats.set_defaults(command=_tools_stats)


def _add_tools_import(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    importer = _command(
        actions,
        "import",
        "turn a source of APIs into a tool list, and say what was refused and why",
        "apigen-ray tools import toolbench toolenv/tools --out tools.jsonl",
    )
    kinds = importer.add_subparsers(required=True, metavar="python|openapi|toolbench|mcp|list")

    def kind(name: str, summary: str, source: str, example: str) -> argparse.ArgumentParser:
        parser = _command(kinds, name, summary, f"apigen-ray tools import {name} {example}")
        parser.add_argument("sources", nargs="+", metavar="SOURCE", help=source)
        parser.add_argument(
            "--out", type=Path, required=True, metavar="TOOLS.jsonl",
            help="the tool list; what was refused stands beside it, in TOOLS.refused.jsonl",
        )  # fmt: skip
        if name not in ("python", "toolbench"):
            parser.add_argument(
                "--category", default="Other", help="of tools whose source names none"
            )
        parser.set_defaults(command=_tools_import, kind=name)
        return parser

    kind(
        "python",
        "typed, documented functions",
        "a Python file, a package folder, or the name of a module",
        "my_functions.py --out tools.jsonl",
    )
    openapi = kind(
        "openapi",
        "the operations of OpenAPI 3.0 and 3.1 documents",
        "a JSON or YAML document, or a folder of them",
        "api.yaml --server https://api.example.com --out tools.jsonl",
    )
    openapi.add_argument("--server", metavar="URL", help="the base URL, in place of the document's")
    openapi.add_argument(
        "--auth-env", action="append", default=[], metavar="SCHEME=VARIABLE",
        help="the environment variable that holds the key or token of a security scheme; "
        "for HTTP basic, the base64 of user:password",
    )  # fmt: skip
    openapi.add_argument(
        "--allow-remote-refs", action="store_true",
        help="follow $refs into other documents: files beside this one, and HTTP URLs",
    )  # fmt: skip
    toolbench = kind(
        "toolbench",
        "RapidAPI's APIs, in ToolBench's forms",
        "a JSON or JSONL file, or a folder of them",
        "toolenv/tools --backend virtual --out tools.jsonl",
    )
    toolbench.add_argument(
        "--backend", choices=("auto", "rest", "virtual"), default="auto",
        help="call APIs by HTTP, or have a StableToolBench server play them (auto: by HTTP where "
        "a URL is known)",
    )  # fmt: skip
    toolbench.add_argument(
        "--virtual-url", default="http://localhost:8080/virtual", metavar="URL",
        help="the StableToolBench server (%(default)s)",
    )  # fmt: skip
    toolbench.add_argument(
        "--key-env", default="RAPIDAPI_KEY", metavar="VARIABLE",
        help="the environment variable with the RapidAPI key (%(default)s)",
    )  # fmt: skip
    toolbench.add_argument(
        "--toolbench-key-env", metavar="VARIABLE",
        help="the environment variable with the StableToolBench server's key, if it wants one",
    )  # fmt: skip
    mcp = kind(
        "mcp",
        "the tools of MCP servers; stage 2 does not call them",
        "a file with an answer to tools/list, a server's URL, or `stdio:COMMAND ...`",
        "'stdio:npx -y @modelcontextprotocol/server-everything' --out tools.jsonl",
    )
    mcp.add_argument(
        "--timeout", type=float, default=30, metavar="S", help="for each server (%(default)s s)"
    )
    kind(
        "list",
        "tool lists: ours, OpenAI's, xLAM's, BFCL's, Seal-Tools', NESTFUL's; or rows with tools",
        "a JSON or JSONL file, or a folder of them",
        "BFCL_v4_simple_python.json --out tools.jsonl",
    )


def _tools_import(arguments: argparse.Namespace) -> int:
    from apigen_ray.tools.commands import run_import

    return run_import(_findings(arguments), arguments.out, _console())


def _findings(arguments: argparse.Namespace) -> "Iterable[Finding]":
    sources: list[str] = arguments.sources
    match arguments.kind:
        case "python":
            from apigen_ray.tools.python import import_python

            return import_python(sources)
        case "openapi":
            from apigen_ray.tools.openapi import OpenApiOptions, read_openapi

            _check_category(arguments.category)
            pairs = [given.partition("=") for given in arguments.auth_env]
            if unreadable := [name for name, _, variable in pairs if not variable]:
                raise BadInput(f"--auth-env {unreadable[0]}: SCHEME=VARIABLE is needed")
            options = OpenApiOptions(
                server=arguments.server,
                category=arguments.category,
                auth_env={name: variable for name, _, variable in pairs},
                allow_remote_refs=arguments.allow_remote_refs,
            )
            return read_openapi(sources, options)
        case "toolbench":
            from apigen_ray.tools.toolbench import ToolBenchOptions, read_toolbench

            return read_toolbench(
                sources,
                ToolBenchOptions(
                    backend=arguments.backend,
                    virtual_url=arguments.virtual_url,
                    key_env=arguments.key_env,
                    toolbench_key_env=arguments.toolbench_key_env,
                ),
            )
        case "mcp":
            from apigen_ray.tools.mcp import McpOptions, read_mcp

            _check_category(arguments.category)
            return read_mcp(sources, McpOptions(arguments.timeout, arguments.category))
    from apigen_ray.tools.lists import read_lists

    _check_category(arguments.category)
    return read_lists(sources, arguments.category)


def _check_category(name: str) -> None:
    from apigen_ray.tools.categories import CATEGORIES

    if name not in CATEGORIES:
        raise BadInput(f"--category {name}: none of {', '.join(CATEGORIES)}")


def _tools_stats(arguments: argparse.Namespace) -> int:
    from apigen_ray.tools.commands import run_stats

    return run_stats(arguments.lists, arguments.picture, _console())


def _add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "export",
        "write the verified data in a form that trainers read",
        "apigen-ray export runs/quickstart --format openai --out data/openai",
    )
    forms = ["xlam", "openai", "openai-objects", "sharegpt", "hermes", "dpo"]
    parser.add_argument("folder", type=Path, help="a run folder")
    parser.add_argument(
        "--format",
        required=True,
        choices=forms,
        help="openai has arguments as JSON text, openai-objects as chat templates need them; "
        "dpo: a verified and a rejected data point of the same prompt or the same tools",
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="FILE",
        help="test data, in BFCL's or the xLAM format: what resembles it is left out",
    )
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--push", metavar="REPO", help="upload it to the Hugging Face Hub")
    parser.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> int:
    from apigen_ray.export import export, push

    exported = export(arguments.folder, arguments.format, arguments.out, arguments.against)
    print(f"{arguments.out}: {exported.written:,} examples")
    for cause, count in exported.removed.items():
        print(f"left out, {cause}: {count:,}")
    if arguments.push:
        print(push(arguments.out, arguments.push))
    return 0


def _add_sandbox(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "sandbox",
        "make the sandbox image, or prove the isolation on this machine",
        "apigen-ray sandbox build --base host",
    )
    actions = parser.add_subparsers(required=True, metavar="build|test")
    build = _command(
        actions, "build", "make the sandbox image", "apigen-ray sandbox build --base host"
    )
    build.add_argument(
        "--base",
        help="the base image; `host` makes one of this machine's Python, without a registry",
    )
    build.set_defaults(command=_sandbox_build)
    test = _command(
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
    from apigen_ray.sandbox import SandboxSettings, ensure_image

    chosen = {"base_image": arguments.base} if arguments.base else {}
    image = ensure_image(SandboxSettings(kind="docker", **chosen))
    print("\n".join(filter(None, (image.notice, f"{image.tag}  {image.digest}"))))
    return 0


def _sandbox_test(arguments: argparse.Namespace) -> int:
    from apigen_ray.report.terminal import print_self_check
    from apigen_ray.sandbox import SandboxSettings, choose_kind
    from apigen_ray.sandbox.self_check import self_check

    settings = SandboxSettings(kind=arguments.kind, runtime=arguments.runtime)
    kind, notice = choose_kind(settings)
    print(notice or f"sandbox: {kind}")
    return 0 if print_self_check(_console(), asyncio.run(self_check(settings))) else 1


def _add_simulate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
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
