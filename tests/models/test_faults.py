"""Endpoints that misbehave on purpose, as they do: every data point is accounted for."""

import asyncio
import json
import random
import socket
import time
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from apigen_ray.models import openai_client as openai
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.openai_client import OpenAIModel
from apigen_ray.models.pacing import INITIAL_LIMIT
from apigen_ray.pipeline.steps import generate_step
from apigen_ray.prompting.prompt_specs import PromptSpec, Task
from apigen_ray.prompting.sampler import Sampler, SamplingSettings
from apigen_ray.records import Style, Tool
from apigen_ray.run_folder.rows import as_table
from apigen_ray.stages.check import CheckSettings
from apigen_ray.workflows.collect import CircuitBreaker

ADD = Tool(
    "add",
    "Add two numbers.",
    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "Maths",
)
PAIR = '[{"query": "Add 1.", "answers": [{"name": "add", "arguments": {"a": 1}}]}]'
POINTS = 60


def completion(text=PAIR, finish_reason="stop", **more):
    choice = {"message": {"content": text}, "finish_reason": finish_reason}
    return {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 5}, **more}


def good():
    return web.json_response(completion())


@asynccontextmanager
async def stub(answer, port=0):
    """A server that answers its n-th request with `answer(n, request)`."""
    count = 0

    async def handle(request):
        nonlocal count
        count += 1
        return await answer(count, request)

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/v1/chat/completions", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", port))
    await web.SockSite(runner, listener).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        await runner.cleanup()


async def generated(*urls, points=POINTS, **settings):
    """The rows of a model behind these servers, after stage 1."""
    fields = {"name": "m", "model": "x", "base_urls": urls, "concurrency": 16} | settings
    endpoint = Endpoint.model_validate(fields)
    model = OpenAIModel(endpoint, None)
    sampler = Sampler((ADD,), (), SamplingSettings(), 0)
    tasks = [Task(PromptSpec(index, Style.SIMPLE, 1), {0: 0}) for index in range(points)]
    steps = (generate_step(task, sampler, model, "m", CheckSettings()) for task in tasks)
    rows = [row for rows in await asyncio.gather(*steps) for row in rows]
    await model.close()
    assert len({row["id"] for row in rows}) == points, "no row is lost, none is there twice"
    return rows


def reasons(rows):
    return Counter(row["reason"] for row in rows)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    """A second of patience is fifty milliseconds here."""
    whole = openai._pause
    monkeypatch.setattr(openai, "_pause", lambda *arguments: whole(*arguments) / 20)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0.05"}])
async def test_a_third_refused_for_load(headers):
    drawn = random.Random(0)

    async def answer(_number, _request):
        if drawn.random() < 0.3:
            return web.Response(status=429, text="slow down", headers=headers)
        return good()

    async with stub(answer) as url:
        assert reasons(await generated(url)) == {None: POINTS}


async def test_down_for_a_while_with_503():
    started = time.monotonic()

    async def answer(_number, _request):
        if time.monotonic() - started < 1.0:  # twenty seconds of ours
            return web.Response(status=503, text="loading the model")
        return good()

    async with stub(answer) as url:
        assert reasons(await generated(url)) == {None: POINTS}


async def test_dies_and_comes_back():
    async def answer(_number, _request):
        await asyncio.sleep(0.02)
        return good()

    async with stub(answer) as url:
        running = asyncio.create_task(generated(url, points=400))
        await asyncio.sleep(0.1)
    await asyncio.sleep(3.0)  # a minute of ours
    async with stub(answer, port=int(url.split(":")[2].removesuffix("/v1"))):
        assert reasons(await running) == {None: 400}


async def breaks_off(request):
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    request.transport.abort()
    return response


