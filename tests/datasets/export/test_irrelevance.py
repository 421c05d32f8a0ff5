"""Queries whose tool, or a parameter of it, is taken away: no tool that is left can answer them."""

import json
from dataclasses import replace

import pytest
from conversations import verified
from points import fill, point

from apigen_ray.datasets.export.examples import Derived, Example
from apigen_ray.datasets.export.irrelevance import Deriving, may_be_derived_from, removable, without
from apigen_ray.datasets.export.unsuited import Request, unsuited
from apigen_ray.datasets.export.writing import export
from apigen_ray.errors import BadInput
from apigen_ray.records import Call, Style, Tool
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.tools.read_forms import read_tool
from apigen_ray.tools.write_forms import shown_form

NUMBER = {"type": "number"}
DATE = {"type": "string", "format": "date"}
PLACE = {"type": "object", "properties": {"lat": NUMBER, "lon": NUMBER}, "required": ["lat", "lon"]}


def tool(name, description="", required=(), category="c", **properties):
    parameters = {"type": "object", "properties": properties, "required": [*required]}
    return Tool(name, description, parameters, category)


PACE = tool(
    "running_pace", "The pace of a run.", ["distance_km", "minutes"],
    distance_km=NUMBER, minutes=NUMBER, unit={"enum": ["km", "mile"]},
)  # fmt: skip
QUERY = "I ran 12.5 km in 61 minutes. What was my pace?"
CALL = Call("running_pace", {"distance_km": 12.5, "minutes": 61})
REQUEST = Request(QUERY, [CALL], [PACE])


@pytest.mark.parametrize(
    "other",
    [
        tool("speed", "", ["distance_km", "minutes"], distance_km=NUMBER, minutes=NUMBER),
        tool("double", "", ["value"], value=NUMBER),
        tool("sum", "", ["values"], values={"type": "array", "items": NUMBER}),
        tool("note", "", ["body"], body={"type": "string"}),
        tool("split", "", ["distance1", "minutes2"], distance1=NUMBER, minutes2=NUMBER),
        tool("open", "", [], weight=NUMBER),
        tool("choice", "", ["kind"], kind={"enum": ["a", "b"]}),
        tool("place", "", ["places"], places={"type": "array", "items": PLACE}),
        tool("either", "", ["what"], what={"anyOf": [DATE, NUMBER]}),
        tool("any", "", ["what"], what={}),
    ],
    ids=lambda other: other.name,
)
def test_what_could_be_called_with_the_values_of_a_request_is_not_unsuited(other):
    assert not unsuited(other, REQUEST)


@pytest.mark.parametrize(
    "other",
    [
        tool("race", "", ["distance_km", "target_km", "x"], distance_km=NUMBER, target_km=NUMBER,
             x=NUMBER),
        tool("age", "", ["born"], born=DATE),
        tool("zones", "", ["pulse"], pulse=NUMBER),
        tool("code", "", ["code"], code={"type": "string", "pattern": "^[A-Z]{3}$"}),
        tool("places", "", ["from", "to"], **{"from": PLACE, "to": PLACE}),
    ],
    ids=lambda other: other.name,
)  # fmt: skip
def test_a_tool_that_requires_what_a_request_does_not_give_is_unsuited(other):
    assert unsuited(other, REQUEST)


def test_what_a_request_speaks_of_is_given_whatever_its_calls_name():
    heart = tool("zones", "", ["pulse"], pulse=NUMBER)
    assert not unsuited(heart, Request(f"{QUERY} My pulse was 150.", [CALL], [PACE]))
    call = Call("running_pace", {"runs": [{"pulse": 150}]})
    assert not unsuited(heart, Request(QUERY, [call], [PACE]))


def test_other_numbers_of_the_query_count():
    three = tool("three", "", ["value1", "value2", "value3"],
                 value1=NUMBER, value2=NUMBER, value3=NUMBER)  # fmt: skip
    assert unsuited(three, REQUEST)
    assert not unsuited(three, Request(f"{QUERY} It was 31 degrees.", [CALL], [PACE]))


