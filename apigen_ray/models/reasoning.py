"""Tells what a model reasoned from what it answered, where the server has not done so.

Servers with a parser for the model send the reasoning in a field of its own; others leave it in the
content, in `<think>` and `</think>`. Many chat templates open `<think>` in the prompt, so that the
content has only the closing tag.
"""

from dataclasses import dataclass

OPENING, CLOSING = "<think>", "</think>"

_JSON_STARTS = ("{", "[", "`")
"""A content that begins so is an answer; a closing tag in it is part of some text."""


@dataclass(frozen=True, slots=True)
class Thought:
    """A content in its two parts."""

    reasoning: str
    text: str
    """What follows the reasoning: the completion."""
    ended: bool = True
    """False if the content ends while the model still reasons."""


def split(content: str, given: str = "") -> Thought:
    """Split a content into reasoning and completion.

    Args:
        content: The content of a message.
        given: The reasoning that the server has already told apart.
    """
    head, closing, tail = content.partition(CLOSING)
    start = head.lstrip()
    opened = start.startswith(OPENING)
    if opened or (closing and not start.startswith(_JSON_STARTS)):
        return Thought(_joined(given, head), tail.lstrip(), ended=bool(closing))
    return Thought(_joined(given), content)


def _joined(*parts: str) -> str:
    """Reasoning without its tags and the white space around it."""
    bare = [part.strip().removeprefix(OPENING).removesuffix(CLOSING).strip() for part in parts]
    return "\n".join(part for part in bare if part)
