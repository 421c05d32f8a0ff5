"""Stage 3 (paper §3.2): another model judges whether query, calls and results belong together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from apigen_ray import strict_json
from apigen_ray.models import Model
from apigen_ray.models.settings import Settings
from apigen_ray.models.templates import Templates
from apigen_ray.records import Json, JsonObject, Message, Pair, Reply, Vote
from apigen_ray.run_folder.rows import pair_form
from apigen_ray.stages.conversation import Messages, turns_of
from apigen_ray.stages.similarity import sentences
from apigen_ray.tools.prompt_text import tools_text
from apigen_ray.tools.references import references_of

TEMPLATES = Templates("apigen_ray.stages")
TEMPLATE_NAMES = (
    "judge_system.txt", "judge.txt", "judge_references.txt", "judge_conversation.txt",
    "judge_again.txt",
)  # fmt: skip

RESULT_CHARACTERS = 2000
"""A longer result is cut for the judge, who is told that results may be truncated."""

VERDICT_CHARACTERS = 20_000
"""Only the end of an answer is searched for a verdict, which bounds the time that takes."""

VERDICT: JsonObject = {
    "type": "object",
    "properties": {
        "thought": {"type": "string"},
        "pass": {"type": "string", "enum": ["yes", "no"]},
    },
    "required": ["thought", "pass"],
    "additionalProperties": False,
}
"""The schema of an answer, for judges with structured output; the thought comes first."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The vote, or None if no verdict could be read, and every reply that was paid for."""

    vote: Vote | None
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """A judging model, and its label for the vote."""

    name: str
    model: Model


class JudgeAuditSettings(Settings):
    """Whether a run asks its judges about pairs that are known to be right or wrong, first."""

    pairs: Annotated[int, Field(ge=0)] = 24
    """How many seed pairs, half of them made wrong in known ways; 0 asks about none."""


Rule: TypeAlias = Literal["all", "majority", "first"]
"""How the votes of several judges decide. They are asked in turn, until the result is certain:
`all` ends with the first no; `majority` when one side has it, and a tie is a no; `first` asks
another judge only if the verdict of one could not be read."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """The votes in the order they came, the result, and every reply that was paid for."""

    votes: tuple[Vote, ...]
    passed: bool | None
    """None: too few verdicts could be read."""
    replies: tuple[Reply, ...]


async def vote(
    pair: Pair,
    tools: Sequence[Json],
    results: Sequence[JsonObject],
    judges: Sequence[Judge],
    rule: Rule,
    *,
    sample: str,
    findings: Sequence[str] = (),
    conversation: Messages | None = None,
) -> Ballot:
    """Ask judges until their votes decide; for the arguments, see `judge`."""
    votes: list[Vote] = []
    replies: list[Reply] = []
    passed: bool | None = None
    for each in judges:
        judgement = await judge(
            pair,
            tools,
            results,
            each.model,
            each.name,
            sample=sample,
            findings=findings,
            conversation=conversation,
        )
        replies += judgement.replies
        votes += [judgement.vote] if judgement.vote else []
        passed = decided([vote.passed for vote in votes], len(judges), rule)
        if passed is not None:
            break
    return Ballot(tuple(votes), passed, tuple(replies))


def decided(votes: Sequence[bool], judges: int, rule: Rule) -> bool | None:
    """The result that the votes so far make certain; None if it depends on the other judges."""
    yes, no = sum(votes), len(votes) - sum(votes)
    enough_yes, enough_no = {
        "all": (judges, 1),
        "majority": (judges // 2 + 1, (judges + 1) // 2),
        "first": (1, 1),
    }[rule]
    return True if yes >= enough_yes else False if no >= enough_no else None


async def judge(
    pair: Pair,
    tools: Sequence[Json],
    results: Sequence[JsonObject],
    model: Model,
    name: str,
    *,
    sample: str,
    findings: Sequence[str] = (),
    conversation: Messages | None = None,
) -> Judgement:
    """Ask one judge for a verdict; if its answer has none, ask once more.

    Cached answers without a verdict, from an earlier run of the data point, don't count.

    Args:
        pair: The query and its calls.
        tools: The tools that were shown, as rows hold them.
        results: One result a call, as rows hold them.
        model: The judging model.
        name: Its label, for the vote.
        sample: The id of the data point: the cache keeps equal questions about others apart.
        findings: What was found without a model, in sentences.
        conversation: The messages, where there is more than a query and its calls.

    Raises:
        EndpointError: if the judge can't be reached.
    """
    if conversation is None:
        messages = judge_messages(pair, tools, results, findings)
    else:
        messages = conversation_messages(conversation, tools, results, findings)
    replies: list[Reply] = []
    attempts_left = 2
    while attempts_left:
        reply = await model.complete(messages, VERDICT, sample=f"{sample}/{len(replies)}")
        replies.append(reply)
        attempts_left -= not reply.reused
        verdict = read_verdict(reply.text)
        if verdict and not _repeats_the_format(verdict[1]):
            passed, thought = verdict
            return Judgement(Vote(name, passed, thought, reply.reasoning), tuple(replies))
        again = Message("user", TEMPLATES.render("judge_again.txt"))
        messages = [*messages[:2], Message("assistant", reply.text), again]
    return Judgement(None, tuple(replies))


def judge_messages(
    pair: Pair,
    tools: Sequence[Json],
    results: Sequence[JsonObject],
    findings: Sequence[str] = (),
) -> list[Message]:
    """The judge's prompt (after appendix B.2 of the paper): what never changes comes first."""
    text = TEMPLATES.render(
        "judge.txt",
        tools=tools_text(tools).replace("</", "<\\/"),
        query=_inert(pair.query),
        calls=_inert(pair_form(pair)["answers"]),
        results="[\n" + ",\n".join(_cut(_inert(_without_time(r))) for r in results) + "\n]",
        references=_references_note(pair),
        findings=_findings_block(findings),
    )
    return [Message("system", TEMPLATES.text("judge_system.txt")), Message("user", text)]


