"""Stage 1 (paper §3.2): the format check, of JSON, style, names, types and values.

Strict by default. The value `"9.8"` where a number belongs is `wrong_type`, not a number: whoever
trains on a coerced call trains on a wrong one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic_core import to_json

from apigen_ray import strict_json
from apigen_ray.models.settings import Settings
from apigen_ray.records import (
    Call,
    Checked,
    Clarification,
    Json,
    JsonObject,
    Pair,
    Reason,
    Rejected,
    Reply,
    Style,
    Tool,
)
from apigen_ray.run_folder.rows import calls_form
from apigen_ray.stages.arguments import Flaw, check_arguments
from apigen_ray.stages.references import check_references
from apigen_ray.tools.references import references_of, referring
from apigen_ray.tools.validation import SchemaValidator, validator_of


class CheckSettings(Settings):
    """How strict stage 1 is."""

    strict: bool = True
    """Refuse JSON inside a code fence or beside prose, as the paper does."""
    coerce: Literal["none", "lossless"] = "none"
    """`lossless` turns `"9.8"` into 9.8 where a number belongs, and records it in the row."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What goes into a call of a tool, and what comes out of it."""

    arguments: SchemaValidator
    returns: JsonObject | None
    """The schema of its result, where it is known."""


Signatures: TypeAlias = Mapping[str, Signature]
"""The signature of each tool, by its name."""


def signatures_of(tools: Iterable[Tool]) -> dict[str, Signature]:
    """The signatures of tools; arguments that a tool doesn't declare are refused."""
    return {tool.name: Signature(_validator(tool.parameters), tool.returns) for tool in tools}


def _validator(parameters: JsonObject) -> SchemaValidator:
    return validator_of(to_json(forbid_extra_properties(parameters)).decode())


_COMPOSING = ("allOf", "anyOf", "oneOf", "if", "$ref", "$dynamicRef", "dependentSchemas")


def forbid_extra_properties(parameters: JsonObject) -> JsonObject:
    """A parameters schema that refuses undeclared arguments, unless it has a rule for them."""
    if {"additionalProperties", "patternProperties", "unevaluatedProperties"} & parameters.keys():
        return parameters
    composed = parameters.keys() & set(_COMPOSING)
    return parameters | {"unevaluatedProperties" if composed else "additionalProperties": False}


def check(
    text: str,
    *,
    finish_reason: str,
    style: Style | None,
    signatures: Signatures,
    count: int,
    settings: CheckSettings,
    calls: Sequence[Call] | None = None,
) -> list[Checked | Rejected]:
    """Read the data points of a completion.

    Args:
        text: What the model wrote.
        finish_reason: Why it stopped; `length` makes unreadable text `truncated`.
        style: The style asked for; None leaves the number of calls free.
        signatures: Those of the tools shown to the model; see `signatures_of`.
        count: How many data points were asked for.
        settings: How strict to be.
        calls: The calls that were given, where the completion has nothing but their query.

    Returns:
        Exactly `count` results. Points the model wrote beyond them are left in its text.
    """
    try:
        pairs = _pairs(_read(text, strict=settings.strict))
    except strict_json.NotJson as error:
        return [_unreadable(text, finish_reason, error)] * count
    if calls is not None:
        pairs = [_with_calls(pair, calls) for pair in pairs]
    results = [
        check_pair(pair, style=style, signatures=signatures, settings=settings)
        for pair in pairs[:count]
    ]
    missing = Rejected(
        Reason.MISSING_PAIR, f"completion: {len(pairs)} pairs where {count} were asked for"
    )
    return results + [missing] * (count - len(results))


def _with_calls(pair: Json, calls: Sequence[Call]) -> Json:
    """A completion's query with the calls that it was written for."""
    if not isinstance(pair, dict):
        return pair
    return {**pair, "answers": calls_form(calls)}


