"""A prompt, as samplers draw it."""

from dataclasses import dataclass

from apigen_ray.records import Call, Message, Pair, Strategy, Style, Tool


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked of a model: `count` data points of one style over the tools shown."""

    id: str
    style: Style
    tools: tuple[Tool, ...]
    messages: tuple[Message, ...]
    count: int
    examples: tuple[Pair, ...] = ()
    """The pairs that the messages show."""
    calls: tuple[Call, ...] | None = None
    """Calls that are given, of which the query is asked for; None where both are."""

    @property
    def strategy(self) -> Strategy:
        """How the data points come about."""
        return "query_and_calls" if self.calls is None else "calls_first"
