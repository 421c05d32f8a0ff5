"""The samplers (paper §4.1): which tools, which examples and which template a prompt has.

Prompt i is a pure function of the config, the seed, i and the seed pool. Parallelism, resuming and
the model asked never change it, so models are compared on the same prompts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from random import Random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from apigen_ray import jsontext, prompts
from apigen_ray.records import Json, JsonObject, Message, Pair, Prompt, Seed, Style, Tool
from apigen_ray.tools import prompt_form

ONE_TOOL_STYLES = (Style.SIMPLE, Style.PARALLEL)


class Range(BaseModel):
    """A range from which a whole number is drawn, both ends included."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min: Annotated[int, Field(ge=0)]
    """The smallest number drawn."""
    max: Annotated[int, Field(ge=0)]
    """The largest number drawn."""

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.min > self.max:
            raise ValueError(f"min {self.min} is larger than max {self.max}")
        return self

    def draw(self, random: Random) -> int:
        """A number of the range, each as likely."""
        return random.randint(self.min, self.max)


class SamplingSettings(BaseModel):
    """What prompts are made of. The paper says "from a predefined range" and gives no numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tools_shown: Range = Range(min=2, max=4)
    """How many tools are shown in the styles that show several."""
    examples: Range = Range(min=2, max=4)
    """How many seed pairs are shown."""
    pairs_per_prompt: Annotated[int, Field(ge=1, le=32)] = 1
    """How many data points one completion is asked for (paper, appendix B.1)."""
    voices: Annotated[tuple[str, ...], Field(min_length=1)] = prompts.VOICES
    """The user's voices to draw from."""

    @model_validator(mode="after")
    def _known_voices(self) -> "SamplingSettings":
        for voice in self.voices:
            if voice not in prompts.VOICES:
                raise ValueError(f"voices: {voice!r} is none of {', '.join(prompts.VOICES)}")
        return self


@dataclass(frozen=True, slots=True)
class Ask:
    """Prompt `index` of a run asks for `count` data points of `style`."""

    index: int
    style: Style
    count: int


def plan(points: Mapping[Style, int], pairs_per_prompt: int) -> list[Ask]:
    """The prompts that ask for `points` data points of each style, the styles taking turns."""
    columns: list[list[tuple[Style, int]]] = []
    for style, wanted in points.items():
        full, rest = divmod(wanted, pairs_per_prompt)
        counts = [pairs_per_prompt] * full + ([rest] if rest else [])
        columns.append([(style, count) for count in counts])
    turns = (entry for turn in zip_longest(*columns) for entry in turn if entry is not None)
    return [Ask(index, style, count) for index, (style, count) in enumerate(turns)]


@dataclass(frozen=True)
class Sampler:
    """Draws prompts over a tool library and a seed pool."""

    tools: tuple[Tool, ...]
    seeds: tuple[Seed, ...]
    settings: SamplingSettings
    seed: int

    def prompt(self, ask: Ask) -> Prompt:
        """The prompt of an ask: the same for the same ask, whoever draws it, and when."""
        random = Random(f"{self.seed}:{ask.index}")
        tools = self._draw_tools(ask.style, random)
        examples = self._draw_examples(ask.style, tools, random)
        voice = random.choice(self.settings.voices)
        text = prompts.render(
            "generator.txt",
            style=prompts.render(f"styles/{ask.style}.txt"),
            voice=prompts.render(f"voices/{voice}.txt"),
            examples=_listed([pair_form(seed.pair) for seed in examples]),
            tools=_listed([prompt_form(tool) for tool in tools]),
            count=str(ask.count),
        )
        return Prompt(
            id=f"{ask.index:06d}",
            style=ask.style,
            tools=tools,
            messages=(Message("user", text),),
            count=ask.count,
        )

    @cached_property
    def _by_category(self) -> dict[str, list[Tool]]:
        groups: dict[str, list[Tool]] = defaultdict(list)
        for tool in self.tools:
            groups[tool.category].append(tool)
        return dict(sorted(groups.items()))

    @cached_property
    def _seeds_by_category(self) -> dict[tuple[Style, str], list[Seed]]:
        groups: dict[tuple[Style, str], list[Seed]] = defaultdict(list)
        for seed in self.seeds:
            for category in {tool.category for tool in seed.tools}:
                groups[seed.style, category].append(seed)
        return groups

    @cached_property
    def _seeds_by_style(self) -> dict[Style, list[Seed]]:
        groups: dict[Style, list[Seed]] = defaultdict(list)
        for seed in self.seeds:
            groups[seed.style].append(seed)
        return groups

    def _draw_tools(self, style: Style, random: Random) -> tuple[Tool, ...]:
        """One tool of a category drawn first, so that small categories are seen as often as large.

        Further tools distract: half of them come from the same category, where they are hardest to
        tell from the right one.
        """
        first = random.choice(self._by_category[random.choice(list(self._by_category))])
        shown = [first]
        wanted = 1 if style in ONE_TOOL_STYLES else self.settings.tools_shown.draw(random)
        while len(shown) < min(wanted, len(self.tools)):
            near = [tool for tool in self._by_category[first.category] if tool not in shown]
            if not near or random.random() < 0.5:
                near = self._by_category[random.choice(list(self._by_category))]
            candidate = random.choice(near)
            if candidate not in shown:
                shown.append(candidate)
        random.shuffle(shown)
        return tuple(shown)

    def _draw_examples(self, style: Style, tools: Sequence[Tool], random: Random) -> list[Seed]:
        """Seeds of the same style, those over tools of the same categories first."""
        wanted = self.settings.examples.draw(random)
        categories = sorted({tool.category for tool in tools})
        near = {s.id: s for c in categories for s in self._seeds_by_category.get((style, c), ())}
        drawn = random.sample(list(near.values()), min(wanted, len(near)))
        if len(drawn) < wanted:
            far = [s for s in self._seeds_by_style.get(style, []) if s.id not in near]
            drawn += random.sample(far, min(wanted - len(drawn), len(far)))
        return drawn


def pair_form(pair: Pair) -> JsonObject:
    """A pair as prompts and completions write it."""
    answers: list[Json] = [{"name": call.name, "arguments": call.arguments} for call in pair.calls]
    return {"query": pair.query, "answers": answers}


def _listed(items: Sequence[JsonObject]) -> str:
    """A JSON list with one item a line, which models and people read well."""
    return "[\n" + ",\n".join(jsontext.dumps(item) for item in items) + "\n]"