def example(calls=(CALL,), tools=(PACE,), query=QUERY, **fields):
    made = [{"name": call.name, "arguments": call.arguments} for call in calls]
    given = {"style": "simple"} | fields
    return Example("7", query, made, texts(tools), **given)


def texts(tools):
    return [json.dumps(shown_form(each)) for each in tools]


def pool_of(*tools):
    return {json.dumps(shown_form(each)): {each.category} for each in tools}


ZONES = tool("heart_zones", "Zones for training.", ["pulse"], pulse=NUMBER)
RACE = tool("race_time", "The time of a race.", ["distance_km", "target_km", "weeks"],
            distance_km=NUMBER, target_km=NUMBER, weeks=NUMBER)  # fmt: skip
SPEED = tool("speed", "The speed of a run.", ["distance_km", "minutes"],
             distance_km=NUMBER, minutes=NUMBER)  # fmt: skip
TWIN = tool("running_pace_of_team", "The pace of a run.", ["distance_km", "minutes", "team"],
            distance_km=NUMBER, minutes=NUMBER, team=NUMBER)  # fmt: skip
FAR = tool("mix_paint", "Colours.", ["litres"], category="other", litres=NUMBER)


def names(derived):
    return {json.loads(each)["name"] for each in derived.tools}


def test_only_near_tools_that_can_not_answer_are_shown():
    pool = pool_of(PACE, SPEED, TWIN, ZONES, RACE, FAR)
    found = [
        Deriving(pool).example(example(tools=(PACE, SPEED, FAR), style="multiple"))
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert names(found[0]) - {"running_pace"} <= {"heart_zones", "race_time", "mix_paint"}
    assert (found[0].calls, found[0].style, found[0].id) == ([], "irrelevance", "7/irrelevant")


def test_the_tools_that_were_shown_are_kept_if_they_can_not_answer():
    pool = pool_of(PACE, SPEED, ZONES, RACE, FAR)
    found = Deriving(pool).example(example(tools=(PACE, RACE, SPEED), style="multiple"))
    assert {"race_time", "heart_zones"} <= names(found) <= {"race_time", "heart_zones", PACE.name}


def test_tools_that_have_nothing_to_do_with_a_query_are_not_put_in():
    derived = Deriving(pool_of(PACE, FAR, ZONES)).example(example())
    assert names(derived) - {"running_pace"} == {"heart_zones"}


def test_tools_of_the_same_category_come_first():
    other = tool("pool_length", "Pace of lanes.", ["lanes"], category="other", lanes=NUMBER)
    near = [tool(f"swim{n}", "", ["strokes"], strokes=NUMBER) for n in "abcd"]
    pool = pool_of(PACE, ZONES, RACE, other, *near)
    for n in range(20):
        derived = Deriving(pool).example(replace(example(), id=str(n)))
        assert "pool_length" not in names(derived)


def test_nothing_is_derived_where_no_tool_is_left():
    several = (CALL, Call("speed", CALL.arguments))
    source = example(several, (PACE, SPEED), style="parallel_multiple")
    assert Deriving(pool_of(PACE, SPEED)).example(source) is None


def test_a_parameter_goes_that_is_required_and_given():
    assert [*removable(PACE, [CALL], QUERY)] == ["distance_km", "minutes"]
    assert [*removable(PACE, [CALL], "I ran 12.5 km in an hour. My pace?")] == ["distance_km"]
    assert not [*removable(tool("one", "", ["km"], km=NUMBER), [Call("one", {"km": 61})], QUERY)]


def test_no_parameter_goes_whose_value_another_could_take():
    extra = {"distance_km": NUMBER, "minutes": NUMBER, "more": {"type": "array", "items": NUMBER}}
    pace = tool("running_pace", "", ["distance_km", "minutes"], **extra)
    assert not [*removable(pace, [CALL], QUERY)]
    used = Call("running_pace", CALL.arguments | {"more": []})
    assert [*removable(pace, [used], QUERY)] == ["distance_km", "minutes"]


def test_a_tool_without_a_parameter_does_not_speak_of_it():
    parameters = PACE.parameters | {"examples": [{"distance_km": 5, "minutes": 20}]}
    shown = shown_form(PACE) | {"parameters": parameters}
    cut = without(shown, "minutes")
    assert "minutes" not in json.dumps(cut["parameters"])
    assert read_tool(cut).parameters["required"] == ["distance_km"]
    assert "minutes" in json.dumps(shown)


USER, REPLY = example().messages


@pytest.mark.parametrize(
    ("source", "derives"),
    [
        (example(), True),
        (example(conversation=example().messages), True),
        (example(conversation=[*example().messages, {"role": "assistant", "content": "5"}]), True),
        (example(conversation=[{"role": "system", "content": ""}, *example().messages]), False),
        (example(conversation=[*example().messages, *example().messages]), False),
        (example(conversation=[USER, {**REPLY, "content": "Let me see."}]), False),
        (example(style="sequential"), False),
        (example(derived=Derived.PREFIX), False),
        (example(calls=()), False),
    ],
)
def test_examples_are_derived_from_verified_pairs(source, derives):
    assert may_be_derived_from(source) is derives


PARIS = "What was the pace of {} km in {} minutes on {}?"
DAYS = ("Monday", "the way to school", "that muddy hill by the lake", "my birthday in June")


@pytest.fixture
def run(tmp_path):
    rows = [
        point(
            str(n),
            query=PARIS.format(n + 3.5, 10 * n + 21, day),
            answers=json.dumps(
                [{"name": PACE.name, "arguments": {"distance_km": n + 3.5, "minutes": 10 * n + 21}}]
            ),
            tools=[PACE, *others],
        )
        for n, (day, others) in enumerate(zip(DAYS, ([], [RACE], [ZONES], [FAR]), strict=True))
    ]
    fill(RunFolder(tmp_path / "run"), rows)
    return tmp_path / "run"


def records(out):
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "form", ["openai", "openai-objects", "sharegpt", "hermes", "xlam", "nemo-gym", "verl"]
)
def test_each_form_has_them(run, form, tmp_path):
    found = export(run, form, tmp_path / "out", irrelevance=0.5)
    assert (found.written, found.derived) == (6, {"irrelevant": 2})
    assert sum(row["id"].endswith("/irrelevant") for row in records(tmp_path / "out")) == 2
    assert "2 of them are verified queries" in (tmp_path / "out" / "README.md").read_text()


