"""Recorded calls of real APIs, replayed: our verdicts beside the recorded outcomes."""

import json
from collections import Counter
from pathlib import Path

import pytest

from apigen_ray.records import Failed, VirtualBackend
from apigen_ray.stages.execute.rest.cassette import Recorder
from apigen_ray.stages.execute.rest.client import Response
from apigen_ray.stages.execute.rest.request import build

CALLS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data" / "rapidapi_calls.jsonl").open()
]
CODES = {
    0: "a result", 5: "time-out", 6: "API not working", 7: "unauthorised", 8: "not subscribed",
    11: "error in the answer", 12: "request failed",
}  # fmt: skip


def backend(call):
    names = call["category"], call["tool_name"], call["api_name"]
    return VirtualBackend("http://toolbench.example/virtual", *names)


@pytest.fixture(scope="module")
def cassette(tmp_path_factory):
    path = tmp_path_factory.mktemp("cassette") / "rapidapi.jsonl"
    recorder = Recorder(path)
    for call in CALLS:
        answer = Response(200, "application/json", call["answer"].encode(), 0.25)
        recorder.append(build(backend(call), call["arguments"]), answer)
    recorder.close()
    return path


@pytest.fixture
async def replayed(caller, cassette):
    """Each call's verdict: `returned`, or the reason of its failure."""
    made = caller(mode="replay", cassette=str(cassette))
    results = [await made.call(backend(call), call["arguments"]) for call in CALLS]
    return [r.reason.value if isinstance(r, Failed) else "returned" for r in results]


def table(rows) -> str:
    counts = Counter(rows)
    return "\n".join(f"{a!s:>20}  {b:<14} {n:>4}" for (a, b), n in sorted(counts.items()))


async def test_no_recorded_failure_is_taken_for_a_result(replayed):
    verdicts = [
        (CODES[call["code"]], verdict) for call, verdict in zip(CALLS, replayed, strict=True)
    ]
    print(table(verdicts))
    assert Counter(verdicts) == {
        ("a result", "returned"): 200,
        ("a result", "error_in_body"): 127,
        ("a result", "empty_result"): 34,
        ("time-out", "timeout"): 1,
        ("API not working", "error_in_body"): 7,
        ("unauthorised", "error_in_body"): 1,
        ("not subscribed", "error_in_body"): 9,
        ("error in the answer", "error_in_body"): 21,
        ("request failed", "http_status"): 105,
    }


async def test_verdicts_agree_with_a_reading_of_the_answers(replayed):
    """Where ToolBench says 'a result', its answers were read; no result is called an error."""
    verdicts = [(call["read_as"], verdict) for call, verdict in zip(CALLS, replayed, strict=True)]
    print(table(verdicts))
    kinds = {"returned": "result", "empty_result": "nothing"}
    confused = Counter((read, kinds.get(verdict, "error")) for read, verdict in verdicts)
    assert confused == {
        ("result", "result"): 193,
        ("nothing", "nothing"): 34,
        ("error", "error"): 271,
        ("error", "result"): 7,  # such as 'Please check what you are inputting': no form tells
    }


async def test_a_replay_takes_the_time_that_was_recorded(caller, cassette):
    made = caller(mode="replay", cassette=str(cassette))
    result = await made.call(backend(CALLS[0]), CALLS[0]["arguments"])
    assert result.seconds == 0.25
