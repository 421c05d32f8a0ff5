import asyncio
import json
import random
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from pydantic import ValidationError

from apigen_ray.errors import EndpointError, PromptTooLong, RateLimited
from apigen_ray.models import openai_client as openai
from apigen_ray.models import responses as answers
from apigen_ray.models.endpoints import Endpoint, split_limits
from apigen_ray.models.openai_client import OpenAIModel
from apigen_ray.records import Message

HELLO = (Message("user", "hello"),)
KEY = "sk-very-secret-0123456789"

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


def completion(text: object = "fine", **changes: object) -> dict[str, object]:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 500}
    return {"choices": [choice], "usage": usage, **changes}


def says(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Behaviour:
    async def behave(_request: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status, headers=headers)

    return behave


FINE = says(completion())


async def hangs(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError


async def breaks_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.abort()
    return response


class Misbehaving:
    """A server on loopback that behaves as told, once for each request, then well."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.behaviours: deque[Behaviour] = deque()
        self.requests: list[web.Request] = []
        self.bodies: list[dict[str, object]] = []
        self.in_flight = 0
        self.peak = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.json())
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await (self.behaviours.popleft() if self.behaviours else FINE)(request)
        finally:
            self.in_flight -= 1

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        return await self.behaviours.popleft()(request)


@pytest.fixture
async def server() -> AsyncIterator[Misbehaving]:
    app = web.Application()
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    listener = socket.create_server(("127.0.0.1", 0))
    misbehaving = Misbehaving(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    app.router.add_post("/v1/chat/completions", misbehaving.answer)
    app.router.add_get("/v1/models", misbehaving.list_models)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    yield misbehaving
    await runner.cleanup()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Shorten the pauses between attempts, and record what the endpoint asked for."""
    asked: list[float | None] = []

    def short(_attempt: int, retry_after_s: float | None) -> float:
        asked.append(retry_after_s)
        return 0.001

    monkeypatch.setattr(openai, "_pause", short)
    return asked


def endpoint(url: str, **fields: object) -> Endpoint:
    return Endpoint.model_validate({"name": "m", "base_url": url, "model": "m-1"} | fields)


async def ask(server: Misbehaving, schema=None, **fields: object):
    model = OpenAIModel(endpoint(server.url, **fields), KEY)
    try:
        return await model.complete(HELLO, schema)
    finally:
        await model.close()


async def test_a_reply_carries_text_usage_cost_and_time(server: Misbehaving) -> None:
    reply = await ask(server, usd_per_million_input=2, usd_per_million_output=8)
    assert (reply.text, reply.finish_reason, reply.attempts) == ("fine", "stop", 1)
    assert (reply.input_tokens, reply.output_tokens) == (1000, 500)
    assert reply.cost_usd == pytest.approx(0.006)
    assert 0 < reply.seconds < 5


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ([{"type": "text", "text": "fine"}], "fine", ""),
        ([{"type": "text", "text": "fi"}, {"type": "output_text", "text": "ne"}], "fine", ""),
        (["fi", "ne"], "fine", ""),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
          {"type": "text", "text": "fine"}], "fine", "Hm."),
        ([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "fine"}],
         "fine", "Hm."),
        ([], "", ""),
        ([{"type": "refusal", "refusal": "No."}], "", ""),
    ],
)  # fmt: skip
async def test_a_content_may_be_a_list_of_parts(server, content, text, reasoning) -> None:
    server.behaviours.append(says(completion(content)))
    reply = await ask(server)
    assert (reply.text, reply.reasoning, reply.attempts) == (text, reasoning, 1)


@pytest.mark.parametrize("page", ["<html><body>Sign in</body></html>", "\n <!DOCTYPE html>"])
async def test_a_web_page_is_a_wrong_url(server, page) -> None:
    server.behaviours.append(says(page))
    with pytest.raises(EndpointError, match=r"200, but a web page.*check base_url"):
        await ask(server, max_retries=0)  # as `run --check` asks
    server.behaviours.append(says(page))
    with pytest.raises(EndpointError, match=r"models: 200, but a web page.*check base_url"):
        await probe(server.url)


async def test_the_request_says_what_the_endpoint_config_says(server: Misbehaving) -> None:
    await ask(server, temperature=0.1, max_tokens=7, extra_body={"top_k": 20}, top_p=0.9)
    assert server.bodies == [
        {
            "model": "m-1",
            "messages": [{"role": "user", "content": "hello"}],
            "temperature": 0.1,
            "max_tokens": 7,
            "top_p": 0.9,
            "top_k": 20,
        }
    ]
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


async def test_a_schema_is_asked_for_as_response_format(server: Misbehaving) -> None:
    await ask(server, schema={"type": "array"}, response_format="json_schema")
    assert server.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "array"}, "strict": True},
    }


