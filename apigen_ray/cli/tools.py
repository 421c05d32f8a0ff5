"""`tools`: from any source of APIs to a tool list."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from apigen_ray.cli.arguments import Commands, command, make_console
from apigen_ray.errors import BadInput

if TYPE_CHECKING:
    from apigen_ray.tools.importers.findings import Finding


def add_tools(commands: Commands) -> None:
    parser = command(
        commands,
        "tools",
        "import tools from any kind of source, clean them, or count those of a library",
        "apigen-ray tools import openapi api.yaml --out tools.jsonl",
    )
    actions = parser.add_subparsers(required=True, metavar="import|clean|stats")
    _add_tools_import(actions)
    _add_tools_clean(actions)
    stats = command(
        actions,
        "stats",
        "count tools by source, backend, category and number of parameters",
        "apigen-ray tools stats tools.jsonl --picture tools.png",
    )
    stats.add_argument("lists", nargs="+", type=Path, help="tool lists that `tools import` wrote")
    stats.add_argument("--picture", type=Path, help="draw the distribution (.png, .svg or .pdf)")
    stats.set_defaults(command=_tools_stats)


def _add_tools_import(actions: Commands) -> None:
    importer = command(
        actions,
        "import",
        "turn a source of APIs into a tool list, and say what was refused and why",
        "apigen-ray tools import toolbench toolenv/tools --out tools.jsonl",
    )
    kinds = importer.add_subparsers(required=True, metavar="python|openapi|toolbench|mcp|list")

    def kind(name: str, summary: str, source: str, example: str) -> argparse.ArgumentParser:
        parser = command(kinds, name, summary, f"apigen-ray tools import {name} {example}")
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


def _add_tools_clean(actions: Commands) -> None:
    clean = command(
        actions,
        "clean",
        "keep the tools that are documented and answer a call, with texts that a model rewrites",
        "apigen-ray tools clean imported.jsonl --config configs/quickstart.yaml --out tools.jsonl",
    )
    clean.add_argument(
        "sources", nargs="+", metavar="TOOLS.jsonl",
        help="a tool list, and the file or package that holds the code of its Python tools",
    )  # fmt: skip
    clean.add_argument(
        "--out", type=Path, required=True, metavar="TOOLS.jsonl",
        help="the tools that are kept; beside it: what was dropped and why, the verdicts of calls,"
        " the model's answers. Run again to resume",
    )  # fmt: skip
    clean.add_argument(
        "--config",
        help="a run's config, for the model (its first), sandbox, rest and budget; without one no "
        "model is asked",
    )  # fmt: skip
    clean.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a config key"
    )
    clean.add_argument(
        "--steps", default="documentation,access,rewrite",
        help="a comma-separated list of documentation, access, rewrite (default: all three)",
    )  # fmt: skip
    clean.add_argument(
        "--keep-without-parameters", action="store_true",
        help="keep tools that take no parameters, which the paper drops",
    )  # fmt: skip
    clean.add_argument(
        "--read-only", action="store_true",
        help="drop REST tools that may change something (all but GET, HEAD and OPTIONS), uncalled",
    )  # fmt: skip
    clean.add_argument(
        "--review-all", action="store_true",
        help="ask the model about every description, not only those that a rule suspects",
    )  # fmt: skip
    clean.add_argument(
        "--concurrency", type=int, default=32, metavar="N",
        help="how many tools are under way at a time (%(default)s); rest.per_host_concurrency and "
        "rest.per_host_rate hold for each host",
    )  # fmt: skip
    clean.set_defaults(command=_tools_clean)


def _tools_clean(arguments: argparse.Namespace) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.workflows.clean_tools import Settings, Step
    from apigen_ray.workflows.clean_tools.command import run_clean

    steps = arguments.steps.split(",")
    for step in steps:
        if step not in list(Step):
            raise BadInput(f"--steps: {step!r} is none of {', '.join(Step)}")
    if arguments.concurrency < 1:
        raise BadInput("--concurrency: at least one tool is under way")
    if arguments.set and not arguments.config:
        raise BadInput("--set: there is no --config to override")
    settings = Settings(
        steps=frozenset(map(Step, steps)),
        keep_without_parameters=arguments.keep_without_parameters,
        read_only=arguments.read_only,
        review_all=arguments.review_all,
        concurrency=arguments.concurrency,
    )
    config = load_config(arguments.config, arguments.set) if arguments.config else None
    return run_clean(arguments.sources, arguments.out, settings, config, make_console())


def _tools_import(arguments: argparse.Namespace) -> int:
    from apigen_ray.workflows.import_tools import run_import

    return run_import(_findings(arguments), arguments.out, make_console())


def _findings(arguments: argparse.Namespace) -> "Iterable[Finding]":
    sources: list[str] = arguments.sources
    match arguments.kind:
        case "python":
            from apigen_ray.tools.importers.python import import_python

            return import_python(sources)
        case "openapi":
            from apigen_ray.tools.importers.openapi import OpenApiOptions, read_openapi

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
            from apigen_ray.tools.importers.toolbench import ToolBenchOptions, read_toolbench

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
            from apigen_ray.tools.importers.mcp import McpOptions, read_mcp

            _check_category(arguments.category)
            return read_mcp(sources, McpOptions(arguments.timeout, arguments.category))
    from apigen_ray.tools.importers.lists import read_lists

    _check_category(arguments.category)
    return read_lists(sources, arguments.category)


def _check_category(name: str) -> None:
    from apigen_ray.tools.categories import CATEGORIES

    if name not in CATEGORIES:
        raise BadInput(f"--category {name}: none of {', '.join(CATEGORIES)}")


def _tools_stats(arguments: argparse.Namespace) -> int:
    from apigen_ray.workflows.import_tools import run_stats

    return run_stats(arguments.lists, arguments.picture, make_console())
