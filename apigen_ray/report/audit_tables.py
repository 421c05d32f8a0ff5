"""An audit in tables: for the terminal, for pages, and for comparisons."""

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from apigen_ray.report.audit_record import AgreementRecord, Audit, JudgeRecord, MutationRecord
from apigen_ray.report.intervals import Rate

Table: TypeAlias = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Headers and rows of cells."""


def mutation_table(audit: Audit) -> Table:
    """For each mutation and stage, the share that it caught of those that reached it."""
    groups = dict.fromkeys(mutation.group for mutation in audit.mutations)
    wholes = [_whole(audit, group) for group in groups]
    rows = [
        [
            mutation.name,
            f"{mutation.rows:,}",
            *(share(mutation.refused.get(stage)) for stage in columns(audit)),
            str(mutation.caught),
        ]
        for mutation in (*audit.mutations, *wholes)
    ]
    if audit.refused:
        refused = (share(audit.refused.get(stage)) for stage in columns(audit))
        rows.append(["right rows", f"{audit.rows:,}", *refused, ""])
    return ["made wrong by", "rows", *columns(audit), f"caught ({audit.grounding})"], rows


def columns(audit: Audit) -> list[str]:
    """The stages, and the judges that were asked about wrong rows."""
    asked = dict.fromkeys(stage for mutation in audit.mutations for stage in mutation.refused)
    return [*audit.stages, *(stage for stage in asked if stage not in audit.stages)]


def _whole(audit: Audit, group: str) -> MutationRecord:
    """All mutations of a group as one."""
    parts = [mutation for mutation in audit.mutations if mutation.group == group]
    refused = {
        stage: _sum(rate for part in parts if (rate := part.refused.get(stage)))
        for stage in columns(audit)
    }
    return MutationRecord(
        name=f"all of {group}",
        group=group,
        rows=sum(part.rows for part in parts),
        refused=refused,
        caught=_sum(part.caught for part in parts),
    )


def _sum(rates: Iterable[Rate]) -> Rate:
    counted = list(rates)
    return Rate(sum(rate.hits for rate in counted), sum(rate.of for rate in counted))


def share(rate: Rate | None) -> str:
    """A rate for a narrow cell; a dash where nothing was counted."""
    return "-" if rate is None or rate.value is None else f"{rate.value:.1%} of {rate.of:,}"


def judge_table(audit: Audit) -> Table:
    """What each judge passes, and what it takes."""
    judges = [*audit.judges, *([audit.jury] if audit.jury else [])]
    rows = [_judge_row(judge) for judge in judges]
    headers = [
        "judge", "right passed", "wrong refused", "p", "unreadable", "verdict at", "seconds",
        "tokens in", "tokens out", "cost",
    ]  # fmt: skip
    return headers, rows


def _judge_row(judge: JudgeRecord) -> list[str]:
    refused = Rate(judge.wrong.of - judge.wrong.hits, judge.wrong.of)
    return [
        judge.name,
        str(judge.right),
        str(refused),
        f"{judge.p_value:.2g}",
        f"{judge.unreadable:,}",
        "-" if judge.verdict_at is None else f"{judge.verdict_at:.0%}",
        f"{judge.seconds:.2f}",
        f"{judge.input_tokens:,}",
        f"{judge.output_tokens:,}",
        f"${judge.cost_usd:.4f}" if judge.cost_usd else "-",
    ]


def agreement_table(agreements: Sequence[AgreementRecord], what: str = "pairs") -> Table:
    """How far any two judges agree on what they judged."""
    rows = [
        [
            f"{found.first}, {found.second}",
            f"{found.rate.of:,}",
            str(found.rate),
            "-" if found.kappa is None else f"{found.kappa:.2f}",
        ]
        for found in agreements
    ]
    return ["judges", what, "agreement", "Cohen's kappa"], rows


_WIDE = 150
"""Columns of a terminal that shows how many rows each share is of, and intervals."""
_NAME = 26
"""The most columns that a name takes."""
_WHOLE = re.compile(r"\.\d%")


def _brief(table: Table) -> Table:
    """A table for a narrow terminal: shares alone, in whole percent, rounded down."""
    headers, rows = table
    short = [header.removeprefix("grounding: ") for header in headers]
    return short, [
        [row[0], *(_WHOLE.sub("%", cell.partition(" ")[0]) for cell in row[1:])] for row in rows
    ]


def print_audit(console: Console, audit: Audit) -> None:
    """Print an audit."""

    def fitted(table: Table) -> Table:
        return table if console.width >= _WIDE else _brief(table)

    console.print(f"right rows: {audit.source}", soft_wrap=True)
    if audit.caveat:
        console.print(audit.caveat, style="dim", soft_wrap=True)
    if audit.mutations:
        title = "Refused, of the rows that reached a stage"
        console.print(_rich(title, *fitted(mutation_table(audit))))
    if audit.judges:
        console.print(_rich("Judges", *fitted(judge_table(audit))))
    if audit.agreements:
        console.print(_rich("Agreement of judges", *agreement_table(audit.agreements)))
    for judge in audit.judges:
        style = "green" if judge.is_informative else "yellow"
        console.print(judge.warning or str(judge), style=style, soft_wrap=True)
    for notice in audit.notices:
        console.print(notice, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _rich(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> RichTable:
    table = RichTable(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for place, header in enumerate(headers):
        if place == 0:  # what a person said is wrong can be long
            table.add_column(header, overflow="ellipsis", no_wrap=True, max_width=_NAME)
        else:
            table.add_column(header, justify="right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
