"""The turns of a conversation as pairs, to which the mutations of pairs are applied."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

from apigen_ray.records import Call, JsonObject, Pair
from apigen_ray.stages.conversation import Messages, Turn, talk, turns_of
from apigen_ray.stages.messages import result_text, with_results
from apigen_ray.workflows.audit.cases import Case, calls_in, with_messages
from apigen_ray.workflows.audit.mutations.leaves import leaves, states

_ROLES = ("system", "user", "assistant", "tool")
_Message: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Part:
    """A turn, and the pair that it is: what users said until then, and its calls."""

    turn: Turn
    pair: Case


def as_pair(case: Case) -> Case:
    """A case that other rows take things from; of a conversation, its first turn."""
    parts = _parts(case) if case.messages is not None else []
    return parts[0].pair if parts else case


def _parts(case: Case) -> list[_Part]:
    messages = case.messages or ()
    results = iter(case.results or ())
    found = []
    for turn in turns_of(messages):
        made = messages[turn.place]["tool_calls"]
        own = tuple(result for _, result in zip(made, results, strict=False))
        if turn.given:
            own = tuple({"ok": True, "result": text} for text in turn.given.values())
        asked = [m["content"] for m in messages[: turn.place] if m["role"] == "user"]
        pair = Pair("\n".join(asked), calls_in(messages[turn.place]))
        found.append(_Part(turn, Case(case.id, pair, case.tools, results=own or None)))
    return found


def said(case: Case, until: int | None = None) -> str:
    """All that was said and returned in a conversation, up to a message."""
    messages = [dict(message) for message in case.messages or ()]
    return talk(list(with_results(messages[:until], case.results or ())), _ROLES)


def in_a_turn(
    mutate: Callable[[Case, Case, Random], Case | None],
    case: Case,
    donor: Case,
    random: Random,
    *,
    new: bool,
) -> Case | None:
    """A conversation of which one turn is made wrong as a pair; None if none can be.

    Args:
        mutate: A mutation of pairs.
        case: The conversation.
        donor: A pair from which things are taken.
        random: What is drawn from.
        new: Whether a changed value must not have been said or returned before, by anyone.
    """
    parts = _parts(case)
    for part in random.sample(parts, len(parts)):
        changed = mutate(part.pair, donor, random)
        if changed and not (new and _is_said(part, changed, case)):
            made = _with_part(case, part, changed)
            if made:
                return made
    return None


def _is_said(part: _Part, changed: Case, case: Case) -> bool:
    before = said(case, part.turn.place)
    values = [leaf.value for leaf in leaves(part.pair)]
    return any(states(before, leaf.value) for leaf in leaves(changed) if leaf.value not in values)


def _with_part(case: Case, part: _Part, changed: Case) -> Case | None:
    """The conversation with a changed pair in place of one of its turns."""
    messages = case.messages or ()
    place = part.turn.place
    if changed.pair.query != part.pair.pair.query:
        asked = [at for at in range(place) if messages[at]["role"] == "user"]
        if len(asked) > 1:  # which of them the pair's query would replace is not clear
            return None
        messages = _replaced(messages, asked[0], {"content": changed.pair.query})
    elif not changed.pair.calls:
        return None  # as a dropped turn, which is another mutation
    elif changed.pair.calls != part.pair.pair.calls:
        messages = _with_calls(messages, place, changed.pair.calls)
    elif part.turn.given:
        results = [result_text(each.get("result")) for each in changed.results or ()]
        messages = list(_with_given(messages, place, results))
    else:
        return _with_results(case, part, changed.results or ())
    return with_messages(replace(case, tools=changed.tools), messages)


def _with_results(case: Case, part: _Part, results: Sequence[JsonObject]) -> Case:
    """The conversation with others in place of a turn's results, which we have and it doesn't."""
    own: list[JsonObject] = []
    known = iter(case.results or ())
    for each in _parts(case):
        theirs = [result for _, result in zip(each.pair.pair.calls, known, strict=False)]
        own += results if each.turn.place == part.turn.place else theirs
    return replace(case, results=tuple(own))


def _replaced(messages: Messages, place: int, changes: _Message) -> list[_Message]:
    return [{**m, **changes} if at == place else m for at, m in enumerate(messages)]


def _with_calls(messages: Messages, place: int, calls: Sequence[Call]) -> list[_Message]:
    """The messages with other calls in a turn; results of calls that are gone go, too."""
    made = messages[place]["tool_calls"]
    stays = len(calls) == len(made)  # each in its place
    ids = [
        one["id"]
        for one, call in zip(made, calls_in(messages[place]), strict=True)
        if stays or call in calls
    ]
    ids += [f"added{n:04}" for n in range(len(calls) - len(ids))]
    listed = [
        {"id": id_, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for id_, c in zip(ids, calls, strict=True)
    ]
    gone = {one["id"] for one in made} - {*ids}
    kept = _replaced(messages, place, {"tool_calls": listed})
    return [message for message in kept if message.get("tool_call_id") not in gone]


def _with_given(messages: Messages, place: int, results: Sequence[str]) -> Iterator[_Message]:
    """The messages with others in place of the results that they give of a turn."""
    ids = [call["id"] for call in messages[place]["tool_calls"]]
    others = iter(results)
    for message in messages:
        replaces = message["role"] == "tool" and message["tool_call_id"] in ids
        yield {**message, "content": next(others)} if replaces else message
