"""Each mutation makes rows that are wrong for sure, shown on every seed of the library."""

from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

import pytest

from apigen_ray import strict_json
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Reason, Rejected
from apigen_ray.run_folder.rows import pair_form
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.mutations import MUTATIONS, Group, mutate
from apigen_ray.workflows.audit.mutations.leaves import leaves, stated_numbers, states

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def cases():
    tools = load_library([str(ROOT / "sandbox" / "tools")]).by_name()
    seeds, _ = load_seeds([str(ROOT / "configs" / "seeds.jsonl")], tools)
    return [
        Case(
            s.id,
            s.pair,
            s.tools,
            s.style,
            tuple({"ok": True, "result": s.id} for _ in s.pair.calls),
        )
        for s in seeds
    ]


@pytest.fixture(scope="module")
def made(cases):
    """All that a mutation makes of the seeds, made once."""
    return cache(lambda name: list(_made(cases, name)))


def _made(cases, name):
    mutation = MUTATIONS[name]
    for case in cases:
        changed = mutate(case, mutation, cases, Random(f"{case.id}:{name}"))
        if changed is not None:
            yield case, changed


def rejection(case):
    """What stage 1 says of a case made elsewhere, whose style nobody knows."""
    checked = check_pair(
        pair_form(case.pair),
        style=None,
        signatures=signatures_of(case.tools),
        settings=CheckSettings(),
    )
    return checked.reason if isinstance(checked, Rejected) else None


def changed_values(before, after):
    """The values that differ, of calls that are the same apart from them."""
    pairs = list(zip(leaves(before), leaves(after), strict=True))
    assert all((a.call, a.path) == (b.call, b.path) for a, b in pairs)
    return [(a.value, b.value) for a, b in pairs if a.value != b.value]


def calls_of(case):
    return Counter(strict_json.canonical([c.name, c.arguments]) for c in case.pair.calls)


def number_is(change):
    def proof(before, after):
        [(was, now)] = changed_values(before, after)
        numbers = stated_numbers(before.pair.query)
        return abs(was) in numbers and abs(now) not in numbers and any(
            now == pytest.approx(each) for each in change(was)
        )  # fmt: skip

    return proof


def other_date(before, after):
    [(was, now)] = changed_values(before, after)
    days = [int(each[8:10]) for each in (was, now)]
    numbers = stated_numbers(before.pair.query)
    return was[10:] == now[10:] and days[0] in numbers and days[1] not in numbers


def other_text(before, after):
    [(was, now)] = changed_values(before, after)
    query = before.pair.query.casefold()
    return was.casefold() in query and now.casefold() not in query


def exchanged(before, after):
    differing = [
        (one.arguments, other.arguments)
        for one, other in zip(before.pair.calls, after.pair.calls, strict=True)
        if one != other
    ]
    [(was, now)] = differing
    one, other = (key for key in was if was[key] != now[key])
    return (was[one], was[other]) == (now[other], now[one])


def shorter(by_one):
    def proof(before, after):
        lists = [
            (value, after.pair.calls[at].arguments[name])
            for at, call in enumerate(before.pair.calls)
            for name, value in call.arguments.items()
            if value != after.pair.calls[at].arguments[name]
        ]
        [(was, now)] = lists
        return len(now) == len(was) - 1 if by_one else now == [] != was

    return proof


def is_choice(before, after):
    [(was, now)] = changed_values(before, after)
    [leaf] = [a for a, b in zip(leaves(before), leaves(after), strict=True) if a.value != b.value]
    return {was, now} <= set(leaf.choices) and was != leaf.default


def is_flipped(before, after):
    [(was, now)] = changed_values(before, after)
    [leaf] = [a for a, b in zip(leaves(before), leaves(after), strict=True) if a.value != b.value]
    return was is not now and was is not leaf.default


