"""The faults, each as the list of ways in which it can be planted in what the model would write.

A fault of a pair is a generator over a `Draft`: it yields the pair's JSON text once for each way to
spoil it, and nothing where the fault is not possible. Each way has this one fault and no other.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from apigen_ray.models.simulated.chains import misreferring, unresolvable
from apigen_ray.models.simulated.judging import objection
from apigen_ray.models.simulated.outside import impossible, outside
from apigen_ray.models.simulated.profiles import Fault
from apigen_ray.models.simulated.schemas import (
    Schema,
    accepts,
    branches,
    properties,
    required,
    types,
)
from apigen_ray.records import Call, Json, JsonObject, Style, Tool
from apigen_ray.tools.references import has_references


@dataclass(frozen=True, slots=True)
class Draft:
    """A faultless pair, and what is needed to spoil it."""

    style: Style
    tools: Mapping[str, Tool]
    told: JsonObject
    """What is said for the calls: the query, and of the style `clarify`, question and reply."""
    calls: tuple[Call, ...]
    spares: tuple[Call, ...]
    """Further calls, other than `calls`, that could have been asked for."""
    words: Callable[[Sequence[Call]], JsonObject]
    """What is said for other calls."""
    complete: str
    """The query with all that the calls need."""
    said: str = ""
    """What was said and returned in the turns before."""

    @property
    def query(self) -> str:
        """The query that is said."""
        return str(self.told["query"])

    def answering(self, answers: Sequence[Json]) -> str:
        """The pair with other answers."""
        return dumps({**self.told, "answers": answers})

    def with_call(self, index: int, changed: Json) -> str:
        """The pair with another call at `index`."""
        answers = [call_form(call) for call in self.calls]
        return self.answering([*answers[:index], changed, *answers[index + 1 :]])

    def with_arguments(self, index: int, arguments: JsonObject) -> str:
        """The pair with other arguments in the call at `index`."""
        return self.with_call(index, call_form(Call(self.calls[index].name, arguments)))

    def arguments(self) -> Iterator[tuple[int, Tool, str, Json, Schema]]:
        """Every argument with a value: call index, tool, name, value, and its schema."""
        for index, call in enumerate(self.calls):
            tool = self.tools[call.name]
            declared = properties(tool)
            for name, value in call.arguments.items():
                if not has_references(value):
                    yield index, tool, name, value, declared[name]


Ways = Iterator[str]


def dumps(value: Json) -> str:
    """JSON text as a model writes it."""
    return json.dumps(value, ensure_ascii=False)


def call_form(call: Call) -> JsonObject:
    """A call as completions write it."""
    return {"name": call.name, "arguments": call.arguments}


# --- of a completion: each takes the JSON text, a list, and returns what is sent


def malformed_json(random: Random, text: str) -> str:
    """Spoil the syntax, in one of the ways that models do."""
    match random.randrange(4):
        case 0:  # the last bracket is forgotten
            return text.rstrip().removesuffix("]")
        case 1:  # Python's quotes
            return repr(json.loads(text))
        case 2:  # a trailing comma
            return text.rstrip().removesuffix("]") + ",\n]"
        case _:  # Python's None
            return text.replace("{", '{"note": None, ', 1)


def prose(random: Random, text: str) -> str:
    """Talk beside the JSON."""
    return random.choice(
        (
            f"```json\n{text}\n```",
            f"Sure! Here are the pairs you asked for:\n\n{text}",
            f"{text}\n\nLet me know if you would like more of them.",
            f"Here you are:\n```\n{text}\n```\nEach call uses only the given functions.",
        )
    )


def truncated(random: Random, text: str) -> str:
    """Stop in the middle: no beginning of a JSON list is JSON."""
    return text[: max(1, int(len(text) * random.uniform(0.2, 0.95)))]


# --- of a pair


def missing_field(draft: Draft) -> Ways:
    """Leave out a key of the pair or of one of its calls."""
    answers = [call_form(call) for call in draft.calls]
    yield dumps({"answers": answers})
    yield dumps({"query": draft.query})
    for index, call in enumerate(draft.calls):
        yield draft.with_call(index, {"name": call.name})
        yield draft.with_call(index, {"arguments": call.arguments})


def empty_query(draft: Draft) -> Ways:
    """Ask for nothing."""
    for blank in ("", "  "):
        yield dumps({"query": blank, "answers": [call_form(call) for call in draft.calls]})


def no_calls(draft: Draft) -> Ways:
    """Give no answer where one is needed."""
    if draft.calls:
        yield draft.answering([])


def unknown_function(draft: Draft) -> Ways:
    """Call a function that was not shown."""
    for index, call in enumerate(draft.calls):
        for name in (f"get_{call.name}", f"{call.name}_v2", f"{call.name}_tool"):
            if name not in draft.tools:
                yield draft.with_call(index, {"name": name, "arguments": call.arguments})


_MADE_UP: Mapping[str, Json] = {
    "verbose": True,
    "output_format": "json",
    "max_results": 10,
    "locale": "en",
}
_OPENING_KEYWORDS = ("additionalProperties", "patternProperties", "unevaluatedProperties")


def unknown_argument(draft: Draft) -> Ways:
    """Make up an argument."""
    for index, call in enumerate(draft.calls):
        tool = draft.tools[call.name]
        # A schema that says nothing about further arguments declares none.
        if any(tool.parameters.get(keyword, False) is not False for keyword in _OPENING_KEYWORDS):
            continue
        for name, value in _MADE_UP.items():
            if name not in properties(tool):
                yield draft.with_arguments(index, {**call.arguments, name: value})


def missing_argument(draft: Draft) -> Ways:
    """Leave out an argument that is required."""
    for index, tool, name, _, _ in draft.arguments():
        if name in required(tool):
            kept = {n: v for n, v in draft.calls[index].arguments.items() if n != name}
            yield draft.with_arguments(index, kept)


def wrong_type(draft: Draft) -> Ways:
    """Give a value of another type, most often what a careless reader would take for the same."""
    for index, tool, name, value, schema in draft.arguments():
        alternatives = list(branches(schema, tool.parameters))
        if not all(types(branch) for branch in alternatives):
            continue  # there is a branch that takes any type
        allowed = {one for branch in alternatives for one in types(branch)}
        for wrong in (_mistaken(value), 7, {"value": value}):
            if not allowed & _types_of(wrong):
                changed = {**draft.calls[index].arguments, name: wrong}
                yield draft.with_arguments(index, changed)
                break


def _mistaken(value: Json) -> Json:
    if isinstance(value, str):
        return [value]
    return dumps(value)


def _types_of(value: Json) -> set[str]:
    match value:
        case bool():
            return {"boolean"}
        case int():
            return {"integer", "number"}
        case str():
            return {"string"}
        case list():
            return {"array"}
        case _:
            return {"object"}


def constraint(draft: Draft) -> Ways:
    """Give a value of the right type that the schema rules out."""
    for index, tool, name, value, schema in draft.arguments():
        for branch in branches(schema, tool.parameters):
            for ruled_out in outside(value, branch):
                changed = {**draft.calls[index].arguments, name: ruled_out}
                # Another branch of the schema, or a looser keyword, may still allow it.
                if not accepts(tool, changed):
                    yield draft.with_arguments(index, changed)


def duplicate_key(draft: Draft) -> Ways:
    """Name a key twice in one object."""
    text = draft.answering([call_form(call) for call in draft.calls])
    yield f"{text[:-1]}, {dumps({'query': draft.query})[1:]}"
    if draft.calls and draft.calls[-1].arguments:
        name, value = next(iter(draft.calls[-1].arguments.items()))
        ending = "}}]}"
        yield f"{text.removesuffix(ending)}, {dumps({name: value})[1:-1]}{ending}"


_ONE_CALL_STYLES = (Style.SIMPLE, Style.MULTIPLE, Style.CLARIFY, Style.IRRELEVANCE)


def duplicate_call(draft: Draft) -> Ways:
    """Make one of several calls twice."""
    if draft.style not in _ONE_CALL_STYLES:
        for call in draft.calls:
            yield draft.answering([call_form(c) for c in (*draft.calls, call)])


def style_mismatch(draft: Draft) -> Ways:
    """Make more or fewer calls than the style has."""
    match draft.style:
        case Style.PARALLEL | Style.PARALLEL_MULTIPLE | Style.SEQUENTIAL:
            yield draft.answering([call_form(draft.calls[0])])
        case Style.MULTI_TURN:
            return  # any number of calls is right
        case _:
            for spare in draft.spares:
                yield draft.answering([call_form(call) for call in (*draft.calls, spare)])


def infeasible(draft: Draft) -> Ways:
    """Ask for, and call with, what has the right form but can't be done."""
    for index, call in enumerate(draft.calls):
        tool = draft.tools[call.name]
        for name, schema in properties(tool).items():
            if has_references(call.arguments.get(name)):
                continue
            for branch in branches(schema, tool.parameters):
                for value in impossible(branch):
                    changed = Call(call.name, {**call.arguments, name: value})
                    if accepts(tool, changed.arguments) and changed not in draft.calls:
                        calls = (*draft.calls[:index], changed, *draft.calls[index + 1 :])
                        answers: list[Json] = [call_form(call) for call in calls]
                        yield dumps({**draft.words(calls), "answers": answers})