@pytest.mark.parametrize(
    "fault",
    [
        *(
            says({"error": {"message": "busy"}}, status)
            for status in (408, 409, 429, 500, 502, 503)
        ),
        says("this is not JSON"),
        says(""),
        says("[]"),
        says("null"),
        says({"choices": []}),
        says({"error": {"message": "an error with status 200"}}),
        says(completion(text={"an": "object"})),
        says(completion(usage={"prompt_tokens": "many"})),
        says('{"choices": [{"message": {"content": "cut'),
        breaks_off,
    ],
)
async def test_a_fault_that_may_pass_is_tried_again(server: Misbehaving, fault: Behaviour) -> None:
    server.behaviours.extend([fault, fault])
    reply = await ask(server)
    assert (reply.text, reply.attempts) == ("fine", 3)


async def test_a_reply_that_never_comes_is_tried_again(server: Misbehaving) -> None:
    server.behaviours.append(hangs)
    reply = await ask(server, timeout_s=0.2)
    assert (reply.text, reply.attempts) == ("fine", 2)
    assert reply.seconds > 0.2


async def test_a_timeout_tells_the_user_which_setting_to_raise(server: Misbehaving) -> None:
    server.behaviours.append(hangs)
    said: list[str] = []
    model = OpenAIModel(endpoint(server.url, timeout_s=0.1), KEY, said.append)
    try:
        await model.complete(HELLO)
    finally:
        await model.close()
    (notice,) = said
    assert notice.startswith("model m: no answer within 0.1 s; ")
    assert "raise its timeout_s" in notice


async def test_a_server_that_is_too_slow_is_asked_only_twice(server: Misbehaving) -> None:
    server.behaviours.extend([hangs, says("busy", 500), hangs, hangs])
    with pytest.raises(EndpointError, match=r"failed after 3 attempts; .*no answer within 0.1 s"):
        await ask(server, timeout_s=0.1)
    assert len(server.requests) == 3  # a fault of another kind counts for itself


async def test_a_huge_body_is_not_read_to_its_end(
    server: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MAX_BODY_BYTES", 2**20)
    server.behaviours.append(says(completion("x" * 2**21)))
    assert (await ask(server)).attempts == 2


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
async def test_a_refusal_is_not_tried_again_and_is_quoted(server: Misbehaving, status: int) -> None:
    server.behaviours.append(says({"error": {"message": "no such model: m-1"}}, status))
    with pytest.raises(EndpointError, match=f"{server.url}.*{status} no such model: m-1"):
        await ask(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 500])
async def test_the_key_is_never_repeated(server: Misbehaving, status: int) -> None:
    words = {"error": {"message": f"bad key {KEY}\nsee\tthe docs " + "x" * 5000}}
    server.behaviours.extend([says(words, status)] * 2)
    with pytest.raises(EndpointError) as caught:
        await ask(server, max_retries=1)
    message = str(caught.value)
    assert "bad key *** see the docs" in message
    assert KEY not in repr(caught.value) + message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(message) < 500
    assert "\n" not in message


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (429, {}, RateLimited),
        (503, {"Retry-After": "1"}, RateLimited),
        (503, {}, EndpointError),
        (500, {}, EndpointError),
    ],
)
async def test_giving_up_says_whether_it_was_load(
    server: Misbehaving, status: int, headers: dict[str, str], error: type[Exception]
) -> None:
    server.behaviours.extend([says("busy", status, headers)] * 3)
    with pytest.raises(
        EndpointError, match=r"failed after 3 attempts; last error: .* busy"
    ) as caught:
        await ask(server, max_retries=2)
    assert type(caught.value) is error


async def test_retry_after_is_honoured_for_the_whole_endpoint(
    server: Misbehaving, pauses: list[float | None]
) -> None:
    server.behaviours.append(says("busy", 429, {"Retry-After": "0.4"}))
    model = OpenAIModel(endpoint(server.url), None)
    refused = asyncio.create_task(model.complete(HELLO))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await model.complete(HELLO)
    assert time.monotonic() - started > 0.2
    assert pauses == [0.4]
    assert (await refused).attempts == 2
    await model.close()


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "The decoder prompt (length 9) is longer than the maximum model length of 8",
        "Input length (9) exceeds the maximum allowed length (8 tokens)",
        "the request exceeds the available context size. try increasing it",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096",
    ],
)
async def test_a_prompt_that_is_too_long_is_told_from_other_refusals(
    server: Misbehaving, words: str
) -> None:
    server.behaviours.append(says({"error": {"message": words}}, 400))
    with pytest.raises(PromptTooLong):
        await ask(server, schema={"type": "object"}, response_format="json_schema")
    assert len(server.requests) == 1


