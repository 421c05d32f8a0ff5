"""Mutations that break the form: stage 1 has to find every one of them."""

from collections.abc import Iterator
from random import Random

from apigen_ray.records import Call, Json, JsonObject
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.mutations.leaves import (
    Leaf,
    fits,
    is_number,
    leaves,
    with_arguments,
    with_calls,
    with_value,
)


def _one_that_breaks(random: Random, changed: Iterator[tuple[int, Case]]) -> Case | None:
    """One of the changed cases, whose call at the index breaks its schema."""
    broken = [
        case
        for index, case in changed
        if not fits(case.tool((call := case.pair.calls[index]).name), call.arguments)
    ]
    return random.choice(broken) if broken else None


def required_dropped(case: Case, _donor: Case, random: Random) -> Case | None:
    """A required argument is missing."""

    def changed() -> Iterator[tuple[int, Case]]:
        for index, call in enumerate(case.pair.calls):
            tool = case.tool(call.name)
            required = tool.parameters.get("required") if tool else None
            for name in required if isinstance(required, list) else []:
                kept = {key: value for key, value in call.arguments.items() if key != name}
                yield index, with_arguments(case, index, kept)

    return _one_that_breaks(random, changed())


_MADE_UP: JsonObject = {"verbose": True, "output_format": "json", "max_results": 10}


def unknown_argument(case: Case, _donor: Case, random: Random) -> Case | None:
    """A call has an argument that its tool does not declare."""
    return _one_that_breaks(
        random,
        (
            (index, with_arguments(case, index, {name: value} | call.arguments))
            for index, call in enumerate(case.pair.calls)
            for name, value in _MADE_UP.items()
        ),
    )


def wrong_type(case: Case, _donor: Case, random: Random) -> Case | None:
    """A number is a text, or a text a list."""
    return _one_that_breaks(
        random,
        (
            (leaf.call, with_value(case, leaf, _mistaken(leaf.value)))
            for leaf in leaves(case)
            if leaf.value is not None
        ),
    )


def _mistaken(value: Json) -> Json:
    return [value] if isinstance(value, str) else str(value)


def out_of_range(case: Case, _donor: Case, random: Random) -> Case | None:
    """A value is of the right type and outside what the schema allows."""
    return _one_that_breaks(
        random,
        (
            (leaf.call, with_value(case, leaf, outside))
            for leaf in leaves(case)
            for outside in _outside(leaf)
        ),
    )


def _outside(leaf: Leaf) -> Iterator[Json]:
    schema = leaf.schema
    if is_number(leaf.value):
        for key, step in (("minimum", -1), ("maximum", 1)):
            if isinstance(bound := schema.get(key), int | float):
                yield bound + step
        for key in ("exclusiveMinimum", "exclusiveMaximum"):
            if isinstance(bound := schema.get(key), int | float):
                yield bound
    if isinstance(leaf.value, str) and leaf.choices:
        yield f"{leaf.value}_other"


def unknown_function(case: Case, _donor: Case, random: Random) -> Case | None:
    """A function is called that was not shown."""
    names = {tool.name for tool in case.tools}
    changed = [
        with_calls(case, [*calls[:at], Call(name, calls[at].arguments), *calls[at + 1 :]])
        for calls in [case.pair.calls]
        for at in range(len(calls))
        for name in (f"get_{calls[at].name}", f"{calls[at].name}_v2")
        if name not in names
    ]
    return random.choice(changed) if changed else None


def repeated_call(case: Case, _donor: Case, random: Random) -> Case | None:
    """A call is made twice."""
    calls = case.pair.calls
    return with_calls(case, [*calls, random.choice(calls)]) if calls else None
