"""What of conversations that failed is written: the turns before, or all with wrong ones masked."""

import json
from itertools import count

import pytest
from conversations import TOOLS, call, says, user
from points import fill

from apigen_ray.datasets.export.writing import export
from apigen_ray.errors import BadInput
from apigen_ray.records import Reason, Rejected, Stage, Style
from apigen_ray.run_folder.rows import new_row, rejected_row
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.conversation import query_of, turns_of

EXAMPLES = ["openai", "openai-objects", "sharegpt", "hermes", "nemo-gym", "verl", "xlam"]


def calls(number, port):
    made = call(("tide", {"port": port}))
    made["tool_calls"][0]["id"] = f"call{number:05}"
    return made


def result(number, content):
    return {"role": "tool", "tool_call_id": f"call{number:05}", "content": content}


KIEL = [user("High tide in Kiel?"), calls(0, "Kiel"), result(0, "12"), says("At twelve.")]
ROTTERDAM = [user("And in Rotterdam?"), calls(1, "Rotterdam"), result(1, "3"), says("At three.")]
OSLO = [user("In Oslo?"), calls(2, "Oslo"), result(2, "5"), says("At five.")]


def conversation(id_, reason, messages, turns, *, stage=Stage.CHECK, style=Style.MULTI_TURN):
    """A row of a conversation with the reason of each turn."""
    row = new_row(id_, model="m", style=style, prompt_id="p", tried=0, tools=json.dumps(TOOLS))
    places = [turn.place for turn in turns_of(messages)]
    found = [
        {"message": place} | ({"reason": why, "detail": "d"} if why else {})
        for place, why in zip(places, turns, strict=False)
    ]
    made = [answer for turn in turns_of(messages) for answer in turn.answers]
    row |= {
        "query": query_of(messages),
        "answers": json.dumps(made),
        "messages": json.dumps(messages),
        "turns": json.dumps(found),
        "execution_results": json.dumps([{"ok": True, "result": 7}] * len(made)),
    }
    return (
        rejected_row(row, stage, Rejected(reason, "why"))
        if reason
        else {
            **row,
            "outcome": "verified",
        }
    )


@pytest.fixture
def exported(tmp_path):
    runs = count()

    def write(rows, form="openai-objects", verify=None, **options):
        folder = RunFolder(tmp_path / f"run{next(runs)}")
        fill(folder, rows)
        if verify:
            folder.write_json("manifest.json", {"config": {}, "verify": {"stages": verify}})
        found = export(str(folder.path), form, tmp_path / "out", **options)
        lines = (tmp_path / "out" / "train.jsonl").read_text().splitlines()
        assert found.written == len(lines)
        return found, {row["id"]: row for row in map(json.loads, lines)}

    return write


def said(record):
    return [(m["role"], m["content"]) for m in record["messages"]]


WRONG_SECOND = conversation(
    "a", Reason.JUDGED_NO, KIEL + ROTTERDAM, [None, "judged_no"], stage=Stage.JUDGE
)


@pytest.mark.parametrize(
    ("until", "ends"), [("calls", 2), ("results", 3), ("answer", 4), (None, 4)]
)
def test_a_conversation_that_failed_gives_the_turns_before(exported, until, ends):
    found, records = exported([WRONG_SECOND], prefixes=True, until=until)
    assert said(records["a/prefix"]) == [(m["role"], m["content"]) for m in KIEL[:ends]]
    assert found.derived == {"prefix": 1}


def test_the_card_counts_prefixes(exported, tmp_path):
    exported([WRONG_SECOND], prefixes=True)
    assert "1 of them are conversations that failed" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize("form", EXAMPLES)
def test_every_form_of_examples_has_prefixes(exported, form):
    _, records = exported([WRONG_SECOND], form, prefixes=True)
    assert [*records] == ["a/prefix"]
    assert "Rotterdam" not in json.dumps(records["a/prefix"])


def test_nothing_of_failed_conversations_is_written_unasked(exported):
    with pytest.raises(BadInput, match="nothing to export"):
        exported([WRONG_SECOND])


def test_a_prefix_of_one_turn_is_a_pair(exported):
    three = conversation("b", Reason.RAISED, KIEL + ROTTERDAM + OSLO, [None, None, "raised"])
    found, records = exported([WRONG_SECOND, three], "xlam", prefixes=True)
    assert records["a/prefix"]["style"] == "multiple"
    assert records["a/prefix"]["query"] == "High tide in Kiel?"
    assert found.removed == {"several_turns": 1}


