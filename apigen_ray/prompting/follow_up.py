"""The prompt for a further turn of a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from apigen_ray.prompting.prompts import Prompt
from apigen_ray.prompting.sampler import Range
from apigen_ray.prompting.templates import GENERATOR
from apigen_ray.records import Message, Style, Tool
from apigen_ray.tools.prompt_text import tools_text
from apigen_ray.tools.write_forms import prompt_form


@dataclass(frozen=True, slots=True)
class Turns:
    """How many turns conversations have."""

    number: Range
    seed: int

    def wanted(self, prompt_id: str) -> int:
        """How many turns the conversation of a prompt is to have."""
        return self.number.draw(Random(f"{self.seed}:{prompt_id}:turns"))


def follow_up(id_: str, told: str, tools: Sequence[Tool]) -> Prompt:
    """Ask for what the user says next, and the calls that answer it.

    Args:
        id_: The id of the prompt.
        told: The conversation so far, as prompts show it.
        tools: The tools of the conversation.
    """
    text = GENERATOR.render(
        "follow_up.txt",
        messages=told,
        tools=tools_text([prompt_form(tool, 1) for tool in tools]),
    )
    return Prompt(
        id=id_,
        style=Style.MULTI_TURN,
        tools=tuple(tools),
        messages=(Message("system", GENERATOR.text("follow_up_system.txt")), Message("user", text)),
        count=1,
    )
