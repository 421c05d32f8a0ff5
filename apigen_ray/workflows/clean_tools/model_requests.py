"""Asks a model for one JSON object, and again where its answer can't be used."""

from collections.abc import Callable
from typing import TypeVar

from apigen_ray import strict_json
from apigen_ray.models import Model
from apigen_ray.models.templates import Templates
from apigen_ray.records import JsonObject, Message

TEMPLATES = Templates("apigen_ray.workflows.clean_tools")

ATTEMPTS = 2
READ_CHARACTERS = 50_000
"""Only the end of an answer is searched for JSON."""

Read = TypeVar("Read")


class Unusable(ValueError):
    """An answer that can't be used; the message says why, to the model and to the user."""


async def ask(model: Model, prompt: str, read: Callable[[JsonObject], Read], sample: str) -> Read:
    """Ask, and read what comes.

    Args:
        model: Whom to ask.
        prompt: What to ask.
        read: Gives what the object says, or raises `Unusable`.
        sample: What is asked about; tells requests apart that say the same.

    Raises:
        Unusable: if no answer can be used.
        InfrastructureError: if the model can't be asked.
    """
    messages = [Message("user", prompt)]
    for attempt in range(ATTEMPTS):
        reply = await model.complete(messages, sample=f"{sample}/{attempt}")
        try:
            return read(_object(reply.text))
        except Unusable as problem:
            again = Message("user", TEMPLATES.render("clean_again.txt", problem=str(problem)))
            messages = [messages[0], Message("assistant", reply.text), again]
            last = problem
    raise last


def _object(text: str) -> JsonObject:
    """The last JSON object of a text: what a model thinks aloud, comes earlier."""
    objects = list(strict_json.embedded(text[-READ_CHARACTERS:], "{"))
    if not objects:
        raise Unusable("it holds no JSON object")
    assert isinstance(objects[-1], dict)
    return objects[-1]


def inert(value: JsonObject) -> str:
    """JSON text in which no closing marker of a prompt can be forged."""
    return strict_json.dumps(value).replace("</", "<\\/")