def test_verify_reads_them_back(run, tmp_path):
    export(run, "openai", tmp_path / "out", irrelevance=1, weights=True)
    rows = verified(str(tmp_path / "out" / "train.parquet"), tmp_path / "again")
    styles = {id_: row["style"] for id_, row in rows.items() if id_.endswith("/irrelevant")}
    assert [*styles.values()] == [Style.IRRELEVANCE] * 4
    weights = [m.get("weight") for row in records(tmp_path / "out") for m in row["messages"][1:]]
    assert weights == [1] * 8


def test_no_tool_of_test_data_is_put_in(run, tmp_path):
    tests = tmp_path / "tests.jsonl"
    tests.write_text("\n".join(
        json.dumps({"query": each.name, "tools": [shown_form(each)]}) for each in (RACE, FAR)
    ))  # fmt: skip
    export(run, "openai", tmp_path / "out", [str(tests)], irrelevance=1)
    shown = [tool["function"]["name"] for row in records(tmp_path / "out") for tool in row["tools"]]
    assert {*shown} == {"running_pace", "heart_zones"}


@pytest.mark.parametrize(
    ("share", "form", "message"),
    [(1.5, "openai", "a share from 0 to 1"), (0.5, "dpo", "--irrelevance: dpo")],
)
def test_what_can_not_be_is_refused(run, share, form, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        export(run, form, tmp_path / "out", irrelevance=share)
