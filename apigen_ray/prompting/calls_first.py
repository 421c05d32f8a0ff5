"""The strategy `calls_first`: valid calls are drawn, and the model writes the query they answer.

Back-translation (Sennrich et al., arXiv 1511.06709), which instruction tuning uses as instruction
backtranslation (Li et al., arXiv 2308.06259): the side that can be wrong in many ways is given, and
the one that any model can write is generated. The rows pass all stages as others do.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

from apigen_ray import strict_json
from apigen_ray.prompting.prompt_specs import PromptSpec
from apigen_ray.prompting.prompts import Prompt
from apigen_ray.prompting.sampler import ONE_TOOL_STYLES, Sampler
from apigen_ray.prompting.templates import GENERATOR
from apigen_ray.records import Call, Json, JsonObject, Message, Seed, Style, Tool
from apigen_ray.tools.prompt_text import one_line
from apigen_ray.tools.references import read_reference, references_of

MOST_CALLS = 3
"""Of a parallel query. The paper's own have two to four; tiny models lose a value of the fourth."""

EXAMPLE_CHARACTERS = 260
"""A longer seed is not shown: a prompt for one query shall be short."""

OWN_EXAMPLE_CHARACTERS = 600
"""As long may one be that calls the same tools."""

QUERY_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"query": {"type": "string", "minLength": 12}},
    "required": ["query"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class CallsFirstSampler:
    """Draws prompts that ask for the query of given calls."""

    sampler: Sampler
    """Draws tools and examples as for the other strategy."""
    calls: Mapping[str, Sequence[Call]]
    """The calls that may be asked about, by the name of their tool; none that failed when run."""
    chains: Sequence[tuple[Call, ...]] = ()
    """Calls of which one refers to the result of another; none that failed, either."""

    def prompt(self, spec: PromptSpec) -> Prompt:
        """The prompt of a spec: the same for the same spec, whoever draws it, and when."""
        drawn_from = f"{self.sampler.seed}:{spec.index}"
        random = Random(drawn_from)
        tools, calls = self._draw(spec, random)
        described = {tool.name: tool for tool in self.sampler.tools}
        if spec.style is Style.IRRELEVANCE:  # a query that another tool's call answers
            given, calls = calls, ()
            style = Style.SIMPLE
        else:
            given, style = calls, spec.style
        examples = self._draw_examples(style, tools, given, Random(f"{drawn_from}:pool"))
        voice = random.choice(self.sampler.settings.voices)
        return Prompt(
            id=f"{spec.index:06d}",
            style=spec.style,
            tools=tools,
            messages=tuple(_messages(given, described, examples, voice)),
            count=1,
            calls=calls,
            examples=tuple(seed.pair for seed in examples),
        )

    def with_pool(self, pairs: Sequence[Seed]) -> "CallsFirstSampler":
        """The sampler of a round, whose pool holds `pairs` besides the seeds."""
        return replace(self, sampler=self.sampler.with_pool(pairs))

    def _draw_examples(
        self, style: Style, tools: Sequence[Tool], calls: Sequence[Call], random: Random
    ) -> list[Seed]:
        """Examples of the style; the last is of the same tools, if that is wanted."""
        examples = self._brief.draw_examples(style, tools, random)
        own = self._by_called.get(_called(calls)) if self.sampler.settings.own_example else None
        if not own or not examples:
            return examples
        last = random.choice(own)
        return [*[seed for seed in examples if seed.id != last.id][: len(examples) - 1], last]

    @cached_property
    def _by_called(self) -> dict[tuple[str, ...], list[Seed]]:
        """The seeds that are not too long by the tools that they call."""
        seeds: dict[tuple[str, ...], list[Seed]] = defaultdict(list)
        for seed in self.sampler.seeds:
            if _length(seed) <= OWN_EXAMPLE_CHARACTERS:
                seeds[_called(seed.pair.calls)].append(seed)
        return seeds

    @cached_property
    def _brief(self) -> Sampler:
        """The sampler with those of its seeds that are brief: an example shows the form alone."""
        brief = tuple(seed for seed in self.sampler.seeds if _length(seed) <= EXAMPLE_CHARACTERS)
        return replace(self.sampler, seeds=brief)

    def _draw(self, spec: PromptSpec, random: Random) -> tuple[tuple[Tool, ...], tuple[Call, ...]]:
        """The tools shown, and calls: of these tools, or where none may fit, of another."""
        tools = self.sampler.draw_tools(spec, random)
        if spec.style is Style.SEQUENTIAL:
            return self._draw_chain(tools, random)
        callable_ = [tool for tool in tools if self.calls.get(tool.name)]
        if spec.style is Style.IRRELEVANCE:
            return tools, (self._call_of_another(tools, random),)
        if not callable_:
            drawn = random.choice([t for t in self.sampler.tools if self.calls.get(t.name)])
            tools = (drawn,) if spec.style in ONE_TOOL_STYLES else (*tools[1:], drawn)
            callable_ = [drawn]
        if spec.style in (Style.SIMPLE, Style.MULTIPLE, Style.MULTI_TURN):
            return tools, (random.choice(self.calls[random.choice(callable_).name]),)
        if spec.style is Style.PARALLEL:
            known = self.calls[callable_[0].name]
            return tools, tuple(
                random.sample(known, min(len(known), random.randint(2, MOST_CALLS)))
            )
        return self._draw_of_several(tools, callable_, random)

    def _draw_chain(
        self, tools: tuple[Tool, ...], random: Random
    ) -> tuple[tuple[Tool, ...], tuple[Call, ...]]:
        """A chain of calls, preferably in a category of the tools, which make room for its own."""
        known = {tool.name: tool for tool in self.sampler.tools}
        categories = {tool.category for tool in tools}
        near = [c for c in self.chains if known[c[0].name].category in categories]
        calls = random.choice(near or self.chains)
        own = [known[name] for name in dict.fromkeys(call.name for call in calls)]
        others = [tool for tool in tools if tool not in own]
        shown = own + others[: max(0, len(tools) - len(own))]
        random.shuffle(shown)
        return tuple(shown), calls

    def _draw_of_several(
        self, tools: tuple[Tool, ...], callable_: Sequence[Tool], random: Random
    ) -> tuple[tuple[Tool, ...], tuple[Call, ...]]:
        """Calls of at least two tools; one more tool is shown where only one can be called."""
        chosen = random.sample(list(callable_), min(2, len(callable_)))
        if len(chosen) < 2:
            others = [t for t in self.sampler.tools if self.calls.get(t.name) and t not in tools]
            chosen.append(random.choice(others))
            tools = (*tools, chosen[-1])
        return tools, tuple(random.choice(self.calls[tool.name]) for tool in chosen)

    def _call_of_another(self, shown: Sequence[Tool], random: Random) -> Call:
        """A call of a tool that is not shown, of a category of which none is shown."""
        categories = {tool.category for tool in shown}
        hidden = [tool for tool in self.sampler.tools if self.calls.get(tool.name)]
        far = [tool for tool in hidden if tool.category not in categories]
        near = [tool for tool in hidden if tool not in shown]
        return random.choice(self.calls[random.choice(far or near).name])


def _called(calls: Sequence[Call]) -> tuple[str, ...]:
    """The names of the tools that calls are of, one for each call."""
    return tuple(sorted(call.name for call in calls))


def _length(seed: Seed) -> int:
    """The characters that a seed takes as an example."""
    known = {tool.name: tool for tool in seed.tools}
    return len(_calls_text(seed.pair.calls, known)) + len(seed.pair.query)


def _messages(
    calls: Sequence[Call], tools: Mapping[str, Tool], examples: Sequence[Seed], voice: str
) -> Iterator[Message]:
    # Not in the request: a small model would take the voice for something to write about.
    described = GENERATOR.render(f"voices/{voice}.txt")
    instructions = GENERATOR.render("calls_first.txt", voice=described)
    if references_of(calls):
        instructions += f"\n\n{GENERATOR.text('calls_first_references.txt')}"
    yield Message("system", instructions)
    for seed in examples:
        known = {tool.name: tool for tool in seed.tools}
        yield Message("user", _calls_text(seed.pair.calls, known))
        yield Message("assistant", strict_json.dumps({"query": seed.pair.query}))
    yield Message("user", _calls_text(calls, tools))


def _calls_text(calls: Sequence[Call], tools: Mapping[str, Tool]) -> str:
    """Calls with what their functions do, an empty line between them."""
    return "\n\n".join(_call_text(call, tools[call.name], calls) for call in calls)


def _call_text(call: Call, tool: Tool, calls: Sequence[Call]) -> str:
    """A call in lines: the values, by the names of their arguments, and what the function does."""
    values = (f"- {name} = {_value_text(value, calls)}" for name, value in call.arguments.items())
    return "\n".join([f"{tool.name}: {one_line(tool.description)}", *values])


def _value_text(value: Json, calls: Sequence[Call]) -> str:
    """A value as JSON; one that is referred to, in words."""
    reference = read_reference(value)
    if reference is None or reference.call >= len(calls):
        return strict_json.dumps(value)
    keys = [step for step in reference.path if isinstance(step, str)]
    part = f"the {' '.join(keys[-1].split('_'))} that" if keys else "what"
    name = calls[reference.call].name.replace("_", " ")
    return f"({part} {name} gives)"