def no_completion(reply: Reply) -> Rejected | None:
    """Why a reply has no completion to check: its server has lost it, or it is all reasoning."""
    if reply.server_error:
        detail = f"the server could not parse what the model wrote: {reply.server_error}"
        return Rejected(Reason.INVALID_JSON, f"completion: {detail}")
    if reply.text.strip() or not (reply.reasoning or reply.reasoning_tokens):
        return None
    tokens = f" ({reply.output_tokens:,} tokens)" if reply.output_tokens else ""
    if reply.finish_reason != "length":
        detail = f"empty: the model stopped after its reasoning{tokens}"
        return Rejected(Reason.INVALID_JSON, f"completion: {detail}")
    advice = "raise max_tokens, or make the model reason less"
    detail = f"cut off while reasoning, at {_LIMIT}{tokens}; {advice}"
    return Rejected(Reason.TRUNCATED, f"completion: {detail}")


def pair_count(text: str, settings: CheckSettings) -> int:
    """How many data points a completion holds; 1 if it can't be read, or holds none."""
    try:
        return len(_pairs(_read(text, strict=settings.strict))) or 1
    except strict_json.NotJson:
        return 1


def check_pair(
    value: Json, *, style: Style | None, signatures: Signatures, settings: CheckSettings
) -> Checked | Rejected:
    """Check one `{"query", "answers": [{"name", "arguments"}]}`.

    In the style `clarify`, it also has the assistant's "question" and the user's "reply" to it.
    """
    query = value.get("query") if isinstance(value, dict) else None
    answers = value.get("answers") if isinstance(value, dict) else None
    try:
        if not isinstance(value, dict):
            raise Flaw(Reason.WRONG_TYPE, f"pair: {_shown(value)} is not of type 'object'")
        calls, coerced = _calls(value, signatures, style, settings)
        clarification = _clarification(value) if style is Style.CLARIFY else None
        _check_style(calls, style)
    except Flaw as flaw:
        shown_query = query if isinstance(query, str) else None
        return Rejected(flaw.reason, flaw.detail, shown_query, answers)
    assert isinstance(query, str)
    return Checked(Pair(query, tuple(calls), clarification), tuple(coerced))


# --- the text


_LIMIT = "max_tokens or the end of the model's context"

_END_MARKS = (
    "<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>",
    "<end_of_turn>", "<|end|>", "<|return|>", "<\uff5cend\u2581of\u2581sentence\uff5c>",
)  # fmt: skip
"""The tokens with which models end their turn."""


def _unreadable(text: str, finish_reason: str, error: strict_json.NotJson) -> Rejected:
    """Why a text is no JSON that can be used."""
    if finish_reason == "length":
        cut = f"cut off at {_LIMIT}, after {len(text):,} characters"
        detail = f"completion: {cut}: {error}; it begins {_shown(text)}"
        return Rejected(Reason.TRUNCATED, detail)
    if mark := next((mark for mark in _END_MARKS if text.rstrip().endswith(mark)), None):
        why = "the server should stop at it: its chat template or stop tokens don't fit the model"
        return Rejected(Reason.INVALID_JSON, f"completion: ends with {mark}, {why}: {error}")
    duplicate = isinstance(error, strict_json.DuplicateKey)
    reason = Reason.DUPLICATE_KEY if duplicate else Reason.INVALID_JSON
    return Rejected(reason, f"completion: {error}")


def _read(text: str, *, strict: bool) -> Json:
    try:
        return strict_json.parse(text)
    except strict_json.NotJson as error:
        if strict:
            raise
        for embedded in _embedded(text):
            try:
                return strict_json.parse(embedded)
            except strict_json.NotJson:
                continue
        raise error from None


_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)


def _embedded(text: str) -> Iterator[str]:
    """JSON inside a code fence, or between prose: outermost brackets first."""
    if len(text) > strict_json.MAX_CHARACTERS:
        return
    for fence in _FENCE.finditer(text):
        yield fence.group(1)
    for opening, closing in ("[]", "{}"):
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            yield text[start : end + 1]