def mismatch(draft: Draft) -> Ways:
    """Ask for something else than the calls do; a query that happens to cover both is no way."""
    answers: list[Any] = [call_form(call) for call in draft.calls]
    for spare in draft.spares:
        for index in range(max(1, len(draft.calls))):
            words = draft.words((*draft.calls[:index], spare, *draft.calls[index + 1 :]))
            said = "\n".join([draft.said, *map(str, words.values())])
            if objection(said, draft.calls, tuple(draft.tools.values())):
                yield dumps({**words, "answers": answers})


def nothing_missing(draft: Draft) -> Ways:
    """Leave out nothing, and ask for what was said."""
    if draft.style is Style.CLARIFY:
        answers: list[Json] = [call_form(call) for call in draft.calls]
        yield dumps({**draft.told, "query": draft.complete, "answers": answers})


def bad_reference(draft: Draft) -> Ways:
    """Refer to the result of no earlier call."""
    for index, name, wrong in misreferring(draft.calls):
        yield draft.with_arguments(index, {**draft.calls[index].arguments, name: wrong})


def unresolved_reference(draft: Draft) -> Ways:
    """Refer to what an earlier result could have, and does not."""
    for index, name, wrong in unresolvable(draft.calls, tuple(draft.tools.values())):
        yield draft.with_arguments(index, {**draft.calls[index].arguments, name: wrong})


OF_COMPLETIONS: Mapping[Fault, Callable[[Random, str], str]] = {
    Fault.MALFORMED_JSON: malformed_json,
    Fault.PROSE: prose,
    Fault.TRUNCATED: truncated,
}
OF_PAIRS: Mapping[Fault, Callable[[Draft], Ways]] = {
    Fault.MISSING_FIELD: missing_field,
    Fault.EMPTY_QUERY: empty_query,
    Fault.NO_CALLS: no_calls,
    Fault.UNKNOWN_FUNCTION: unknown_function,
    Fault.UNKNOWN_ARGUMENT: unknown_argument,
    Fault.MISSING_ARGUMENT: missing_argument,
    Fault.WRONG_TYPE: wrong_type,
    Fault.CONSTRAINT: constraint,
    Fault.DUPLICATE_KEY: duplicate_key,
    Fault.DUPLICATE_CALL: duplicate_call,
    Fault.STYLE_MISMATCH: style_mismatch,
    Fault.INFEASIBLE: infeasible,
    Fault.MISMATCH: mismatch,
    Fault.BAD_REFERENCE: bad_reference,
    Fault.UNRESOLVED_REFERENCE: unresolved_reference,
    Fault.NOTHING_MISSING: nothing_missing,
}
