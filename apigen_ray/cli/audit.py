"""`audit` and `review`: what the checks and judges are worth, and what people find."""

from pathlib import Path

from apigen_ray.cli.command import Argument, command, make_console
from apigen_ray.errors import BadInput


@command(
    "audit",
    "measure what each check and judge catches of rows made wrong in known ways",
    "apigen-ray audit runs/quickstart",
    Argument(
        "data",
        "a run folder, whose verified rows are taken for right; or right rows in a form that "
        "`verify` reads; by default, the seeds of the config",
        nargs="?",
    ),
    Argument("--config", "a run's config, for judges, tools and settings; a run has its own"),
    Argument("--sample", "how many right rows", type=int, default=200),
    Argument(
        "--labels",
        "rows labelled right or wrong, as `review --read` writes them, or those of FC-RewardBench, "
        "When2Call, LiveMCPBench or ToolAlpaca, in place of rows made wrong",
        metavar="FILE",
    ),
    Argument("--out", "the folder for audit.json (default: the run folder, or runs/audit)"),
)
def audit(
    data: str | None, *, config: str | None, sample: int, labels: str | None, out: str | None
) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.workflows.audit.command import audit

    if sample < 1:
        raise BadInput("--sample: must be at least 1")
    audit(
        data,
        config=load_config(config) if config else None,
        sample=sample,
        labels=labels,
        out=out,
        console=make_console(),
    )
    return 0


@command(
    "review",
    "write a page on which people label verified rows, or take the labels that it saved",
    "apigen-ray review runs/quickstart --sample 100",
    Argument("folder", "a run folder: a path, or a URL such as s3://bucket/run"),
    Argument("--sample", "how many rows, drawn at random", type=int, default=100),
    Argument("--out", "the page (default: review.html in the run folder)", type=Path),
    Argument("--read", "labels that the page saved", type=Path, metavar="LABELS"),
)
def review(folder: str, *, sample: int, out: Path | None, read: Path | None) -> int:
    from apigen_ray.report.quality import PAPER
    from apigen_ray.report.terminal import print_warnings
    from apigen_ray.workflows.review import read_labels, write_page

    if sample < 1:
        raise BadInput("--sample: must be at least 1")
    if read is None:
        print(write_page(folder, sample, out))
        return 0
    found = read_labels(folder, read)
    print(f"read by people: {found.review}; {PAPER}")
    if found.unknown:
        others = f"{len(found.unknown)} labels are for rows that this run does not have"
        print_warnings(make_console(), [f"{read}: {others}, such as {found.unknown[0]}"])
    print(f"for `apigen-ray audit --labels`: {found.labelled}")
    return 0
