"""Stage 1: each flaw is found under its own reason, and what is right passes."""

import json
from collections import Counter
from pathlib import Path

import pytest

from apigen_ray.datasets.xlam import json_field, read_rows, row_tools
from apigen_ray.records import Checked, Reason, Rejected, Style, Tool
from apigen_ray.stages.check import CheckSettings, check, check_pair, pair_count, signatures_of

SPEED = Tool(
    name="final_speed",
    description="Final speed of an object.",
    parameters={
        "type": "object",
        "properties": {
            "initial": {"type": "number", "minimum": 0},
            "acceleration": {"type": "number"},
            "steps": {"type": "integer", "default": 1},
            "unit": {"type": "string", "enum": ["m/s", "km/h"], "default": "m/s"},
            "label": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
            "points": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        },
        "required": ["initial", "acceleration"],
    },
    category="Science",
)
AREA = Tool(
    name="area",
    description="Area of a square.",
    parameters={"type": "object", "properties": {"side": {"type": "number"}}, "required": ["side"]},
    category="Math",
)
STRICT = CheckSettings()


def call(name="final_speed", **arguments):
    return {"name": name, "arguments": {"initial": 1, "acceleration": 9.8} | arguments}


def pair(*calls, query="How fast is it?"):
    return {"query": query, "answers": list(calls)}


def one(value, style=Style.SIMPLE, settings=STRICT, tools=(SPEED, AREA)):
    return check_pair(value, style=style, signatures=signatures_of(tools), settings=settings)


def read(text, count=1, style=None, settings=STRICT, finish_reason="stop"):
    return check(
        text,
        finish_reason=finish_reason,
        style=style,
        signatures=signatures_of([SPEED, AREA]),
        count=count,
        settings=settings,
    )


def test_a_right_pair_passes_unchanged():
    given = pair(call(unit="km/h", label=None, points=[[1, 2.5]]))
    result = one(given)
    assert isinstance(result, Checked)
    assert result.pair.calls[0].arguments == given["answers"][0]["arguments"]
    assert not result.coerced


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        ({"answers": [call()]}, Reason.MISSING_FIELD, "pair: 'query' is missing"),
        ({"query": "x"}, Reason.MISSING_FIELD, "pair: 'answers' is missing"),
        (pair({"name": "area"}), Reason.MISSING_FIELD, "calls[0]: 'arguments' is missing"),
        (pair({"arguments": {}}), Reason.MISSING_FIELD, "calls[0]: 'name' is missing"),
        (pair(call(), query=" \n"), Reason.EMPTY_QUERY, "query: is empty"),
        (pair(), Reason.NO_CALLS, "answers: no call where at least one is needed"),
        (pair(call("speed")), Reason.UNKNOWN_FUNCTION, "calls[0].name: 'speed' was not shown"),
        (pair(call("__class__")), Reason.UNKNOWN_FUNCTION, "calls[0].name: '__class__'"),
        (pair(call(mass=3)), Reason.UNKNOWN_ARGUMENT, "calls[0].arguments: "),
        (
            pair({"name": "area", "arguments": {}}),
            Reason.MISSING_ARGUMENT,
            "calls[0].arguments: 'side' is a required property",
        ),
        (
            pair(call(acceleration="9.8")),
            Reason.WRONG_TYPE,
            "calls[0].arguments.acceleration: '9.8' is not of type 'number'",
        ),
        (pair(call(initial=True)), Reason.WRONG_TYPE, "calls[0].arguments.initial: True"),
        (pair(call(steps=5.0)), Reason.WRONG_TYPE, "calls[0].arguments.steps: 5.0"),
        (pair(call(label=5)), Reason.WRONG_TYPE, "calls[0].arguments.label: 5"),
        (pair(call(points=[[1, "2"]])), Reason.WRONG_TYPE, "calls[0].arguments.points[0][1]: '2'"),
        (pair(call(initial=-1)), Reason.CONSTRAINT, "calls[0].arguments.initial: -1 is less"),
        (pair(call(unit="mph")), Reason.CONSTRAINT, "calls[0].arguments.unit: 'mph' is not one"),
        (pair(call(label="longer")), Reason.CONSTRAINT, "calls[0].arguments.label: 'longer'"),
        (pair(call(), call()), Reason.DUPLICATE_CALL, "calls[1]: repeats calls[0]"),
        ({"query": 5, "answers": [call()]}, Reason.WRONG_TYPE, "query: 5 is not of type 'string'"),
        ({"query": "x", "answers": call()}, Reason.WRONG_TYPE, "answers: "),
        ({"query": "x", "answers": None}, Reason.WRONG_TYPE, "answers: None"),
        ({"query": "x", "answers": ["area"]}, Reason.WRONG_TYPE, "calls[0]: 'area'"),
        (
            pair({"name": "area", "arguments": '{"side": 1}'}),
            Reason.WRONG_TYPE,
            "calls[0].arguments: ",
        ),
        ([], Reason.WRONG_TYPE, "pair: [] is not of type 'object'"),
    ],
)
def test_each_flaw_has_its_reason_and_place(value, reason, detail):
    result = one(value)
    assert isinstance(result, Rejected)
    assert (result.reason, result.detail[: len(detail)]) == (reason, detail)


