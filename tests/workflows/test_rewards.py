"""No reward for what is not right, whatever a fuzzer makes of the right calls."""

import json
from copy import deepcopy
from random import Random

import pytest

import apigen_ray
from apigen_ray.errors import BadInput
from apigen_ray.stages.execute.sandbox import SandboxSettings
from apigen_ray.workflows.rewards import call_match, compute_score, execution_match

TOOLS = [
    {
        "name": name,
        "description": "",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "default": 3},
                "exact": {"type": "boolean", "default": False},
                "share": {"type": "number"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "at": {"type": "object"},
            },
            "required": ["city"],
        },
    }
    for name in ("weather", "tides", "trains")
]
WORDS = ("Kiel", "Sankt Peter-Ording", "Neustadt (Holstein)", "São Paulo", "12", "true", "")


def draw(random):
    """One to four calls, none like another."""
    calls = {}
    for _ in range(random.randint(1, 4)):
        arguments = {"city": random.choice(WORDS)}
        options = {
            "days": random.choice([1, 2, 7, 10**16]),
            "exact": True,
            "share": random.choice([0.5, 1.0, -2.25, 1e-9]),
            "tags": random.sample(["a", "b", "c"], random.randint(1, 3)),
            "at": {"hour": random.randint(0, 23), "zone": {"name": random.choice(WORDS)}},
        }
        for name in random.sample(sorted(options), random.randint(0, 5)):
            arguments[name] = options[name]
        call = {"name": random.choice(TOOLS)["name"], "arguments": arguments}
        calls[json.dumps(call, sort_keys=True)] = call
    return list(calls.values())


def wrong_type(value):
    """Values of other types that a careless comparison takes for the same."""
    if isinstance(value, bool):
        return [int(value), str(value).lower(), None]
    if isinstance(value, int | float):
        more = [bool(value)] if value in (0, 1) else []
        return [str(value), [value], None, *more]
    if isinstance(value, str):
        return [[value], None, *([int(value)] if value.isdigit() else [])]
    return [json.dumps(value), None, [value]]


