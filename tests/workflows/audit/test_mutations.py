"""Each mutation makes rows that are wrong for sure, shown on every seed of the library."""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest

from apigen_ray import strict_json
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Call, Pair, Reason, Rejected, Tool
from apigen_ray.run_folder.rows import calls_form, pair_form
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.stages.conversation import check_conversation, turns_of
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.audit.cases import Case, calls_in, with_messages
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


@pytest.fixture(scope="module")
def talks(cases):
    """Conversations of two turns, with results and answers, each of two seeds."""
    calling = [case for case in cases if case.pair.calls]
    return [talk(number, *calling[number : number + 2]) for number in range(0, len(calling) - 1, 2)]


def talk(number, *parts):
    """A conversation whose results are numbers that stand nowhere else."""
    messages = []
    for turn, part in enumerate(parts):
        results = [str(10_000_019 + 8 * number + 3 * turn)] * len(part.pair.calls)
        ids = [f"call{turn}{place:04}" for place in range(len(results))]
        made = [
            {"id": id_, "type": "function", "function": call}
            for id_, call in zip(ids, calls_form(part.pair.calls), strict=True)
        ]
        messages += [
            {"role": "user", "content": part.pair.query},
            {"role": "assistant", "content": "", "tool_calls": made},
            *(
                {"role": "tool", "tool_call_id": id_, "content": result}
                for id_, result in zip(ids, results, strict=True)
            ),
            {"role": "assistant", "content": f"That gives {results[0]}."},
        ]
    tools = {tool.name: tool for part in parts for tool in part.tools}
    return with_messages(Case(f"talk-{number}", parts[0].pair, tuple(tools.values())), messages)


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


OF_PAIRS = [name for name, mutation in MUTATIONS.items() if not mutation.of_conversation]


@pytest.mark.parametrize("name", OF_PAIRS)
def test_what_it_makes_is_wrong_for_sure(name, made):
    changed = made(name)
    assert len(changed) >= 10
    assert all(after.pair != before.pair or name == "result_replaced" for before, after in changed)
    assert not [after for before, after in changed if not PROOFS[name](before, after)]


@pytest.mark.parametrize("name", [n for n in OF_PAIRS if MUTATIONS[n].group is not Group.FORMAT])
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


def parts_of(case):
    """The turns of a conversation as pairs, and what it says besides."""
    pairs = []
    for turn in turns_of(case.messages):
        asked = [m["content"] for m in case.messages[: turn.place] if m["role"] == "user"]
        pair = Pair("\n".join(asked), calls_in(case.messages[turn.place]))
        results = tuple(turn.given.values())
        pairs.append(Case("turn", pair, (), results=results))
    return pairs


def stage_1(case):
    return check_conversation(
        case.messages, style=None, signatures=signatures_of(case.tools), settings=CheckSettings()
    ).result


NOT_OF_TURNS = {"none_for_calls", "calls_for_none"}
"""A conversation whose turn has no calls is one whose turn is dropped."""


@pytest.mark.parametrize("name", [name for name in OF_PAIRS if name not in NOT_OF_TURNS])
def test_a_turn_of_a_conversation_is_made_wrong_as_a_pair_is(name, talks):
    made = list(_made(talks, name))
    assert len(made) >= 5
    for before, after in made:
        pairs = list(zip(parts_of(before), parts_of(after), strict=True))
        changed = [(was, now) for was, now in pairs if was != now]
        if name == "other_query":  # what was said first is said still when more is said
            assert changed[0] == pairs[0]
            del changed[1:]
        [(was, now)] = changed
        assert PROOFS[name](replace(was, tools=before.tools), replace(now, tools=after.tools))
        flaw = stage_1(after)
        wrong_form = MUTATIONS[name].group is Group.FORMAT
        assert not wrong_form or isinstance(flaw, Rejected)
        assert after.results is None
        assert [call for m in after.messages for call in calls_in(m)] == list(after.pair.calls)


def test_a_value_that_was_said_before_is_none_out_of_nowhere():
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    adding = talk(0, Case("a", Pair("Add 70.", (Call("add", {"x": 70}),)), ()))
    adding = replace(adding, tools=(Tool("add", "", schema, "Math"),))
    told = with_messages(adding, [{"role": "system", "content": "69 or 71"}, *adding.messages])
    assert mutate(adding, MUTATIONS["off_by_one"], [], Random(0))
    assert mutate(told, MUTATIONS["off_by_one"], [], Random(0)) is None


def answers_of(case):
    return [m["content"] for m in case.messages if m["role"] == "assistant" and m["content"]]


def said(case):
    return "\n".join(message["content"] for message in case.messages)


def test_a_dropped_turn_is_missing_with_its_results(talks):
    made = list(_made(talks, "turn_dropped"))
    assert len(made) == len(talks)
    for before, after in made:
        [left] = parts_of(after)
        assert left.pair.calls in [part.pair.calls for part in parts_of(before)]
        assert len(left.results) == len(left.pair.calls)
        assert answers_of(after) == answers_of(before)


@pytest.mark.parametrize("name", ["answer_off", "answer_replaced"])
def test_the_final_answer_gives_a_number_that_stands_nowhere(name, talks):
    made = list(_made(talks, name))
    assert len(made) > len(talks) / 2
    for before, after in made:
        assert (after.pair, after.messages[:-1]) == (before.pair, before.messages[:-1])
        [number] = stated_numbers(answers_of(after)[-1])
        assert number not in stated_numbers(said(before))


def test_pairs_have_no_turns_to_spoil(cases):
    own = [mutation for mutation in MUTATIONS.values() if mutation.of_conversation]
    assert own
    assert not [c for c in cases[:20] for m in own if mutate(c, m, cases, Random(0))]
