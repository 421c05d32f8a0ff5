"""One row per data point: its columns, and how rows are created, changed and rejected."""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, cast, get_type_hints

import pyarrow as pa
import pyarrow.compute

from apigen_ray import strict_json
from apigen_ray.records import (
    OUTCOME_OF,
    Call,
    Checked,
    Json,
    JsonObject,
    Pair,
    Rejected,
    Stage,
    Strategy,
    Style,
)


class Row(TypedDict):
    """One data point, in the columns of `samples`. `outcome` is None while it is in the pipeline.

    `answers`, `tools`, `categories`, `execution_results`, `ungrounded`, `unused`, `votes` and
    `solutions` are JSON text. Tokens and cost are what the point took: its share of the completion,
    its judging and its solutions. `attempts` counts how often it was asked for, resumes included.
    `copied` says what the pair repeats of its prompt, `reasoning` is what the model wrote before
    its completion, where an endpoint tells them apart. `ungrounded` lists the values of the calls
    that the query does not give, `unused` what the query mentions and no call uses. `agreement`
    says how many of the solvers that were asked agree, such as `2 of 3`, and `solutions` what they
    answered. All are None where nobody looked.

    `reasoning_tokens` are part of `output_tokens`, `cached_tokens` of `input_tokens`; the latter is
    None where no endpoint reports it.

    A conversation has its `messages` as JSON text, in OpenAI's form with arguments as objects. Its
    `query` is what the user says, `answers` and `execution_results` have the calls of all turns,
    `turns` says of each turn of the assistant with calls, and of each final answer that was judged,
    what was found. Both are None of a pair.
    """

    id: str
    model: str
    style: str | None
    strategy: str | None
    round: int
    prompt_id: str
    query: str | None
    answers: str | None
    tools: str
    categories: str
    messages: str | None
    turns: str | None
    outcome: str | None
    stage: str | None
    reason: str | None
    detail: str | None
    execution_results: str | None
    copied: str | None
    ungrounded: str | None
    unused: str | None
    thought: str | None
    votes: str | None
    agreement: str | None
    solutions: str | None
    completion: str | None
    reasoning: str | None
    messages_hash: str | None
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int | None
    cached_tokens: int | None
    cost_usd: float
    generate_s: float | None
    execute_s: float | None
    judge_s: float | None
    attempts: int


_TYPES = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}


def _arrow_type(hint: Any) -> pa.DataType:
    """The Arrow type of a column, from its annotation, which may allow None."""
    return _TYPES[str(getattr(hint, "__name__", hint)).partition(" ")[0]]


SCHEMA = pa.schema([(name, _arrow_type(hint)) for name, hint in get_type_hints(Row).items()])
"""The columns of `samples`. JSON stays text: Arrow must never type what a model wrote."""

LATER = frozenset(
    {
        "strategy", "messages", "turns", "copied", "reasoning", "reasoning_tokens", "cached_tokens",
        "agreement", "solutions",
    }
)  # fmt: skip
"""The columns that the first versions did not write: None in the rows of their parts."""

RELEASED = (
    "id",
    "query",
    "answers",
    "tools",
    "style",
    "categories",
    "model",
    "execution_results",
)
"""The columns of `dataset`: those of xlam-function-calling-60k, then additional ones. `messages`
joins them if there is a conversation."""


def new_row(
    id_: str,
    *,
    model: str,
    style: Style | None,
    prompt_id: str,
    tried: int,
    strategy: Strategy | None = None,
    tools: str = "[]",
    categories: str = "[]",
    round_: int = 0,
) -> Row:
    """The row of a data point that is still to be generated.

    Args:
        id_: Its id.
        model: The label of the generating model.
        style: The style asked for, if any.
        prompt_id: The prompt that asks for it.
        tried: How often it was asked for before.
        strategy: How it comes about; None of data made elsewhere.
        tools: The tools shown, as JSON text.
        categories: Their categories, as JSON text.
        round_: The round of its prompt.
    """
    given = {
        "id": id_,
        "model": model,
        "style": style.value if style else None,
        "strategy": strategy,
        "round": round_,
        "prompt_id": prompt_id,
        "tools": tools,
        "categories": categories,
        "input_tokens": 0,
        "output_tokens": 0,
        "cost_usd": 0.0,
        "attempts": tried + 1,
    }
    return cast("Row", dict.fromkeys(SCHEMA.names) | given)


def with_values(row: Row, **columns: Any) -> Row:
    """A row with other values in some columns."""
    return cast("Row", {**row, **columns})


def checked_row(row: Row, result: Checked | Rejected) -> Row:
    """A row with its pair, or rejected by stage 1 with as much of the pair as could be read."""
    if isinstance(result, Rejected):
        answers = None if result.answers is None else strict_json.dumps(result.answers)
        return rejected_row(
            with_values(row, query=result.query, answers=answers), Stage.CHECK, result
        )
    detail = f"coerced: {'; '.join(result.coerced)}" if result.coerced else None
    form = pair_form(result.pair)
    answers = strict_json.dumps(form["answers"])
    return with_values(row, query=result.pair.query, answers=answers, detail=detail)


def rejected_row(row: Row, stage: Stage, rejected: Rejected) -> Row:
    """A rejected row, with the reason."""
    return with_values(
        row,
        outcome=OUTCOME_OF[rejected.reason].value,
        stage=stage.value,
        reason=rejected.reason.value,
        detail=rejected.detail,
    )


def pair_form(pair: Pair) -> JsonObject:
    """A pair in the form of prompts and completions."""
    told: JsonObject = {"query": pair.query}
    if pair.clarification:
        told |= {"question": pair.clarification.question, "reply": pair.clarification.reply}
    return told | {"answers": calls_form(pair.calls)}


def calls_form(calls: Iterable[Call]) -> list[Json]:
    """Calls in the form of prompts and completions."""
    return [{"name": call.name, "arguments": call.arguments} for call in calls]


def as_table(rows: Sequence[Row]) -> pa.Table:
    """Rows as a table, in the columns of `SCHEMA`."""
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def as_rows(table: pa.Table) -> list[Row]:
    """The rows of a table, with the columns that it has."""
    return cast("list[Row]", table.to_pylist())


def with_column(rows: pa.Table, name: str, values: pa.ChunkedArray | Sequence[object]) -> pa.Table:
    """Rows with other values in one column."""
    field = SCHEMA.field(name)
    column = values if isinstance(values, pa.ChunkedArray) else pa.array(values, field.type)
    return rows.set_column(rows.schema.get_field_index(name), field, column)


def with_value(table: pa.Table, column: str, value: str) -> pa.Table:
    """The rows of a table that have a value in a column."""
    return table.filter(pa.compute.equal(table[column], value))