async def test_a_schema_that_is_refused_is_simplified_and_the_user_is_told_once(
    server: Misbehaving,
) -> None:
    asked = []

    async def picky(request: web.Request) -> web.StreamResponse:
        schema = (await request.json())["response_format"].get("json_schema", {}).get("schema")
        asked.append(schema)
        refused = "pattern" in json.dumps(schema)
        return await (says("unsupported: pattern", 400) if refused else FINE)(request)

    server.behaviours.extend([picky] * 3)
    told: list[str] = []
    settings = endpoint(server.url, response_format="json_schema")
    model = OpenAIModel(settings, None, told.append)
    schema = {"type": "string", "pattern": "a+"}
    for _ in range(2):
        assert (await model.complete(HELLO, schema)).text == "fine"
    await model.close()
    assert asked == [schema, {"type": "string"}, {"type": "string"}]
    assert told == [
        "model m: does not accept the whole schema; "
        "falls back to the schema without ranges, lengths, patterns and formats"
    ]


async def test_a_request_that_is_refused_in_any_form_is_quoted(server: Misbehaving) -> None:
    server.behaviours.extend([says("no such parameter", 400)] * 3)
    with pytest.raises(EndpointError, match="400 no such parameter"):
        await ask(server, schema={"type": "object"}, response_format="json_schema")
    assert len(server.requests) == 3  # this schema, JSON of any form, nothing
    assert "response_format" not in server.bodies[-1]


async def test_cached_tokens_and_gpu_hours_have_prices_of_their_own(server: Misbehaving) -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "prompt_tokens_details": {"cached_tokens": 800},
    }
    prices = {"usd_per_million_input": 2, "usd_per_million_output": 8}
    server.behaviours.extend([says(completion(usage=usage))] * 2)
    assert (await ask(server, **prices)).cost_usd == pytest.approx(0.006)
    reply = await ask(server, usd_per_million_cached=0.5, **prices)
    assert reply.cost_usd == pytest.approx((200 * 2 + 800 * 0.5 + 500 * 8) / 1e6)
    reply = await ask(server, usd_per_gpu_hour=3600, gpus=2)
    assert 0 < reply.cost_usd <= 2 * reply.seconds


async def test_what_a_gpu_costs_is_shared_by_the_replies_of_its_time(server: Misbehaving) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return await FINE(request)

    server.behaviours.extend([slow] * 4)
    model = OpenAIModel(endpoint(server.url, usd_per_gpu_hour=3600), None)
    started = time.monotonic()
    replies = await asyncio.gather(*(model.complete(HELLO) for _ in range(4)))
    wall = time.monotonic() - started
    await model.close()
    assert 0.3 <= sum(reply.cost_usd for reply in replies) <= wall


async def test_a_dead_server_is_set_aside_while_another_one_answers(server: Misbehaving) -> None:
    both = endpoint(server.url, base_url=None, base_urls=["http://127.0.0.1:1/v1", server.url])
    told: list[str] = []
    model = OpenAIModel(both, None, told.append)
    server.behaviours.append(says("{}"))
    await model.probe()
    replies = [await model.complete(HELLO) for _ in range(20)]
    await model.close()
    assert sum(reply.attempts - 1 for reply in replies) == 1
    assert len(told) == 1
    assert "127.0.0.1:1" in told[0]


def test_pauses_grow_are_jittered_and_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    random.seed(0)
    highest = [max(openai._pause(attempt, None) for _ in range(300)) for attempt in (1, 3, 20)]
    assert 0.9 < highest[0] <= 1
    assert 3 < highest[1] <= 4
    assert 25 < highest[2] <= openai.BACKOFF_CAP_S
    shortest = sum(min(openai._pause(n, None) for _ in range(300)) for n in range(1, 11))
    assert shortest > 60, "a minute's outage is outlasted"
    assert min(openai._pause(20, None) for _ in range(300)) < 16
    assert 7 <= openai._pause(1, 7) <= 8


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (completion(None), ""),
        (
            '{"choices": [{"message": {"content": "a\\ud800b \\ud83d\\ude00"}}]}',
            "a\ufffdb \U0001f600",
        ),
        (completion("x", usage=None), "x"),
    ],
)
async def test_odd_but_usable_replies_are_used(
    server: Misbehaving, body: object, text: str
) -> None:
    server.behaviours.append(says(body))
    reply = await ask(server)
    assert (reply.text, reply.attempts) == (text, 1)
    reply.text.encode()


async def test_missing_usage_and_finish_reason_are_zero_and_empty(server: Misbehaving) -> None:
    server.behaviours.append(says({"choices": [{"message": {"content": "x"}}]}))
    reply = await ask(server)
    assert (reply.finish_reason, reply.input_tokens, reply.output_tokens) == ("", 0, 0)


