"""Mutations of the whole pair: its query, its calls, their results."""

from dataclasses import replace
from itertools import cycle, islice
from random import Random

from apigen_ray.records import Call, Pair, Tool
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.mutations.leaves import fits, with_calls


def other_query(case: Case, donor: Case, _random: Random) -> Case | None:
    """The query is that of a row that calls other functions."""
    if not case.pair.calls or case.called & donor.called or case.pair.query == donor.pair.query:
        return None
    return replace(case, pair=Pair(donor.pair.query, case.pair.calls))


def dropped_call(case: Case, _donor: Case, random: Random) -> Case | None:
    """One of several calls is missing."""
    calls = case.pair.calls
    if len(calls) < 2:
        return None
    dropped = random.randrange(len(calls))
    return with_calls(case, [call for at, call in enumerate(calls) if at != dropped])


def added_call(case: Case, donor: Case, random: Random) -> Case | None:
    """There is one more call, of another row."""
    added = [call for call in donor.pair.calls if call not in case.pair.calls]
    if not case.pair.calls or not added:
        return None
    call = random.choice(added)
    tool = donor.tool(call.name)
    if tool is None or case.tool(call.name) not in (None, tool):
        return None
    return with_calls(_showing(case, tool), [*case.pair.calls, call])


def sibling_function(case: Case, donor: Case, random: Random) -> Case | None:
    """Another function is called with the same arguments, which it accepts."""
    changed = []
    for at, call in enumerate(case.pair.calls):
        for tool in (*case.tools, *donor.tools):
            is_new = case.tool(tool.name) in (None, tool) and tool.name not in case.called
            if call.arguments and is_new and fits(tool, call.arguments):
                calls = list(case.pair.calls)
                calls[at] = Call(tool.name, call.arguments)
                changed.append(with_calls(_showing(case, tool), calls))
    return random.choice(changed) if changed else None


def none_for_calls(case: Case, _donor: Case, _random: Random) -> Case | None:
    """Nothing is called, though functions fit."""
    return with_calls(case, []) if case.pair.calls else None


def calls_for_none(case: Case, donor: Case, _random: Random) -> Case | None:
    """The calls of another row are made where no function fits."""
    if case.pair.calls or not donor.pair.calls or case.pair.query == donor.pair.query:
        return None
    changed = case
    for name in sorted(donor.called):
        tool = donor.tool(name)
        if tool is None or case.tool(name) not in (None, tool):
            return None
        changed = _showing(changed, tool)
    return with_calls(changed, donor.pair.calls)


def result_replaced(case: Case, donor: Case, _random: Random) -> Case | None:
    """The results are those of other functions' calls."""
    if not case.results or not donor.results or case.called & donor.called:
        return None
    return replace(case, results=tuple(islice(cycle(donor.results), len(case.results))))


def _showing(case: Case, tool: Tool) -> Case:
    """The case with a tool among those shown."""
    return case if case.tool(tool.name) else replace(case, tools=(*case.tools, tool))
