"""Mutations of conversations as such: their turns, and what the assistant says in the end."""

from dataclasses import replace
from decimal import Decimal
from random import Random

from apigen_ray.stages.conversation import turns_of
from apigen_ray.workflows.audit.cases import Case, with_messages
from apigen_ray.workflows.audit.mutations.leaves import NUMBER, stated_numbers
from apigen_ray.workflows.audit.mutations.turns import said

_LEAST = 10
"""Smaller numbers in an answer may be those of a list."""


def turn_dropped(case: Case, _donor: Case, random: Random) -> Case | None:
    """The calls of a turn are missing, and their results."""
    messages = case.messages or ()
    turns = turns_of(messages)
    if not turns:
        return None
    place = random.choice(turns).place
    ids = {call["id"] for call in messages[place]["tool_calls"]}
    kept = [
        message
        for at, message in enumerate(messages)
        if at != place and message.get("tool_call_id") not in ids
    ]
    return with_messages(case, kept)


def answer_off(case: Case, _donor: Case, random: Random) -> Case | None:
    """A number that the final answer takes from a result is another, which stands nowhere."""
    answer = _answer(case)
    if answer is None:
        return None
    known = stated_numbers(said(case))
    returned = stated_numbers(_returned(case))
    found = [(m, Decimal(m[0].replace(",", ""))) for m in NUMBER.finditer(answer)]
    found = [(m, value) for m, value in found if value >= _LEAST and float(value) in returned]
    if not found:
        return None
    match, other = random.choice(found)
    while float(other) in known:
        other += 1
    return _answering(case, f"{answer[: match.start()]}{other}{answer[match.end() :]}")


def answer_replaced(case: Case, donor: Case, _random: Random) -> Case | None:
    """The final answer is another row's, with numbers that stand nowhere in this one."""
    answer, own = _answer(donor), _answer(case)
    if own is None or answer is None or case.called & donor.called:
        return None
    numbers = stated_numbers(answer)
    if not numbers or numbers & stated_numbers(said(case)):
        return None
    return _answering(case, answer)


def _answer(case: Case) -> str | None:
    """The message of the assistant with which a conversation ends."""
    last = case.messages[-1] if case.messages else {}
    if last.get("role") != "assistant" or last.get("tool_calls"):
        return None
    return str(last["content"]) or None


def _returned(case: Case) -> str:
    return "\n".join(m["content"] for m in case.messages or () if m["role"] == "tool")


def _answering(case: Case, answer: str) -> Case:
    messages = list(case.messages or ())
    return replace(case, messages=[*messages[:-1], {**messages[-1], "content": answer}])
