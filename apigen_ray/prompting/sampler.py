"""The sampler (paper §4.1): draws the tools, examples and template of each prompt.

Prompt i is a pure function of the config, the seed, i and the seed pool of its round. Parallelism,
resuming and the choice of model never change it, so models are compared on the same prompts; if
each model has its own pool, on the same tools, styles and voices.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Annotated, Protocol

from pydantic import Field, model_validator

from apigen_ray import strict_json
from apigen_ray.models.settings import Settings
from apigen_ray.prompting.prompt_specs import PromptSpec
from apigen_ray.prompting.prompts import Prompt
from apigen_ray.prompting.templates import GENERATOR, VOICES
from apigen_ray.records import JsonObject, Message, Seed, Style, Tool
from apigen_ray.run_folder.rows import pair_form
from apigen_ray.tools.links import Link, links_from, links_of
from apigen_ray.tools.prompt_text import tools_text
from apigen_ray.tools.write_forms import prompt_form

LONGER_CHAIN = 0.3
"""How often a chain of calls may go over three tools."""

ONE_TOOL_STYLES = (Style.SIMPLE, Style.PARALLEL)

EXAMPLE_CALLS = dict.fromkeys(Style, 1) | {Style.PARALLEL: 3, Style.PARALLEL_MULTIPLE: 2}
"""How many example calls of a tool are shown: as many as a query may ask for."""


class Range(Settings):
    """A range from which a whole number is drawn, both ends included."""

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
        """A number of the range, drawn uniformly."""
        return random.randint(self.min, self.max)


class SamplingSettings(Settings):
    """How prompts are sampled. The paper says "from a predefined range" and gives no numbers."""

    tools_shown: Range = Range(min=2, max=4)
    """How many tools are shown in the styles that show several."""
    examples: Range = Range(min=1, max=2)
    """How many seed pairs are shown."""
    own_example: bool = False
    """With `calls_first`: the last example calls the same tools as the calls that are asked about,
    where a seed does. A small model follows it closely, so queries become more alike."""
    pairs_per_prompt: Annotated[int, Field(ge=1, le=32)] = 1
    """How many data points one prompt asks for (paper, appendix B.1)."""
    voices: Annotated[tuple[str, ...], Field(min_length=1)] = VOICES
    """The user's voices to draw from."""

    @model_validator(mode="after")
    def _known_voices(self) -> "SamplingSettings":
        for voice in self.voices:
            if voice not in VOICES:
                raise ValueError(f"voices: {voice!r}: must be one of {', '.join(VOICES)}")
        return self


class PromptSampler(Protocol):
    """Draws the prompts of a run."""

    def prompt(self, spec: PromptSpec) -> Prompt:
        """The prompt of a spec. The same spec always gives the same prompt."""
        ...

    def with_pool(self, pairs: Sequence[Seed]) -> "PromptSampler":
        """The sampler of a round whose pool has `pairs` in addition to the seeds."""
        ...


@dataclass(frozen=True)
class Sampler:
    """Draws prompts over a tool library and a seed pool."""

    tools: tuple[Tool, ...]
    seeds: tuple[Seed, ...]
    settings: SamplingSettings
    seed: int

    def prompt(self, spec: PromptSpec) -> Prompt:
        """The prompt of a spec. The same spec always gives the same prompt."""
        random = Random(f"{self.seed}:{spec.index}")
        tools = self.draw_tools(spec, random)
        # From a separate generator: a different pool changes neither tools nor voice.
        examples = self.draw_examples(spec.style, tools, Random(f"{self.seed}:{spec.index}:pool"))
        voice = random.choice(self.settings.voices)
        text = GENERATOR.render(
            "request.txt",
            style=GENERATOR.render(f"styles/{spec.style}.txt"),
            voice=GENERATOR.render(f"voices/{voice}.txt"),
            examples=_listed([pair_form(seed.pair) for seed in examples]),
            tools=tools_text(_shown(tools, spec.style)),
            count=str(spec.count),
        )
        return Prompt(
            id=f"{spec.index:06d}",
            style=spec.style,
            tools=tools,
            messages=(Message("system", GENERATOR.text("generator.txt")), Message("user", text)),
            count=spec.count,
            examples=tuple(seed.pair for seed in examples),
        )

    def with_pool(self, pairs: Sequence[Seed]) -> "Sampler":
        """The sampler of a round whose pool has `pairs` in addition to the seeds."""
        return replace(self, seeds=(*self.seeds, *pairs))

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

    def draw_tools(self, spec: PromptSpec, random: Random) -> tuple[Tool, ...]:
        """Draw a category, then a tool of it, so that small categories are as likely as large ones.

        The other tools are distractors: half of them come from the same category, where they are
        hardest to tell from the right one.
        """
        category = spec.category or random.choice(list(self._by_category))
        first = random.choice(self._by_category[category])
        shown = [first]
        if spec.style is Style.SEQUENTIAL:
            shown = self._draw_chain(category, random)
        wanted = 1 if spec.style in ONE_TOOL_STYLES else self.settings.tools_shown.draw(random)
        while len(shown) < min(wanted, len(self.tools)):
            near = [tool for tool in self._by_category[first.category] if tool not in shown]
            if not near or random.random() < 0.5:
                near = self._by_category[random.choice(list(self._by_category))]
            candidate = random.choice(near)
            if candidate not in shown:
                shown.append(candidate)
        random.shuffle(shown)
        return tuple(shown)

    def _draw_chain(self, category: str, random: Random) -> list[Tool]:
        """Two tools, or three, each with a result that fits an argument of the next.

        The first is of the category, if one of it has such a result.
        """
        near = {tool.name for tool in self._by_category[category]}
        starts = sorted(self._links_from)
        name = random.choice([each for each in starts if each in near] or starts)
        names = [name]
        for _ in range(1 + (random.random() < LONGER_CHAIN)):
            following = [x for x in self._links_from.get(names[-1], ()) if x.target not in names]
            if following:
                names.append(random.choice(sorted({link.target for link in following})))
        known = {tool.name: tool for tool in self.tools}
        return [known[each] for each in names]

    @cached_property
    def _links_from(self) -> Mapping[str, Sequence[Link]]:
        return links_from(links_of(self.tools))

    def draw_examples(self, style: Style, tools: Sequence[Tool], random: Random) -> list[Seed]:
        """Seeds of the same style, preferably over tools of the same categories."""
        if style is Style.MULTI_TURN:  # no seed is a conversation; its beginning looks like these
            style = Style.MULTIPLE
        wanted = self.settings.examples.draw(random)
        categories = sorted({tool.category for tool in tools})
        near = {s.id: s for c in categories for s in self._seeds_by_category.get((style, c), ())}
        drawn = random.sample(list(near.values()), min(wanted, len(near)))
        if len(drawn) < wanted:
            far = [s for s in self._seeds_by_style.get(style, []) if s.id not in near]
            drawn += random.sample(far, min(wanted - len(drawn), len(far)))
        return drawn


def _shown(tools: Sequence[Tool], style: Style) -> list[JsonObject]:
    chained = style is Style.SEQUENTIAL
    return [prompt_form(tool, EXAMPLE_CALLS[style], returns=chained) for tool in tools]


def _listed(items: Sequence[JsonObject]) -> str:
    """A JSON list with one item per line, which models and people read well."""
    return "[\n" + ",\n".join(strict_json.dumps(item) for item in items) + "\n]"