def test_the_gravest_of_several_flaws_decides_whatever_their_order():
    for arguments in ({"mass": 1, "acceleration": "9"}, {"acceleration": "9", "mass": 1}):
        result = one(pair({"name": "final_speed", "arguments": arguments}))
        assert result.reason is Reason.UNKNOWN_ARGUMENT


@pytest.mark.parametrize(
    ("style", "calls", "passes"),
    [
        (Style.SIMPLE, 1, True),
        (Style.SIMPLE, 2, False),
        (Style.MULTIPLE, 2, False),
        (Style.PARALLEL, 1, False),
        (Style.PARALLEL, 3, True),
        (Style.PARALLEL_MULTIPLE, 2, False),
        (Style.IRRELEVANCE, 0, True),
        (Style.IRRELEVANCE, 1, False),
        (None, 2, True),
    ],
)
def test_style_asks_for_a_number_of_calls(style, calls, passes):
    result = one(pair(*(call(steps=n) for n in range(calls))), style=style)
    assert isinstance(result, Checked) == passes
    if not passes:
        assert result.reason is Reason.STYLE_MISMATCH


def test_parallel_multiple_is_calls_of_two_functions():
    result = one(pair(call(), call("area", side=1)), style=Style.PARALLEL_MULTIPLE)
    assert isinstance(result, Rejected)  # `call` adds arguments that `area` has not
    area = {"name": "area", "arguments": {"side": 1}}
    assert isinstance(one(pair(call(), area), style=Style.PARALLEL_MULTIPLE), Checked)


def test_tools_composed_of_schemas_still_refuse_unknown_arguments():
    composed = {
        "type": "object",
        "$defs": {"base": {"properties": {"a": {"type": "integer"}}}},
        "allOf": [{"$ref": "#/$defs/base"}],
        "properties": {"b": {"type": "string"}},
    }
    tool = Tool("composed", "x", composed, "Other")
    right = pair({"name": "composed", "arguments": {"a": 1, "b": "x"}})
    wrong = pair({"name": "composed", "arguments": {"a": 1, "c": "x"}})
    assert isinstance(one(right, tools=[tool]), Checked)
    assert one(wrong, tools=[tool]).reason is Reason.UNKNOWN_ARGUMENT


def test_a_huge_argument_does_not_make_a_huge_detail():
    result = one(pair(call(acceleration="9" * 500_000)))
    assert len(result.detail) < 500


# --- lossless coercion


