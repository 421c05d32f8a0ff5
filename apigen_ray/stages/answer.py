"""The final answer: a model writes it from the results, and the judges decide whether it is right.

Not in the paper, whose rows end with calls. An answer that is refused is asked for once more, with
the objection.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from apigen_ray import strict_json
from apigen_ray.models import Model
from apigen_ray.models.clients import ModelSettings
from apigen_ray.models.settings import Settings
from apigen_ray.records import Json, JsonObject, Message, Reply
from apigen_ray.stages.ballot import (
    TEMPLATES,
    Judge,
    Judgement,
    Rule,
    ask_for_verdict,
    cut,
    format_text,
    inert,
    poll,
)
from apigen_ray.stages.check import no_completion
from apigen_ray.stages.conversation import Messages
from apigen_ray.stages.grounding.answers import unfounded_numbers
from apigen_ray.stages.verdict import Vote

TEMPLATE_NAMES = (
    "answer_system.txt", "answer.txt", "answer_again.txt", "judge_answer_system.txt",
    "judge_answer.txt",
)  # fmt: skip

ATTEMPTS = 2
"""How often an answer is asked for."""
LONGEST_ANSWER = 2000
"""Of characters: nobody reads a longer reply, and looking its numbers up takes time."""
LONGEST_RESULT = 8000
"""A longer result is cut for the writer and the judges."""


class AnswerSettings(Settings):
    """Whether rows end with an answer to the user."""

    model: ModelSettings
    """The model that writes the answers."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The last answer that was written, and what it took."""

    text: str
    objection: str | None
    """Why it is refused; None if it is right."""
    unreadable: bool
    """Whether no judge's verdict could be read: then nothing is known about the answer."""
    votes: tuple[Vote, ...]
    """Those on the last answer."""
    replies: tuple[Reply, ...]
    """Every reply that was paid for, of the writer and of the judges."""


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What is said against an answer, and by whom."""

    objection: str | None
    unreadable: bool = False
    votes: tuple[Vote, ...] = ()
    replies: tuple[Reply, ...] = ()


async def answer(
    messages: Messages, writer: Model, judges: Sequence[Judge], rule: Rule, *, sample: str
) -> Answered:
    """Have a model answer a conversation that ends with results, and judge what it says.

    Args:
        messages: The conversation.
        writer: The model that answers.
        judges: Those of the run.
        rule: How their votes decide.
        sample: The id of the data point and the turn: the cache keeps equal requests apart.

    Raises:
        EndpointError: if the writer or a judge can't be reached.
    """
    question = [
        Message("system", TEMPLATES.text("answer_system.txt")),
        Message("user", TEMPLATES.render("answer.txt", messages=told(messages))),
    ]
    paid: list[Reply] = []
    reply, opinion = None, _Opinion("")
    for attempt in range(ATTEMPTS):
        if reply is not None:
            again = TEMPLATES.render("answer_again.txt", objection=opinion.objection or "")
            question = [*question[:2], Message("assistant", reply.text), Message("user", again)]
        reply = await writer.complete(question, sample=f"{sample}/answer/{attempt}")
        opinion = await _opinion(reply, messages, judges, rule, f"{sample}/answer/{attempt}")
        paid += [reply, *opinion.replies]
        if opinion.objection is None or opinion.unreadable:
            break
    assert reply is not None
    text = reply.text.strip()
    return Answered(text, opinion.objection, opinion.unreadable, opinion.votes, tuple(paid))


async def _opinion(
    reply: Reply, messages: Messages, judges: Sequence[Judge], rule: Rule, sample: str
) -> _Opinion:
    """What a program finds wrong with an answer; or else, what the judges do."""
    if found := _flaw(reply, messages):
        return _Opinion(found)
    spoken = [*messages, {"role": "assistant", "content": reply.text.strip()}]
    request = TEMPLATES.render("judge_answer.txt", messages=told(spoken))
    ballot = await poll(partial(_ask, request, sample=sample), judges, rule)
    if ballot.passed is None:
        why = "no verdict on the final answer in what the judges say"
        return _Opinion(why, unreadable=True, votes=ballot.votes, replies=ballot.replies)
    against = None if ballot.passed else ballot.votes[-1].thought or "judged no, without a thought"
    return _Opinion(against, votes=ballot.votes, replies=ballot.replies)


async def _ask(request: str, judge: Judge, *, sample: str) -> Judgement:
    # No list of requests: that names calls.
    plain = Judge(judge.name, judge.model, lists_requests=False)
    format_ = format_text(lists_requests=False)
    system = TEMPLATES.render("judge_answer_system.txt", format=format_)
    messages = [Message("system", system), Message("user", request)]
    return await ask_for_verdict(messages, plain, calls=0, sample=sample)


def _flaw(reply: Reply, messages: Messages) -> str | None:
    """What is wrong with an answer whoever reads it."""
    if lost := no_completion(reply):
        return lost.detail
    text = reply.text.strip()
    if not text:
        return "it is empty."
    if reply.finish_reason == "length":
        return "it is cut off at max_tokens."
    if len(text) > LONGEST_ANSWER:
        return f"it is longer than {LONGEST_ANSWER:,} characters."
    if any(True for _ in strict_json.embedded(text, "{")):
        return "it holds JSON, which is no message to a user."
    if unfounded := _unfounded(text, messages):
        shown = ", ".join(unfounded[:5])
        return f"{shown}: neither the results nor the user give this."
    return None


def _unfounded(text: str, messages: Messages) -> list[str]:
    """The numbers of an answer that nothing gives that was said or returned before."""
    said = [str(message["content"]) for message in messages if message["role"] != "tool"]
    results = [_parsed(message["content"]) for message in messages if message["role"] == "tool"]
    return unfounded_numbers(text, said, results)


def unfounded_answers(messages: Messages) -> dict[int, list[str]]:
    """The numbers from nowhere in each answer of a conversation, by the place of the message.

    An answer is what the assistant says on results that the messages give.
    """
    return {
        place: _unfounded(str(message["content"]), messages[:place])
        for place, message in enumerate(messages)
        if message["role"] == "assistant"
        and not message.get("tool_calls")
        and place
        and messages[place - 1]["role"] == "tool"
    }


def _parsed(text: str) -> Json:
    """A result as JSON; the text, if it is none."""
    try:
        return strict_json.parse(text)
    except strict_json.NotJson:
        return text


def told(messages: Messages) -> str:
    """A conversation in a line for each message: JSON in which no marker can be forged."""
    return "\n".join(_lines(messages))


def _lines(messages: Messages) -> Iterator[str]:
    for message in messages:
        shown: JsonObject = {"role": message["role"], "content": message["content"]}
        made: Sequence[Any] = message.get("tool_calls", ())
        if made:
            shown["function_calls"] = [call["function"] for call in made]
        text = inert(shown)
        yield cut(text, LONGEST_RESULT) if message["role"] == "tool" else text