def near(value):
    """Values that are nearly the same."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, -value, *([value + 0.5] if value < 10**9 else [])]
    if isinstance(value, float):
        return [value * (1 + 1e-9), -value, value + 1]
    if isinstance(value, str):
        return [value + " ", value + ".", value.swapcase() + "x", value[:-1] + "y", value * 2 + "z"]
    if isinstance(value, list):
        return [value[:-1], [*value, value[0]], [*value, "z"], *([value[::-1]] * (len(value) > 1))]
    return [{**value, "more": 1}, {k: v for k, v in value.items() if k != "hour"}, {}]


def mutations(random, calls):
    """The kind of each way to be wrong, and the calls that are."""
    place = random.randrange(len(calls))
    arguments = calls[place]["arguments"]

    def changed(**other):
        made = deepcopy(calls)
        made[place]["arguments"].update(other)
        return made

    yield "missing", calls[:place] + calls[place + 1 :]
    yield "extra", [*calls, {"name": "weather", "arguments": {"city": "Nowhere"}}]
    yield "repeated", [*calls, deepcopy(calls[place])]
    yield "repeated for another", [calls[0], *calls[:-1]] if len(calls) > 1 else calls * 2
    if len(calls) > 1:
        yield "reordered", calls[1:] + calls[:1]
    renamed = deepcopy(calls)
    renamed[place]["name"] += "s"
    yield "another function", renamed
    yield "an argument more", changed(country="DE")
    name = random.choice(sorted(arguments))
    dropped = deepcopy(calls)
    del dropped[place]["arguments"][name]
    yield "an argument less", dropped
    for value in near(arguments[name]):
        yield "near", changed(**{name: value})
    for value in wrong_type(arguments[name]):
        yield "wrong type", changed(**{name: value})
    if "days" not in arguments:
        yield "not the default", changed(days=4)
        yield "the default as text", changed(days="3")


ROUNDS = 1000


def cases():
    for seed in range(ROUNDS):
        random = Random(seed)
        right = draw(random)
        for kind, wrong in mutations(random, right):
            yield kind, wrong, right


def test_nothing_that_a_fuzzer_changes_is_right():
    kept = [
        (kind, wrong, right) for kind, wrong, right in cases() if call_match(wrong, right, TOOLS)
    ]
    assert not kept


def careless(made, right):
    """A comparison as rewards in use have it: what is expected is there, and texts are similar."""

    def alike(one, other):
        if isinstance(other, str):
            a, b = set(str(one).lower()), set(other.lower())
            return len(a & b) >= 0.1 * len(a | b)
        return one == other

    def holds(call, wanted):
        return call["name"] == wanted["name"] and all(
            name in call["arguments"] and alike(call["arguments"][name], value)
            for name, value in wanted["arguments"].items()
        )

    return all(any(holds(call, wanted) for call in made) for wanted in right)


def test_the_fuzzer_finds_the_holes_of_a_careless_comparison():
    found = {kind for kind, wrong, right in cases() if careless(wrong, right)}
    assert {
        "extra", "repeated", "reordered", "an argument more", "near", "wrong type",
        "not the default",
    } <= found  # fmt: skip


def test_the_right_calls_are_right_in_every_form():
    for seed in range(100):
        right = draw(Random(seed))
        tool_calls = [{"function": {**c, "arguments": json.dumps(c["arguments"])}} for c in right]
        message = {"role": "assistant", "content": None, "tool_calls": tool_calls}
        tagged = "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in right)
        forms = (
            right,
            message,
            [message],
            tagged,
            json.dumps(right),
            f"<think>So.</think>{tagged}",
        )
        assert [call_match(form, right, TOOLS) for form in forms] == [1.0] * len(forms)


@pytest.mark.parametrize(
    ("made", "right"),
    [
        ({"city": "Kiel", "days": 3}, {"city": "Kiel"}),
        ({"city": "Kiel"}, {"city": "Kiel", "exact": False}),
        ({"city": "Kiel", "share": 2}, {"city": "Kiel", "share": 2.0}),
        ({"share": 1, "city": "Kiel"}, {"city": "Kiel", "share": 1}),
    ],
)
def test_what_means_the_same_for_certain_is_right(made, right):
    made, right = ([{"name": "tides", "arguments": a}] for a in (made, right))
    assert call_match(made, right, TOOLS) == 1.0


def test_another_order_is_right_only_where_it_may_be():
    for seed in range(200):
        right = draw(Random(seed))
        if len(right) > 1:
            assert call_match(right[::-1], right, TOOLS) == 0.0
            assert call_match(right[::-1], right, TOOLS, any_order=True) == 1.0
            assert call_match([*right[1:], right[1]], right, TOOLS, any_order=True) == 0.0


def test_no_call_is_right_where_none_is_expected():
    assert call_match("I can't do that.", [], TOOLS) == 1.0
    assert call_match([{"name": "tides", "arguments": {}}], [], TOOLS) == 0.0


UNREADABLE = (
    "<tool_call>{</tool_call>",
    '<tool_call>{"name": "tides", "arguments": {"city": "Kiel"}} trailing</tool_call>',
    '<tool_call>{"name": "tides", "arguments": {"city": "Kiel"}}</tool_call><tool_call>',
    '{"name": "tides", "arguments": {"city": "Ulm", "city": "Kiel"}}',
    {"role": "assistant", "tool_calls": [{"function": {"name": "tides", "arguments": "{"}}]},
    {"role": "nobody", "content": ""},
    [{"name": "tides"}],
    [7],
    [],
    "",
)


@pytest.mark.parametrize("made", UNREADABLE, ids=str)
def test_what_cannot_be_read_is_wrong_and_no_exception(made):
    assert call_match(made, [{"name": "tides", "arguments": {"city": "Kiel"}}], TOOLS) == 0.0


def test_what_is_expected_must_be_calls():
    for expected in ([{"name": "f"}], ["f"], [{"name": "f", "arguments": "{"}]):
        with pytest.raises(BadInput, match="expected"):
            call_match([], expected)


def test_verl_gives_texts():
    right = [{"name": "tides", "arguments": {"city": "Kiel"}}]
    extra = {"tools": json.dumps(TOOLS)}
    said = '<tool_call>{"name": "tides", "arguments": {"city": "Kiel", "days": 3}}</tool_call>'
    assert compute_score("any", said, json.dumps(right), extra) == 1.0
    assert compute_score("any", said.replace("3", "4"), json.dumps(right), extra) == 0.0


CODE = '''
def distance(km: float = 0.0, m: float = 0.0) -> dict:
    """A length in metres."""
    return {"metres": km * 1000 + m}


def is_long(km: float) -> bool:
    """Whether it is long."""
    return km > 3


def fails(km: float) -> float:
    """Divide by it."""
    return 1 / km
'''


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    code = tmp_path_factory.mktemp("rewards") / "lengths.py"
    code.write_text(CODE)
    with apigen_ray.Sandbox(str(code), settings=SandboxSettings(kind="process")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("made", "right", "reward"),
    [
        (("distance", {"m": 5000}), ("distance", {"km": 5}), 1.0),
        (("distance", {"m": 5001}), ("distance", {"km": 5}), 0.0),
        (("distance", {"m": "5000"}), ("distance", {"km": 5}), 0.0),
        (("distance", {"m": 5000, "y": 1}), ("distance", {"km": 5}), 0.0),
        (("distance", {"km": 5, "m": 0}), ("distance", {"km": 5}), 1.0),
        (("is_long", {"km": 5}), ("is_long", {"km": 6}), 0.0),  # many calls return true
        (("is_long", {"km": 6}), ("is_long", {"km": 6.0}), 1.0),
        (("fails", {"km": 0}), ("fails", {"km": 0}), 1.0),
        (("fails", {"km": 0.0}), ("fails", {"km": 5}), 0.0),
        (("gone", {}), ("distance", {"km": 5}), 0.0),
    ],
)
def test_calls_that_return_the_same_are_right(sandbox, made, right, reward):
    made, right = ([{"name": name, "arguments": given}] for name, given in (made, right))
    assert execution_match(made, right, sandbox) == reward


def test_what_is_run_is_counted_and_in_order(sandbox):
    one, two = ({"name": "distance", "arguments": {"km": n}} for n in (5, 6))
    other = {"name": "distance", "arguments": {"m": 5000}}
    assert execution_match([other, two], [one, two], sandbox) == 1.0
    assert execution_match([two, other], [one, two], sandbox) == 0.0
    assert execution_match([two, other], [one, two], sandbox, any_order=True) == 1.0
    assert execution_match([other, other], [one, two], sandbox, any_order=True) == 0.0
    assert execution_match([other], [one, two], sandbox) == 0.0


def test_it_is_imported_by_a_simple_name():
    assert apigen_ray.rewards.call_match is call_match