def test_coercion_is_recorded_and_only_lossless():
    lossless = CheckSettings(coerce="lossless")
    result = one(pair(call(acceleration="9.8", steps=5.0)), settings=lossless)
    assert result.pair.calls[0].arguments == {"initial": 1, "acceleration": 9.8, "steps": 5}
    assert len(result.coerced) == 2
    for lossy in ("nine", "9,8", "true", "", "[9.8]"):
        assert isinstance(one(pair(call(acceleration=lossy)), settings=lossless), Rejected)
    assert isinstance(one(pair(call(steps="5.5")), settings=lossless), Rejected)


# --- the completion's text


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([pair(call())]),
        json.dumps({"pairs": [pair(call())]}),
        json.dumps(pair(call())),
    ],
)
def test_a_completion_has_three_forms(text):
    assert isinstance(read(text)[0], Checked)


def test_always_as_many_results_as_were_asked_for():
    two = json.dumps([pair(call()), pair(call(), query="")])
    reasons = [getattr(result, "reason", None) for result in read(two, count=3)]
    assert reasons == [None, Reason.EMPTY_QUERY, Reason.MISSING_PAIR]
    assert len(read(two, count=1)) == 1
    assert [r.reason for r in read("no JSON", count=2)] == [Reason.INVALID_JSON] * 2
    assert [r.reason for r in read("[]", count=2)] == [Reason.MISSING_PAIR] * 2
    assert pair_count(two, STRICT) == 2
    assert pair_count("no JSON", STRICT) == 1


@pytest.mark.parametrize(
    "around",
    [
        "```json\n{}\n```",
        "Sure! Here you are:\n{}",
        "{}\nI hope this helps.",
        "Well\n```\n{}\n```\n.",
    ],
)
def test_json_beside_prose_is_accepted_only_when_asked(around):
    text = around.replace("{}", json.dumps([pair(call())]))
    assert read(text)[0].reason is Reason.INVALID_JSON
    assert isinstance(read(text, settings=CheckSettings(strict=False))[0], Checked)


def test_text_cut_by_the_token_limit_is_truncated_not_invalid():
    text = json.dumps([pair(call())])[:-9]
    [cut] = read(text, finish_reason="length")
    assert cut.reason is Reason.TRUNCATED
    assert "cut off at max_tokens or the end of the model's context" in cut.detail
    assert """it begins '[{"query": "How fast""" in cut.detail
    assert read(text, finish_reason="stop")[0].reason is Reason.INVALID_JSON


@pytest.mark.parametrize("mark", ["<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>"])
def test_an_end_mark_that_a_server_leaks_is_named(mark):
    [leaked] = read(f"{json.dumps([pair(call())])}{mark}\n")
    assert leaked.reason is Reason.INVALID_JSON
    assert f"ends with {mark}, the server should stop at it" in leaked.detail
    assert isinstance(read(json.dumps([pair(call(), query=f"Is it{mark}")]))[0], Checked)


def test_duplicate_keys_are_found_before_the_last_one_wins():
    text = '[{"query": "x", "answers": [{"name": "area", "arguments": {"side": 1, "side": 2}}]}]'
    assert read(text)[0].reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400"])
def test_numbers_that_are_no_json_are_refused(value):
    text = '[{"query": "x", "answers": [{"name": "area", "arguments": {"side": VALUE}}]}]'
    text = text.replace("VALUE", value)
    assert read(text)[0].reason is Reason.INVALID_JSON


# --- data that others made

DATA = Path(__file__).parents[1] / "data" / "toolalpaca_xlam.jsonl"


def test_a_published_benchmark_has_the_flaws_that_were_counted_by_hand():
    reasons: Counter[str] = Counter()
    for where, row in read_rows(str(DATA)):
        tools = row_tools(json_field(row, "tools"), {}, where)
        given = {"query": row["query"], "answers": json_field(row, "answers")}
        result = check_pair(given, style=None, signatures=signatures_of(tools), settings=STRICT)
        reasons[getattr(result, "reason", "passed")] += 1
    assert reasons == {
        "passed": 52,
        Reason.UNKNOWN_FUNCTION: 6,
        Reason.WRONG_TYPE: 5,
        Reason.MISSING_ARGUMENT: 4,
    }
