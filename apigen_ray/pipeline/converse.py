"""How a data point becomes a conversation: its final answer, then further turns, one by one.

Each turn goes through all stages, over the history that has passed them. A conversation is one row:
the first turn that fails decides its outcome, and what came before it stays in its `messages`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apigen_ray import strict_json
from apigen_ray.models import Model
from apigen_ray.pipeline.charges import charged
from apigen_ray.pipeline.steps import errors_as_rows, judge_step, pair_of, repeated
from apigen_ray.pipeline.verdicts import votes_form
from apigen_ray.prompting.follow_up import Turns, follow_up
from apigen_ray.prompting.pair_schema import schema_of
from apigen_ray.records import (
    Call,
    JsonObject,
    Outcome,
    Pair,
    Reason,
    Rejected,
    Reply,
    Stage,
    Style,
    Tool,
)
from apigen_ray.run_folder.rows import Row, calls_form, rejected_row, with_values
from apigen_ray.stages.answer import Answered, answer, told
from apigen_ray.stages.ballot import Judge, Rule
from apigen_ray.stages.check import CheckSettings, check, no_completion, signatures_of
from apigen_ray.stages.conversation import query_of, turns_of
from apigen_ray.stages.execute.dispatch import (
    Dispatcher,
    Executed,
    ExecuteSettings,
    execute,
    execute_twice,
    result_forms,
)
from apigen_ray.stages.grounding import GroundingSettings
from apigen_ray.stages.messages import opening, reply_with_calls, with_results
from apigen_ray.tools.read_forms import read_shown_tool


@dataclass(frozen=True, slots=True)
class Cast:
    """All that take part in going on with a conversation."""

    judges: Sequence[Judge]
    rule: Rule
    grounding: GroundingSettings
    writer: Model | None
    """Writes the final answers; None if none are wanted."""
    generators: Mapping[str, Model]
    """The generating models by their labels: each writes the turns of its own conversations."""
    constrained: frozenset[str]
    """The labels of those whose completions are constrained to a schema."""
    turns: Turns
    check: CheckSettings
    execute: ExecuteSettings
    runner: Dispatcher


async def converse_step(row: Row, cast: Cast) -> Row:
    """Go on with a row that has passed all stages: its answer, and the turns that it lacks."""
    has_turns = row["style"] == Style.MULTI_TURN
    if not json.loads(row["answers"] or "[]"):
        return row  # its answer is that no tool fits
    if cast.writer is None and not has_turns:
        return row
    row = await _answered(_opened(row), cast)
    if not has_turns:
        return row
    wanted = cast.turns.wanted(row["prompt_id"])
    while not row["outcome"] and len(turns_of(_messages(row))) < wanted:
        row = await _next_turn(row, cast)
        if not row["outcome"]:
            row = await _answered(row, cast)
    return row


def _opened(row: Row) -> Row:
    """A row with its messages, what the calls returned included, and what was found about them."""
    calls, results = _listed(row["answers"]), _listed(row["execution_results"])
    known = _listed(row["messages"])
    messages = known or opening(row["query"] or "", calls, results)
    whole = list(with_results(messages, results))
    found = _listed(row["turns"]) or [{"message": turn.place} for turn in turns_of(whole)]
    return with_values(row, messages=strict_json.dumps(whole), turns=strict_json.dumps(found))


# --- the answer


async def _answered(row: Row, cast: Cast) -> Row:
    """A row with the answer to its last turn, if one is wanted."""
    if cast.writer is None:
        return row
    writer = cast.writer

    async def answered() -> list[Row]:
        messages = _messages(row)
        sample = f"{row['id']}/{len(messages)}"
        done = await answer(messages, writer, cast.judges, cast.rule, sample=sample)
        return [_with_answer(charged(row, done.replies), done)]

    after = (await errors_as_rows([row], Stage.JUDGE, answered()))[0]
    if after["outcome"] != Outcome.ERROR or after["turns"] != row["turns"]:
        return after
    return _with_found(after, {"message": len(_messages(row))} | _why(after))


def _why(row: Row) -> JsonObject:
    """Why a turn or an answer failed, as rows hold it."""
    return {"reason": row["reason"], "detail": row["detail"]}


def _with_answer(row: Row, done: Answered) -> Row:
    messages = _messages(row)
    found: JsonObject = {"message": len(messages), "votes": votes_form(done.votes)}
    if done.objection is None:
        spoken: JsonObject = {"role": "assistant", "content": done.text}
        row = with_values(row, messages=strict_json.dumps([*messages, spoken]))
        return _with_found(row, found)
    reason = Reason.JUDGE_UNREADABLE if done.unreadable else Reason.ANSWER
    shown = strict_json.dumps(done.text[:200])
    rejected = Rejected(reason, f"messages[{len(messages)}]: {shown}: {done.objection}")
    found |= {"reason": reason.value, "detail": rejected.detail, "refused": done.text}
    return rejected_row(_with_found(row, found), Stage.JUDGE, rejected)


# --- a further turn


async def _next_turn(row: Row, cast: Cast) -> Row:
    """A row with one more turn, through all stages; or rejected by one of them."""
    place = len(_messages(row)) + 1
    row = (await errors_as_rows([row], Stage.GENERATE, _asked(row, cast)))[0]
    if not row["outcome"]:
        row = (await errors_as_rows([row], Stage.EXECUTE, _executed(row, cast)))[0]
    if not row["outcome"]:
        row = await judge_step(row, cast.judges, cast.rule, cast.grounding)
    found: JsonObject = {"message": place, "votes": _listed(row["votes"])}
    if row["outcome"]:
        detail = f"messages[{place}]: {(row['detail'] or '').removeprefix(f'messages[{place}].')}"
        row = with_values(row, detail=detail)
        found |= _why(row)
    return _with_found(row, found)


async def _asked(row: Row, cast: Cast) -> list[Row]:
    """What the user says next, and its calls: generation and stage 1."""
    tools = [read_shown_tool(form) for form in json.loads(row["tools"])]
    messages, model = _messages(row), row["model"]
    number = len(turns_of(messages))
    prompt = follow_up(row["prompt_id"], told(messages), tools)
    schema = schema_of(prompt) if model in cast.constrained else None
    reply = await cast.generators[model].complete(
        prompt.messages, schema, sample=f"{row['id']}/turn/{number}"
    )
    row = charged(row, [reply])
    seconds = (row["generate_s"] or 0.0) + reply.seconds
    row = _with_found(
        with_values(row, generate_s=seconds),
        {"message": len(messages) + 1, "completion": reply.text},
    )
    read = _read(reply, tools, cast.check, pair_of(row).calls)
    if isinstance(read, Rejected):
        return [rejected_row(row, Stage.CHECK, read)]
    return [_with_turn(row, read, repeated(read, prompt))]


def _read(
    reply: Reply, tools: Sequence[Tool], settings: CheckSettings, earlier: Sequence[Call]
) -> Pair | Rejected:
    if lost := no_completion(reply):
        return lost
    (result,) = check(
        reply.text,
        finish_reason=reply.finish_reason,
        style=Style.MULTI_TURN,
        signatures=signatures_of(tools),
        count=1,
        settings=settings,
    )
    if isinstance(result, Rejected):
        return result
    made = [strict_json.canonical(form) for form in calls_form(earlier)]
    for index, form in enumerate(calls_form(result.pair.calls)):
        if strict_json.canonical(form) in made:
            detail = f"calls[{index}]: repeats a call of an earlier turn"
            return Rejected(Reason.DUPLICATE_CALL, detail)
    return result.pair


def _with_turn(row: Row, pair: Pair, copied: str | None) -> Row:
    """A row with what the user says next, and the calls that answer it."""
    messages, earlier = _messages(row), _listed(row["answers"])
    new: list[Any] = calls_form(pair.calls)
    said: JsonObject = {"role": "user", "content": pair.query}
    whole = [*messages, said, reply_with_calls(new, first=len(earlier))]
    return with_values(
        row,
        messages=strict_json.dumps(whole),
        query=query_of(whole),
        answers=strict_json.dumps([*earlier, *new]),
        copied=copied,
        ungrounded=None,
        unused=None,
        thought=None,
        votes=None,
    )


async def _executed(row: Row, cast: Cast) -> list[Row]:
    """The results of the last turn's calls: stage 2.

    A server that keeps a state is a fresh one: it is given the calls of earlier turns first.
    """
    calls, ran = pair_of(row).calls, _listed(row["execution_results"])
    earlier, new = calls[: len(ran)], calls[len(ran) :]
    again = [call for call in earlier if cast.runner.keeps_state(call)]
    run = execute_twice if cast.execute.check_determinism else execute
    done = await run([*again, *new], cast.runner)
    done = Executed(done.results[len(again) :], done.seconds)
    results = result_forms(done.results, {})
    messages = [*with_results(_messages(row), [*ran, *results])]
    row = with_values(
        row,
        execution_results=strict_json.dumps([*ran, *results]),
        execute_s=(row["execute_s"] or 0.0) + done.seconds,
    )
    if done.rejection:
        return [rejected_row(row, Stage.EXECUTE, done.rejection)]
    return [with_values(row, messages=strict_json.dumps(messages))]


# --- rows


def _with_found(row: Row, found: JsonObject) -> Row:
    """A row with what was found about one message, beside what is known of it."""
    turns = {turn["message"]: turn for turn in _listed(row["turns"])}
    place = found["message"]
    turns[place] = turns.get(place, {}) | found
    return with_values(row, turns=strict_json.dumps(list(turns.values())))


def _messages(row: Row) -> list[JsonObject]:
    return _listed(row["messages"])


def _listed(text: str | None) -> list[Any]:
    listed: list[Any] = json.loads(text or "[]")
    return listed
