"""What the simulated model writes is faultless, except for what is planted."""

import json
import re
from collections.abc import Iterator
from random import Random

import pytest
from chain_tools import CHAIN

from apigen_ray.models.simulated import faults
from apigen_ray.models.simulated.answering import _draft
from apigen_ray.models.simulated.drawing import draw_call
from apigen_ray.models.simulated.faults import OF_COMPLETIONS, OF_PAIRS, Draft, call_form
from apigen_ray.models.simulated.judging import objection
from apigen_ray.models.simulated.profiles import Fault
from apigen_ray.models.simulated.reading import GenerateRequest
from apigen_ray.models.simulated.schemas import accepts, resolve
from apigen_ray.models.simulated.writing import task, write_irrelevant, write_query
from apigen_ray.prompting.templates import VOICES
from apigen_ray.records import (
    Call,
    Checked,
    JsonObject,
    Reason,
    Rejected,
    Returned,
    Style,
    Tool,
)
from apigen_ray.stages.check import CheckSettings, check, signatures_of
from apigen_ray.stages.grounding import ground
from apigen_ray.stages.references import Unresolved, resolved

ONE_TOOL = (Style.SIMPLE, Style.PARALLEL)
FOUND_LATER = (Fault.NOTHING_MISSING, Fault.INFEASIBLE, Fault.MISMATCH, Fault.UNRESOLVED_REFERENCE)


def drafts(zoo: tuple[Tool, ...], each: int) -> Iterator[tuple[Draft, str]]:
    """Pairs over all tools, styles and voices, with the voice."""
    random = Random(7)
    for style in Style:
        for voice in VOICES:
            for number in range(each):
                tools = random.sample(zoo, 1 if style in ONE_TOOL else 3)
                if style is Style.SEQUENTIAL:
                    tools = list(CHAIN)
                if style is Style.PARALLEL and tools[0].name == "current_moon_phase":
                    continue  # it takes no arguments: there is but one call of it
                request = GenerateRequest(tuple(tools), style, voice, 1)
                yield _draft(request, f"{style}:{voice}:{number}"), voice


def stage_1(text: str, draft: Draft, finish_reason: str = "stop") -> Checked | Rejected:
    [found] = check(
        text,
        finish_reason=finish_reason,
        style=draft.style,
        signatures=signatures_of(draft.tools.values()),
        count=1,
        settings=CheckSettings(),
    )
    return found


def said_in(found: Checked) -> str:
    """All that the user says."""
    told = found.pair.clarification
    return f"{found.pair.query}\n{told.reply if told else ''}"


def faultless(draft: Draft) -> str:
    return draft.answering([call_form(call) for call in draft.calls])


def test_calls_satisfy_their_schema(any_tool: Tool) -> None:
    for seed in range(300):
        call = draw_call(Random(seed), any_tool)
        assert call is not None
        assert call.name == any_tool.name
        assert accepts(any_tool, call.arguments), call


def test_calls_beside_others_are_distinct(any_tool: Tool) -> None:
    if any_tool.name == "current_moon_phase":
        assert draw_call(Random(0), any_tool, [Call(any_tool.name, {})]) is None
        return
    for seed in range(40):
        taken: list[Call] = []
        for _ in range(3):
            call = draw_call(Random(seed), any_tool, taken)
            assert call is not None
            assert call not in taken
            taken.append(call)


def test_a_single_example_still_yields_distinct_calls() -> None:
    properties = {"unit": {"type": "string", "enum": ["m"]}, "text": {"type": "string"}}
    for example in ({"text": "abc"}, {"n": 3}):
        parameters = {
            "type": "object",
            "properties": properties | {"n": {"type": "integer"}},
            "required": list(example),
            "examples": [example],
        }
        one = Tool("one", "One", parameters, "")
        first = draw_call(Random(1), one)
        assert first is not None
        assert first.arguments == example
        assert draw_call(Random(1), one, [first]) not in (None, first)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "multipleOf": 1000, "minimum": 1, "maximum": 10},
        {"type": "object", "minProperties": 50},
        {"type": "string", "pattern": "^never$"},
        {"type": "array", "uniqueItems": True, "minItems": 9, "items": {"type": "boolean"}},
        {"type": "string", "minLength": 5, "maxLength": 2},
    ],
)
def test_what_cannot_be_drawn_gives_no_call(schema: JsonObject) -> None:
    parameters: JsonObject = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    assert draw_call(Random(0), Tool("odd", "Odd", parameters, "")) is None


