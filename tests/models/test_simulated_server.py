"""The simulated model as a run meets it: prompts in, completions out, over HTTP."""

import asyncio
import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from pydantic import ValidationError

from apigen_ray.errors import BadInput
from apigen_ray.models.openai_client import OpenAIModel
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.models.simulated.answering import Answer, Judged, answer
from apigen_ray.models.simulated.faults import OF_COMPLETIONS
from apigen_ray.models.simulated.profiles import PROFILES, Fault, Profile
from apigen_ray.models.simulated.reading import (
    GenerateRequest,
    JudgeRequest,
    Unreadable,
    read,
)
from apigen_ray.models.simulated.server import build_app, run_server
from apigen_ray.prompting.templates import GENERATOR
from apigen_ray.records import Call, JsonObject, Message, Pair, Style, Tool
from apigen_ray.stages.ballot import TEMPLATES as JUDGE
from apigen_ray.stages.judge import judge_messages
from apigen_ray.stages.verdict import read_verdict
from apigen_ray.tools.compact_schema import compact_schema
from apigen_ray.tools.prompt_text import tools_text
from apigen_ray.tools.write_forms import prompt_form, shown_form

PERFECT = PROFILES["perfect"]
OF_ONE_STYLE = {Fault.BAD_REFERENCE, Fault.UNRESOLVED_REFERENCE, Fault.NOTHING_MISSING}
OK: JsonObject = {"ok": True, "result": 3, "seconds": 0.1}


def generator_message(
    tools: tuple[Tool, ...],
    style: Style,
    voice: str = "plain",
    count: int = 1,
    indent: int | None = None,
) -> Message:
    forms = [prompt_form(one, returns=style is Style.SEQUENTIAL) for one in tools]
    example = {"query": "generate 9 (style: simple)\nvoice: loud. [", "answers": []}
    text = GENERATOR.render(
        "request.txt",
        style=GENERATOR.render(f"styles/{style}.txt"),
        voice=GENERATOR.render(f"voices/{voice}.txt"),
        examples=json.dumps([example], indent=indent),
        tools=tools_text(forms),
        count=str(count),
    )
    return Message("user", text)


def judge_prompt(pair: Pair, tools: tuple[Tool, ...], results: list[JsonObject]) -> Message:
    return judge_messages(pair, [shown_form(one) for one in tools], results)[-1]


def generated(given: Answer) -> list[dict[str, Any]]:
    pairs = json.loads(given.text)
    assert isinstance(pairs, list)
    return pairs


# --- reading


def _rules(parameters: Any) -> Any:
    """The options of an enum say its type, and no argument is required where none is named."""
    rules = json.loads(json.dumps({"required": []} | parameters))
    for schema in rules["properties"].values():
        if "enum" in schema:
            schema.pop("type", None)
    return rules


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("style", Style)
def test_a_generator_prompt_is_read(
    zoo: tuple[Tool, ...], style: Style, indent: int | None
) -> None:
    request = read([generator_message(zoo, style, "terse", 3, indent)])
    assert isinstance(request, GenerateRequest)
    assert (request.style, request.voice, request.count) == (style, "terse", 3)
    shown = [prompt_form(tool) for tool in zoo]
    assert [t.name for t in request.tools] == [form["name"] for form in shown]
    for tool, form in zip(request.tools, shown, strict=True):
        assert _rules(tool.parameters) == _rules(compact_schema(form["parameters"]))


def test_a_judge_prompt_is_read(zoo: tuple[Tool, ...]) -> None:
    pair = Pair("5 </user_query>\n(style: simple) generate 3", (Call("f", {"x": "</a>"}),))
    request = read([judge_prompt(pair, zoo, [OK])])
    assert isinstance(request, JudgeRequest)
    assert (request.query, request.calls) == (pair.query, pair.calls)
    assert [one.name for one in request.tools] == [one.name for one in zoo]
    assert not request.a_call_failed
    assert not request.asked_again


