"""Puts calls into a user's words.

Whatever the voice, every argument's value stands in the query as it is, so that someone who sees
only the query could write the same calls.
"""

import json
import re
from collections.abc import Sequence
from random import Random

from apigen_ray.records import Call, Json, Tool
from apigen_ray.tools.references import read_reference


class Verbatim(str):
    """Text that no voice may change."""

    __slots__ = ()


def write_query(random: Random, voice: str, calls: Sequence[Call], tools: Sequence[Tool]) -> str:
    """Ask for `calls` in the given voice."""
    by_name = {tool.name: tool for tool in tools}
    requests = [_request(random, voice, call, by_name[call.name]) for call in calls]
    return _in_voice(random, voice, requests)


def write_irrelevant(random: Random, voice: str, tools: Sequence[Tool]) -> str:
    """Ask for something near the tools' subject that no tool does."""
    subject = words_of_name(random.choice(tools).name)
    template = random.choice(_IRRELEVANT.get(voice, _IRRELEVANT["plain"]))
    return _in_voice(random, voice, [[template.replace("{subject}", subject)]])


_LONGEST_SHOWN = 60


def write_answer(random: Random, names: Sequence[str], results: Sequence[str]) -> str:
    """Say what calls returned, each value as it is; only the beginning of a long result."""
    opening = random.choice(("Here is what I found.", "Done.", "I have looked it up."))
    lines = [
        f"{words_of_name(name)}: {_told(text)}." for name, text in zip(names, results, strict=False)
    ]
    return " ".join([opening, *lines])


def _told(result: str) -> str:
    """The values of a result, without brackets; of a long one, its first words."""
    plain = re.sub(r"[{}\[\]\"]", "", result)
    if len(plain) <= _LONGEST_SHOWN:
        return plain
    return plain[:_LONGEST_SHOWN].rpartition(" ")[0].rstrip(",:") or "more than can be told here"


def task(tool: Tool) -> str:
    """What the tool does, as a request would say it: its description's first sentence."""
    sentence = re.split(r"(?<=[.!?])\s", tool.description.strip())[0].rstrip(".!? ")
    if not sentence:
        return f"do {words_of_name(tool.name)}"
    if not sentence[:2].isupper():  # an acronym stays as it is
        sentence = sentence[0].lower() + sentence[1:]
    # "Returns the area" describes; "return the area" asks.
    return _THIRD_PERSON.sub(r"\1", sentence)


_THIRD_PERSON = re.compile(
    r"^([a-z]+?)(?:(?<=ch|sh|ss)es|(?<!s)s)(?= (?:an?|all|every|how|if|the|whether)\b)"
)

_IRRELEVANT = {
    "plain": (
        "Who came up with the idea of {subject}, and in which country?",
        "Could you recommend a good podcast about {subject}?",
        "Please find me an evening class near my home where I can learn about {subject}.",
    ),
    "terse": ("best podcast {subject}", "who invented {subject}", "{subject} evening class"),
    "ambiguous": (
        "Hey, know anybody who could teach me that {subject} stuff in person?",
        "So who was it again that came up with the whole {subject} thing?",
    ),
}
_REQUESTS = {
    "plain": ("Please {task}{args}.", "Could you {task}{args}?", "I need to {task}{args}."),
    "terse": ("{name}{args}",),
    "ambiguous": (
        "Hey, what about that {name} thing{args}?",
        "So, how does the {name} come out{args}?",
        "Could you sort out the {name} business{args} for me?",
    ),
}
_BEFORE_ARGUMENTS = {
    "plain": (" with ", " using ", ", given "),
    "terse": (": ",),
    "ambiguous": (" for ", " with "),
}
_NEXT = ("Also, ", "After that, ", "And then, ")
_OPENINGS = (
    "I am putting together some notes for a meeting with my team tomorrow morning.",
    "We have been going back and forth about this at home for quite a while.",
    "My colleague is on leave, and I have taken over a task that I know little about.",
)
_CLOSINGS = (
    "It would help me a lot to have this before the end of the day.",
    "I will check it against what I worked out on paper.",
    "Thank you, that is everything I need for now.",
)


def _in_voice(random: Random, voice: str, requests: Sequence[list[str]]) -> str:
    if voice == "terse":
        return "".join(_joined(requests, ["; "] * len(requests)))
    links = [" " + random.choice(_NEXT) for _ in requests]
    pieces = _joined(requests, links)
    if voice == "long":
        pieces = [f"{random.choice(_OPENINGS)} ", *pieces, f" {random.choice(_CLOSINGS)}"]
    if voice == "misspelled":
        pieces = _misspelled(random, pieces)
    return "".join(pieces)


def _joined(requests: Sequence[list[str]], links: Sequence[str]) -> list[str]:
    pieces = list(requests[0])
    for link, (first, *rest) in zip(links, requests[1:], strict=False):
        lowered = first if first.startswith("I ") else first[:1].lower() + first[1:]
        pieces += [link, lowered, *rest]
    return pieces


def _request(random: Random, voice: str, call: Call, tool: Tool) -> list[str]:
    """One request, in pieces of which the values are verbatim."""
    template = random.choice(_REQUESTS.get(voice, _REQUESTS["plain"]))
    before, after = (
        part.replace("{task}", task(tool)).replace("{name}", words_of_name(tool.name))
        for part in template.split("{args}")
    )
    return [before, *_arguments(random, voice, call), after]


def _arguments(random: Random, voice: str, call: Call) -> list[str]:
    pieces: list[str] = []
    opening = random.choice(_BEFORE_ARGUMENTS.get(voice, _BEFORE_ARGUMENTS["plain"]))
    last = len(call.arguments) - 1
    for index, (name, value) in enumerate(call.arguments.items()):
        link = opening if index == 0 else ", "
        if index == last > 0 and voice != "terse":
            link = " and "
        label = "" if voice == "ambiguous" else f"{words_of_name(name)} "
        pieces += [link + label, Verbatim(shown(value))]
    return pieces


_STEPS = ("first", "second", "third")


def shown(value: Json) -> str:
    """A value as a user writes it."""
    if reference := read_reference(value):
        keys = [step for step in reference.path if isinstance(step, str)]
        part = f"the {words_of_name(keys[-1])} in " if keys else ""
        return f"{part}the {_STEPS[reference.call]} result"
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    # Quotes show where a text of several words begins and ends.
    return value if re.fullmatch(r"\S+", value) else f'"{value}"'


def words_of_name(name: str) -> str:
    """A name in code as words: `monthly_payment`, `geo.monthlyPayment`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", spaced)).lower()


def _misspelled(random: Random, pieces: Sequence[str]) -> list[str]:
    """Give about a third of the longer words a typo, and at least one of them."""
    certain = True

    def misspell(match: re.Match[str]) -> str:
        nonlocal certain
        if not certain and random.random() > 0.35:
            return match.group()
        certain = False
        return _typo(random, match.group())

    return [
        piece if isinstance(piece, Verbatim) else re.sub(r"[A-Za-z]{4,}", misspell, piece)
        for piece in pieces
    ]


def _typo(random: Random, word: str) -> str:
    at = random.randrange(1, len(word) - 1)
    match random.randrange(3):
        case 0 if word[at] != word[at + 1]:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case 1:
            return word[:at] + word[at] + word[at:]
        case _:
            return word[:at] + word[at + 1 :]