async def test_no_more_requests_are_in_flight_than_allowed(server: Misbehaving) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return await FINE(request)

    server.behaviours.extend([slow] * 12)
    model = OpenAIModel(endpoint(server.url, concurrency=3), None)
    replies = await asyncio.gather(*(model.complete(HELLO) for _ in range(12)))
    await model.close()
    assert server.peak == 3
    assert max(reply.seconds for reply in replies) < 0.15, "waiting for a slot is not counted"


async def test_connections_are_used_again(server: Misbehaving) -> None:
    model = OpenAIModel(endpoint(server.url), None)
    for _ in range(3):
        await model.complete(HELLO)
    await model.close()
    assert len({request.transport for request in server.requests}) == 1


@pytest.mark.parametrize(("host", "proxied"), [("127.0.0.1", False), ("model.invalid", True)])
async def test_a_proxy_is_used_except_for_this_machine(
    server: Misbehaving, monkeypatch: pytest.MonkeyPatch, host: str, proxied: bool
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    model = OpenAIModel(endpoint(server.url.replace("127.0.0.1", host), max_retries=0), None)
    if proxied:
        with pytest.raises(EndpointError, match=r"Cannot connect to host 127.0.0.1:1 "):
            await model.complete(HELLO)
    else:
        assert (await model.complete(HELLO)).text == "fine"
    await model.close()


async def test_a_dead_endpoint_is_an_endpoint_error() -> None:
    model = OpenAIModel(endpoint("http://127.0.0.1:1/v1", max_retries=1), KEY)
    with pytest.raises(
        EndpointError, match=r"failed after 2 attempts; last error: .*Cannot connect"
    ):
        await model.complete(HELLO)
    await model.close()


async def probe(url: str, **fields: object) -> None:
    model = OpenAIModel(endpoint(url, **fields), KEY)
    try:
        await model.probe()
    finally:
        await model.close()


@pytest.mark.parametrize("status", [200, 404, 405, 429])
async def test_probe_is_content_with_any_server_that_is_there(
    server: Misbehaving, status: int
) -> None:
    server.behaviours.append(says("{}", status))
    await probe(server.url)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "environment variable MY_KEY"),
        (403, "MY_KEY"),
        (500, "server's log"),
        (302, "base_url"),
    ],
)
async def test_probe_says_what_to_do_about_a_refusal(
    server: Misbehaving, status: int, advice: str
) -> None:
    server.behaviours.append(says(f"sorry {KEY}", status))
    with pytest.raises(
        EndpointError, match=rf"{server.url}/models: {status} sorry \*\*\*; .*{advice}"
    ):
        await probe(server.url, api_key_env="MY_KEY")


async def test_probe_names_the_url_that_cannot_be_reached(server: Misbehaving) -> None:
    with pytest.raises(EndpointError, match=r"^http://127.0.0.1:1/v1/models: .*start the server"):
        await probe("http://127.0.0.1:1/v1")
    with pytest.raises(EndpointError, match=r"no-such-host.invalid/v1/models: no such host"):
        await probe("http://no-such-host.invalid/v1")
    server.behaviours.append(hangs)
    started = time.monotonic()
    with pytest.raises(EndpointError, match=r"no answer within 0.2 s"):
        await probe(server.url, timeout_s=0.2)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "fields",
    [
        {"base_url": "localhost:8000"},
        {"base_url": None},
        {"base_urls": ["http://other/v1"]},
        {"base_url": "http://me:secret@host/v1"},
        {"base_url": "http://host/v1?key=1"},
        {"name": "a/b"},
        {"concurrency": 0},
        {"temprature": 1},
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Endpoint.model_validate({"name": "m", "base_url": "http://host/v1", "model": "x"} | fields)


def test_who_asks_one_server_shares_what_it_allows_and_costs() -> None:
    limits = {"requests_per_minute": 600, "usd_per_gpu_hour": 2, "concurrency": 64}
    one = endpoint("http://a/v1", **limits)
    other_url, other_model = endpoint("http://b/v1", **limits), endpoint(one.urls[0], model="x")
    both = split_limits({"m": one, "judge/m": one, "n": other_url, "o": other_model})
    shares = [both[key].requests_per_minute for key in ("m", "judge/m", "n", "o")]
    assert shares == [300, 300, 600, None]
    assert [both[key].usd_per_gpu_hour for key in ("m", "judge/m", "n")] == [1, 1, 2]
    assert both["m"].concurrency == 64
    again = split_limits({"m": one, "judge/m": one, "n": other_url}, ["m", "n"])
    shares = [again[key].requests_per_minute for key in ("m", "judge/m", "n")]
    assert shares == [200, 200, 300]
