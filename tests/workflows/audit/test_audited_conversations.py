"""Conversations in an audit: checked, run, compared and shown to judges as a run would."""

import json
from random import Random

import pytest
from example_runs import config
from points import fill, point
from stub_judges import always

from apigen_ray.datasets.external.messages import read_messages
from apigen_ray.records import Pair, Reply
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.ballot import Judge
from apigen_ray.stages.check import CheckSettings
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.audit.cases import Case, with_messages
from apigen_ray.workflows.audit.checks import examine_case, open_runner
from apigen_ray.workflows.audit.command import audit
from apigen_ray.workflows.audit.judges import Question, hear
from apigen_ray.workflows.audit.labels import read_labelled
from apigen_ray.workflows.audit.mutations import MUTATIONS, mutate
from apigen_ray.workflows.prepare import QUIET, prepare_executor, run_async
from apigen_ray.workflows.review import read_labels

TOOLS = ["to_roman_numeral", "factorize_integer"]


def conversation(number, year, roman):
    """Two turns about a number and a year, with results and answers."""
    messages = []
    for name, arguments, question, result, answer in (
        ("to_roman_numeral", {"number": year}, f"What is {year} in Roman numerals?",
         roman, f"{year} is {roman}."),
        ("factorize_integer", {"number": 3 * number}, f"And now factorize {3 * number}.",
         {"factors": [{"prime": 3, "exponent": 1}, {"prime": number, "exponent": 1}],
          "is_prime": False, "divisor_count": 4}, f"It is 3 times {number}."),
    ):  # fmt: skip
        call = {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}
        messages += [
            {"role": "user", "content": question},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": json.dumps(result)},
            {"role": "assistant", "content": answer},
        ]
    return messages


TALKS = ((101, 1984, "MCMLXXXIV"), (103, 1666, "MDCLXVI"), (107, 2025, "MMXXV"))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audited")
    data = folder / "talks.jsonl"
    rows = [
        {"id": f"talk-{n}", "tools": TOOLS, "messages": conversation(*each)}
        for n, each in enumerate(TALKS)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with always("yes") as judge:
        settings = config("unused", judge=judge.model_dump(mode="json"))
        yield audit(data, config=settings, out=folder / "out")


def test_conversations_are_audited_like_pairs(found):
    assert found.source.endswith("talks.jsonl, 3 of them conversations")
    assert found.notices == ()
    for stage in ("format", "execution", "grounding: call", "grounding: argument"):
        assert (found.refused[stage].hits, found.refused[stage].of) == (0, 3), stage
    made = {mutation.name: mutation for mutation in found.mutations}
    assert made.keys() >= {"off_by_one", "turn_dropped", "answer_off", "wrong_type", "added_call"}
    assert made["wrong_type"].caught.hits == made["wrong_type"].rows == 3
    refused = {stage: rate.hits for stage, rate in made["off_by_one"].refused.items()}
    assert refused["grounding: argument"] == made["off_by_one"].rows == 3


def test_a_number_of_a_final_answer_from_nowhere_is_found_where_answers_are_looked_at(found):
    [answer] = [mutation for mutation in found.mutations if mutation.name == "answer_off"]
    assert answer.refused["answers"].hits == answer.rows > 0
    assert found.refused["answers"].hits == 0
    assert answer.caught.hits == 0  # of data made elsewhere, that is left to the judge
    assert answer.refused["judge always-yes"].of > 0


def case_of_talk(number, talk):
    tools = load_library(config("unused").tools).by_name()
    shown = tuple(tools[name] for name in TOOLS)
    messages = read_messages(conversation(*talk))
    return with_messages(Case(f"talk-{number}", Pair("", ()), shown), messages)


class Listening:
    """A model that says yes, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    async def complete(self, messages, _schema=None, *, sample=""):
        self.asked.append((sample, messages[-1].content))
        return Reply('{"thought": "", "pass": "yes"}', "stop", 10, 5, 0.001, 0.1, 1)

    async def close(self): ...


def test_a_judge_hears_that_a_replaced_result_is_not_what_the_call_returns():
    settings = config("unused")
    executor, _ = prepare_executor(
        load_library(settings.tools),
        QUIET,
        execute=settings.execute,
        sandbox=settings.sandbox,
        rest=settings.rest,
    )
    first, second = (case_of_talk(n, talk) for n, talk in enumerate(TALKS[:2]))
    changed = mutate(first, MUTATIONS["result_replaced"], [second], Random(1))
    listening = Listening()

    async def heard():
        async with open_runner(executor) as running:
            right = await examine_case(first, CheckSettings(), running)
            wrong = await examine_case(changed, CheckSettings(), running)
            assert right.is_clean
            assert wrong.refused["answers"]  # its answer still gives the number of before
            assert not wrong.is_caught("call")
            assert right.case.mismatches == ()
            await hear([Judge("j", listening)], [Question(wrong.case, wrong=True)], "all", "call")

    run_async(heard())
    [(sample, asked)] = listening.asked
    assert sample.startswith("audit/talk-0/result_replaced")
    assert '{"role": "user", "content": "What is 1984 in Roman numerals?"}' in asked
    assert ".calls[0]: the result is given as" in asked


def test_a_conversation_that_people_labelled_keeps_its_messages(tmp_path):
    messages = conversation(*TALKS[0])
    tools = load_library(config("unused").tools).by_name()
    shown = [tools[name] for name in TOOLS]
    row = point(
        "talk", tools=shown, answers="[]", messages=json.dumps(read_messages(messages)), style=None
    )
    folder = RunFolder(tmp_path / "run")
    fill(folder, [row])
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"labels": [{"id": "talk", "label": "right"}]}))
    read_labels(folder.path, labels)
    [read], _ = read_labelled(folder.path / "labelled.jsonl")
    assert [message["content"] for message in read.case.messages] == [
        message["content"] for message in messages
    ]
    assert [call.name for call in read.case.pair.calls] == TOOLS