async def never_ends(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(200):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def empty(_request):
    return web.Response(text="")


async def a_page(_request):
    return web.Response(text="<html>502</html>", content_type="text/html")


@pytest.mark.parametrize("fault", [breaks_off, empty, a_page])
async def test_every_fifth_reply_is_broken(fault):
    async def answer(number, request):
        return await fault(request) if number % 5 == 0 else good()

    async with stub(answer) as url:
        assert reasons(await generated(url, timeout_s=0.5)) == {None: POINTS}


async def test_replies_that_never_end_are_asked_for_once_more():
    async def answer(number, request):
        return await never_ends(request) if number <= INITIAL_LIMIT else good()

    async with stub(answer) as url:
        assert reasons(await generated(url, timeout_s=0.5)) == {None: POINTS}


async def test_reasoning_is_a_column_of_its_own_also_where_it_was_cut_off():
    thinking = f"<think>\nLet me see: [1]\n</think>\n\n{PAIR}"

    usage = {"prompt_tokens": 10, "completion_tokens": 500}

    async def answer(number, _request):
        cut = number % 6 == 0
        given = ("<think>\nLet me see", "length") if cut else (thinking, "stop")
        return web.json_response(completion(*given, usage=usage))

    async with stub(answer) as url:
        rows = await generated(url)
    assert reasons(rows) == {None: 50, "truncated": 10}
    assert {row["reasoning"] for row in rows} == {"Let me see: [1]", "Let me see"}
    assert {row["completion"] for row in rows} == {PAIR, ""}
    assert all(0 < row["reasoning_tokens"] <= row["output_tokens"] for row in rows)
    assert {row["cached_tokens"] for row in rows} == {None}


async def test_a_wrong_content_type_and_a_missing_usage_do_no_harm():
    async def answer(_number, _request):
        text = json.dumps(completion(usage=None))
        return web.Response(text=text, content_type="text/html")

    async with stub(answer) as url:
        rows = await generated(url)
    assert reasons(rows) == {None: POINTS}
    assert sum(row["input_tokens"] for row in rows) == 0


async def test_a_completion_cut_at_its_limit_is_the_models_own_fault():
    async def answer(number, _request):
        cut = web.json_response(completion(PAIR[:20], "length"))
        return cut if number % 6 == 0 else good()

    async with stub(answer) as url:
        assert reasons(await generated(url)) == {None: 50, "truncated": 10}


async def test_replies_of_ten_megabytes_are_refused_by_stage_1():
    async def answer(number, _request):
        huge = web.json_response(completion('["' + "x" * 10_000_000 + '"]'))
        return huge if number % 20 == 0 else good()

    async with stub(answer) as url:
        assert reasons(await generated(url)) == {None: 57, "invalid_json": 3}


async def test_one_of_three_replicas_is_twenty_times_slower():
    asked = Counter()

    def serve(name, seconds):
        async def answer(_number, _request):
            asked[name] += 1
            await asyncio.sleep(seconds)
            return good()

        return stub(answer)

    async with serve("a", 0.02) as a, serve("b", 0.02) as b, serve("slow", 0.4) as slow:
        started = time.monotonic()
        assert reasons(await generated(a, b, slow, points=600)) == {None: 600}
        seconds = time.monotonic() - started
    assert asked["slow"] < 60
    assert seconds < 5, "all through the slow one, it would be fifteen"


async def test_a_prompt_that_is_too_long_fails_alone():
    words = "This model's maximum context length is 4096 tokens, however you requested 5000"

    async def answer(number, _request):
        if number % 2:
            return web.json_response({"error": {"message": words}}, status=400)
        return good()

    async with stub(answer) as url:
        rows = await generated(url)
    assert reasons(rows) == {None: 30, "context_length": 30}
    breaker = CircuitBreaker()
    for row in rows * 5:
        breaker.add(as_table([row]))
    assert breaker.tripped is None


async def test_a_key_that_expires_stops_the_run_in_the_endpoints_own_words():
    async def answer(number, _request):
        if number > 20:
            return web.json_response({"error": {"message": "the key has expired"}}, status=401)
        return good()

    async with stub(answer) as url:
        rows = await generated(url)
    assert reasons(rows) == {None: 20, "endpoint": 40}
    breaker, seen = CircuitBreaker(), 0
    for row in sorted(rows, key=lambda row: row["outcome"] is not None):
        if breaker.tripped:
            break
        breaker.add(as_table([row]))
        seen += 1
    assert seen == 40
    assert "401 the key has expired" in breaker.tripped
