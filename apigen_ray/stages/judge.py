"""Stage 3 (paper §3.2): another model judges whether query, calls and results belong together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from apigen_ray import strict_json
from apigen_ray.models import Model
from apigen_ray.models.settings import Settings
from apigen_ray.models.templates import Templates
from apigen_ray.records import Json, JsonObject, Message, Pair, Reply
from apigen_ray.stages.conversation import Messages, turns_of
from apigen_ray.stages.similarity import sentences
from apigen_ray.stages.verdict import Vote, read_verdict, schema_of_verdict
from apigen_ray.tools.prompt_text import tools_text
from apigen_ray.tools.references import references_of

TEMPLATES = Templates("apigen_ray.stages")
TEMPLATE_NAMES = (
    "judge_system.txt", "judge_format.txt", "judge_format_plain.txt", "judge.txt",
    "judge_references.txt", "judge_conversation.txt", "judge_again.txt",
)  # fmt: skip

RESULT_CHARACTERS = 2000
"""A longer result is cut for the judge, who is told that results may be truncated."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The vote, or None if no verdict could be read, and every reply that was paid for."""

    vote: Vote | None
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """A judging model, its label for the vote, and whether it lists the query's requests first."""

    name: str
    model: Model
    lists_requests: bool = True

    @property
    def schema(self) -> JsonObject:
        """The schema of its answers."""
        return schema_of_verdict(lists_requests=self.lists_requests)


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
            each,
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
    asked: Judge,
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
        asked: The judge.
        sample: The id of the data point: the cache keeps equal questions about others apart.
        findings: What was found without a model, in sentences.
        conversation: The messages, where there is more than a query and its calls.

    Raises:
        EndpointError: if the judge can't be reached.
    """
    if conversation is None:
        request = _request(pair, tools, results, findings)
    else:
        request = _conversation_request(conversation, tools, results, findings)
    messages = _prompt(request, lists_requests=asked.lists_requests)
    replies: list[Reply] = []
    attempts_left = 2
    while attempts_left:
        reply = await asked.model.complete(
            messages, asked.schema, sample=f"{sample}/{len(replies)}"
        )
        replies.append(reply)
        attempts_left -= not reply.reused
        verdict = read_verdict(reply.text, len(pair.calls) if conversation is None else 0)
        if verdict and not _repeats_the_format(verdict[1]):
            passed, thought = verdict
            return Judgement(Vote(asked.name, passed, thought, reply.reasoning), tuple(replies))
        again = Message("user", TEMPLATES.render("judge_again.txt"))
        messages = [*messages[:2], Message("assistant", reply.text), again]
    return Judgement(None, tuple(replies))


def judge_messages(
    pair: Pair,
    tools: Sequence[Json],
    results: Sequence[JsonObject],
    findings: Sequence[str] = (),
    *,
    lists_requests: bool = True,
) -> list[Message]:
    """The judge's prompt (after appendix B.2 of the paper): what never changes comes first."""
    return _prompt(_request(pair, tools, results, findings), lists_requests=lists_requests)


def _prompt(request: str, *, lists_requests: bool) -> list[Message]:
    name = "judge_format.txt" if lists_requests else "judge_format_plain.txt"
    system = TEMPLATES.render("judge_system.txt", format=TEMPLATES.text(name))
    return [Message("system", system), Message("user", request)]


def _request(
    pair: Pair, tools: Sequence[Json], results: Sequence[JsonObject], findings: Sequence[str]
) -> str:
    return TEMPLATES.render(
        "judge.txt",
        tools=tools_text(tools).replace("</", "<\\/"),
        query=_inert(pair.query),
        calls=_listed(_inert(call) for call in _numbered(pair)),
        results=_listed(_cut(_inert(_without_time(result))) for result in results),
        references=_references_note(pair),
        findings=_findings_block(findings),
    )


def _conversation_request(
    conversation: Messages,
    tools: Sequence[Json],
    results: Sequence[JsonObject],
    findings: Sequence[str],
) -> str:
    """A line for each message, and for its results."""
    return TEMPLATES.render(
        "judge_conversation.txt",
        tools=tools_text(tools).replace("</", "<\\/"),
        messages="\n".join(_lines(conversation, iter(results))),
        findings=_findings_block(findings),
    )


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


def _numbered(pair: Pair) -> Iterator[JsonObject]:
    """The calls, each with the number by which an answer names it: the first is 1."""
    for number, call in enumerate(pair.calls, 1):
        yield {"number": number, "name": call.name, "arguments": call.arguments}


def _listed(items: Iterable[str]) -> str:
    """A JSON list with an item a line."""
    return "[\n" + ",\n".join(items) + "\n]"


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
    names = ("judge_format.txt", "judge_format_plain.txt", "judge_again.txt")
    own = sentences(thought)
    return bool(own) and own <= {one for name in names for one in sentences(TEMPLATES.text(name))}
