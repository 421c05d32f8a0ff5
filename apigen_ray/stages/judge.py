"""Stage 3 (paper §3.2): another model judges whether query, calls and results belong together."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated

from pydantic import Field

from apigen_ray.models.settings import Settings
from apigen_ray.records import Json, JsonObject, Message, Pair
from apigen_ray.stages.ballot import (
    TEMPLATES,
    Ballot,
    Judge,
    Judgement,
    Rule,
    ask_for_verdict,
    cut,
    format_text,
    inert,
    poll,
)
from apigen_ray.stages.conversation import Messages, turns_of
from apigen_ray.tools.prompt_text import tools_text
from apigen_ray.tools.references import references_of

TEMPLATE_NAMES = (
    "judge_system.txt", "judge_format.txt", "judge_format_plain.txt", "judge.txt",
    "judge_references.txt", "judge_conversation.txt", "judge_clarify.txt", "judge_again.txt",
)  # fmt: skip

RESULT_CHARACTERS = 2000
"""A longer result is cut for the judge, who is told that results may be truncated."""


class JudgeAuditSettings(Settings):
    """Whether a run asks its judges about pairs that are known to be right or wrong, first."""

    pairs: Annotated[int, Field(ge=0)] = 24
    """How many seed pairs, half of them made wrong in known ways; 0 asks about none."""


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
    clarified: bool = False,
) -> Ballot:
    """Ask judges until their votes decide; for the arguments, see `judge`."""

    async def ask(asked: Judge) -> Judgement:
        return await judge(
            pair,
            tools,
            results,
            asked,
            sample=sample,
            findings=findings,
            conversation=conversation,
            clarified=clarified,
        )

    return await poll(ask, judges, rule)


async def judge(
    pair: Pair,
    tools: Sequence[Json],
    results: Sequence[JsonObject],
    asked: Judge,
    *,
    sample: str,
    findings: Sequence[str] = (),
    conversation: Messages | None = None,
    clarified: bool = False,
) -> Judgement:
    """Ask one judge for a verdict; see `ask_for_verdict`.

    Args:
        pair: The query and its calls.
        tools: The tools that were shown, as rows hold them.
        results: One result a call, as rows hold them.
        asked: The judge.
        sample: The id of the data point: the cache keeps equal questions about others apart.
        findings: What was found without a model, in sentences.
        conversation: The messages, where there is more than a query and its calls.
        clarified: Whether it is one in which something is missing at first, and is asked for.

    Raises:
        EndpointError: if the judge can't be reached.
    """
    if conversation is None:
        request = _request(pair, tools, results, findings)
    else:
        request = _conversation_request(conversation, tools, results, findings, clarified)
    messages = _prompt(request, lists_requests=asked.lists_requests)
    calls = len(pair.calls) if conversation is None else 0
    return await ask_for_verdict(messages, asked, calls=calls, sample=sample)


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
    format_ = format_text(lists_requests=lists_requests)
    system = TEMPLATES.render("judge_system.txt", format=format_)
    return [Message("system", system), Message("user", request)]


def _request(
    pair: Pair, tools: Sequence[Json], results: Sequence[JsonObject], findings: Sequence[str]
) -> str:
    return TEMPLATES.render(
        "judge.txt",
        tools=tools_text(tools).replace("</", "<\\/"),
        query=inert(pair.query),
        calls=_listed(inert(call) for call in _numbered(pair)),
        results=_listed(cut(inert(_without_time(result)), RESULT_CHARACTERS) for result in results),
        references=_references_note(pair),
        findings=_findings_block(findings),
    )


def _conversation_request(
    conversation: Messages,
    tools: Sequence[Json],
    results: Sequence[JsonObject],
    findings: Sequence[str],
    clarified: bool,
) -> str:
    """A line for each message, and for its results."""
    return TEMPLATES.render(
        "judge_clarify.txt" if clarified else "judge_conversation.txt",
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
            yield cut(inert(shown), RESULT_CHARACTERS)
            continue
        made = message.get("tool_calls", ())
        if made:
            shown["function_calls"] = [call["function"] for call in made]
        yield inert(shown)
        for result in islice(results, len(made)):
            if not given[place]:
                yield cut(inert({"role": "tool", **_without_time(result)}), RESULT_CHARACTERS)


def _numbered(pair: Pair) -> Iterator[JsonObject]:
    """The calls, each with the number by which an answer names it: the first is 1."""
    for number, call in enumerate(pair.calls, 1):
        yield {"number": number, "name": call.name, "arguments": call.arguments}


def _listed(items: Iterable[str]) -> str:
    """A JSON list with an item a line."""
    return "[\n" + ",\n".join(items) + "\n]"


def _findings_block(findings: Sequence[str]) -> str:
    """The block of the findings; nothing at all where there are none."""
    if not findings:
        return ""
    text = "\n".join(findings).replace("</", "<\\/")
    return f"\n<findings>\n{text}\n</findings>\n"


def _without_time(result: JsonObject) -> JsonObject:
    return {key: value for key, value in result.items() if key != "seconds"}
