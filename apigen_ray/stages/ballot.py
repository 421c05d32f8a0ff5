"""Asks judges for verdicts, until their votes decide."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from apigen_ray import strict_json
from apigen_ray.models import Model
from apigen_ray.models.templates import Templates
from apigen_ray.records import Json, JsonObject, Message, Reply
from apigen_ray.stages.similarity import sentences
from apigen_ray.stages.verdict import Vote, read_verdict, schema_of_verdict

TEMPLATES = Templates("apigen_ray.stages")

_AGAIN = "judge_again.txt"
_FORMATS = {True: "judge_format.txt", False: "judge_format_plain.txt"}
"""The templates of an answer's format, by whether it begins with the query's requests."""


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


async def poll(
    ask: Callable[[Judge], Awaitable[Judgement]], judges: Sequence[Judge], rule: Rule
) -> Ballot:
    """Ask judges until their votes decide."""
    votes: list[Vote] = []
    replies: list[Reply] = []
    passed: bool | None = None
    for each in judges:
        judgement = await ask(each)
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


def format_text(*, lists_requests: bool) -> str:
    """The format of a judge's answer, in words."""
    return TEMPLATES.text(_FORMATS[lists_requests])


def inert(value: Json) -> str:
    """JSON text in which no closing marker of a prompt can be forged."""
    return strict_json.dumps(value).replace("</", "<\\/")


def cut(text: str, most: int) -> str:
    """A text of so many characters at most, which says how long it was."""
    return text if len(text) <= most else f"{text[:most]} ... (truncated, {len(text)} characters)"


async def ask_for_verdict(
    messages: Sequence[Message], asked: Judge, *, calls: int, sample: str
) -> Judgement:
    """Ask one judge for a verdict; if its answer has none, ask once more.

    Cached answers without a verdict, from an earlier run of the data point, don't count.

    Args:
        messages: What is to be judged.
        asked: The judge.
        calls: How many calls it is shown, if it is to name a request for each.
        sample: The id of the data point: the cache keeps equal questions about others apart.

    Raises:
        EndpointError: if the judge can't be reached.
    """
    replies: list[Reply] = []
    question = list(messages)
    attempts_left = 2
    while attempts_left:
        reply = await asked.model.complete(
            question, asked.schema, sample=f"{sample}/{len(replies)}"
        )
        replies.append(reply)
        attempts_left -= not reply.reused
        verdict = read_verdict(reply.text, calls)
        if verdict and not _repeats_the_format(verdict[1]):
            passed, thought = verdict
            return Judgement(Vote(asked.name, passed, thought, reply.reasoning), tuple(replies))
        again = Message("user", TEMPLATES.render(_AGAIN))
        question = [*messages, Message("assistant", reply.text), again]
    return Judgement(None, tuple(replies))


def _repeats_the_format(thought: str) -> bool:
    """Whether a thought is nothing but our own words about the format: then it judged nothing."""
    names = (*_FORMATS.values(), _AGAIN)
    own = sentences(thought)
    return bool(own) and own <= {one for name in names for one in sentences(TEMPLATES.text(name))}
