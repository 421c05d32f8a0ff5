"""Ask a model for one JSON object, and once more if its answer is unusable."""

from collections.abc import Callable
from typing import TypeVar

from apigen_ray import strict_json
from apigen_ray.models import Model
from apigen_ray.models.templates import Templates
from apigen_ray.records import JsonObject, Message

TEMPLATES = Templates("apigen_ray.workflows.clean_tools")

ATTEMPTS = 2
_AGAIN = (
    "Your answer can't be used: {problem}. Answer again, with nothing but one JSON object of the "
    "format above."
)
READ_CHARACTERS = 50_000
"""Only this much of the end of an answer is searched for JSON."""

Read = TypeVar("Read")


class UnusableAnswer(ValueError):
    """An unusable answer; the message tells the model and the user why."""


async def ask(model: Model, prompt: str, read: Callable[[JsonObject], Read], sample: str) -> Read:
    """Ask, and read the answer.

    Args:
        model: The model to ask.
        prompt: The request.
        read: Reads the answer's object, or raises `UnusableAnswer`.
        sample: The subject of the request; distinguishes requests with the same text.

    Raises:
        UnusableAnswer: if no answer is usable.
        InfrastructureError: if the model can't be asked.
    """
    messages = [Message("user", prompt)]
    for attempt in range(ATTEMPTS):
        reply = await model.complete(messages, sample=f"{sample}/{attempt}")
        try:
            return read(_object(reply.text))
        except UnusableAnswer as problem:
            again = Message("user", _AGAIN.format(problem=problem))
            messages = [messages[0], Message("assistant", reply.text), again]
            last = problem
    raise last


def _object(text: str) -> JsonObject:
    """The last JSON object of a text: what a model thinks aloud, comes earlier."""
    objects = list(strict_json.embedded(text[-READ_CHARACTERS:], "{"))
    if not objects:
        raise UnusableAnswer("it contains no JSON object")
    assert isinstance(objects[-1], dict)
    return objects[-1]


def escaped(value: JsonObject) -> str:
    """JSON text that can't forge the closing marker of a prompt."""
    return strict_json.dumps(value).replace("</", "<\\/")