def test_a_turn_that_an_error_kept_from_being_begun_leaves_those_before(exported):
    row = conversation("a", Reason.ENDPOINT, [*KIEL, user("And?")], [None], stage=Stage.GENERATE)
    _, records = exported([row], prefixes=True)
    assert said(records["a/prefix"])[-1] == ("assistant", "At twelve.")


def test_a_turn_that_an_error_ended_is_not_right(exported):
    begun = conversation("a", Reason.JUDGE_UNREADABLE, KIEL[:3], [None], stage=Stage.JUDGE)
    with pytest.raises(BadInput, match="nothing to export"):
        exported([begun], prefixes=True)
    second = conversation("b", Reason.SANDBOX, KIEL + OSLO[:2], [None], stage=Stage.EXECUTE)
    _, records = exported([begun, second], prefixes=True)
    assert {id_: len(record["messages"]) for id_, record in records.items()} == {"b/prefix": 4}


def test_calls_before_a_bad_answer_are_used_without_it(exported):
    one = conversation("one", Reason.ANSWER, KIEL[:3], [], stage=Stage.JUDGE, style=Style.MULTIPLE)
    two = conversation("two", Reason.ANSWER, ROTTERDAM[:4] + OSLO[:3], [None, "answer"])
    for until, ends in (("calls", 2), ("results", 3)):
        _, records = exported([one, two], prefixes=True, until=until)
        assert len(records["one/prefix"]["messages"]) == ends
        assert len(records["two/prefix"]["messages"]) == 4 + ends
    _, records = exported([one, two], prefixes=True, until="answer")
    assert [*records] == ["two/prefix"]
    assert said(records["two/prefix"])[-1] == ("assistant", "At three.")


def refused(row, reason, place):
    """A row of which something was refused that has no place in its messages."""
    found = [*json.loads(row["turns"]), {"message": place, "reason": reason, "detail": "d"}]
    return row | {"turns": json.dumps(found)}


def test_an_answer_that_was_refused_leaves_the_calls_before(exported):
    row = conversation("a", Reason.ANSWER, KIEL + OSLO[:3], [None, None], stage=Stage.JUDGE)
    unread = conversation("b", Reason.JUDGE_UNREADABLE, ROTTERDAM + OSLO[:3], [None, None])
    rows = [refused(row, "answer", 7), refused(unread, "judge_unreadable", 7)]
    _, records = exported(rows, prefixes=True, until="results")
    assert [len(record["messages"]) for record in records.values()] == [7, 7]
    _, records = exported(rows, prefixes=True, until="answer")
    assert [len(record["messages"]) for record in records.values()] == [4, 4]


def test_a_turn_that_could_not_be_read_leaves_the_whole_conversation_before(exported):
    row = conversation("a", Reason.INVALID_JSON, KIEL, [None])
    _, records = exported([refused(row, "invalid_json", 5)], prefixes=True)
    assert said(records["a/prefix"]) == [(m["role"], m["content"]) for m in KIEL]


def test_calls_that_go_on_without_the_user_are_no_pair(exported):
    row = conversation("a", Reason.RAISED, KIEL[:3] + OSLO[1:], [None, "raised"])
    _, records = exported([row], prefixes=True)
    assert len(records["a/prefix"]["messages"]) == 3
    with pytest.raises(BadInput, match="nothing to export"):
        exported([row], "xlam", prefixes=True)


def test_an_answer_and_a_chain_are_no_further_turns(exported):
    found = [{"message": 1}, {"message": 3}]
    answered = conversation("a", None, KIEL, [], style=Style.MULTIPLE)
    chain = conversation("b", None, OSLO[:3] + KIEL[1:], [], style=Style.SEQUENTIAL)
    turns = conversation("c", None, ROTTERDAM + OSLO, [])
    rows = [row | {"turns": json.dumps(found)} for row in (answered, chain, turns)]
    found, records = exported(rows, "xlam")
    assert [*records] == ["a", "b"]
    assert found.removed == {"several_turns": 1}


def test_verified_rows_win_over_prefixes(exported):
    row = conversation("z", None, KIEL, [None], style=Style.MULTIPLE)
    found, records = exported([WRONG_SECOND, row], prefixes=True)
    assert [*records] == ["z"]
    assert found.removed == {"exact_duplicate": 1}
    assert not found.derived


