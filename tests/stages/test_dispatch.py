"""Stage 2 without Ray: who runs a call, what is a failure, and what differs when run twice."""

import itertools

import pytest
from points import point

from apigen_ray.pipeline.steps import execute_step
from apigen_ray.records import Call, Failed, Reason, RestBackend, Returned
from apigen_ray.stages.execute.dispatch import (
    MCP_ERRORS,
    Dispatcher,
    ExecuteSettings,
    execute,
    execute_twice,
    result_form,
)
from apigen_ray.stages.execute.rest.envelopes import ErrorPattern, error_in

CALLS = '[{"name": "add", "arguments": {}}]'


class Scripted:
    """A sandbox and a REST client that answer from a function of the call, and remember."""

    def __init__(self, answer):
        self.answer = answer
        self.batches = []

    async def run(self, calls):
        self.batches.append([call.name for call in calls])
        return [self.answer(call.name, call.arguments) for call in calls]

    async def call(self, backend, arguments):
        self.batches.append([backend.url])
        return self.answer(backend.url, arguments)

    async def close(self): ...


def dispatcher(scripted, **rest_tools):
    async def opened():
        return scripted

    return Dispatcher(rest_tools, scripted, opened)


def returning(value):
    return Scripted(lambda name, arguments: Returned(value, 0.1))


async def test_calls_run_in_order_and_go_where_they_belong():
    scripted = Scripted(lambda name, arguments: Returned(name, 0.1))
    runner = dispatcher(scripted, r=RestBackend("GET", "http://r"))
    done = await execute([Call(n, {}) for n in ("a", "b", "r", "a")], runner)
    assert [result.result for result in done.results] == ["a", "b", "http://r", "a"]
    assert scripted.batches == [["a", "b"], ["http://r"], ["a"]]


async def test_all_calls_are_tried_and_the_first_failure_decides():
    def answer(name, arguments):
        return Returned(1, 0.1) if name == "ok" else Failed(Reason.TIMEOUT, name, 0.1)

    runner = dispatcher(Scripted(answer))
    done = await execute([Call(n, {}) for n in ("ok", "x", "ok", "y")], runner)
    assert len(done.results) == 4
    assert (done.rejection.reason, done.rejection.detail) == (Reason.TIMEOUT, "calls[1]: x")


async def test_null_and_error_objects_are_failures_and_falsehoods_are_not():
    for value, reason in (
        (None, Reason.EMPTY_RESULT),
        ({"error": "out of stock"}, Reason.ERROR_IN_BODY),
        ({"error": {"code": 7}}, Reason.ERROR_IN_BODY),
        ({"result": {"error": "no such city"}}, Reason.ERROR_IN_BODY),
        ({"error": None, "data": 1}, None),
        ({"error": False}, None),
        ({"error": ""}, None),
        ({"error": {}}, None),
        ({"integral": 2.0, "error": 1.5e-9}, None),
        ({"valid": False, "errors": ["no @"]}, None),
        ("Not Found", None),
        (False, None),
        (0, None),
        ([], None),
    ):
        done = await execute([Call("f", {})], dispatcher(returning(value)))
        assert (done.rejection and done.rejection.reason) == reason, value


async def test_what_tells_of_an_error_is_the_users_choice():
    async def reason(errors):
        async def opened():
            return returning({"success": False, "error": "x"})

        done = await execute([Call("f", {})], Dispatcher({}, returning(1), opened, errors))
        return done.rejection and done.rejection.reason

    assert await reason(()) is None
    assert await reason([ErrorPattern(key="success", matches="^false$")]) == Reason.ERROR_IN_BODY


async def test_results_of_rest_calls_are_judged_where_they_are_read():
    scripted = returning({"error": "said the API, and the user's forms let it pass"})
    done = await execute([Call("r", {})], dispatcher(scripted, r=RestBackend("GET", "http://r")))
    assert done.rejection is None


async def test_no_call_is_no_failure_and_runs_nothing():
    scripted = returning(1)
    assert (await execute([], dispatcher(scripted))).rejection is None
    assert scripted.batches == []


async def test_results_that_differ_when_run_again_are_marked():
    counter = itertools.count()

    def answer(name, arguments):
        return Returned(next(counter) if name == "clock" else {"b": 1, "a": 2}, 0.1)

    calls = [Call("clock", {}), Call("constant", {})]
    done = await execute_twice(calls, dispatcher(Scripted(answer)))
    assert [result.deterministic for result in done.results] == [False, True]
    assert result_form(done.results[0])["deterministic"] is False
    assert done.rejection is None


async def test_what_may_change_the_world_is_not_run_twice():
    scripted = returning(1)
    runner = dispatcher(scripted, order=RestBackend("POST", "http://shop"))
    done = await execute_twice([Call("order", {})], runner)
    assert scripted.batches == [["http://shop"]]
    assert done.results[0].deterministic is None
    assert "deterministic" not in result_form(done.results[0])


async def test_where_nothing_is_called_no_time_is_taken():
    rows = [{**point(calls, answers=calls), "outcome": None} for calls in ("[]", CALLS)]
    runner = dispatcher(returning(1))
    none, some = [await execute_step(row, runner, ExecuteSettings()) for row in rows]
    assert (none["execution_results"], none["execute_s"]) == ("[]", None)
    assert some["execute_s"] is not None


@pytest.mark.parametrize(
    "result",
    [
        "Error: Only CREATE TABLE statements are allowed",
        'Database error: near "compass": syntax error',
        {"content": "maple: Error - ENOENT: no such file or directory"},
        "Internal server error!",
    ],
)
def test_a_server_that_tells_of_an_error_in_words_has_one(result):
    assert error_in(result, MCP_ERRORS)


@pytest.mark.parametrize(
    "result",
    [
        "Mean absolute error: 0.31",
        "The error log is empty.",
        {"content": "No errors: all is well"},
        {"content": "hello world", "name": "error: a novel"},
        ["Error: this is one of several lines"],
    ],
)
def test_what_only_speaks_of_errors_is_a_result(result):
    assert error_in(result, MCP_ERRORS) is None