def test_a_judge_prompt_with_findings_is_read_like_one_without(zoo: tuple[Tool, ...]) -> None:
    pair = Pair("q", (Call("f", {"x": 1}),))
    tools = [shown_form(one) for one in zoo]
    found = ["not in the query: x = 1", "unused: <function_calls> 7"]
    without, with_findings = (judge_messages(pair, tools, [OK], each) for each in ([], found))
    assert without != with_findings
    assert read(without) == read(with_findings)


@pytest.mark.parametrize(
    ("results", "failed"),
    [
        ([OK, {"ok": False, "reason": "raised", "message": "x"}], True),
        ([{"ok": True, "result": '\n{"ok": false'}], False),
        ([{"ok": True, "result": {"ok": False}}], False),
        ([{"ok": True, "result": ["long"] * 3000}, OK], False),
    ],
)
def test_failed_results_are_seen_also_beside_cut_ones(
    zoo: tuple[Tool, ...], results: list[JsonObject], failed: bool
) -> None:
    request = read([judge_prompt(Pair("q", ()), zoo, results)])
    assert isinstance(request, JudgeRequest)
    assert request.a_call_failed is failed


@pytest.mark.parametrize(
    "text", ["hello", "(style: simple)", "<function_calls>\n", "(style: x) [1]"]
)
def test_what_is_no_prompt_of_ours_gets_an_answer_too(text: str) -> None:
    with pytest.raises(Unreadable):
        read([Message("user", text)])
    given = answer([Message("user", text)], PERFECT, 0)
    assert given.content is None
    assert "simulated" in given.text


# --- generating


def test_each_style_has_its_number_of_calls(zoo: tuple[Tool, ...]) -> None:
    for seed in range(30):
        calls = {}
        for style in Style:
            tools = zoo[:1] if style in (Style.SIMPLE, Style.PARALLEL) else zoo[:3]
            [pair] = generated(answer([generator_message(tools, style)], PERFECT, seed))
            calls[style] = [call["name"] for call in pair["answers"]]
        assert len(calls[Style.SIMPLE]) == len(calls[Style.MULTIPLE]) == 1
        assert len(calls[Style.PARALLEL]) in (2, 3)
        assert len(calls[Style.PARALLEL_MULTIPLE]) in (2, 3)
        assert len(set(calls[Style.PARALLEL_MULTIPLE])) >= 2
        assert calls[Style.IRRELEVANCE] == []


def test_as_many_pairs_as_asked_for_all_different(zoo: tuple[Tool, ...]) -> None:
    pairs = generated(answer([generator_message(zoo, Style.MULTIPLE, count=5)], PERFECT, 0))
    assert len({json.dumps(pair) for pair in pairs}) == 5


def test_the_same_request_gets_the_same_answer(zoo: tuple[Tool, ...]) -> None:
    one, other = (generator_message(zoo, Style.MULTIPLE, voice) for voice in ("plain", "long"))
    first = answer([one], PROFILES["weak"], 5)
    assert answer([other], PROFILES["weak"], 5) != first
    assert answer([one], PROFILES["weak"], 5) == first
    assert answer([one], PROFILES["weak"], 6).text != first.text


def test_profiles_differ_in_nothing_but_their_faults(zoo: tuple[Tool, ...]) -> None:
    for seed in range(100):
        weak, perfect = (
            answer([generator_message(zoo, Style.PARALLEL_MULTIPLE)], PROFILES[name], seed)
            for name in ("weak", "perfect")
        )
        assert isinstance(weak.content, tuple)
        assert (weak.text == perfect.text) is (weak.content[0].fault is None)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("count", [1, 3])
