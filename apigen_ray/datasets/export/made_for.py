"""Examples for one model: what its chat template does not render so that it comes back is left out.

Templates differ in silence: some leave calls out, write `True` for `true`, escape a text twice, or
take arguments as text only. Each example is rendered and its calls are read back, once with
arguments as objects and once as text; the form in which more of them come back is exported.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from os.path import commonprefix
from typing import Any

from apigen_ray import strict_json
from apigen_ray.datasets.export.chat_template import ChatTemplate, Refused
from apigen_ray.datasets.export.examples import Example, text
from apigen_ray.datasets.export.formats.openai import messages_of
from apigen_ray.datasets.export.rendered import agrees, rendered_calls
from apigen_ray.records import Json, JsonObject
from apigen_ray.stages.conversation import turns_of

ARGUMENTS: dict[str, Callable[[Json], Json]] = {
    "openai-objects": lambda given: given,
    "openai": text,
}
"""The formats that differ in how they give arguments."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """What a template makes of examples."""

    form: str
    """The format whose arguments it takes."""
    differing: dict[str, str] = field(default_factory=dict)
    """What did not come back, by the id of the example."""


def fitting(examples: Iterable[Example], template: ChatTemplate) -> Fitting:
    """Render examples in both forms, and take the one in which more come back."""
    found: dict[str, dict[str, str]] = {form: {} for form in ARGUMENTS}
    for example in examples:
        for form, write in ARGUMENTS.items():
            if difference := difference_of(example, template, write):
                found[form][example.id] = difference
    best = min(found, key=lambda form: len(found[form]))
    return Fitting(best, found[best])


def difference_of(
    example: Example, template: ChatTemplate, write: Callable[[Json], Json]
) -> str | None:
    """What of an example does not come back from a template; None if all does."""
    messages = messages_of(example.messages, write)
    tools = [{"type": "function", "function": strict_json.parse(tool)} for tool in example.tools]
    try:
        whole = template.render(messages, tools)
        for turn in turns_of(example.messages):
            before = template.render(messages[: turn.place], tools)
            shown = template.render(messages[: turn.place + 1], tools)
            rendered = shown[len(commonprefix([before, shown])) :]  # noqa: RUF071 - of texts
            if said := _calls_differ(rendered, turn.answers):
                return f"messages[{turn.place}]: {said}"
    except Refused as error:
        return f"refused: {error}"
    return next(_unseen(messages, whole), None)


def _calls_differ(rendered: str, answers: Sequence[Any]) -> str | None:
    try:
        calls = rendered_calls(rendered)
    except (strict_json.NotJson, KeyError, TypeError) as error:
        return f"calls can't be read back: {error}"
    if len(calls) != len(answers):
        return f"{len(calls)} calls come back of {len(answers)}"
    for call, answer in zip(calls, answers, strict=True):
        if call.name != answer["name"]:
            return f"{answer['name']} comes back as {call.name}"
        if not agrees(call.arguments, answer["arguments"]):
            return f"{call.name}: arguments come back as {str(call.arguments)[:200]}"
    return None


def _unseen(messages: Sequence[JsonObject], whole: str) -> Iterator[str]:
    """The contents that a template leaves out."""
    for place, message in enumerate(messages):
        content = str(message["content"]).strip()
        if content not in whole and text(content)[1:-1] not in whole:
            yield f"messages[{place}]: the template leaves out what the {message['role']} says"