def test_references_in_a_circle_come_to_an_end() -> None:
    assert resolve({"$ref": "#/a"}, {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}})


def test_a_single_example_of_a_choice_yields_the_other_choices() -> None:
    book = {"type": "string", "enum": ["a", "b", "c"]}
    parameters: JsonObject = {
        "type": "object",
        "properties": {"book": book},
        "required": ["book"],
        "examples": [{"book": "a"}],
    }
    tool = Tool("get_book", "Look up a book.", parameters, "Other")
    calls: list[Call] = []
    while call := draw_call(Random(0), tool, calls):
        calls.append(call)
    assert {call.arguments["book"] for call in calls} == {"a", "b", "c"}


def test_examples_are_varied_within_their_ranges(zoo: tuple[Tool, ...]) -> None:
    loan = zoo[0]
    drawn = [draw_call(Random(seed), loan) for seed in range(300)]
    arguments = [call.arguments for call in drawn if call]
    large = [a["principal"] for a in arguments if a["years"] == 30]
    assert min(large) < 220_000
    assert max(large) > 280_000
    assert all(212_500 <= value <= 287_500 for value in large)
    assert {a["years"] for a in arguments} == {5, 30}, "integers stay as in the example"
    assert {a["annual_rate"] for a in arguments if a["years"] == 5} == {0.001}, "not rounded to 0"
    assert 30 < sum("kind" in a for a in arguments) < 120, "what is optional is left out at times"


@pytest.mark.parametrize("voice", VOICES)
def test_every_value_stands_in_the_query(zoo: tuple[Tool, ...], voice: str) -> None:
    for seed in range(100):
        random = Random(seed)
        for one in zoo:
            call = draw_call(random, one)
            assert call is not None
            query = write_query(random, voice, [call], [one])
            for value in call.arguments.values():
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                assert shown in query


def test_voices_differ(zoo: tuple[Tool, ...]) -> None:
    loan = zoo[0]
    call = Call(loan.name, {"principal": 1000, "annual_rate": 5.5, "years": 3})
    said = {voice: write_query(Random(3), voice, [call], [loan]) for voice in VOICES}
    assert said["terse"] == "loan payment: principal 1000, annual rate 5.5, years 3"
    assert "compute the monthly payment of a loan" in said["plain"]
    assert len(re.findall(r"[.?!](?= |$)", said["long"])) in (3, 4, 5)
    assert "principal" not in said["ambiguous"], "no technical terms"
    assert said["misspelled"] != said["plain"]
    words = [set(re.findall(r"[a-z]+", said[voice])) for voice in ("plain", "misspelled")]
    assert len(words[0] & words[1]) > 4


def test_every_misspelled_query_has_a_typo(zoo: tuple[Tool, ...]) -> None:
    loan = zoo[0]
    call = Call(loan.name, {"principal": 1000})
    for seed in range(200):
        plain, misspelled = (
            write_query(Random(seed), voice, [call], [loan]) for voice in ("plain", "misspelled")
        )
        assert misspelled != plain
        assert "1000" in misspelled


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("Returns the area of a circle.", "return the area of a circle"),
        ("Fetches the weather. Slowly.", "fetch the weather"),
        ("Process a text", "process a text"),
        ("Statistics of a list", "statistics of a list"),
        ("URL of an image", "URL of an image"),
        ("", "do my tool"),
    ],
)
def test_a_description_is_turned_into_a_request(description: str, said: str) -> None:
    assert task(Tool("my_tool", description, {}, "")) == said


def test_faultless_pairs_pass_stage_1_and_the_judge(zoo: tuple[Tool, ...]) -> None:
    for draft, voice in drafts(zoo, 60):
        found = stage_1(faultless(draft), draft)
        assert isinstance(found, Checked), found
        against = objection(said_in(found), found.pair.calls, tuple(draft.tools.values()))
        assert against is None, (voice, against, found)