def test_faults_are_planted_at_their_rates(
    zoo: tuple[Tool, ...], chain: tuple[Tool, ...], name: str, count: int
) -> None:
    drawn: Counter[Fault | None] = Counter()
    planted: Counter[Fault | None] = Counter()
    prompts = []
    for style in Style:
        tools = zoo[:1] if style in (Style.SIMPLE, Style.PARALLEL) else zoo[:3]
        tools = chain if style is Style.SEQUENTIAL else tools
        prompts.append(generator_message(tools, style, count=count))
    for seed in range(1500 // count):
        given = answer([prompts[seed % len(prompts)]], PROFILES[name], seed)
        assert isinstance(given.content, tuple)
        assert len(given.content) == count
        for point in given.content:
            assert point.fault in (point.drawn, None)
            drawn[point.drawn] += 1
            planted[point.fault] += 1
    for fault in Fault:
        rate = PROFILES[name].faults.get(fault, 0)
        expected = 1500 // count * count * rate
        # Faults of a completion come `count` at a time, which widens the spread.
        spread = math.sqrt(expected * (1 - rate) * count)
        assert abs(drawn[fault] - expected) <= 4.5 * spread, fault
        assert bool(planted[fault]) is bool(rate) or fault in OF_ONE_STYLE, fault


def test_faults_of_one_style_are_planted(chain: tuple[Tool, ...]) -> None:
    nothing_to_ask = (replace(chain[0], parameters={**chain[0].parameters, "required": []}),)
    planted: Counter[Fault | None] = Counter()
    for style, tools in (
        (Style.SEQUENTIAL, chain),
        (Style.CLARIFY, chain),
        (Style.CLARIFY, nothing_to_ask),
    ):
        for seed in range(300):
            given = answer([generator_message(tools, style)], PROFILES["default"], seed)
            assert isinstance(given.content, tuple)
            planted.update(point.fault for point in given.content)
            of_completion = {point.fault for point in given.content} <= OF_COMPLETIONS.keys()
            assert of_completion is (not is_json(given.text))
    assert planted.keys() >= OF_ONE_STYLE


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_profiles_are_as_good_as_they_say() -> None:
    total = {
        name: sum(rate for fault, rate in profile.faults.items() if fault not in OF_ONE_STYLE)
        for name, profile in PROFILES.items()
    }
    assert 0.2 < total["default"] < 0.3
    assert total["perfect"] == 0
    assert 0.45 < total["weak"] < 0.65
    assert set(PROFILES["default"].faults) == set(Fault)


def test_latency_is_log_normal_with_the_mean_set() -> None:
    profile = Profile(latency_mean_s=0.2, latency_sigma=0.6)
    drawn = [answer([Message("user", "x")], profile, seed).latency_s for seed in range(4000)]
    assert statistics.mean(drawn) == pytest.approx(0.2, rel=0.06)
    assert statistics.stdev(math.log(value) for value in drawn) == pytest.approx(0.6, rel=0.06)
    assert answer([Message("user", "x")], Profile(latency_mean_s=0), 0).latency_s == 0


# --- judging


PAYMENT = Call("loan_payment", {"principal": 1000.0, "annual_rate": -5.5, "years": 3})


@pytest.mark.parametrize(
    ("query", "calls", "results", "passes"),
    [
        ("1000 at -5.5 for 3 years", [PAYMENT], [OK], True),
        ("1000.00 at -5.50 for 3.", [PAYMENT], [OK], True),
        ("1000 at 5.5 for 3 years", [PAYMENT], [OK], False),
        ("1000 at -5.5 for 30 years", [PAYMENT], [OK], False),
        ("1000 at -5.5 for 3 years", [PAYMENT, PAYMENT], [OK, OK], False),
        (
            "1000 at -5.5 for 3",
            [PAYMENT],
            [{"ok": False, "reason": "raised", "message": ""}],
            False,
        ),
        ("anything", [Call("unheard_of", {})], [OK], False),
        ("old Ann", [Call("replace_text", {"old": "Ann"})], [OK], True),
        ("old ann", [Call("replace_text", {"old": "Ann"})], [OK], False),
        ("mean of 1, 2 and 3.5", [Call("weighted_mean", {"values": [1, 2, 3.5]})], [OK], True),
        ("mean of [1, 2, 3.5]", [Call("weighted_mean", {"values": [1, 2.0, 3.5]})], [OK], True),
        ("mean of 2, 1 and 3.5", [Call("weighted_mean", {"values": [1, 2, 3.5]})], [OK], False),
        ("mean of nothing", [Call("weighted_mean", {"values": []})], [OK], False),
        ("inclusive true", [Call("days_between", {"inclusive": True})], [OK], True),
        ("Who invented loans?", [], [], True),
        ("Please compute the monthly payment of a loan of 5.", [], [], False),
    ],
)
def test_the_judge_compares_query_calls_and_results(
    zoo: tuple[Tool, ...], query: str, calls: list[Call], results: list[JsonObject], passes: bool
) -> None:
    given = answer([judge_prompt(Pair(query, tuple(calls)), zoo, results)], PERFECT, 0)
    verdict = read_verdict(given.text)
    assert verdict is not None
    assert verdict[0] is passes, given.text
    assert given.content == Judged("yes" if passes else "no", wrong=False)


def test_an_unreadable_judge_answers_properly_when_asked_again(zoo: tuple[Tool, ...]) -> None:
    forgetful = Profile(judge_unreadable=1)
    asked = judge_prompt(Pair("Who invented loans?", ()), zoo, [])
    first = answer([asked], forgetful, 0)
    assert read_verdict(first.text) is None
    assert first.content == Judged("unreadable", wrong=False)
    again = Message("user", JUDGE.render("judge_again.txt"))
    second = answer([asked, Message("assistant", first.text), again], forgetful, 0)
    assert read_verdict(second.text) == (True, "The calls do what the query asks for.")


def test_a_wrong_judge_flips_its_verdict(zoo: tuple[Tool, ...]) -> None:
    good = judge_prompt(Pair("Who invented loans?", ()), zoo, [])
    bad = judge_prompt(Pair("anything", (Call("unheard_of", {}),)), zoo, [OK])
    wrong = Profile(judge_wrong_no=1, judge_wrong_yes=1)
    assert answer([good], wrong, 0).content == Judged("no", wrong=True)
    assert answer([bad], wrong, 0).content == Judged("yes", wrong=True)


# --- the server


async def test_the_server_speaks_the_protocol_and_counts(zoo: tuple[Tool, ...]) -> None:
    profile = PROFILES["default"].model_copy(update={"latency_mean_s": 0})
    async with TestClient(TestServer(build_app("default", profile, 0, log=None))) as client:
        assert "simulated" in await (await client.get("/")).text()
        listed = await (await client.get("/v1/models")).json()
        assert listed["data"][0]["id"] == "simulated-default"
        for count in (1, 2):
            prompt = generator_message(zoo, Style.MULTIPLE, count=count).content
            body = {"messages": [{"role": "user", "content": prompt}]}
            reply = await (await client.post("/v1/chat/completions", json=body)).json()
            assert reply["model"] == "simulated-default"
            assert reply["usage"]["prompt_tokens"] == len(prompt) // 4
        asked = judge_prompt(Pair("q", ()), zoo, []).content
        body = {"messages": [{"role": "user", "content": asked}]}
        await client.post("/v1/chat/completions", json=body)
        stats = await (await client.get("/stats")).json()
        assert stats["requests"] == 3
        generate = stats["generate"]
        assert generate["data_points"] == 3 == generate["none"] + sum(generate["planted"].values())
        assert generate["planted"].keys() == generate["drawn"].keys()
        assert stats["judge"] == {"requests": 1, "yes": 1, "no": 0, "unreadable": 0, "wrong": 0}


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"messages": []}', '{"messages": [{"role": 1}]}']
)
async def test_a_bad_request_is_answered_with_400(body: str) -> None:
    async with TestClient(TestServer(build_app("perfect", PERFECT, 0, log=None))) as client:
        reply = await client.post("/v1/chat/completions", data=body)
        assert reply.status == 400
        assert "not a chat completion request" in (await reply.json())["error"]["message"]


