"""Conversations: each message of the assistant that makes calls is a turn, checked as a pair is.

Messages have OpenAI's form, with arguments as JSON and an id for each call. A conversation is one
row. Its turns are checked one by one in stage 1, their calls are run in order in stage 2, and the
judge sees all of it. The first turn that fails decides the outcome of the row, whose column `turns`
says what was found about each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from apigen_ray.records import Call, Checked, Json, JsonObject, Pair, Reason, Rejected, Style
from apigen_ray.stages.arguments import Flaw
from apigen_ray.stages.check import CheckSettings, Signatures, check_calls

Messages: TypeAlias = Sequence[Mapping[str, Any]]
"""`{"role": "system" | "user", "content"}`,
`{"role": "assistant", "content", "reasoning_content"?, "tool_calls"?: [{"id", "type": "function",
"function": {"name", "arguments"}}]}`, `{"role": "tool", "tool_call_id", "content"}`; all content is
text."""


NO_CALL = "None of the available functions can answer this request."
"""What the assistant says where no tool fits, in the forms that need a reply."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of the assistant that makes calls."""

    place: int
    """Its index among the messages."""
    answers: list[Json]
    """The calls, each `{"name", "arguments"}`."""
    given: Mapping[int, str]
    """The results that the messages give, by the index of the call."""

    def where(self, index: int) -> str:
        """What details call a call of the turn."""
        return f"messages[{self.place}].calls[{index}]"


@dataclass(frozen=True, slots=True)
class CheckedConversation:
    """A conversation after stage 1."""

    result: Checked | Rejected
    """The calls of all turns as one pair; or why the first turn that failed did."""
    messages: Messages
    """The messages, with the arguments as they were coerced."""
    turns: list[JsonObject]
    """What was found about each turn, as rows hold it; nothing of a turn without a flaw."""


def turns_of(messages: Messages) -> list[Turn]:
    """The turns of a conversation, in order."""
    turns: list[Turn] = []
    place_of: dict[str, int] = {}
    given: dict[int, str] = {}
    for place, message in enumerate(messages):
        if made := message.get("tool_calls"):
            given = {}
            place_of = {call["id"]: index for index, call in enumerate(made)}
            turns.append(Turn(place, [_answer(call["function"]) for call in made], given))
        elif message["role"] == "tool":
            given[place_of[message["tool_call_id"]]] = message["content"]
    return turns


def _answer(function: Mapping[str, Any]) -> JsonObject:
    return {"name": function["name"], "arguments": function["arguments"]}


def is_pair(messages: Messages) -> bool:
    """Whether a query and its calls say all that the messages do."""
    roles = [message["role"] for message in messages]
    if roles != ["user", "assistant"]:
        return False
    reply = messages[1]
    said = reply["content"] or reply.get("reasoning_content")
    return bool(reply.get("tool_calls")) and not said


def is_one_question(messages: Messages) -> bool:
    """Whether there is nothing but a question and its calls, after what the system says."""
    return [m["role"] for m in messages if m["role"] != "system"] == ["user", "assistant"]


def query_of(messages: Messages) -> str:
    """What the user asks; of several questions, the talk up to the last calls, a line each."""
    turns = [place for place, message in enumerate(messages) if message.get("tool_calls")]
    replies = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    end = turns[-1] if turns else max(replies, default=len(messages))
    asked = [message["content"] for message in messages[:end] if message["role"] == "user"]
    return asked[0] if len(asked) == 1 else talk(messages[:end], ("user", "assistant"))


def talk(messages: Messages, roles: Sequence[str]) -> str:
    """What is said, a line for each message of these roles that says anything."""
    return "\n".join(
        f"{message['role']}: {message['content']}"
        for message in messages
        if message["role"] in roles and message["content"]
    )


def check_conversation(
    messages: Messages, *, style: Style | None, signatures: Signatures, settings: CheckSettings
) -> CheckedConversation:
    """Check every turn of a conversation that has several.

    Args:
        messages: The conversation.
        style: The style asked for; None leaves the number of calls free.
        signatures: Those of the tools shown; see `signatures_of`.
        settings: How strict to be.
    """
    turns = turns_of(messages)
    query = query_of(messages)
    found: list[JsonObject] = []
    flaws: list[Flaw] = []
    checked: list[list[Call]] = []
    coerced: list[str] = []
    for turn in turns:
        place = f"messages[{turn.place}].calls" if len(turns) > 1 else "calls"
        verdict: JsonObject = {"message": turn.place}
        try:
            calls, changed = check_calls(turn.answers, signatures, settings, place)
            checked.append(calls)
            coerced += changed
        except Flaw as flaw:
            flaws.append(flaw)
            verdict |= {"reason": flaw.reason.value, "detail": flaw.detail}
        found.append(verdict)
    if worst := _flaw_of(query, turns, style) or next(iter(flaws), None):
        answers = [answer for turn in turns for answer in turn.answers]
        rejected = Rejected(worst.reason, worst.detail, query, answers)
        return CheckedConversation(rejected, messages, found)
    pair = Pair(query, tuple(call for calls in checked for call in calls))
    if coerced:
        messages = list(_with_calls(messages, iter(pair.calls)))
    return CheckedConversation(Checked(pair, tuple(coerced)), messages, found)


def _flaw_of(query: str, turns: Sequence[Turn], style: Style | None) -> Flaw | None:
    """What is wrong with a conversation as a whole."""
    if not query.strip():
        return Flaw(Reason.EMPTY_QUERY, "query: is empty")
    if not turns and style is not Style.IRRELEVANCE:
        return Flaw(Reason.NO_CALLS, "messages: no call where at least one is needed")
    wanted = None
    if style is Style.IRRELEVANCE and turns:
        wanted = "no call"
    elif style is Style.MULTI_TURN and len(turns) < 2:
        wanted = "at least two turns with calls"
    if wanted:
        detail = f"messages: {style} needs {wanted}, not {len(turns)} turns with calls"
        return Flaw(Reason.STYLE_MISMATCH, detail)
    return None


def _with_calls(messages: Messages, calls: Iterator[Call]) -> Iterator[Mapping[str, Any]]:
    """The messages with other arguments."""
    for message in messages:
        if made := message.get("tool_calls"):
            coerced = [
                {**call, "function": {"name": each.name, "arguments": each.arguments}}
                for call, each in zip(made, calls, strict=False)
            ]
            yield {**message, "tool_calls": coerced}
        else:
            yield message


def calls_of(turns: Iterable[Turn]) -> Iterator[tuple[Turn, int]]:
    """Each call of a conversation, as its turn and its index there, in the order of `answers`."""
    return ((turn, index) for turn in turns for index in range(len(turn.answers)))