def conversation_messages(
    conversation: Messages,
    tools: Sequence[Json],
    results: Sequence[JsonObject],
    findings: Sequence[str] = (),
) -> list[Message]:
    """The judge's prompt for a conversation: a line for each message, and for its results."""
    text = TEMPLATES.render(
        "judge_conversation.txt",
        tools=tools_text(tools).replace("</", "<\\/"),
        messages="\n".join(_lines(conversation, iter(results))),
        findings=_findings_block(findings),
    )
    return [Message("system", TEMPLATES.text("judge_system.txt")), Message("user", text)]


def _references_note(pair: Pair) -> str:
    """What references are; nothing at all where there are none."""
    return f"{TEMPLATES.text('judge_references.txt')}\n" if references_of(pair.calls) else ""


def _lines(conversation: Messages, results: Iterator[JsonObject]) -> Iterator[str]:
    """The messages of a conversation; where it gives no results of a turn, ours are shown."""
    given = {turn.place: bool(turn.given) for turn in turns_of(conversation)}
    for place, message in enumerate(conversation):
        shown: JsonObject = {"role": message["role"], "content": message["content"]}
        if message["role"] == "tool":
            yield _cut(_inert(shown))
            continue
        made = message.get("tool_calls", ())
        if made:
            shown["function_calls"] = [call["function"] for call in made]
        yield _inert(shown)
        for result in islice(results, len(made)):
            if not given[place]:
                yield _cut(_inert({"role": "tool", **_without_time(result)}))


def _inert(value: Json) -> str:
    """JSON text in which no closing marker of the prompt can be forged."""
    return strict_json.dumps(value).replace("</", "<\\/")


def _findings_block(findings: Sequence[str]) -> str:
    """The block of the findings; nothing at all where there are none."""
    if not findings:
        return ""
    text = "\n".join(findings).replace("</", "<\\/")
    return f"\n<findings>\n{text}\n</findings>\n"


def _without_time(result: JsonObject) -> JsonObject:
    return {key: value for key, value in result.items() if key != "seconds"}


def _cut(text: str) -> str:
    if len(text) <= RESULT_CHARACTERS:
        return text
    return f"{text[:RESULT_CHARACTERS]} ... (truncated, {len(text)} characters)"


def _repeats_the_format(thought: str) -> bool:
    """Whether a thought is nothing but our own words about the format: then it judged nothing."""
    *_, output_format = TEMPLATES.text("judge_system.txt").split("\n\n")
    own = sentences(thought)
    return bool(own) and own <= sentences(output_format) | sentences(
        TEMPLATES.text("judge_again.txt")
    )


def read_verdict(text: str) -> tuple[bool, str] | None:
    """The *last* verdict of the text, with its thought: one that the judge quotes comes earlier."""
    verdict = None
    for value in strict_json.embedded(text[-VERDICT_CHARACTERS:], "{"):
        assert isinstance(value, dict)
        passed = _passed(value.get("pass"))
        if passed is not None:
            verdict = passed, str(value.get("thought") or "")
    return verdict


def _passed(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    words = {"yes": True, "true": True, "no": False, "false": False}
    return words.get(value.strip().lower()) if isinstance(value, str) else None
