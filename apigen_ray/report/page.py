"""The pages: one HTML file each, which opens anywhere, without a network.

The texts of rows come from models and tools and may be hostile: Jinja escapes every value, and the
content security policy lets only the script of the page run, known by its hash.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from apigen_ray.records import Outcome
from apigen_ray.report.audit_tables import Table, agreement_table, judge_table, mutation_table
from apigen_ray.report.chat import Bubble, chat
from apigen_ray.report.intervals import Rate
from apigen_ray.report.made_with import facts, subtitle, warnings
from apigen_ray.report.page_figures import (
    COLUMNS,
    DIVERSITY_SAMPLE,
    EXAMPLES_PER_KIND,
    Coverage,
    Diversity,
    Summary,
    called_names,
    summarise,
)
from apigen_ray.report.quality import Quality
from apigen_ray.report.stats import Funnel, Stats
from apigen_ray.run_folder.store import RunFolder

LONGEST_TEXT = 3000
"""The most characters shown of one text of an example."""
LONGEST_TITLE = 160
MOST_CATEGORIES = 30
MOST_TOOLS = 200


def write_report(folder: RunFolder, stats: Stats, quality: Quality) -> None:
    """Write the report.html of a run folder."""
    summary = summarise(folder.tables(COLUMNS))
    manifest = folder.read_manifest() or {}
    told = [*warnings(manifest), *quality.warnings, *folder.passed_over]
    page = report_page(
        folder.path.resolve().name, stats, summary, manifest, told=told, quality=quality
    )
    folder.write_text("report.html", page)


def report_page(
    name: str,
    stats: Stats,
    summary: Summary,
    manifest: Mapping[str, Any],
    *,
    told: Sequence[str],
    quality: Quality,
) -> str:
    """report.html of a run.

    Args:
        name: The name of the run folder.
        stats: The funnel.
        summary: What else was gathered from the rows.
        manifest: The manifest of the run.
        told: Lines shown at the top.
        quality: What was measured of its checks and judges.
    """
    diversities = summary.diversities()
    return render(
        "report.html",
        title=name,
        subtitle=subtitle(manifest),
        facts=facts(manifest),
        warnings=told,
        figures=_figures(stats),
        trust=_trust(quality, stats),
        charts=_charts(stats, summary, diversities),
        models=outcome_table("model", stats.by_model),
        usage=_usage_table(summary),
        latency=_latency_table(summary),
        coverage=_coverage(summary),
        never_passed=_never_passed_table(summary.never_passed()),
        diversity=_diversity_table(diversities),
        sample=DIVERSITY_SAMPLE,
        per_kind=EXAMPLES_PER_KIND,
        outcomes=list(Outcome),
        examples=[_example(row) for row in summary.examples()],
        manifest=json.dumps(manifest, indent=2, ensure_ascii=False),
    )


def _trust(quality: Quality, stats: Stats) -> dict[str, Any]:
    """What the section about the verification itself shows."""
    audit, judged = quality.audit, quality.judged_by
    heat_map = None
    if audit and audit.mutations:
        from apigen_ray.report import charts  # noqa: PLC0415 - takes most of a second to import

        heat_map = charts.heat_map(audit)
    return {
        "lines": [*quality.lines(), *([stats.agreement_line] if stats.agreement else [])],
        "caveat": f"{audit.source}: {audit.caveat}" if audit and audit.caveat else None,
        "heat_map": heat_map,
        "mutations": mutation_table(audit) if audit and audit.mutations else ([], []),
        "judges": judge_table(judged) if judged else ([], []),
        "agreements": agreement_table(judged.agreements) if judged else ([], []),
    }


def _charts(
    stats: Stats, summary: Summary, diversities: Sequence[Diversity]
) -> dict[str, Markup | None]:
    """The charts of the report by name; None where there is nothing to draw."""
    from apigen_ray.report import charts  # noqa: PLC0415 - takes most of a second to import

    styles = dict(sorted(stats.by_style.items()))
    by_size = sorted(stats.by_category.items(), key=lambda item: (-item[1].total, item[0]))
    categories = dict(by_size[:MOST_CATEGORIES])
    timed = any(summary.seconds.values())
    return {
        "funnel": charts.funnel(stats),
        "reasons": charts.reasons(stats.whole) if stats.whole.reasons else None,
        "styles": charts.outcome_shares(styles, "Outcomes by style") if styles else None,
        "categories": charts.outcome_shares(categories, "Outcomes by category")
        if categories
        else None,
        "latencies": charts.latencies(summary.seconds) if timed else None,
        "neighbours": charts.neighbours(diversities) if diversities else None,
    }


def render(template: str, script: str = "search.js", **values: Any) -> str:
    """Render a page from its template, with a script that may run in it."""
    environment = Environment(
        loader=PackageLoader("apigen_ray.report"), autoescape=True, undefined=StrictUndefined
    )
    code = environment.get_template(script).render()
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    page = environment.get_template(template)
    return page.render(policy=policy, script=Markup(code), **values)  # noqa: S704 (our own file)


def outcome_table(label: str, funnels: Mapping[str, Funnel]) -> Table:
    """The paper's table: outcomes and pass rate of each group."""
    rows = []
    for name in sorted(funnels):
        outcomes = funnels[name].outcomes
        counts = [f"{outcomes[outcome]:,}" for outcome in Outcome]
        rows.append([name, *counts, str(pass_rate(funnels[name]))])
    return [label, *(outcome.replace("_", " ") for outcome in Outcome), "pass rate"], rows


