"""The statistics and the report of a run folder, made again from its rows."""

from apigen_ray.errors import BadInput
from apigen_ray.report.page import write_report
from apigen_ray.report.quality import Quality, quality_of
from apigen_ray.report.stats import Stats, requested_of, stats_of
from apigen_ray.run_folder.store import RunFolder


def refresh(folder: RunFolder) -> tuple[Stats, Quality]:
    """Write stats.json and report.html.

    Raises:
        BadInput: if the folder is not a run folder.
    """
    manifest = folder.read_manifest()
    if manifest is None:
        raise BadInput(f"{folder.path}: not a run folder (no manifest.json)")
    stats = stats_of(folder, requested_of(folder.path, manifest))
    quality = quality_of(folder, stats.whole)
    quality.add_usage(stats)
    folder.write_json("stats.json", stats.as_json() | quality.as_json())
    write_report(folder, stats, quality)
    return stats, quality
