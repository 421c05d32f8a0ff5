"""Prompt i depends on the config, the seed, i and the seed pool, and on nothing else."""

from collections import Counter
from dataclasses import replace

import pytest
from pydantic import ValidationError

from apigen_ray.prompting import templates as prompts
from apigen_ray.prompting.prompt_specs import Cell, PromptSpec, plan
from apigen_ray.prompting.sampler import Range, Sampler, SamplingSettings
from apigen_ray.records import Call, Pair, Seed, Style, Tool

TEXT = {"type": "string"}


def tool(name, category):
    parameters = {"type": "object", "properties": {"size": TEXT}}
    return Tool(name, f"Does {name}.", parameters, category, returns={"properties": {"size": TEXT}})


TOOLS = tuple(tool(f"big{i}", "Big") for i in range(30)) + tuple(
    tool(f"small{i}", "Small") for i in range(3)
)
SEEDS = tuple(
    Seed(
        f"s-{style}-{shown.name}",
        style,
        Pair(f"Run {shown.name}", (Call(shown.name, {}),)),
        (shown,),
    )
    for style in (Style.SIMPLE, Style.MULTIPLE)
    for shown in TOOLS
)


@pytest.fixture
def sampler():
    return Sampler(TOOLS, SEEDS, SamplingSettings(), seed=1)


def test_a_prompt_is_a_pure_function_of_its_index(sampler):
    again = Sampler(TOOLS, SEEDS, SamplingSettings(), seed=1)
    backwards = [again.prompt(PromptSpec(i, Style.MULTIPLE, 1)) for i in reversed(range(20))]
    assert [sampler.prompt(PromptSpec(i, Style.MULTIPLE, 1)) for i in range(20)] == backwards[::-1]


def test_another_seed_asks_other_prompts(sampler):
    other = replace(sampler, seed=2)
    spec = PromptSpec(0, Style.MULTIPLE, 1)
    assert sampler.prompt(spec) != other.prompt(spec)


def test_small_categories_are_drawn_as_often_as_large_ones(sampler):
    drawn = Counter(
        sampler.prompt(PromptSpec(i, Style.SIMPLE, 1)).tools[0].category for i in range(600)
    )
    assert abs(drawn["Small"] - 300) < 75  # six standard deviations


def test_styles_show_as_many_tools_as_they_should(sampler):
    shown = {
        style: {len(sampler.prompt(PromptSpec(i, style, 1)).tools) for i in range(100)}
        for style in Style
    }
    assert shown[Style.SIMPLE] == shown[Style.PARALLEL] == {1}
    assert shown[Style.MULTIPLE] == shown[Style.PARALLEL_MULTIPLE] == {2, 3, 4}
    assert shown[Style.SEQUENTIAL] == {2, 3, 4}


def test_a_chain_s_tools_are_shown_with_what_they_return():
    library = (
        Tool("a", "A.", {"type": "object", "properties": {}}, "X", returns={"type": "string"}),
        tool("pair", "X"),
        tool("other", "Y"),
        Tool("b", "B.", {"type": "object", "properties": {}}, "Y"),
    )
    drawn = Sampler(library, SEEDS, SamplingSettings(tools_shown=Range(min=2, max=2)), seed=1)
    prompts = [drawn.prompt(PromptSpec(i, Style.SEQUENTIAL, 1)) for i in range(20)]
    assert {frozenset(t.name for t in p.tools) for p in prompts} == {frozenset(["pair", "other"])}
    assert all("returns (" in prompt.messages[1].content for prompt in prompts)
    plain = drawn.prompt(PromptSpec(0, Style.MULTIPLE, 1))
    assert "returns (" not in plain.messages[1].content


def test_no_tool_is_shown_twice(sampler):
    for i in range(200):
        names = [tool.name for tool in sampler.prompt(PromptSpec(i, Style.MULTIPLE, 1)).tools]
        assert len(set(names)) == len(names)


def test_a_library_smaller_than_the_range_is_shown_whole():
    small = Sampler(TOOLS[:2], (), SamplingSettings(tools_shown=Range(min=4, max=4)), 0)
    assert len(small.prompt(PromptSpec(0, Style.MULTIPLE, 1)).tools) == 2


def test_examples_are_of_the_same_style_and_near_categories_first():
    settings = SamplingSettings(examples=Range(min=3, max=3))
    sampler = Sampler(TOOLS, SEEDS, settings, 0)
    for i in range(50):
        prompt = sampler.prompt(PromptSpec(i, Style.SIMPLE, 1))
        prefix = "Run " + prompt.tools[0].category.lower()
        assert prompt.messages[-1].content.count(prefix) == 3


def test_examples_come_from_afar_when_none_are_near():
    far = Sampler(TOOLS[30:], SEEDS[:5], SamplingSettings(), 0)
    assert "Run big" in far.prompt(PromptSpec(0, Style.SIMPLE, 1)).messages[-1].content


def test_every_voice_and_style_reaches_the_prompt(sampler):
    for style in Style:
        assert f"(style: {style})" in sampler.prompt(PromptSpec(0, style, 1)).messages[-1].content
    texts = [
        sampler.prompt(PromptSpec(i, Style.SIMPLE, 1)).messages[-1].content for i in range(100)
    ]
    for voice in prompts.VOICES:
        assert any(f"voice: {voice}." in text for text in texts)


def test_dollar_signs_and_braces_in_tools_stay_as_they_are():
    odd = Tool("f", "Costs $count or {x} %s $$.", {"type": "object", "properties": {}}, "Other")
    text = Sampler((odd,), (), SamplingSettings(), 0).prompt(PromptSpec(0, Style.SIMPLE, 7))
    assert "Costs $count or {x} %s $$." in text.messages[-1].content


def test_a_plan_asks_for_exactly_what_is_wanted_and_styles_take_turns():
    specs = plan({Cell(Style.SIMPLE): 7, Cell(Style.PARALLEL): 3}, pairs_per_prompt=3)
    wanted = Counter()
    for spec in specs:
        wanted[spec.style] += spec.count
    assert wanted == {Style.SIMPLE: 7, Style.PARALLEL: 3}
    assert [spec.index for spec in specs] == list(range(4))
    assert specs[0].style != specs[1].style


def test_wrong_settings_say_why():
    with pytest.raises(ValidationError, match="min 3 is larger than max 2"):
        Range(min=3, max=2)
    with pytest.raises(ValidationError, match="'posh': must be one of plain"):
        SamplingSettings(voices=("posh",))