def pass_rate(funnel: Funnel) -> Rate:
    """The verified share of all data points but errors, which are not the model's."""
    judged = funnel.total - funnel.outcomes[Outcome.ERROR]
    return Rate(funnel.outcomes[Outcome.VERIFIED], judged)


def _figures(stats: Stats) -> list[tuple[str, str]]:
    verified = stats.whole.outcomes[Outcome.VERIFIED]
    rate = stats.whole.pass_rate
    figures = [
        ("requested", f"{stats.requested:,}"),
        ("verified", f"{verified:,}"),
        *([("of them distinct", f"{stats.distinct:,}")] if stats.repeated else []),
        ("pass rate", "-" if rate is None else f"{rate:.1%}"),
        ("errors", f"{stats.whole.outcomes[Outcome.ERROR]:,}"),
    ]
    if stats.input_tokens:  # none where external data is verified without a judge
        figures.append(("tokens in", _short(stats.input_tokens)))
        figures.append(("tokens out", _short(stats.output_tokens)))
    if stats.reasoning_tokens:
        figures.append(("of them reasoning", _short(stats.reasoning_tokens)))
    if stats.cached_share is not None:
        figures.append(("of tokens in cached", f"{stats.cached_share:.0%}"))
    if stats.cost_usd:
        figures.append(("cost", f"${stats.cost_usd:,.2f}"))
    if stats.missing:
        figures.append(("not yet requested", f"{stats.missing:,}"))
    return figures


def _short(count: int) -> str:
    return f"{count:,}" if count < 10_000_000 else f"{count / 1e6:,.1f} M"


def _usage_table(summary: Summary) -> Table:
    headers = ["model", "data points", "tokens in", "tokens out", "cost", "cost per verified"]
    rows = [
        [
            name,
            f"{usage.points:,}",
            f"{usage.input_tokens:,}",
            f"{usage.output_tokens:,}",
            dollars(usage.cost_usd),
            dollars(usage.cost_per_verified),
        ]
        for name, usage in sorted(summary.usage.items())
        if usage.input_tokens
    ]
    return headers, rows


def dollars(amount: float | None) -> str:
    """An amount in dollars; a dash if it is zero or unknown."""
    return f"${amount:,.{4 if amount >= 0.1 else 6}f}" if amount else "-"


def _latency_table(summary: Summary) -> Table:
    rows = [
        [found.stage, f"{found.count:,}"]
        + [f"{s:,.3f}" for s in (found.median, found.p95, found.p99, found.longest)]
        for found in summary.latencies()
    ]
    return ["stage", "data points", "median", "p95", "p99", "longest"], rows