@pytest.mark.parametrize("fault", [fault for fault in OF_PAIRS if fault not in FOUND_LATER])
def test_stage_1_finds_each_way_of_a_fault(zoo: tuple[Tool, ...], fault: Fault) -> None:
    planted = 0
    for draft, _ in drafts(zoo, 12):
        for text in OF_PAIRS[fault](draft):
            found = stage_1(text, draft)
            assert isinstance(found, Rejected), text
            assert found.reason == fault.value, (found.detail, text)
            planted += 1
    assert planted > 50


@pytest.mark.parametrize("fault", OF_COMPLETIONS)
def test_a_spoilt_completion_is_found(zoo: tuple[Tool, ...], fault: Fault) -> None:
    reason = Reason.TRUNCATED if fault is Fault.TRUNCATED else Reason.INVALID_JSON
    for seed, (draft, _) in enumerate(drafts(zoo, 12)):
        text = OF_COMPLETIONS[fault](Random(seed), f"[\n{faultless(draft)}\n]")
        finish_reason = "length" if fault is Fault.TRUNCATED else "stop"
        found = stage_1(text, draft, finish_reason)
        assert isinstance(found, Rejected), text
        assert found.reason is reason


def test_what_is_infeasible_passes_stage_1_and_is_asked_for(zoo: tuple[Tool, ...]) -> None:
    for draft, _ in drafts(zoo, 12):
        for text in faults.infeasible(draft):
            found = stage_1(text, draft)
            assert isinstance(found, Checked), found
            values = [v for call in found.pair.calls for v in call.arguments.values()]
            said = said_in(found)
            assert ([] in values and "[]" in said) or (
                "2024-02-30" in values and "2024-02-30" in said
            )


def test_what_is_unresolved_passes_stage_1_and_is_in_no_result(zoo: tuple[Tool, ...]) -> None:
    planted = 0
    for draft, _ in drafts(zoo, 12):
        for text in faults.unresolved_reference(draft):
            found = stage_1(text, draft)
            assert isinstance(found, Checked), found
            results = {0: Returned({"depot": "D-12", "distance_km": 41.5}, 0.0)}
            with pytest.raises(Unresolved):
                resolved([call.arguments for call in found.pair.calls], results)
            planted += 1
    assert planted > 20


def test_the_judge_refuses_each_mismatch_and_only_the_judge(zoo: tuple[Tool, ...]) -> None:
    planted = 0
    for draft, _ in drafts(zoo, 12):
        for text in faults.mismatch(draft):
            found = stage_1(text, draft)
            assert isinstance(found, Checked), found
            assert objection(said_in(found), found.pair.calls, tuple(draft.tools.values()))
            planted += 1
    assert planted > 200


def test_every_value_of_a_faultless_pair_comes_from_its_query(zoo: tuple[Tool, ...]) -> None:
    for draft, _ in drafts(zoo, 12):
        said = "\n".join(map(str, draft.words(draft.calls).values()))
        found = ground(said, draft.calls, draft.tools)
        assert not found.unsupported, draft
        assert not found.ungrounded, draft


def test_irrelevant_requests_ask_for_no_tool(zoo: tuple[Tool, ...]) -> None:
    for seed in range(300):
        query = write_irrelevant(Random(seed), VOICES[seed % len(VOICES)], zoo)
        assert objection(query, (), zoo) is None


def test_a_fault_is_not_possible_where_the_schema_gives_no_room() -> None:
    lenient = Tool(
        "open",
        "Open",
        {"type": "object", "properties": {"x": {}}, "additionalProperties": True},
        "",
    )
    draft = Draft(
        Style.SIMPLE,
        {"open": lenient},
        {"query": "q"},
        (Call("open", {"x": 1}),),
        (),
        words=lambda _: {"query": "q"},
        complete="q",
    )
    for fault in (
        Fault.UNKNOWN_ARGUMENT,
        Fault.MISSING_ARGUMENT,
        Fault.WRONG_TYPE,
        Fault.CONSTRAINT,
        Fault.DUPLICATE_CALL,
        Fault.STYLE_MISMATCH,
        Fault.INFEASIBLE,
        Fault.MISMATCH,
    ):
        assert not list(OF_PAIRS[fault](draft)), fault
