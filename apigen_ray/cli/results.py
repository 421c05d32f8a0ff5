"""`verify`, `report`, `compare` and `export`: what is done with the rows of a run folder."""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from apigen_ray.cli.command import Argument, command, make_console
from apigen_ray.datasets.export.formats import format_names
from apigen_ray.records import STAGE_OPTIONS


@command(
    "verify",
    "run external data through the same stages",
    "apigen-ray verify data.jsonl --tools tools.py --stages format,execution --out runs/theirs",
    Argument(
        "data",
        "JSONL, Parquet, a folder of them or a data-set name: rows with query, answers and "
        "tools (xLAM, distilabel), with completion, with messages, or BFCL's questions",
    ),
    Argument(
        "--tools",
        "a Python file or package, or a tool list: tools for rows that have none, and their code",
        action="append",
        default=[],
    ),
    Argument(
        "--answers",
        "the calls, if they are in a file of their own: BFCL's ground truth, or a model's results",
        type=Path,
        metavar="FILE",
    ),
    Argument(
        "--stages",
        f"a comma-separated list of {', '.join(STAGE_OPTIONS.values())} (default: all three)",
        default=",".join(STAGE_OPTIONS.values()),
    ),
    Argument(
        "--padded-nulls",
        "whether to drop nulls in arguments that look as if Arrow had put them there",
        choices=("keep", "drop"),
        default="keep",
    ),
    Argument("--config", "a run's config, for judge, check and sandbox"),
    Argument("--out", "the run folder: a path or a URL", required=True),
)
def verify(
    data: str,
    *,
    tools: Sequence[str],
    answers: Path | None,
    stages: str,
    padded_nulls: Literal["keep", "drop"],
    config: str | None,
    out: str,
) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.workflows.verify import verify

    return verify(
        data,
        tools=tools,
        answers=answers,
        stages=[stage.strip() for stage in stages.split(",")],
        padded_nulls=padded_nulls,
        out=out,
        config=load_config(config) if config else None,
        console=make_console(),
    ).exit_code


@command(
    "report",
    "print the funnel of a run folder, and write its report.html and stats.json",
    "apigen-ray report runs/quickstart",
    Argument("folder", "a run folder: a path, or a URL such as s3://bucket/run"),
)
def report(folder: str) -> int:
    from apigen_ray.report.terminal import print_report

    gc.disable()  # see `export`
    print_report(make_console(), folder)
    return 0


@command(
    "compare",
    "compare models side by side, and pair by pair over the prompts they share",
    "apigen-ray compare runs/quickstart --out comparison.html",
    Argument("folders", "a run folder: a path or a URL", nargs="+", metavar="DIR"),
    Argument("--out", "a .html, .md or .json file", type=Path, required=True),
)
def compare(folders: Sequence[str], out: Path) -> int:
    from apigen_ray.report.comparison import compare
    from apigen_ray.report.comparison_page import write_comparison
    from apigen_ray.report.terminal import print_warnings

    comparison = compare(folders)
    write_comparison(comparison, out)
    print_warnings(make_console(), comparison.passed_over)
    print(out)
    return 0


@command(
    "export",
    "write the verified data in the format of a trainer",
    "apigen-ray export runs/quickstart --format openai --out data/openai",
    Argument("folder", "a run folder: a path, or a URL such as s3://bucket/run"),
    Argument(
        "--format",
        "openai has arguments as JSON text, openai-objects as objects, for chat templates; "
        "argilla: records for people to label; "
        "dpo: a verified and a rejected data point of the same prompt or the same tools; "
        "trl-preference: verified and rejected calls for the same question; nemo-gym and verl: "
        "tasks with the calls that are expected; "
        "distilabel: all data points, in the columns of its APIGen tasks",
        dest="form",
        required=True,
        choices=format_names(),
    ),
    Argument(
        "--against",
        "test data, in BFCL's or xLAM's format; near-duplicates of it are left out",
        action="append",
        default=[],
        metavar="FILE",
    ),
    Argument(
        "--until",
        "where examples end: with their calls, the results of these, or the answer; by default a "
        "pair ends with its calls, and a conversation where it ends",
        choices=("calls", "results", "answer"),
    ),
    Argument(
        "--for",
        "a chat template (.jinja), a folder with one, or a model of the Hub: what does not come "
        "back from it is left out, and arguments are text or objects as it takes them",
        dest="for_model",
        metavar="MODEL",
    ),
    Argument("--reasoning", "keep the assistant's reasoning", action="store_true"),
    Argument(
        "--prefixes",
        "use conversations that failed, up to the last turn that passed all stages; those with a "
        "bad answer give their calls with --until calls or results",
        action="store_true",
    ),
    Argument(
        "--irrelevance",
        "add so many examples in which no call is right, for each that is written (0.1: one for "
        "ten): verified queries, without the tool or the parameter that they need, beside tools "
        "near it that can't answer them",
        type=float,
        default=0.0,
        metavar="SHARE",
    ),
    Argument(
        "--weights",
        "give each message of the assistant a weight: 1, or 0 in wrong turns, beside which right "
        "ones are kept; OpenAI's fine-tuning takes it as it is, axolotl with "
        "message_field_training: weight",
        action="store_true",
    ),
    Argument(
        "--json-text",
        "nested parts as JSON text in the Parquet file, for versions of `datasets` before 4.8",
        action="store_true",
    ),
    Argument("--out", "a folder", type=Path, required=True),
    Argument("--push", "upload it to the Hugging Face Hub", metavar="REPO"),
)
def export(
    *,
    folder: str,
    form: str,
    against: Sequence[str],
    until: str | None,
    for_model: str | None,
    reasoning: bool,
    prefixes: bool,
    irrelevance: float,
    weights: bool,
    json_text: bool,
    out: Path,
    push: str | None,
) -> int:
    from apigen_ray.datasets.export import writing
    from apigen_ray.report.terminal import print_warnings

    # Rows are trees without cycles, so the last reference frees them. Looking for cycles among
    # them takes a third of the time, and finds none.
    gc.disable()
    exported = writing.export(
        folder,
        form,
        out,
        against,
        until=until,
        reasoning=reasoning,
        prefixes=prefixes,
        irrelevance=irrelevance,
        weights=weights,
        json_text=json_text,
        for_model=for_model,
    )
    print(f"{out}: {exported.written:,} examples ({exported.format})")
    for kind, count in sorted(exported.derived.items()):
        print(f"of these, {kind}: {count:,}")
    for cause, count in exported.removed.items():
        print(f"left out, {cause}: {count:,}")
    print_warnings(make_console(), exported.passed_over)
    if push:
        print(writing.push(out, push))
    return 0
