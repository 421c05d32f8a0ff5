"""The rows of conversations: what the steps do with them beyond what they do with a pair."""

import json
from collections.abc import Sequence
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import (
    Call,
    CallResult,
    Checked,
    Failed,
    Json,
    Pair,
    Reason,
    Rejected,
    Stage,
    Style,
)
from apigen_ray.run_folder.rows import Row, checked_row, rejected_row, with_values
from apigen_ray.stages.conversation import Messages, calls_of, is_one_question, query_of, turns_of
from apigen_ray.stages.execute.dispatch import Dispatcher
from apigen_ray.stages.execute.given import mismatches
from apigen_ray.stages.grounding import left_out
from apigen_ray.stages.messages import clarified_messages

_MISMATCH = "result_mismatch"
_MOST_MISMATCHES = 3


def checked(row: Row, result: Checked | Rejected) -> Row:
    """A row with its pair; as a conversation, if something had to be asked for."""
    made = checked_row(row, result)
    if isinstance(result, Rejected) or result.pair.clarification is None:
        return made
    messages = clarified_messages(result.pair)
    return with_values(
        made,
        query=query_of(messages),
        messages=strict_json.dumps(messages),
        turns=strict_json.dumps([{"message": len(messages) - 1}]),
    )


def conversation_of(row: Row) -> Messages | None:
    """The messages of a row, where there is more than a question and its calls."""
    if not row["messages"]:
        return None
    messages: Messages = json.loads(row["messages"])
    return None if is_one_question(messages) else messages


def mismatches_of(row: Row) -> list[str]:
    """The results that a conversation gives otherwise than our calls returned them, a line each."""
    turns: list[dict[str, Any]] = json.loads(row["turns"] or "[]")
    return [line for turn in turns for line in turn.get(_MISMATCH, ())]


def nothing_missing(row: Row, pair: Pair, tools: Sequence[Json]) -> Rejected | None:
    """Why a data point of the style `clarify` has nothing to ask for."""
    conversation = conversation_of(row)
    if row["style"] != Style.CLARIFY or conversation is None:
        return None
    if left_out(conversation, pair.calls, tools):
        return None
    detail = "no required value is missing in the first message and given in the reply"
    return Rejected(Reason.NOTHING_MISSING, detail)


async def executed_turns(
    row: Row, calls: Sequence[Call], results: Sequence[CallResult], runner: Dispatcher
) -> Row:
    """A conversation after stage 2: what came of each turn; the first that failed rejects the row.

    Raises:
        InfrastructureError: if the runner failed, which says nothing about the calls.
    """
    turns = turns_of(json.loads(row["messages"] or "[]"))
    found: dict[int, dict[str, Any]] = {
        verdict["message"]: verdict for verdict in json.loads(row["turns"] or "[]")
    }
    differing = await mismatches(turns, calls, results, runner)
    rejected: Rejected | None = None
    for place, ((turn, index), result) in enumerate(zip(calls_of(turns), results, strict=True)):
        verdict = found[turn.place]
        if place in differing:
            verdict.setdefault(_MISMATCH, []).append(differing[place])
        if isinstance(result, Failed) and "reason" not in verdict:
            where = turn.where(index) if len(turns) > 1 else f"calls[{index}]"
            failure = Rejected(result.reason, f"{where}: {result.message}")
            verdict |= {"reason": failure.reason.value, "detail": failure.detail}
            rejected = rejected or failure
    row = with_values(row, turns=strict_json.dumps(list(found.values())))
    if rejected:
        return rejected_row(row, Stage.EXECUTE, rejected)
    if differing:
        row = with_values(row, detail=_detail(row["detail"], list(differing.values())))
    return row


def _detail(said: str | None, differing: Sequence[str]) -> str:
    more = len(differing) - _MOST_MISMATCHES
    rest = [f"and {more} more"] if more > 0 else []
    lines = [f"{_MISMATCH}: {line}" for line in differing[:_MOST_MISMATCHES]]
    return "; ".join([*([said] if said else []), *lines, *rest])
