"""Draws chains of calls for `calls_first`: of calls that work alone, one takes another's result."""

from collections.abc import Mapping, Sequence
from random import Random

from apigen_ray import strict_json
from apigen_ray.prompting.draw_calls import MOST_CHARACTERS, TRIES
from apigen_ray.records import Call, Tool
from apigen_ray.tools.links import links_of, together
from apigen_ray.tools.references import Reference, has_references, reference_form


def draw_chains(
    tools: Sequence[Tool], calls: Mapping[str, Sequence[Call]], wanted: int, random: Random
) -> list[tuple[Call, ...]]:
    """Up to `wanted` different chains of two calls, over all links between tools in turn.

    Args:
        tools: The library.
        calls: Calls that work, by the name of their tool.
        wanted: How many chains.
        random: What is drawn from.
    """
    links = [x for x in links_of(tools) if calls.get(x.source) and calls.get(x.target)]
    random.shuffle(links)
    found: dict[str, tuple[Call, ...]] = {}
    for attempt in range(TRIES * wanted if links else 0):
        if len(found) == wanted:
            break
        link = links[attempt % len(links)]
        first, second = random.choice(calls[link.source]), random.choice(calls[link.target])
        references = {
            each.argument: reference_form(Reference(0, each.path)) for each in together(link, links)
        }
        chain = (first, Call(second.name, {**second.arguments, **references}))
        text = strict_json.canonical([[call.name, call.arguments] for call in chain])
        if len(text) <= 2 * MOST_CHARACTERS:
            found.setdefault(text, chain)
    return list(found.values())


def without_references(calls: Sequence[Call]) -> list[Call]:
    """The calls that have a meaning alone."""
    return [call for call in calls if not has_references(call.arguments)]
