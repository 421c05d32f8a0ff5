"""`verify`, `report`, `compare` and `export`: what a run folder is good for."""

import argparse
import gc
from pathlib import Path

from apigen_ray.cli.arguments import Commands, command, make_console
from apigen_ray.datasets.export.formats import format_names
from apigen_ray.records import STAGE_OPTIONS


def add_verify(commands: Commands) -> None:
    parser = command(
        commands,
        "verify",
        "take data made elsewhere through the same stages",
        "apigen-ray verify data.jsonl --tools tools.py --stages format,execution --out runs/theirs",
    )
    parser.add_argument(
        "data",
        help="JSONL, Parquet, a folder of them or a data-set name: rows with query, answers and "
        "tools (xLAM, distilabel), with completion, with messages, or BFCL's questions",
    )
    parser.add_argument(
        "--tools",
        action="append",
        default=[],
        help="a Python file or package, or a tool list; for rows without tools, and for the code",
    )
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="the calls, where they stand apart: BFCL's ground truth, or a model's results",
    )
    parser.add_argument(
        "--stages",
        default=",".join(STAGE_OPTIONS.values()),
        help=f"a comma-separated list of {', '.join(STAGE_OPTIONS.values())} (default: all three)",
    )
    parser.add_argument("--config", help="a run's config, for judge, check and sandbox")
    parser.add_argument("--out", required=True, help="the run folder: a path or a URL")
    parser.set_defaults(command=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.workflows.verify import verify

    return verify(
        arguments.data,
        tools=arguments.tools,
        answers=arguments.answers,
        stages=[stage.strip() for stage in arguments.stages.split(",")],
        out=arguments.out,
        config=load_config(arguments.config) if arguments.config else None,
        console=make_console(),
    ).exit_code


def add_report(commands: Commands) -> None:
    parser = command(
        commands,
        "report",
        "print the funnel of a run folder, and write its report.html and stats.json",
        "apigen-ray report runs/quickstart",
    )
    parser.add_argument("folder", help="a run folder: a path, or a URL such as s3://bucket/run")
    parser.set_defaults(command=_report)


def _report(arguments: argparse.Namespace) -> int:
    from apigen_ray.report.terminal import print_report

    gc.disable()  # see `_export`
    print_report(make_console(), arguments.folder)
    return 0


def add_compare(commands: Commands) -> None:
    parser = command(
        commands,
        "compare",
        "set models side by side, and pair by pair over the prompts they share",
        "apigen-ray compare runs/quickstart --out comparison.html",
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", help="a run folder: a path or a URL")
    parser.add_argument("--out", type=Path, required=True, help="a .html, .md or .json file")
    parser.set_defaults(command=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from apigen_ray.report.comparison import compare
    from apigen_ray.report.comparison_page import write_comparison
    from apigen_ray.report.terminal import print_warnings

    comparison = compare(arguments.folders)
    write_comparison(comparison, arguments.out)
    print_warnings(make_console(), comparison.passed_over)
    print(arguments.out)
    return 0


def add_export(commands: Commands) -> None:
    parser = command(
        commands,
        "export",
        "write the verified data in a form that trainers read",
        "apigen-ray export runs/quickstart --format openai --out data/openai",
    )
    parser.add_argument("folder", help="a run folder: a path, or a URL such as s3://bucket/run")
    parser.add_argument(
        "--format",
        required=True,
        choices=format_names(),
        help="openai has arguments as JSON text, openai-objects as chat templates need them; "
        "dpo: a verified and a rejected data point of the same prompt or the same tools; "
        "distilabel: all data points, in the columns of its APIGen tasks",
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
    from apigen_ray.datasets.export.writing import export, push
    from apigen_ray.report.terminal import print_warnings

    # Rows are trees without cycles, so the last reference frees them; to look for cycles among
    # them takes a third of the time, and finds none.
    gc.disable()
    exported = export(arguments.folder, arguments.format, arguments.out, arguments.against)
    print(f"{arguments.out}: {exported.written:,} examples")
    for cause, count in exported.removed.items():
        print(f"left out, {cause}: {count:,}")
    print_warnings(make_console(), exported.passed_over)
    if arguments.push:
        print(push(arguments.out, arguments.push))
    return 0