def _coverage(summary: Summary) -> str:
    called = sum(tool.called > 0 for tool in summary.tools.values())
    verified = sum(tool.verified > 0 for tool in summary.tools.values())
    return (
        f"Tools shown: {len(summary.tools):,}; called: {called:,}; with a verified call: "
        f"{verified:,}."
    )


def _never_passed_table(tools: Sequence[tuple[str, Coverage]]) -> Table:
    rows = []
    for name, tool in tools[:MOST_TOOLS]:
        why = ", ".join(f"{reason} {count:,}" for reason, count in tool.reasons.most_common(4))
        rows.append([name, f"{tool.shown:,}", f"{tool.called:,}", why or "not called"])
    return ["tool", "shown", "called", "why"], rows


def _diversity_table(diversities: Sequence[Diversity]) -> Table:
    headers = ["model", "queries", "words", "distinct 1, 2, 3", "nearest", "near-duplicates"]
    rows = [
        [
            found.model,
            f"{found.queries:,}",
            f"{found.words:g}",
            ", ".join(f"{share:.0%}" for share in found.distinct),
            f"{found.median_nearest:.2f}",
            f"{found.near_duplicates:.1%}",
        ]
        for found in diversities
    ]
    return headers, rows


# --- examples


def _example(row: Mapping[str, Any]) -> dict[str, Any]:
    title = row["query"] or row["completion"] or row["detail"] or ""
    bubbles = chat(row)
    pair = [] if bubbles else [("Query", row["query"]), *_calls_and_results(row)]
    parts = [
        ("Why", row["detail"]),
        *pair,
        *_thoughts(row),
        ("Tools shown", _tools(row)),
        ("Completion", row["completion"] if row["outcome"] == Outcome.FAIL_FORMAT else None),
    ]
    return {
        **{key: row[key] or "" for key in ("id", "model", "style", "outcome", "reason")},
        "title": _clipped(" ".join(title.split()), LONGEST_TITLE),
        "chat": [_clipped_bubble(bubble) for bubble in bubbles],
        "parts": [(label, _clipped(text, LONGEST_TEXT)) for label, text in parts if text],
        "folded": [(label, _clipped(text, LONGEST_TEXT)) for label, text in _reasoning(row)],
    }


def _clipped_bubble(bubble: Bubble) -> Bubble:
    folded = [(label, _clipped(text, LONGEST_TEXT)) for label, text in bubble.folded]
    return replace(bubble, text=_clipped(bubble.text, LONGEST_TEXT), folded=folded)


def _calls_and_results(row: Mapping[str, Any]) -> Iterable[tuple[str, str | None]]:
    answers = json.loads(row["answers"]) if row["answers"] else None
    results = json.loads(row["execution_results"]) if row["execution_results"] else []
    if not isinstance(answers, list):
        yield "Calls", row["answers"]
        return
    for place, call in enumerate(answers):
        yield f"Call {place + 1}", json.dumps(call, ensure_ascii=False)
        if place < len(results):
            yield f"Result {place + 1}", json.dumps(results[place], ensure_ascii=False)


def _thoughts(row: Mapping[str, Any]) -> Iterable[tuple[str, str | None]]:
    votes = json.loads(row["votes"]) if row["votes"] else []
    if not votes:
        yield "Judge's thought", row["thought"]
    for vote in votes:
        yield f"Judge {vote['judge']}: {'yes' if vote['pass'] else 'no'}", vote["thought"]


def _reasoning(row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """What the generator and the judges wrote before their answers."""
    if row["reasoning"]:
        yield "Reasoning", row["reasoning"]
    for vote in json.loads(row["votes"]) if row["votes"] else []:
        if reasoning := vote.get("reasoning"):
            yield f"Reasoning of judge {vote['judge']}", reasoning


def _tools(row: Mapping[str, Any]) -> str:
    called = called_names(row["answers"])
    tools = sorted(json.loads(row["tools"]), key=lambda tool: tool["name"] not in called)
    return "\n".join(f"{tool['name']}: {tool['description']}" for tool in tools)


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