def one_argument_less(before, after):
    [(was, now)] = [
        (one.arguments, other.arguments)
        for one, other in zip(before.pair.calls, after.pair.calls, strict=True)
        if one != other
    ]
    [dropped] = was.keys() - now.keys()
    return states(before.pair.query, was[dropped])


PROOFS = {
    "required_dropped": lambda _, after: rejection(after) is Reason.MISSING_ARGUMENT,
    "unknown_argument": lambda _, after: rejection(after) is Reason.UNKNOWN_ARGUMENT,
    "wrong_type": lambda _, after: rejection(after) is Reason.WRONG_TYPE,
    "out_of_range": lambda _, after: rejection(after) is Reason.CONSTRAINT,
    "unknown_function": lambda _, after: rejection(after) is Reason.UNKNOWN_FUNCTION,
    "repeated_call": lambda _, after: rejection(after) is Reason.DUPLICATE_CALL,
    "none_for_calls": lambda before, after: before.pair.calls and not after.pair.calls,
    "impossible_date": lambda before, after: changed_values(before, after)[0][1][4:10] == "-02-30",
    "list_emptied": shorter(by_one=False),
    "other_query": lambda before, after: (
        after.pair.query != before.pair.query and after.pair.calls == before.pair.calls != ()
    ),
    "off_by_one": number_is(lambda value: (value - 1, value + 1)),
    "times_ten": number_is(lambda value: [10 * value]),
    "times_thousand": number_is(lambda value: [1000 * value]),
    "date_shifted": other_date,
    "text_replaced": other_text,
    "dropped_call": lambda before, after: (
        calls_of(after) < calls_of(before) and len(after.pair.calls) == len(before.pair.calls) - 1
    ),
    "added_call": lambda before, after: (
        calls_of(before) < calls_of(after) and len(after.pair.calls) == len(before.pair.calls) + 1
    ),
    "calls_for_none": lambda before, after: not before.pair.calls and after.pair.calls,
    "item_dropped": shorter(by_one=True),
    "optional_dropped": one_argument_less,
    "sign_flipped": lambda before, after: all(a == -b for a, b in changed_values(before, after)),
    "arguments_exchanged": exchanged,
    "sibling_function": lambda before, after: (
        [c.arguments for c in after.pair.calls] == [c.arguments for c in before.pair.calls]
        and [c.name for c in after.pair.calls] != [c.name for c in before.pair.calls]
    ),
    "choice_replaced": is_choice,
    "boolean_flipped": is_flipped,
    "result_replaced": lambda before, after: after.results != before.results,
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_it_makes_is_wrong_for_sure(name, made):
    changed = made(name)
    assert len(changed) >= 10
    assert all(after.pair != before.pair or name == "result_replaced" for before, after in changed)
    assert not [after for before, after in changed if not PROOFS[name](before, after)]


@pytest.mark.parametrize("name", [n for n, m in MUTATIONS.items() if m.group is not Group.FORMAT])
def test_only_those_of_the_form_break_it(name, made):
    repeats = Reason.DUPLICATE_CALL  # a value changed to that of the call beside it
    assert {rejection(after) for _, after in made(name)} <= {None, repeats}


def test_the_right_rows_are_left_alone(cases):
    before = list(cases)
    for name in MUTATIONS:
        list(_made(cases[:20], name))
    assert cases == before


def test_the_same_random_numbers_make_the_same_row(cases):
    for name, mutation in MUTATIONS.items():
        once, again = (mutate(cases[0], mutation, cases, Random(name)) for _ in range(2))
        assert once == again


def test_arguments_in_any_order_are_not_exchanged(cases):
    known = {case.id: case for case in cases}
    addends = next(
        case
        for case in known.values()
        if any(call.name in ("edit_distance", "gcd_and_lcm") for call in case.pair.calls)
    )
    changed = mutate(addends, MUTATIONS["arguments_exchanged"], cases, Random(0))
    assert changed is None or "first" not in str(changed.pair.calls[0].arguments)
