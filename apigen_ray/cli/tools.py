"""`tools`: import, clean and count them."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apigen_ray.cli.command import Argument, Command, Group, command, make_console
from apigen_ray.cli.run import SET
from apigen_ray.errors import BadInput

if TYPE_CHECKING:
    from apigen_ray.tools.importers.importer import Importer


def _importers() -> Iterator[Command]:
    from apigen_ray.tools.importers import lists, mcp, openapi, python, toolbench

    for module in (python, openapi, toolbench, mcp, lists):
        yield _import_command(module.IMPORTER)


def _import_command(importer: "Importer[Any]") -> Command:
    """The command of an importer: its sources, the list to write, and its own options."""
    defaults = importer.options()
    options = [
        Argument(
            f"--{field.name.replace('_', '-')}",
            field.metadata["help"],
            default=getattr(defaults, field.name),
            **{key: value for key, value in field.metadata.items() if key != "help"},
        )
        for field in fields(importer.options)
    ]

    def run(sources: Sequence[str], out: Path, **given: Any) -> int:
        from apigen_ray.workflows.import_tools import reader_of, run_import

        read = reader_of(importer)
        return run_import(read(sources, importer.options(**given)), out, make_console())

    return Command(
        importer.name,
        importer.summary,
        f"apigen-ray tools import {importer.name} {importer.example}",
        [
            Argument("sources", importer.source, nargs="+", metavar="SOURCE"),
            Argument(
                "--out",
                "the tool list; what was refused is listed beside it, in TOOLS.refused.jsonl",
                type=Path,
                required=True,
                metavar="TOOLS.jsonl",
            ),
            *options,
        ],
        run,
    )


IMPORT = Group(
    "import",
    "turn a source of APIs into a tool list, and report what was refused and why",
    "apigen-ray tools import toolbench toolenv/tools --out tools.jsonl",
    _importers,
)


@command(
    "clean",
    "keep the tools that are documented and answer a call; a model rewrites unusable texts",
    "apigen-ray tools clean imported.jsonl --config configs/quickstart.yaml --out tools.jsonl",
    Argument(
        "sources",
        "a tool list, and the file or package with the code of its Python tools",
        nargs="+",
        metavar="TOOLS.jsonl",
    ),
    Argument(
        "--out",
        "the tools that are kept; beside it: what was dropped and why, the results of calls,"
        " the model's replies. Run again to resume",
        type=Path,
        required=True,
        metavar="TOOLS.jsonl",
    ),
    Argument(
        "--config",
        "a run's config, for the model (its first), sandbox, rest and budget; without one no "
        "model is asked",
    ),
    SET,
    Argument(
        "--steps",
        "a comma-separated list of documentation, access, rewrite (default: all three)",
        default="documentation,access,rewrite",
    ),
    Argument(
        "--keep-without-parameters",
        "keep tools that take no parameters, which the paper drops",
        action="store_true",
    ),
    Argument(
        "--read-only",
        "drop REST tools that may change something (all but GET, HEAD, OPTIONS) without a call",
        action="store_true",
    ),
    Argument(
        "--review-all",
        "ask the model about every description, not only those that a rule suspects",
        action="store_true",
    ),
    Argument(
        "--concurrency",
        "how many tools to clean at the same time (%(default)s); rest.per_host_concurrency "
        "and rest.per_host_rate apply to each host",
        type=int,
        default=32,
        metavar="N",
    ),
)
def clean(
    sources: Sequence[str],
    *,
    out: Path,
    config: str | None,
    overrides: Sequence[str],
    steps: str,
    concurrency: int,
    **choices: bool,
) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.workflows.clean_tools import Settings, Step
    from apigen_ray.workflows.clean_tools.command import run_clean

    chosen = steps.split(",")
    for step in chosen:
        if step not in list(Step):
            raise BadInput(f"--steps: {step!r} must be one of {', '.join(Step)}")
    if concurrency < 1:
        raise BadInput("--concurrency: must be at least 1")
    if overrides and not config:
        raise BadInput("--set: needs --config, whose keys it overrides")
    settings = Settings(steps=frozenset(map(Step, chosen)), concurrency=concurrency, **choices)
    loaded = load_config(config, overrides) if config else None
    return run_clean(sources, out, settings, loaded, make_console())


@command(
    "stats",
    "count tools by source, backend, category and number of parameters",
    "apigen-ray tools stats tools.jsonl --picture tools.png",
    Argument("lists", "tool lists that `tools import` wrote", nargs="+", type=Path),
    Argument("--picture", "draw the distribution (.png, .svg or .pdf)", type=Path),
)
def stats(lists: list[Path], picture: Path | None) -> int:
    from apigen_ray.workflows.import_tools import run_stats

    return run_stats(lists, picture, make_console())


TOOLS = Group(
    "tools",
    "import tools from any kind of source, clean them, or count those of a library",
    "apigen-ray tools import openapi api.yaml --out tools.jsonl",
    lambda: (IMPORT, clean, stats),
)