def test_prefixes_are_held_against_test_data(exported, tmp_path):
    tests = tmp_path / "tests.jsonl"
    tests.write_text('{"query": "High tide in Kiel?"}')
    other = conversation("b", Reason.RAISED, OSLO + ROTTERDAM, [None, "raised"])
    found, records = exported([WRONG_SECOND, other], prefixes=True, against=[str(tests)])
    assert [*records] == ["b/prefix"]
    assert found.removed == {"tested_query": 1}


@pytest.mark.parametrize(
    ("stage", "stages", "written"),
    [
        (Stage.CHECK, ["format"], True),
        (Stage.EXECUTE, ["format", "execution"], True),
        (Stage.CHECK, ["format", "execution"], False),
        (Stage.EXECUTE, ["format", "execution", "semantic"], False),
    ],
)
def test_turns_that_verify_took_through_some_stages_only_are_not_right(
    exported, stage, stages, written
):
    row = conversation("a", Reason.RAISED, KIEL + ROTTERDAM, [None, "raised"], stage=stage)
    if written:
        _, records = exported([row], verify=stages, prefixes=True)
        assert [*records] == ["a/prefix"]
    else:
        with pytest.raises(BadInput, match="nothing to export"):
            exported([row], verify=stages, prefixes=True)


def test_a_judge_of_the_whole_leaves_no_turn_right(exported):
    row = conversation("a", Reason.JUDGED_NO, KIEL + ROTTERDAM, [None, None], stage=Stage.JUDGE)
    with pytest.raises(BadInput, match="nothing to export"):
        exported([row], verify=["format", "execution", "semantic"], prefixes=True)


def weights(record, key="messages"):
    return [turn["weight"] for turn in record[key] if "weight" in turn]


WRONG_BETWEEN = conversation(
    "w", Reason.RAISED, KIEL + ROTTERDAM + OSLO, [None, "raised", None], stage=Stage.EXECUTE
)


def test_a_wrong_turn_is_masked_with_what_is_said_on_it(exported, tmp_path):
    found, records = exported([WRONG_BETWEEN], weights=True)
    assert weights(records["w/masked"]) == [1, 1, 0, 0, 1, 1]
    assert all("weight" not in m for m in records["w/masked"]["messages"] if m["role"] == "user")
    assert found.derived == {"masked": 1}
    assert "1 of them have wrong turns" in (tmp_path / "out/README.md").read_text()


def test_a_prefix_ends_before_the_first_wrong_turn(exported):
    _, records = exported([WRONG_BETWEEN], prefixes=True)
    assert said(records["w/prefix"]) == [(m["role"], m["content"]) for m in KIEL]


def test_nothing_stands_after_the_last_turn_to_learn_from(exported):
    _, records = exported([WRONG_SECOND], weights=True)
    assert said(records["a/prefix"]) == [(m["role"], m["content"]) for m in KIEL]
    assert weights(records["a/prefix"]) == [1, 1]


@pytest.mark.parametrize("form", ["sharegpt", "hermes"])
def test_conversations_have_weights_too(exported, form):
    _, records = exported([WRONG_BETWEEN], form, weights=True)
    assert weights(records["w/masked"], "conversations") == [1, 1, 0, 0, 1, 1]


def test_a_wrong_turn_shows_why_it_failed_where_no_result_is_given(exported):
    bare = [m for m in KIEL + ROTTERDAM + OSLO if m["role"] != "tool"]
    row = conversation("w", Reason.RAISED, bare, [None, "raised", None], stage=Stage.EXECUTE)
    results = [{"ok": True, "result": 7}, {"ok": False, "message": "no such port"}]
    row["execution_results"] = json.dumps([*results, {"ok": True, "result": 8}])
    _, records = exported([row], weights=True, until="results")
    shown = [m["content"] for m in records["w/masked"]["messages"] if m["role"] == "tool"]
    assert shown == ["7", '{"error": "no such port"}', "8"]


def test_verified_pairs_have_weights(exported):
    row = conversation("z", None, KIEL, [None], style=Style.MULTIPLE)
    row |= {"messages": None, "turns": None, "query": "High tide in Kiel?"}
    _, records = exported([row], weights=True)
    assert weights(records["z"]) == [1]


@pytest.mark.parametrize(
    ("options", "form", "message"),
    [
        ({"prefixes": True}, "dpo", "--prefixes: dpo"),
        ({"weights": True}, "xlam", "--weights: xlam"),
    ],
)
def test_forms_without_a_place_for_it_are_refused(exported, options, form, message):
    with pytest.raises(BadInput, match=message):
        exported([WRONG_SECOND], form, **options)
