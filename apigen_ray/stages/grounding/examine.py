"""What stage 3 finds before it asks a judge: it rejects the data point, or tells the judge."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from apigen_ray import strict_json
from apigen_ray.models.settings import Settings
from apigen_ray.records import Call, Json, Pair, Reason, Rejected, Tool
from apigen_ray.run_folder.rows import pair_form
from apigen_ray.stages.grounding.coverage import Coverage, Unused, cover
from apigen_ray.stages.grounding.exactness import inexact
from apigen_ray.stages.grounding.values import Finding, Grounding, ground
from apigen_ray.tools.read_forms import read_shown_tool

LONGEST_QUERY = 4000
"""Longer queries are not looked at: the time it takes may grow with the square of the length."""
LONGEST_CALLS = 8000
"""Calls whose JSON text is longer are not looked at."""
_MOST_REMARKED = 10
_LONGEST_REMARKED = 200
_CONVERSATION = re.compile(r"^(?:user|assistant|tool): ", re.MULTILINE)


def _word(value: Any) -> Any:
    """The word behind a boolean: YAML reads `off` as such."""
    return "off" if value is False else value


class GroundingSettings(Settings):
    """Whether the values of the calls have to come from the query: looked up before the judge."""

    reject: Annotated[Literal["call", "argument", "exact", "off"], BeforeValidator(_word)] = "call"
    """What fails stage 3 without a judge: a `call` none of whose values the query gives; every
    single `argument` that it does not give; or whatever is not `exact`: also a choice that it does
    not hint at, and a number, a quoted text or a request of its own. With `off`, nothing is looked
    up. `exact` is for queries that a model wrote for given calls: people's have more in them."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found about a data point."""

    ungrounded: tuple[Finding, ...]
    """The values of the calls that the query does not give."""
    unused: tuple[Unused, ...] | None
    """What the query mentions and no call uses; None of a conversation, in which earlier turns may
    have been answered already."""
    rejection: Rejected | None
    """Why it goes no further, if it doesn't."""
    remarks: tuple[str, ...]
    """What a judge is told."""


def examine(pair: Pair, tools: Sequence[Json], settings: GroundingSettings) -> Examined | None:
    """Compare a query with its calls; None if they are not looked at.

    Args:
        pair: The query and its calls.
        tools: The tools that were shown, as rows hold them.
        settings: What is rejected.
    """
    if settings.reject == "off" or not pair.calls or _is_long(pair):
        return None
    by_name = {tool.name: tool for tool in map(read_shown_tool, tools)}
    grounding = ground(pair.query, pair.calls, by_name)
    coverage = None
    if not _CONVERSATION.search(pair.query):
        coverage = cover(pair.query, pair.calls, by_name)
    return Examined(
        grounding.ungrounded,
        coverage.unused if coverage else None,
        _rejection(pair.calls, grounding, every_value=settings.reject != "call")
        or (_inexact(pair, by_name, coverage) if settings.reject == "exact" else None),
        tuple(_remarks(grounding.ungrounded, coverage)),
    )


def _is_long(pair: Pair) -> bool:
    return (
        len(pair.query) > LONGEST_QUERY
        or len(strict_json.dumps(pair_form(pair)["answers"])) > LONGEST_CALLS
    )


def _rejection(
    calls: Sequence[Call], grounding: Grounding, *, every_value: bool
) -> Rejected | None:
    if grounding.unsupported:
        call = calls[grounding.unsupported[0]]
        detail = f"the query gives none of the values of {call.name}: {_shown(call.arguments)}"
        return Rejected(Reason.UNGROUNDED, detail)
    if every_value and grounding.ungrounded:
        return Rejected(
            Reason.UNGROUNDED, f"the query does not give {_listed(grounding.ungrounded)}"
        )
    return None


def _inexact(pair: Pair, tools: Mapping[str, Tool], coverage: Coverage | None) -> Rejected | None:
    said = list(inexact(pair.query, pair.calls, tools, coverage))
    return Rejected(Reason.UNGROUNDED, f"the query: {_joined(said)}") if said else None


def _remarks(ungrounded: Sequence[Finding], coverage: Coverage | None) -> Iterable[str]:
    if ungrounded:
        yield (
            f"Values of the calls that do not stand in the query: {_listed(ungrounded)}. "
            "Pass only if they follow from it."
        )
    # A right query mentions things that no call needs, too: only where much speaks against the
    # number of calls is it worth a judge's doubt.
    if coverage and coverage.doubtful and coverage.unused:
        parts = _joined([_shown(each.text) for each in coverage.unused])
        yield f"What the query mentions and no call uses: {parts}."


def _listed(findings: Sequence[Finding]) -> str:
    return _joined([f"{each.path} = {_shown(each.value)}" for each in findings])


def _joined(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_REMARKED
    rest = [f"and {more} more"] if more > 0 else []
    return "; ".join([*texts[:_MOST_REMARKED], *rest])


def _shown(value: Json) -> str:
    text = strict_json.dumps(value)
    return text if len(text) <= _LONGEST_REMARKED else f"{text[: _LONGEST_REMARKED - 3]}..."
