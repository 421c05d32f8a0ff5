"""A comparison as HTML, Markdown and JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apigen_ray.errors import BadInput
from apigen_ray.records import Outcome
from apigen_ray.report import markdown
from apigen_ray.report.audit_tables import Table, agreement_table
from apigen_ray.report.comparison import ComparedModel, Comparison
from apigen_ray.report.page import dollars, outcome_table, pass_rate, render
from apigen_ray.report.stats import Funnel

NOTES = {
    "outcomes": "Outcomes, as in Table 1 of APIGen. The pass rate leaves errors out; in "
    "brackets, its 95 % interval (Wilson's, which assumes independent data points).",
    "differences": "Pass rate of the first minus that of the second over shared prompts, in "
    "percentage points, with 95 % intervals (bootstrap over prompts). p: McNemar's exact test over "
    "prompts, not corrected for the number of pairs.",
    "styles": "Pass rate by style.",
    "categories": "Pass rate by category of the tools shown.",
    "cost": "The cost of a verified data point, including judging.",
    "agreements": "Agreement of judges on the data points that both voted on: those that the "
    "judges before them left open.",
    "trust": "The verified rows: their clean share, estimated from the audit of the judges, and "
    "the share that people found right, each with its 95 % interval.",
    "judges": "Judges, asked about pairs of which it is known whether they are right. p: of both "
    "rates being equal, by Fisher's exact test.",
    "mutations": "Rows made wrong in known ways: the share caught by the checks before the judge.",
}

MOST_NAMES = 4
"""The most models that the title of the page names."""


def write_comparison(comparison: Comparison, out: Path) -> None:
    """Write a comparison in the format of a file's suffix.

    Raises:
        BadInput: if that is not .html, .md or .json, or the file can't be written.
    """
    forms = {".html": as_html, ".md": as_markdown, ".json": as_json}
    if out.suffix not in forms:
        raise BadInput(f"--out {out}: the suffix must be one of {', '.join(forms)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(forms[out.suffix](comparison), "utf-8")
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error


def as_html(comparison: Comparison) -> str:
    """A page with charts and tables."""
    from apigen_ray.report import charts  # noqa: PLC0415 - takes most of a second to import

    funnels = {model.name: model.whole for model in comparison.models}
    rates = {name: pass_rate(funnel) for name, funnel in funnels.items()}
    return render(
        "comparison.html",
        title=", ".join(funnels) if len(funnels) <= MOST_NAMES else f"{len(funnels)} models",
        warnings=comparison.passed_over,
        charts=[
            ("Pass rate, with its 95 % interval", charts.rates(rates)),
            ("Outcomes", charts.outcome_shares(funnels, "Outcomes by model")),
        ],
        tables=[(NOTES[key], *table) for key, table in tables(comparison).items()],
    )


def as_markdown(comparison: Comparison) -> str:
    """The same tables for a README or a paper's notes."""
    found = tables(comparison).items()
    blocks = [f"{NOTES[key]}\n\n{markdown.table(*table)}" for key, table in found]
    return "\n\n".join([*comparison.passed_over, *blocks]) + "\n"


def as_json(comparison: Comparison) -> str:
    """All numbers, for programs."""
    value = {
        "models": {c.name: _figures(c) for c in comparison.models},
        "differences": [asdict(found) for found in comparison.differences],
        "agreements": [
            dict(found) | {"rate": asdict(found.rate)} for found in comparison.agreements
        ],
        "quality": {name: found.as_json() for name, found in comparison.qualities.items()},
        "passed_over": list(comparison.passed_over),
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def tables(comparison: Comparison) -> dict[str, Table]:
    """The tables, by the key of their note; without those that are empty."""
    models = comparison.models
    found = {
        "outcomes": outcome_table("model", {c.name: c.whole for c in models}),
        "differences": _difference_table(comparison),
        "styles": _rate_table("style", {c.name: c.by_style for c in models}),
        "categories": _rate_table("category", {c.name: c.by_category for c in models}),
        "cost": _cost_table(models),
        "agreements": agreement_table(comparison.agreements, "points"),
        "trust": _trust_table(comparison),
        "judges": _judge_table(comparison),
        "mutations": _mutation_table(comparison),
    }
    return {key: (headers, rows) for key, (headers, rows) in found.items() if rows}


def _difference_table(comparison: Comparison) -> Table:
    rows = [
        [
            f"{found.first} vs {found.second}",
            f"{found.prompts:,}",
            f"{found.points:,}",
            f"{found.only_first:,}",
            f"{found.only_second:,}",
            f"{100 * found.difference:+.1f} "
            f"[{100 * found.interval[0]:+.1f}, {100 * found.interval[1]:+.1f}]",
            f"{found.p_value:.2g}",
        ]
        for found in comparison.differences
    ]
    headers = ["models", "prompts", "points", "only first", "only second", "difference", "p"]
    return headers, rows


def _rate_table(label: str, groups: Mapping[str, Mapping[str, Funnel]]) -> Table:
    names = sorted({name for funnels in groups.values() for name in funnels})
    rows = [
        [name, *(str(pass_rate(funnels.get(name, Funnel()))) for funnels in groups.values())]
        for name in names
    ]
    return [label, *groups], rows


def _cost_table(models: Sequence[ComparedModel]) -> Table:
    rows = []
    for model in models:
        if not (model.tokens or model.cost_usd):
            continue
        verified = model.whole.outcomes[Outcome.VERIFIED]
        tokens = f"{model.tokens / verified:,.0f}" if verified else "-"
        costs = [dollars(model.cost_usd), dollars(model.cost_per_verified)]
        rows.append([model.name, f"{model.tokens:,}", tokens, *costs])
    return ["model", "tokens", "tokens per verified", "cost", "cost per verified"], rows


def _trust_table(comparison: Comparison) -> Table:
    rows = [
        [name, str(found.clean or "-"), str(found.review.right) if found.review else "-"]
        for name, found in comparison.qualities.items()
    ]
    return ["run", "clean share", "read by people"], rows


def _judge_table(comparison: Comparison) -> Table:
    rows = [
        [f"{name}: {judge.name}", str(judge.right), str(judge.wrong), f"{judge.p_value:.2g}"]
        for name, found in comparison.qualities.items()
        for judge in (found.judged_by.judges if found.judged_by else ())
    ]
    return ["judge", "right passed", "wrong passed", "p"], rows


def _mutation_table(comparison: Comparison) -> Table:
    audits = {name: found.audit for name, found in comparison.qualities.items() if found.audit}
    caught = {
        f"{name} ({audit.grounding})": {each.name: each.caught for each in audit.mutations}
        for name, audit in audits.items()
    }
    names = list(dict.fromkeys(name for rates in caught.values() for name in rates))
    rows = [[name, *(str(rates.get(name, "-")) for rates in caught.values())] for name in names]
    return ["made wrong by", *caught], rows


def _figures(model: ComparedModel) -> dict[str, Any]:
    def funnel(found: Funnel) -> dict[str, Any]:
        return {**found.as_json(), "pass_rate_interval": pass_rate(found).interval}

    return {
        **funnel(model.whole),
        "tokens": model.tokens,
        "cost_usd": model.cost_usd,
        "cost_usd_per_verified": model.cost_per_verified,
        "by_style": {name: funnel(found) for name, found in sorted(model.by_style.items())},
        "by_category": {name: funnel(found) for name, found in sorted(model.by_category.items())},
    }
