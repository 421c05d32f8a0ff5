"""Calls first: the prompt gives the calls, and the answer is the query that they answer."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from apigen_ray.prompting.calls_first import CallsFirstSampler
from apigen_ray.prompting.draw_calls import draw_calls
from apigen_ray.prompting.draw_chains import draw_chains
from apigen_ray.prompting.pair_schema import schema_of
from apigen_ray.prompting.prompt_specs import PromptSpec
from apigen_ray.prompting.sampler import Sampler, SamplingSettings
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Checked, Rejected, Style
from apigen_ray.stages.check import CheckSettings, check, signatures_of
from apigen_ray.tools.library import load_library

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sampler():
    tools = load_library([str(ROOT / "sandbox" / "tools")]).tools
    seeds, _ = load_seeds([str(ROOT / "configs" / "seeds.jsonl")], {t.name: t for t in tools})
    calls = defaultdict(list)
    for tool in tools[::2]:  # the others can't be called
        calls[tool.name] = list(draw_calls(tool, (), 6, Random(tool.name)))
    chains = draw_chains(tools, calls, 40, Random(0))
    return CallsFirstSampler(Sampler(tools, seeds, SamplingSettings(), 0), calls, chains)


def prompts(sampler, style):
    return [sampler.prompt(PromptSpec(index, style, 1)) for index in range(60)]


@pytest.mark.parametrize("style", [style for style in Style if style is not Style.CLARIFY])
def test_the_calls_fit_the_style_and_pass_stage_1(sampler, style):
    for prompt in prompts(sampler, style):
        [found] = check(
            '{"query": "What is it then?"}',
            finish_reason="stop",
            style=style,
            signatures=signatures_of(prompt.tools),
            count=1,
            settings=CheckSettings(),
            calls=prompt.calls,
        )
        assert isinstance(found, Checked), found
        assert found.pair.calls == prompt.calls
        assert prompt.strategy == "calls_first"


def test_the_prompt_has_every_value_and_asks_for_the_query_alone(sampler):
    for prompt in prompts(sampler, Style.SIMPLE):
        [call] = prompt.calls
        request = prompt.messages[-1].content
        assert all(f"- {name} = " in request for name in call.arguments)
        assert schema_of(prompt)["required"] == ["query"]


def test_what_a_chain_refers_to_is_said_in_words(sampler):
    for prompt in prompts(sampler, Style.SEQUENTIAL):
        first, second = prompt.calls
        request = prompt.messages[-1].content
        assert "$ref" not in request
        assert f"{first.name.replace('_', ' ')} gives)" in request
        assert "in round brackets" in prompt.messages[0].content
        assert {first.name, second.name} <= {tool.name for tool in prompt.tools}
        assert len(prompt.tools) == len({tool.name for tool in prompt.tools}) <= 4


def test_an_irrelevant_query_is_that_of_a_tool_of_a_category_not_shown(sampler):
    categories = {tool.name: tool.category for tool in sampler.sampler.tools}
    for prompt in prompts(sampler, Style.IRRELEVANCE):
        asked = prompt.messages[-1].content.partition(":")[0]
        assert prompt.calls == ()
        assert categories[asked] not in {tool.category for tool in prompt.tools}


def test_a_prompt_is_a_function_of_its_spec(sampler):
    spec = PromptSpec(7, Style.PARALLEL, 1)
    assert sampler.prompt(spec) == sampler.prompt(spec)
    assert sampler.prompt(spec) != sampler.prompt(PromptSpec(8, Style.PARALLEL, 1))


def test_a_prompt_takes_less_than_400_tokens_in_the_median(sampler):
    lengths = sorted(
        sum(len(message.content) for message in prompt.messages)
        for prompt in prompts(sampler, Style.SIMPLE) + prompts(sampler, Style.MULTIPLE)
    )
    assert lengths[len(lengths) // 2] < 3.3 * 400  # characters a token, in SmolLM2's own vocabulary


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        ('{"query": ""}', "empty_query"),
        ('{"question": "What?"}', "missing_field"),
        ('"What?"', "invalid_json"),
        ("What?", "invalid_json"),
    ],
)
def test_a_completion_without_a_query_fails_stage_1(sampler, completion, reason):
    prompt = sampler.prompt(PromptSpec(1, Style.SIMPLE, 1))
    [found] = check(
        completion,
        finish_reason="stop",
        style=prompt.style,
        signatures=signatures_of(prompt.tools),
        count=1,
        settings=CheckSettings(),
        calls=prompt.calls,
    )
    assert isinstance(found, Rejected)
    assert found.reason == reason


def test_the_last_example_may_be_of_the_tool_that_is_asked_about(sampler):
    settings = SamplingSettings(own_example=True, examples={"min": 2, "max": 2})
    own = replace(sampler, sampler=replace(sampler.sampler, settings=settings))
    found = prompts(own, Style.SIMPLE)
    called = own._by_called
    shown = [tuple(c.name for c in p.examples[-1].calls) == (p.calls[0].name,) for p in found]
    wanted = [(p.calls[0].name,) in called for p in found]
    assert shown == wanted
    assert 10 < sum(shown) < len(shown)
    assert {len(p.examples) for p in found} == {2}
    assert all(p.examples[0] != p.examples[1] for p in found)
