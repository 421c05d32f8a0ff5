"""What a model reasoned is told from what it answered, in whatever shape a server sends it."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from apigen_ray.errors import EndpointError
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.openai_client import OpenAIModel
from apigen_ray.models.reasoning import split
from apigen_ray.models.simulated.profiles import PROFILES
from apigen_ray.models.simulated.server import build_app
from apigen_ray.records import Message, Reason, Reply
from apigen_ray.stages.check import no_completion

HELLO = (Message("user", "hello"),)
ANSWER = '{"query": "q", "answers": []}'
DRAFT = 'First {"query": "draft"}, then the rest.'
UNPARSED = "The model produced output that does not match the expected peg-native format"


def shape(message, finish_reason="stop", **more):
    usage = {"prompt_tokens": 100, "completion_tokens": 50} | more.pop("usage", {})
    choice = {"index": 0, "message": {"role": "assistant"} | message}
    return {"choices": [choice | {"finish_reason": finish_reason}], "usage": usage} | more


async def served(body: object, status: int = 200, **settings: object) -> tuple[Reply, int]:
    """The reply that the client makes of a body, and how many requests it took."""
    requests = 0

    async def answer(_request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    async with TestServer(app) as server:
        fields = {"name": "m", "model": "m", "base_url": str(server.make_url("/v1"))} | settings
        model = OpenAIModel(Endpoint.model_validate(fields), None)
        try:
            return await model.complete(HELLO), requests
        finally:
            await model.close()


@pytest.mark.parametrize(
    ("body", "reasoning_tokens", "cached_tokens"),
    [
        pytest.param(
            shape(
                {"content": ANSWER, "reasoning": DRAFT, "tool_calls": []},
                usage={"prompt_tokens_details": {"cached_tokens": 64}},
            ),
            None,
            64,
            id="vLLM, with a reasoning parser",
        ),
        pytest.param(
            shape(
                {"content": f"\n\n{ANSWER}", "reasoning_content": f"\n{DRAFT}\n"},
                usage={"prompt_tokens_details": None},
            ),
            None,
            None,
            id="an older vLLM, with a reasoning parser",
        ),
        pytest.param(
            shape({"content": f"<think>\n{DRAFT}\n</think>\n\n{ANSWER}"}),
            None,
            None,
            id="vLLM without a reasoning parser",
        ),
        pytest.param(
            shape({"content": f"{DRAFT}\n</think>\n\n{ANSWER}", "reasoning_content": None}),
            None,
            None,
            id="SGLang without a reasoning parser: the template has opened the tag",
        ),
        pytest.param(
            shape(
                {"content": ANSWER, "reasoning_content": DRAFT},
                usage={"reasoning_tokens": 31, "prompt_tokens_details": {"cached_tokens": 0}},
            ),
            31,
            0,
            id="SGLang, with a reasoning parser",
        ),
        pytest.param(
            shape(
                {"content": ANSWER, "reasoning_content": f"<think>\n{DRAFT}\n"},
                timings={"cache_n": 25, "prompt_n": 75, "predicted_n": 50},
            ),
            None,
            25,
            id="llama.cpp: the model repeats the tag",
        ),
        pytest.param(
            shape(
                {"content": ANSWER, "reasoning_content": DRAFT},
                usage={
                    "prompt_cache_hit_tokens": 64,
                    "prompt_cache_miss_tokens": 36,
                    "completion_tokens_details": {"reasoning_tokens": 40},
                },
            ),
            40,
            64,
            id="DeepSeek",
        ),
        pytest.param(
            shape({"content": ANSWER, "reasoning": DRAFT}, system_fingerprint="fp_ollama"),
            None,
            None,
            id="Ollama",
        ),
        pytest.param(
            shape(
                {
                    "content": ANSWER,
                    "reasoning": DRAFT,
                    "reasoning_details": [{"type": "reasoning.text", "text": DRAFT}],
                },
                usage={"completion_tokens_details": {"reasoning_tokens": 12}},
            ),
            12,
            None,
            id="OpenRouter",
        ),
    ],
)
async def test_reasoning_is_not_the_completion(body, reasoning_tokens, cached_tokens) -> None:
    reply, _ = await served(body)
    assert (reply.text.strip(), reply.reasoning) == (ANSWER, DRAFT)
    assert (reply.finish_reason, reply.output_tokens) == ("stop", 50)
    estimated = 50 * len(DRAFT) // len(DRAFT + reply.text)
    assert reply.reasoning_tokens == (reasoning_tokens or estimated)
    assert reply.cached_tokens == cached_tokens
    assert no_completion(reply) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(shape({"content": None, "reasoning": DRAFT}, "length"), id="vLLM"),
        pytest.param(shape({"content": "", "reasoning_content": DRAFT}, "length"), id="llama.cpp"),
        pytest.param(shape({"content": f"<think>\n{DRAFT}"}, "length"), id="no parser"),
        pytest.param(shape({"content": f"<think>\n{DRAFT}"}, "stop"), id="Ollama, context full"),
        pytest.param(
            shape(
                {"content": ""},
                "length",
                usage={"completion_tokens_details": {"reasoning_tokens": 50}},
            ),
            id="reasoning that is not shown",
        ),
    ],
)
@pytest.mark.parametrize("kept", ["keep", "drop"])
async def test_a_reply_cut_off_while_it_reasons_says_so(body, kept) -> None:
    reply, _ = await served(body, reasoning=kept)
    rejected = no_completion(reply)
    assert rejected is not None
    assert rejected.reason is Reason.TRUNCATED
    assert "cut off while reasoning, at max_tokens" in rejected.detail
    assert "(50 tokens)" in rejected.detail
    assert (reply.text, reply.reasoning_tokens) == ("", 50)


async def test_a_model_that_stops_after_its_reasoning_was_not_cut() -> None:
    reply, _ = await served(shape({"content": "", "reasoning_content": ANSWER}))
    rejected = no_completion(reply)
    assert rejected is not None
    assert (rejected.reason, reply.text) == (Reason.INVALID_JSON, "")
    assert "stopped after its reasoning" in rejected.detail


async def test_dropped_reasoning_is_counted_and_not_kept() -> None:
    reply, _ = await served(shape({"content": ANSWER, "reasoning": DRAFT}), reasoning="drop")
    assert (reply.text, reply.reasoning) == (ANSWER, "")
    assert 0 < reply.reasoning_tokens < 50


@pytest.mark.parametrize(
    ("content", "reasoning", "text", "ended"),
    [
        ("plain", "", "plain", True),
        ("", "", "", True),
        (" <think>a</think> b ", "a", "b ", True),
        ("<think>\n\n</think>\n\nb", "", "b", True),
        ("a</think>b</think>c", "a", "b</think>c", True),
        ("<think>a", "a", "", False),
        ("b<think>", "", "b<think>", True),
        (
            '{"query": "what does </think> mean?"}',
            "",
            '{"query": "what does </think> mean?"}',
            True,
        ),
        ('[{"query": "<think>"}]', "", '[{"query": "<think>"}]', True),
        ('```json\n["</think>"]\n```', "", '```json\n["</think>"]\n```', True),
    ],
)
def test_where_reasoning_ends(content, reasoning, text, ended) -> None:
    thought = split(content)
    assert (thought.reasoning, thought.text, thought.ended) == (reasoning, text, ended)


@pytest.mark.parametrize("message", [UNPARSED, "Failed to parse input at pos 8: <|channel|>"])
async def test_output_that_the_server_cannot_parse_is_the_models_fault(message: str) -> None:
    error = {"error": {"code": 500, "message": message, "type": "server_error"}}
    reply, requests = await served(error, 500)
    rejected = no_completion(reply)
    assert rejected is not None
    assert rejected.reason is Reason.INVALID_JSON
    assert rejected.detail.endswith(f"500 {message}")
    assert requests == 1


async def test_another_500_is_still_sent_again() -> None:
    with pytest.raises(EndpointError, match="failed after 2 attempts; last error: 500 out of"):
        await served({"error": {"message": "out of memory"}}, 500, max_retries=1)


@pytest.mark.parametrize("name", ["reasoning", "think"])
async def test_the_simulated_model_reasons(name: str) -> None:
    profile = PROFILES[name].model_copy(update={"latency_mean_s": 0})
    async with TestClient(TestServer(build_app(name, profile, 0, None))) as client:
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        async with client.post("/v1/chat/completions", json=body) as response:
            sent = await response.json()
        url = str(client.make_url("/v1"))
        model = OpenAIModel(Endpoint(name="m", model="m", base_url=url), None)
        reply = await model.complete([Message("user", "Hi")])
        await model.close()
    message = sent["choices"][0]["message"]
    assert ("reasoning_content" in message) is (name == "reasoning")
    assert message["content"].startswith("<think>") is (name == "think")
    assert reply.text.startswith("I am simulated")
    assert reply.reasoning
    assert "think>" not in reply.reasoning + reply.text
    assert 0 < reply.reasoning_tokens < reply.output_tokens
