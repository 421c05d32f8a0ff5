"""A judge's answer: its schema, and the verdict that can be read from it."""

from dataclasses import dataclass

from apigen_ray import strict_json
from apigen_ray.records import Json, JsonObject

VERDICT_CHARACTERS = 20_000
"""Only the end of an answer is searched for a verdict, which bounds the time that takes."""

MOST_REQUESTS = 16
"""A weak model whose output is held to the schema would list requests without an end."""

_REQUEST: JsonObject = {
    "type": "object",
    "properties": {
        "request": {"type": "string"},
        "calls": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["request", "calls"],
    "additionalProperties": False,
}
VERDICT: JsonObject = {
    "type": "object",
    "properties": {
        "requests": {"type": "array", "items": _REQUEST, "maxItems": MOST_REQUESTS},
        "thought": {"type": "string"},
        "pass": {"type": "string", "enum": ["yes", "no"]},
    },
    "required": ["requests", "thought", "pass"],
    "additionalProperties": False,
}
"""The schema of an answer, for judges with structured output; what the verdict rests on comes
first: each request of the query, with the numbers of the calls that fulfil it."""

PLAIN_VERDICT: JsonObject = {
    "type": "object",
    "properties": {
        "thought": {"type": "string"},
        "pass": {"type": "string", "enum": ["yes", "no"]},
    },
    "required": ["thought", "pass"],
    "additionalProperties": False,
}
"""The same without the requests, as in the paper."""


def schema_of_verdict(*, lists_requests: bool) -> JsonObject:
    """The schema that a judge is held to."""
    return VERDICT if lists_requests else PLAIN_VERDICT


@dataclass(frozen=True, slots=True)
class Vote:
    """One judge's verdict on a data point."""

    judge: str
    passed: bool
    thought: str
    reasoning: str = ""
    """What the judge wrote before its answer."""


def read_verdict(text: str, calls: int = 0) -> tuple[bool, str] | None:
    """The *last* verdict of the text, with its thought: one that the judge quotes comes earlier.

    A yes is a no where the judge's own list of the query's requests leaves one of them without a
    call, or a call without a request. It counts as it is where there is no such list.

    Args:
        text: The answer.
        calls: How many calls the judge was shown; without any, its list is not looked at.
    """
    verdict = None
    for value in strict_json.embedded(text[-VERDICT_CHARACTERS:], "{"):
        assert isinstance(value, dict)
        passed = _passed(value.get("pass"))
        if passed is not None:
            thought = str(value.get("thought") or "")
            gap = _gap(value.get("requests"), calls) if passed else None
            verdict = (False, f"{gap} {thought}".strip()) if gap else (passed, thought)
    return verdict


def _gap(requests: Json, calls: int) -> str | None:
    """What a list of requests leaves over, in a sentence; None if nothing."""
    if not calls or not isinstance(requests, list) or not requests:
        return None
    named: set[Json] = set()
    for each in requests:
        match each:
            case {"request": str(request), "calls": list(numbers)}:
                fulfilling = {
                    n
                    for n in numbers
                    if isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= calls
                }
            case _:
                return None
        if not fulfilling:
            return f"No call is named for the request {strict_json.dumps(request)}."
        named |= fulfilling
    idle = [number for number in range(1, calls + 1) if number not in named]
    return f"No request is named for call {idle[0]}." if idle else None


def _passed(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    words = {"yes": True, "true": True, "no": False, "false": False}
    return words.get(value.strip().lower()) if isinstance(value, str) else None
