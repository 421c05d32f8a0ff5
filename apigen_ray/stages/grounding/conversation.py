"""The calls of a conversation: each turn is compared with all that was said and returned before."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from apigen_ray.records import Call, Json, Pair
from apigen_ray.stages.conversation import Messages, Turn, talk, turns_of
from apigen_ray.stages.grounding.examine import (
    LONGEST_QUERY,
    Examined,
    GroundingSettings,
    examine,
)

_SPOKEN = ("system", "user", "assistant", "tool")


def examine_conversation(
    messages: Messages, pair: Pair, tools: Sequence[Json], settings: GroundingSettings
) -> Examined | None:
    """Compare the turns of a conversation with what came before; None if none is looked at.

    Args:
        messages: The conversation.
        pair: The calls of all its turns, as stage 1 left them.
        tools: The tools that were shown, as rows hold them.
        settings: What is rejected.
    """
    turns = turns_of(messages)
    found = []
    for turn, before, calls in _parts(messages, turns, pair.calls):
        examined = examine(Pair(before, calls), tools, settings)
        if examined:
            found.append(_located(examined, turn) if len(turns) > 1 else examined)
    if not found:
        return None
    return Examined(
        ungrounded=tuple(each for examined in found for each in examined.ungrounded),
        unused=found[0].unused if len(turns) == 1 else None,
        rejection=next((e.rejection for e in found if e.rejection), None),
        remarks=tuple(remark for examined in found for remark in examined.remarks),
    )


def _parts(
    messages: Messages, turns: Sequence[Turn], calls: Sequence[Call]
) -> Iterator[tuple[Turn, str, tuple[Call, ...]]]:
    """Each turn, what came before it, and its calls; until that is too much to be looked at."""
    before, spoken, made = "", 0, 0
    for turn in turns:
        own = tuple(calls[made : made + len(turn.answers)])
        made += len(own)
        earlier = messages[: turn.place]
        said = [message for message in earlier if message["content"]]
        if len(said) == 1 and said[0]["role"] == "user":
            yield turn, said[0]["content"], own
        new = talk(messages[spoken : turn.place], _SPOKEN)
        before = "\n".join(filter(None, (before, new)))
        spoken = turn.place
        if len(before) > LONGEST_QUERY:
            return
        if len(said) != 1 or said[0]["role"] != "user":
            yield turn, before, own


def _located(examined: Examined, turn: Turn) -> Examined:
    """The same, where the calls are named with their message."""
    place = f"messages[{turn.place}]."
    rejection = examined.rejection
    if rejection:
        rejection = replace(rejection, detail=f"messages[{turn.place}]: {rejection.detail}")
    return replace(
        examined,
        ungrounded=tuple(replace(each, path=place + each.path) for each in examined.ungrounded),
        rejection=rejection,
        remarks=tuple(f"messages[{turn.place}]: {remark}" for remark in examined.remarks),
    )
