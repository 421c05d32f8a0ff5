"""The stages as steps from row to row, which run in the Ray pipeline and, in tests, without Ray.

A step never raises: `errors_as_rows` turns every exception into rows of outcome `error`. A bad
sample is a row with a reason, too.
"""

import json
import logging
from collections.abc import Awaitable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute

from apigen_ray import strict_json
from apigen_ray.errors import InfrastructureError
from apigen_ray.models import Model
from apigen_ray.pipeline.chains import chain_of
from apigen_ray.pipeline.charges import charged, shares
from apigen_ray.pipeline.conversations import (
    checked,
    conversation_of,
    executed_turns,
    mismatches_of,
    nothing_missing,
)
from apigen_ray.pipeline.poison_rows import CRASH_LIMIT
from apigen_ray.pipeline.verdicts import voted_row, with_findings
from apigen_ray.prompting.pair_schema import calls_schema, schema_of
from apigen_ray.prompting.prompt_specs import Task, point_id
from apigen_ray.prompting.prompts import Prompt
from apigen_ray.prompting.sampler import PromptSampler
from apigen_ray.prompting.templates import texts
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
)
from apigen_ray.run_folder.event_log import log_context
from apigen_ray.run_folder.rows import (
    Row,
    calls_form,
    new_row,
    rejected_row,
    with_column,
    with_values,
)
from apigen_ray.run_folder.store import digest
from apigen_ray.stages.agreement import AgreementSettings, Solution, Solver, agree
from apigen_ray.stages.ballot import Judge, Rule
from apigen_ray.stages.check import CheckSettings, check, no_completion, signatures_of
from apigen_ray.stages.copied import copied
from apigen_ray.stages.execute.dispatch import (
    Dispatcher,
    ExecuteSettings,
    execute,
    execute_twice,
    result_forms,
)
from apigen_ray.stages.grounding import (
    GroundingSettings,
    examine,
    examine_conversation,
)
from apigen_ray.stages.judge import vote
from apigen_ray.tools.read_forms import read_shown_tool
from apigen_ray.tools.write_forms import tool_columns

log = logging.getLogger(__name__)


async def generate_step(
    task: Task,
    sampler: PromptSampler,
    model: Model,
    name: str,
    settings: CheckSettings,
    *,
    with_schema: bool = False,
) -> list[Row]:
    """Generate the data points of a prompt, and check them: generation and stage 1.

    Args:
        task: The prompt, and which of its data points are wanted.
        sampler: Makes the prompt.
        model: The generating model.
        name: Its label.
        settings: How strict stage 1 is.
        with_schema: Constrain the completion to the schema of the tools shown.
    """
    prompt = sampler.prompt(task.spec)
    hashed = digest(f"{message.role}:{message.content}" for message in prompt.messages)
    rows = {}
    for point, tried in task.tried.items():
        row = new_row(
            point_id(name, task.spec.index, point),
            model=name,
            style=prompt.style,
            prompt_id=prompt.id,
            tried=tried,
            strategy=prompt.strategy,
            **tool_columns(prompt.tools, returns=prompt.style is Style.SEQUENTIAL),
            round_=task.spec.round,
        )
        rows[point] = with_values(row, messages_hash=hashed)

    async def generate() -> list[Row]:
        schema = None
        if with_schema:
            schema = schema_of(prompt)
        reply = await model.complete(prompt.messages, schema, sample=prompt.id)
        return await check_step(rows, reply, prompt, settings)

    return await errors_as_rows(list(rows.values()), Stage.GENERATE, generate())


async def check_step(
    rows: Mapping[int, Row], reply: Reply, prompt: Prompt, settings: CheckSettings
) -> list[Row]:
    """Give each row its data point of a completion, or the reason for having none.

    Args:
        rows: The wanted rows, by the index of their data point in the completion.
        reply: The completion.
        prompt: What it was asked for.
        settings: How strict stage 1 is.
    """
    paid = dict(zip(rows, shares(reply, len(rows)), strict=True))
    answered = {
        point: with_values(
            row,
            completion=reply.text,
            reasoning=reply.reasoning or None,
            generate_s=reply.seconds,
            **paid[point],
        )
        for point, row in rows.items()
    }

    async def read() -> list[Row]:
        if rejected := no_completion(reply):
            return [rejected_row(row, Stage.CHECK, rejected) for row in answered.values()]
        results = check(
            reply.text,
            finish_reason=reply.finish_reason,
            style=prompt.style,
            signatures=signatures_of(prompt.tools),
            count=prompt.count,
            settings=settings,
            calls=prompt.calls,
        )
        return [_with_copied(checked(r, results[i]), prompt) for i, r in answered.items()]

    return await errors_as_rows(list(answered.values()), Stage.CHECK, read())


def _with_copied(row: Row, prompt: Prompt) -> Row:
    """A row with what its pair repeats of the prompt, which only this stage has at hand."""
    if row["outcome"]:
        return row
    return with_values(row, copied=repeated(pair_of(row), prompt))


def repeated(pair: Pair, prompt: Prompt) -> str | None:
    """What a pair repeats of its prompt: an example, an instruction, or what a tool says."""
    instructions = (*texts().values(), *(tool.description for tool in prompt.tools))
    return copied(pair, prompt.examples, instructions)


async def execute_step(row: Row, runner: Dispatcher, settings: ExecuteSettings) -> Row:
    """Run the calls of a row: stage 2."""

    async def executed() -> list[Row]:
        run = execute_twice if settings.check_determinism else execute
        chain = chain_of(row, runner)
        done = await run(pair_of(row).calls, chain or runner)
        results = strict_json.dumps(result_forms(done.results, chain.arguments if chain else {}))
        seconds = done.seconds if done.results else None  # there was no call
        ran = with_values(row, execution_results=results, execute_s=seconds)
        if row["messages"]:
            return [await executed_turns(ran, pair_of(row).calls, done.results, runner)]
        return [rejected_row(ran, Stage.EXECUTE, done.rejection) if done.rejection else ran]

    return (await errors_as_rows([row], Stage.EXECUTE, executed()))[0]


