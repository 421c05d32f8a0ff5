"""The data-set card of the verified rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from apigen_ray.records import Outcome, Stage
from apigen_ray.report.markdown import fenced, plain, table
from apigen_ray.report.quality import UNMEASURED, Quality
from apigen_ray.report.stats import Funnel, Stats
from apigen_ray.run_folder.rows import RELEASED

LICENSE = "unknown"
"""To be set by whoever publishes the data: it depends on the models and tools it was made with."""
TAGS = ["function-calling", "tool-use", "synthetic"]
MADE_WITH = ("verify", "identity", "sandbox", "versions")
"""The parts of the manifest that a card shows: none of them names hosts or endpoints."""
MEANINGS = {
    "id": "unique",
    "query": "what the user asks",
    "answers": "JSON text: the calls, each with `name` and `arguments`",
    "tools": "JSON text: the tools shown, each with a JSON Schema of its parameters",
    "style": "how many tools were shown, and how many calls answer the query",
    "categories": "JSON text: the categories of the tools",
    "model": "the model that wrote query and calls",
    "execution_results": "JSON text: what each call returned when it was run",
    "messages": "JSON text: the whole conversation, if there is more than a query and its calls",
}


def dataset_card(
    stats: Stats,
    manifest: Mapping[str, Any],
    example: Mapping[str, Any] | None,
    *,
    quality: Quality = UNMEASURED,
    surplus: int = 0,
) -> str:
    """The README.md of a data set, as the Hub and `datasets.load_dataset` read it.

    Args:
        stats: The funnel of the run.
        manifest: What the run was made with.
        example: A row of the data set, if it has any.
        quality: What was measured of the judges, and by people.
        surplus: How many verified rows beyond the target are left out.
    """
    verified = stats.distinct - surplus
    styles = [
        name for name, funnel in sorted(stats.by_style.items()) if funnel.outcomes[Outcome.VERIFIED]
    ]
    return f"""{front_matter(_configs(styles), task_categories=["text-generation"])}
# Verified function-calling data
{simulated_warning(manifest)}{_warnings(quality)}
{verified:,} queries with the function calls that answer them, made after APIGen (arXiv 2406.18518).
Each passed {checks(manifest)}.{_repeats(stats)}

```python
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")
{_one_style(styles)}```

## Columns

{_columns(example)}

{fenced(json.dumps(example, indent=2, ensure_ascii=False), "json")}
{_read_messages(example)}
{_statistics(stats)}
{_measured(quality)}
## Licence

Not chosen yet: it depends on the licences of the models and tools below. Set `license` at the top.

## Made with

{fenced(_made_with(manifest), "yaml")}
"""


def front_matter(
    configs: Sequence[Mapping[str, Any]], task_categories: list[str] | None = None
) -> str:
    """The YAML at the top of a card, which the Hub and `load_dataset` read."""
    from huggingface_hub import DatasetCardData  # noqa: PLC0415 - takes a while to import

    data = DatasetCardData(
        license=LICENSE, task_categories=task_categories, tags=TAGS, configs=list(configs)
    )
    return f"---\n{data.to_yaml()}\n---"


def simulated_warning(manifest: Mapping[str, Any]) -> str:
    """The warning of a card about simulated data; empty for data that real models made."""
    models = manifest.get("config", {}).get("models", [])
    names = [model["name"] for model in models if model.get("kind") == "simulated"]
    if not names:
        return ""
    return (
        f"\n**Made by a simulated model ({', '.join(names)}), which plants faults to test the "
        "pipeline. Do not train on it.**\n"
    )


def _warnings(quality: Quality) -> str:
    """The judges whose verdicts say nothing."""
    judged = quality.judged_by
    return "".join(f"\n**{plain(line)}**\n" for line in (judged.warnings if judged else []))


def _measured(quality: Quality) -> str:
    """How far the rows can be trusted; nothing where nobody measured it."""
    lines = [f"- {plain(line)}" for line in quality.lines()]
    return "\n".join(["", "## How good the verification is", "", *lines, ""]) if lines else ""


def checks(manifest: Mapping[str, Any]) -> str:
    """The stages that the verified rows passed, in words."""
    names = {
        Stage.CHECK.option: "a strict format check",
        Stage.EXECUTE.option: "an execution of its calls in a sandbox",
        Stage.JUDGE.option: "a second model as judge",
    }
    stages = manifest.get("verify", {}).get("stages", list(names))
    *most, last = [names[stage] for stage in names if stage in stages]
    return f"{', '.join(most)} and {last}" if most else last


def _repeats(stats: Stats) -> str:
    if not stats.repeated:
        return ""
    more = f" {len(stats.repeated):,} more repeated the query and the calls of another; "
    return more + "they are left out."


def _configs(styles: Sequence[str]) -> list[dict[str, Any]]:
    """All rows by default, or those of a style."""
    if not styles:
        return []
    return [
        {"config_name": "default", "data_files": "data/*.parquet", "default": True},
        *({"config_name": style, "data_files": f"data/{style}.parquet"} for style in styles),
    ]


def _one_style(styles: Sequence[str]) -> str:
    if not styles:
        return ""
    return f'{styles[0]} = load_dataset("path/to/this/folder", "{styles[0]}", split="train")\n'


def _columns(example: Mapping[str, Any] | None) -> str:
    there = example or RELEASED
    return "\n".join(
        f"- `{name}`: {meaning}" for name, meaning in MEANINGS.items() if name in there
    )


def _read_messages(example: Mapping[str, Any] | None) -> str:
    """The messages of the example as whoever parses them has them."""
    if not (example and example.get("messages")):
        return ""
    messages = json.dumps(json.loads(example["messages"]), indent=2, ensure_ascii=False)
    return f"\nIts `messages`, read:\n\n{fenced(messages, 'json')}\n"


def _statistics(stats: Stats) -> str:
    outcomes = [[outcome.value, f"{stats.whole.outcomes[outcome]:,}"] for outcome in Outcome]
    tables = [
        table(["outcome", "data points"], outcomes),
        _groups("style", stats.by_style),
        _groups("category", stats.by_category),
    ]
    return "\n\n".join(["## Statistics", *tables])


def _groups(label: str, funnels: Mapping[str, Funnel]) -> str:
    rows = [
        [name, f"{funnel.outcomes[Outcome.VERIFIED]:,}", f"{funnel.total:,}", _rate(funnel)]
        for name, funnel in sorted(funnels.items())
    ]
    return table([label, "verified", "of", "pass rate"], rows)


def _rate(funnel: Funnel) -> str:
    return "-" if funnel.pass_rate is None else f"{funnel.pass_rate:.1%}"


def _made_with(manifest: Mapping[str, Any]) -> str:
    made_with = {key: manifest[key] for key in MADE_WITH if manifest.get(key)}
    return yaml.safe_dump(made_with, sort_keys=False, allow_unicode=True).strip()