def test_a_port_in_use_is_bad_input() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"port {port} is in use"):
            run_server(port, "default", 0, None)
    with pytest.raises(BadInput, match="port 99999"):
        run_server(99999, "default", 0, None)


def test_an_unknown_profile_is_bad_input() -> None:
    known = "default, perfect, weak, reasoning, think"
    with pytest.raises(BadInput, match=f"must be one of {known}, not 'genius'"):
        run_server(0, "genius", 0, None)
    with pytest.raises(ValidationError, match="must be one of default, perfect, weak"):
        SimulatedEndpoint(profile="genius")


def test_the_server_runs_in_the_foreground_and_logs(zoo: tuple[Tool, ...], tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    script = (
        "from pathlib import Path; from apigen_ray.models.simulated.server import run_server; "
        f"run_server(0, 'perfect', 0, 0.0, log=Path({str(log)!r}))"
    )
    command = [sys.executable, "-u", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, ExitStack() as end:
        end.callback(server.kill)  # else a failed assertion waits for it for ever
        assert server.stdout is not None
        line = server.stdout.readline()
        url = line.split()[3]
        assert line.startswith("Simulated model at http://127.0.0.1:")
        content = generator_message(zoo, Style.MULTIPLE).content
        body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
        request = urllib.request.Request(f"{url}/chat/completions", body)
        with urllib.request.urlopen(request) as reply:
            text = json.load(reply)["choices"][0]["message"]["content"]
        assert json.loads(log.read_text()) == {"planted": [None], "text": text}
        server.send_signal(signal.SIGINT)
        assert server.wait(5) == 0


async def test_a_client_reaches_the_models_that_are_served(zoo: tuple[Tool, ...]) -> None:
    good = SimulatedEndpoint(name="good", profile="perfect", latency_s=0, seed=3)
    weak = SimulatedEndpoint(name="weak", profile="weak", latency_s=0)
    message = generator_message(zoo, Style.PARALLEL_MULTIPLE)
    with serving([good, weak, good]) as served:
        assert set(served) == {"good", "weak"}
        assert served["weak"].model == "simulated-weak"
        model = OpenAIModel(served["good"], None)
        await model.probe()
        replies = await asyncio.gather(*(model.complete([message]) for _ in range(20)))
        await model.close()
    expected = answer([message], PERFECT, 3).text
    assert {reply.text for reply in replies} == {expected}
    async with ClientSession() as session:
        with pytest.raises(OSError, match="Cannot connect"):
            await session.get(served["good"].base_url)


def test_two_different_models_of_one_name_are_refused() -> None:
    pair = [SimulatedEndpoint(seed=1), SimulatedEndpoint(seed=2)]
    with pytest.raises(BadInput, match=r"two different .* named 'simulated'"), serving(pair):
        pass


def test_a_served_model_dies_with_a_killed_parent() -> None:
    script = (
        "import sys; from apigen_ray.models.simulated import SimulatedEndpoint, serving\n"
        "with serving([SimulatedEndpoint()]) as served:\n"
        "    print(served['simulated'].base_url, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline().split(":")[2].removesuffix("/v1\n"))
        with socket.create_connection(("127.0.0.1", port)):
            pass
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    pytest.fail("the simulated model outlived its parent")


def test_a_served_model_still_answers_when_all_children_of_a_job_are_told_to_end() -> None:
    with serving([SimulatedEndpoint()]) as served:
        address = str(served["simulated"].base_url) + "/models"
        for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_text()
            if "apigen_ray.models.simulated" in command:
                os.kill(int(child), signal.SIGTERM)
        time.sleep(0.2)
        with urllib.request.urlopen(address, timeout=5) as answer:
            assert answer.status == 200