async def judge_step(
    row: Row, judges: Sequence[Judge], rule: Rule, grounding: GroundingSettings
) -> Row:
    """Compare query and calls, and judge the row: stage 3."""

    async def judged() -> list[Row]:
        if row["copied"]:  # needs no judge
            return [rejected_row(row, Stage.JUDGE, Rejected(Reason.COPIED, row["copied"]))]
        pair, tools = pair_of(row), json.loads(row["tools"])
        conversation = conversation_of(row)
        if conversation is None:
            examined = examine(pair, tools, grounding)
        else:
            examined = examine_conversation(conversation, pair, tools, grounding)
        found = with_findings(row, examined)
        if examined and examined.rejection:  # saves the judge's price
            return [rejected_row(found, Stage.JUDGE, examined.rejection)]
        if unasked := nothing_missing(row, pair, tools):
            return [rejected_row(found, Stage.JUDGE, unasked)]
        results = json.loads(row["execution_results"] or "[]")
        findings = (*mismatches_of(row), *(examined.remarks if examined else ()))
        ballot = await vote(
            pair,
            tools,
            results,
            judges,
            rule,
            sample=row["id"],
            findings=findings,
            conversation=conversation,
            clarified=row["style"] == Style.CLARIFY,
        )
        return [voted_row(found, ballot)]

    return (await errors_as_rows([row], Stage.JUDGE, judged()))[0]


async def agree_step(
    row: Row,
    solvers: Sequence[Solver],
    settings: AgreementSettings,
    runner: Dispatcher | None,
    *,
    with_schema: bool = False,
) -> Row:
    """Have other models solve the query of a row that the judges passed: the end of stage 3.

    Conversations are left as they are: their later turns have no query of their own to solve.
    """
    if conversation_of(row) is not None:
        return row

    async def run(calls: Sequence[Call]) -> list[JsonObject]:
        assert runner is not None
        chain = chain_of(row, runner)
        done = await execute(calls, chain or runner)
        return result_forms(done.results, chain.arguments if chain else {})

    async def agreed() -> list[Row]:
        tools = [read_shown_tool(form) for form in json.loads(row["tools"])]
        chained = row["style"] == Style.SEQUENTIAL
        found = await agree(
            pair_of(row),
            json.loads(row["execution_results"] or "[]"),
            tools,
            solvers,
            settings,
            schema=calls_schema(tools, chained=chained) if with_schema else None,
            run=run if runner else None,
            sample=row["id"],
        )
        solutions = strict_json.dumps([_solution_form(each) for each in found.solutions])
        solved = with_values(charged(row, found.replies), agreement=found.text, solutions=solutions)
        if found.agreed >= settings.require:
            return [solved]
        detail = f"{found.text} solvers agree; {settings.require} must"
        return [rejected_row(solved, Stage.JUDGE, Rejected(Reason.DISAGREEMENT, detail))]

    return (await errors_as_rows([row], Stage.JUDGE, agreed()))[0]


def _solution_form(solution: Solution) -> JsonObject:
    """A solution as rows hold it: its calls, or why they could not be read."""
    form: JsonObject = {"solver": solution.solver, "agrees": solution.agrees}
    if isinstance(solution.calls, Rejected):
        return form | {"unreadable": solution.calls.detail}
    return form | {"calls": calls_form(solution.calls)}


def finished(rows: pa.Table) -> pa.Table:
    """Mark rows that passed every stage as verified."""
    outcome = pa.compute.fill_null(rows["outcome"], Outcome.VERIFIED.value)
    return with_column(rows, "outcome", outcome)


async def errors_as_rows(
    rows: Sequence[Row], stage: Stage, step: Awaitable[list[Row]]
) -> list[Row]:
    """The rows that a step returns; if it raises, the rows it was given, as errors.

    This is the only place where exceptions become rows.
    """
    try:
        with log_context(
            stage=stage.value, model=rows[0]["model"], rows=[row["id"] for row in rows]
        ):
            return await step
    except InfrastructureError as error:
        rejected = Rejected(error.reason, str(error))
    except Exception as error:
        log.exception("%s of %s failed", stage, ", ".join(row["id"] for row in rows))
        rejected = Rejected(Reason.INTERNAL, f"{type(error).__name__}: {error}")
    return [rejected_row(row, stage, rejected) for row in rows]


def poison_task(task: Task, name: str) -> list[Row]:
    """The rows of a prompt that is not retried; not even its tools are sampled."""
    spec = task.spec
    rows = [
        new_row(
            point_id(name, spec.index, point),
            model=name,
            style=spec.style,
            prompt_id=f"{spec.index:06d}",
            tried=tried,
            round_=spec.round,
        )
        for point, tried in task.tried.items()
    ]
    return [poison_row(row, Stage.GENERATE) for row in rows]


def poison_row(row: Row, stage: Stage) -> Row:
    """A row that is not retried: the process that worked on it died each time."""
    detail = f"the {stage} process died {CRASH_LIMIT} times while it worked on this row"
    return rejected_row(row, stage, Rejected(Reason.WORKER_DIED, detail))


def pair_of(row: Row) -> Pair:
    """The pair of a row that passed stage 1."""
    calls = json.loads(row["answers"] or "[]")
    return Pair(row["query"] or "", tuple(Call(call["name"], call["arguments"]) for call in calls))
