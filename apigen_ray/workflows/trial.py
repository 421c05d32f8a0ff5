"""One real completion of a model: how fast it is, and whether it can do what a run asks of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput, EndpointError, PromptTooLong
from apigen_ray.models.clients import client_of
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.structured_output import WITH_SCHEMA
from apigen_ray.prompting.calls_first import CallsFirstSampler
from apigen_ray.prompting.pair_schema import calls_schema, schema_of
from apigen_ray.prompting.prompt_specs import plan
from apigen_ray.prompting.prompts import Prompt
from apigen_ray.prompting.sampler import PromptSampler, Sampler
from apigen_ray.prompting.targets import goals_of
from apigen_ray.records import Json, JsonObject, Message, Rejected, Reply, Seed
from apigen_ray.report.rates import clock, rate_text
from apigen_ray.stages.agreement import same_calls
from apigen_ray.stages.agreement.solve import read_calls, solve_messages
from apigen_ray.stages.check import CheckSettings, check, signatures_of
from apigen_ray.stages.judge import judge_messages
from apigen_ray.stages.verdict import read_verdict, schema_of_verdict
from apigen_ray.tools.library import Library
from apigen_ray.tools.write_forms import shown_form
from apigen_ray.workflows.drawn_calls import by_tool, chain_candidates, draw_candidates
from apigen_ray.workflows.prepare import run_async

QUOTED_CHARS = 80


@dataclass(frozen=True, slots=True)
class Trial:
    """One of the requests that a run makes to a model."""

    messages: Sequence[Message]
    schema: JsonObject
    assess: Callable[[Reply], str]
    """Says what the run would make of the reply."""
    requests: int
    """How many such requests the run makes, if none is made twice."""
    of: str
    """What they are."""

    def run(self, endpoint: Endpoint) -> str:
        """Send the request, once, and describe the reply and how long the run will take.

        Raises:
            BadInput: if there is no reply, saying why.
        """
        notices: list[str] = []
        try:
            reply = run_async(self._ask(endpoint, notices))
        except PromptTooLong as error:
            raise BadInput(f"the prompt does not fit into its context: {error}") from error
        except EndpointError as error:
            advice = [_without_name(notice, endpoint) for notice in notices]
            raise BadInput("; ".join([str(error), *advice])) from error
        return "; ".join(
            [
                _size(reply),
                _fit(reply, endpoint),
                _schema(endpoint, notices),
                self.assess(reply),
                self._whole_run(reply, endpoint),
            ]
        )

    async def _ask(self, endpoint: Endpoint, notices: list[str]) -> Reply:
        model = client_of(endpoint.model_copy(update={"max_retries": 0}), notices.append)
        schema = self.schema if endpoint.response_format in WITH_SCHEMA else None
        try:
            return await model.complete(self.messages, schema, sample="check")
        finally:
            await model.close()

    def _whole_run(self, reply: Reply, endpoint: Endpoint) -> str:
        at_once = min(endpoint.concurrency, self.requests)
        seconds = self.requests * reply.seconds / at_once
        return f"about {clock(seconds)} for {self.requests:,} {self.of}, {at_once:,} at a time"


def generator_trial(config: RunConfig, library: Library, seeds: Sequence[Seed]) -> Trial:
    """The first prompt of a run.

    Raises:
        BadInput: if the strategy needs calls, and no tool yields one.
    """
    drawn = Sampler(library.tools, tuple(seeds), config.sampling, config.seed)
    sampler: PromptSampler = drawn
    if config.strategy == "calls_first":  # the run leaves out the calls that fail when they are run
        calls = by_tool(draw_candidates(config, library.tools, seeds))
        chains = chain_candidates(config, library.tools, calls)
        sampler = CallsFirstSampler(drawn, calls, chains)
    categories = sorted({tool.category for tool in library.tools})
    goals = goals_of(config.points, config.target, categories)
    specs = plan(goals, config.sampling.pairs_per_prompt)
    prompt = sampler.prompt(specs[0])
    assess = partial(_stage_1, prompt, config.check)
    return Trial(prompt.messages, schema_of(prompt), assess, len(specs), "prompts")


def judge_trial(
    config: RunConfig, seeds: Sequence[Seed], *, lists_requests: bool = True
) -> Trial | None:
    """The judging of a seed pair, whose calls are not run; None if there is no seed."""
    seed = next((each for each in seeds if not each.pair.clarification), None)
    if not seed:
        return None
    shown: list[Json] = [shown_form(tool) for tool in seed.tools]
    messages = judge_messages(seed.pair, shown, [], lists_requests=lists_requests)
    schema = schema_of_verdict(lists_requests=lists_requests)
    points = sum(config.points.values()) * len(config.models)
    return Trial(messages, schema, _verdict, points, "data points, if all are judged")


def solver_trial(config: RunConfig, seeds: Sequence[Seed]) -> Trial | None:
    """The solving of a seed's query, in our own prompt; None if there is no seed."""
    seed = next((each for each in seeds if not each.pair.clarification), None)
    if not seed or config.agreement is None:
        return None
    solved = sum(config.points.values()) * len(config.models) * config.agreement.samples
    solutions = -(-solved // len(config.agreement.models))
    return Trial(
        solve_messages(seed.pair.query, seed.tools),
        calls_schema(seed.tools),
        partial(_solution, seed),
        solutions,
        "solutions, if the judge passes all",
    )


def _solution(seed: Seed, reply: Reply) -> str:
    calls = read_calls(reply.text, seed.tools)
    if isinstance(calls, Rejected):
        return f"its solution of a seed's query can't be read: {calls.detail}"
    tools = {tool.name: tool for tool in seed.tools}
    same = same_calls(seed.pair.calls, calls, tools)
    return f"its solution of a seed's query: {'the same calls' if same else 'other calls'}"


def _size(reply: Reply) -> str:
    tokens = f"{reply.input_tokens:,} tokens in, {reply.output_tokens:,} out"
    rate = rate_text(reply.output_tokens / max(reply.seconds, 1e-3), "tokens")
    return f"{tokens}, {reply.seconds:.1f} s, {rate}"


def _fit(reply: Reply, endpoint: Endpoint) -> str:
    if reply.finish_reason != "length":
        return "fits the context"
    if reply.output_tokens >= endpoint.max_tokens:
        return f"cut at max_tokens ({endpoint.max_tokens:,})"
    return f"cut: the context is full after {reply.input_tokens + reply.output_tokens:,} tokens"


def _schema(endpoint: Endpoint, notices: Sequence[str]) -> str:
    if endpoint.response_format == "none":
        return "no schema asked for"
    fallback = [_without_name(notice, endpoint) for notice in notices]
    return "; ".join(fallback) or f"takes {endpoint.response_format}"


def _without_name(notice: str, endpoint: Endpoint) -> str:
    return notice.removeprefix(f"model {endpoint.name}: ")


def _stage_1(prompt: Prompt, settings: CheckSettings, reply: Reply) -> str:
    results = check(
        reply.text,
        finish_reason=reply.finish_reason,
        style=prompt.style,
        signatures=signatures_of(prompt.tools),
        count=prompt.count,
        settings=settings,
        calls=prompt.calls,
    )
    for result in results:
        if isinstance(result, Rejected):
            return f"stage 1 rejects it: {result.reason}: {result.detail}"
    return "stage 1 accepts it"


def _verdict(reply: Reply) -> str:
    verdict = read_verdict(reply.text)
    if verdict is None:
        return f"gives no verdict: {reply.text[:QUOTED_CHARS]!r}"
    return f"its verdict on a seed pair, without results: {'yes' if verdict[0] else 'no'}"
