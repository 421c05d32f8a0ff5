"""The rows that an audit asks about."""

from dataclasses import dataclass

from apigen_ray.records import JsonObject, Pair, Style, Tool


@dataclass(frozen=True, slots=True)
class Case:
    """A pair with the tools that were shown and what its calls returned."""

    id: str
    pair: Pair
    tools: tuple[Tool, ...]
    style: Style | None = None
    """The style that was asked for; None of data made elsewhere."""
    results: tuple[JsonObject, ...] | None = None
    """As rows hold them; None where the calls have not been run, or can't be."""

    @property
    def called(self) -> frozenset[str]:
        """The names of the functions that are called."""
        return frozenset(call.name for call in self.pair.calls)

    def tool(self, name: str) -> Tool | None:
        """The tool of a name, if it was shown."""
        return next((tool for tool in self.tools if tool.name == name), None)
