"""Chains of calls for the style `sequential`, over the tools of a prompt."""

from collections.abc import Iterator, Sequence
from random import Random

from apigen_ray.models.simulated.drawing import draw_call
from apigen_ray.records import Call, Json, Tool
from apigen_ray.tools.links import links_from, links_of, together
from apigen_ray.tools.references import KEY, Reference, placed, read_reference, reference_form
from apigen_ray.tools.schema_paths import at

LONGER = 0.3
"""How often a chain goes on to a third call, where a tool for it is shown."""
_NOT_THERE: tuple[str | int, ...] = (999, "not_there")


def draw_chain(random: Random, tools: Sequence[Tool]) -> list[Call]:
    """Two calls or three, each with an argument from the result of the one before.

    Where no tool's result fits another's argument, two calls that have nothing to do with each
    other: the model can't do what it is asked for.
    """
    known = {tool.name: tool for tool in tools}
    links = links_of(tools)
    if not links:
        drawn = (draw_call(random, tool) for tool in tools[:2])
        return [call for call in drawn if call]
    link = random.choice(links)
    first = draw_call(random, known[link.source])
    calls = [first] if first else []
    while calls and len(calls) < 3:
        call = draw_call(random, known[link.target])
        if call is None:
            break
        references = {
            each.argument: reference_form(Reference(len(calls) - 1, each.path))
            for each in together(link, links)
        }
        calls.append(Call(call.name, {**call.arguments, **references}))
        names = {call.name for call in calls}
        further = [x for x in links_from(links).get(link.target, ()) if x.target not in names]
        if not further or random.random() > LONGER:
            break
        link = random.choice(further)
    return calls


def misreferring(calls: Sequence[Call]) -> Iterator[tuple[int, str, Json]]:
    """References to what is no earlier result: the call's index, the argument, another value."""
    for index, argument, reference in _referring(calls):
        later = Reference(len(calls), reference.path)
        for wrong in (str(later), f"result.{argument}", f"$calls[{reference.call}]"):
            yield index, argument, {KEY: wrong}


def unresolvable(calls: Sequence[Call], tools: Sequence[Tool]) -> Iterator[tuple[int, str, Json]]:
    """References to what could be in an earlier result by its schema, and never is."""
    known = {tool.name: tool for tool in tools}
    for index, argument, reference in _referring(calls):
        returns = known[calls[reference.call].name].returns or {}
        for step in _NOT_THERE:
            path = (*reference.path[:-1], step)
            if at(returns, path):
                yield index, argument, reference_form(Reference(reference.call, path))


def _referring(calls: Sequence[Call]) -> Iterator[tuple[int, str, Reference]]:
    for index, call in enumerate(calls):
        for argument, value in call.arguments.items():
            reference = next((read_reference(each) for _, each in placed(value)), None)
            if reference:
                yield index, argument, reference
