"""A StableToolBench-compatible server plays an API, and wraps its errors in a 200."""

import json

import pytest
from aiohttp import web

from apigen_ray.errors import RestUnavailable
from apigen_ray.records import Failed, Reason, Returned, VirtualBackend


@pytest.fixture
async def play(caller, serve):
    """Make a call to a virtual server that answers with a given body; gives its request, too."""

    async def made(body, status=200, **settings):
        seen = []

        async def answer(request: web.Request) -> web.Response:
            seen.append((request.method, request.path, await request.json()))
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(text=text, status=status, content_type="application/json")

        url = await serve(answer) + "/virtual"
        backend = VirtualBackend(url, "Food", "tacos", "random")
        return await caller(**settings).call(backend, {"n": 1}), seen

    return made


async def test_the_request_is_what_the_server_expects(play):
    _, seen = await play({"error": "", "response": "{}"})
    method, path, body = seen[0]
    assert (method, path) == ("POST", "/virtual")
    assert json.loads(body.pop("tool_input")) == {"n": 1}
    assert body == {
        "category": "Food", "tool_name": "tacos", "api_name": "random", "strip": "",
        "toolbench_key": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("response", "value"),
    [
        ('{"a": null, "b": true}', {"a": None, "b": True}),
        ("{'a': None, 'b': True, 'c': (1, 2)}", {"a": None, "b": True, "c": [1, 2]}),
        ("['it', \"isn't\"]", ["it", "isn't"]),
        ({"a": 1}, {"a": 1}),
        ("plain text", "plain text"),
        ("{'cut': 'of", "{'cut': 'of"),
        ("{'a': {1, 2}}", "{'a': {1, 2}}"),
        ("{'a': __import__('os')}", "{'a': __import__('os')}"),
        ("[" * 10_000, "[" * 10_000),
        ("{'a': 1e999}", "{'a': 1e999}"),
    ],
)
async def test_the_answer_is_read_as_json_or_as_python_writes_it(play, response, value):
    result, _ = await play({"error": "", "response": response})
    assert isinstance(result, Returned), result
    assert result.result == value


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("Message error...", Reason.ERROR_IN_BODY),
        ("Unsubscribed error...", Reason.ERROR_IN_BODY),
        ("API not working error...", Reason.ERROR_IN_BODY),
        ("Rate limit error...", Reason.ERROR_IN_BODY),
        ("Timeout error...Read timed out. (read timeout=30)", Reason.TIMEOUT),
        ("request invalid, data error. status_code=500", Reason.HTTP_STATUS),
        ("Function executing from my_tools.a.b.api import c error...\nc()", Reason.ERROR_IN_BODY),
    ],
)
async def test_an_error_of_the_api_fails_the_call(play, error, reason):
    result, _ = await play({"error": error, "response": "{'message': 'No such tacos'}"})
    assert isinstance(result, Failed)
    assert result.reason == reason
    assert "No such tacos" in result.message


@pytest.mark.parametrize(
    "response", ["", None, "{'message': 'You are not subscribed to this API.'}"]
)
async def test_an_answer_without_a_result_fails_the_call(play, response):
    result, _ = await play({"error": "", "response": response})
    assert isinstance(result, Failed)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": "Failed to generate fake response", "response": ""}, 200),
        ("Internal Server Error", 500),
        ({"detail": "Not Found"}, 404),
        ({"detail": "Not Found"}, 200),
        ([], 200),
        ("<html>", 200),
        ("", 200),
        ('{"error": NaN}', 200),
    ],
)
async def test_a_fault_of_the_server_is_no_failure_of_the_call(play, body, status):
    with pytest.raises(RestUnavailable, match="virtual server"):
        await play(body, status)


async def test_a_server_that_is_down_is_no_failure_of_the_call(caller):
    backend = VirtualBackend("http://127.0.0.1:9/virtual", "Food", "tacos", "random")
    with pytest.raises(RestUnavailable, match="virtual server"):
        await caller().call(backend, {})