def _pairs(value: Json) -> Sequence[Json]:
    """The pairs in the three forms a completion may have."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        pairs = value.get("pairs")
        return pairs if isinstance(pairs, list) else [value]
    raise strict_json.NotJson(f"{_shown(value)} is neither a list of pairs nor a pair")


# --- one pair


def _calls(
    pair: JsonObject, signatures: Signatures, style: Style | None, settings: CheckSettings
) -> tuple[list[Call], list[str]]:
    query = _field(pair, "query", str, "pair")
    answers = _field(pair, "answers", list, "pair")
    if not query.strip():
        raise Flaw(Reason.EMPTY_QUERY, "query: is empty")
    if not answers and style is not Style.IRRELEVANCE:
        raise Flaw(Reason.NO_CALLS, "answers: no call where at least one is needed")
    return check_calls(answers, signatures, settings, chained=style is Style.SEQUENTIAL)


def _clarification(pair: JsonObject) -> Clarification:
    said = [_field(pair, key, str, "pair") for key in ("question", "reply")]
    for key, text in zip(("question", "reply"), said, strict=True):
        if not text.strip():
            raise Flaw(Reason.EMPTY_QUERY, f"{key}: is empty")
    return Clarification(*said)


def check_calls(
    answers: Sequence[Json],
    signatures: Signatures,
    settings: CheckSettings,
    place: str = "calls",
    *,
    chained: bool = False,
) -> tuple[list[Call], list[str]]:
    """The calls that are made together, and what was coerced in them.

    Args:
        answers: The calls, each `{"name", "arguments"}`.
        signatures: Those of the tools shown.
        settings: How strict to be.
        place: What details call the list.
        chained: Whether arguments may refer to the results of earlier calls.

    Raises:
        Flaw: of the first call that has one.
    """
    calls: list[Call] = []
    coerced: list[str] = []
    seen: dict[str, int] = {}
    for index, answer in enumerate(answers):
        where = f"{place}[{index}]"
        call, changed = _call(answer, where, signatures, settings, chained=chained)
        if chained:
            earlier = [(made.name, signatures[made.name].returns) for made in calls]
            check_references(call.arguments, signatures[call.name].arguments, earlier, where)
        coerced += changed
        calls.append(call)
        if len(answers) > 1:
            same = strict_json.canonical([call.name, call.arguments])
            if same in seen:
                raise Flaw(Reason.DUPLICATE_CALL, f"{where}: repeats {place}[{seen[same]}]")
            seen[same] = index
    return calls, coerced


def _call(
    answer: Json, where: str, signatures: Signatures, settings: CheckSettings, *, chained: bool
) -> tuple[Call, list[str]]:
    if not isinstance(answer, dict):
        raise Flaw(Reason.WRONG_TYPE, f"{where}: {_shown(answer)} is not of type 'object'")
    name = _field(answer, "name", str, where)
    arguments = _field(answer, "arguments", dict, where)
    if name not in signatures:
        raise Flaw(Reason.UNKNOWN_FUNCTION, f"{where}.name: {_shown(name)} was not shown")
    validator = signatures[name].arguments
    if chained:
        validator = referring(validator)
    arguments, coerced = check_arguments(
        arguments, validator, where, coerce=settings.coerce == "lossless"
    )
    return Call(name, arguments), coerced


_TYPE_NAMES: dict[type, str] = {str: "string", list: "array", dict: "object"}


def _field(value: JsonObject, key: str, kind: type, where: str) -> Any:
    if key not in value:
        raise Flaw(Reason.MISSING_FIELD, f"{where}: {key!r} is missing")
    if not isinstance(value[key], kind):
        place = key if where == "pair" else f"{where}.{key}"
        raise Flaw(
            Reason.WRONG_TYPE, f"{place}: {_shown(value[key])} is not of type {_TYPE_NAMES[kind]!r}"
        )
    return value[key]


def _check_style(calls: Sequence[Call], style: Style | None) -> None:
    functions = len({call.name for call in calls})
    wanted: str | None = None
    if style in (Style.SIMPLE, Style.MULTIPLE, Style.CLARIFY) and len(calls) != 1:
        wanted = "exactly one call"
    elif style is Style.PARALLEL and len(calls) < 2:
        wanted = "at least two calls"
    elif style is Style.PARALLEL_MULTIPLE and functions < 2:
        wanted = "calls of at least two functions"
    elif style is Style.IRRELEVANCE and calls:
        wanted = "no call"
    elif style is Style.SEQUENTIAL and not references_of(calls):
        wanted = "an argument that refers to an earlier result"
    if wanted:
        got = f"{len(calls)} calls of {functions} functions"
        raise Flaw(Reason.STYLE_MISMATCH, f"answers: {style} needs {wanted}, not {got}")


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
