"""`audit`: what the checks and judges of a run are worth."""

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
    Argument("--out", "the folder for audit.json (default: the run folder, or runs/audit)"),
)
def audit(data: str | None, *, config: str | None, sample: int, out: str | None) -> int:
    from apigen_ray.config import load_config
    from apigen_ray.workflows.audit.command import audit

    if sample < 1:
        raise BadInput("--sample: must be at least 1")
    audit(
        data,
        config=load_config(config) if config else None,
        sample=sample,
        out=out,
        console=make_console(),
    )
    return 0
