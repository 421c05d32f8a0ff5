"""Errors that APIs report in a response of status 200, recognised by their form."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from pydantic import field_validator

from apigen_ray.models.settings import Settings
from apigen_ray.records import Json, JsonObject
from apigen_ray.strict_json import dumps

SEARCHED_CHARS = 2000
"""An error says so early; a later match is data."""

KEY_CHARS = 64
"""No key that reports an error is longer."""

_HARMLESS = frozenset(
    {"", "0", "200", "false", "none", "null", "no", "ok", "success", "no error", "[]", "{}"}
)
"""What APIs write into an `error` that isn't one."""

_WRAPPERS = frozenset({"meta", "status", "result", "response", "data", "body", "header"})


class ErrorPattern(Settings):
    """One way in which a body reports an error."""

    key: str | None = None
    """A regular expression for the whole key that reports it; null for a body of plain text."""
    matches: str | None = None
    """A regular expression searched in the value's text; null for any value except `false`, `0`,
    `""` and the like."""
    beside: str | None = None
    """A regular expression for a further key that the object must have, unless the first is its
    only one."""

    @field_validator("key", "matches", "beside")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return pattern


_MESSAGE = r"messages?|msg|errors?|details?|title|type|description|reason|body|info|status_txt"
_PHRASE = (
    r"bad request|unauthori[sz]ed|forbidden|not found|method not allowed|too many requests"
    r"|internal server error|not implemented|bad gateway|service unavailable|gateway time-?out"
    r"|access denied"
)
_REFUSAL = (
    rf"^({_PHRASE})\b.{{0,40}}$|\bnot found[.!]?$"
    r"|not subscribed to this api|(doesn't|does not|do not|don't) exists?\b"
    r"|disabled for your subscription|upgrade your plan|exceeded the .{0,80}(limit|quota)"
    r"|rate limit|invalid (api|access|auth)\S* ?(key|token)|invalid (or missing )?(api[ -_]?)?key"
    r"|\b(key|token|credentials)\b.{0,80}(required|missing|not provided|invalid|should be passed)"
    r"|(no|missing) .{0,80}\b(api[-_ ]?key|credentials|access token)|authentication (is )?required"
    r"|is unreachable|has timed out|request fail|status code [45]\d\d|parameters are invalid"
    r"|something went wrong|no image found"
)
ERROR_FORMS: tuple[ErrorPattern, ...] = (
    ErrorPattern(key=r"errors?|err|error_?(message|msg|code)|err_?(msg|code|no)|\w+errors"),
    ErrorPattern(key=r"success|succeeded|is_?success|ok", matches=r"^(false|0|no)$"),
    ErrorPattern(key=r"status|state|result|type", matches=r"^(error|fail|failure)$"),
    ErrorPattern(key=r"status|state", matches=r"^failed$", beside=r"message|msg|reason"),
    ErrorPattern(
        key=r"(http_?)?(status_?)?(code|status)", matches=r"^\"?[45]\d\d$", beside=_MESSAGE
    ),
    ErrorPattern(key=r"messages?|msg|detail|details|notice", matches=_REFUSAL),
    ErrorPattern(key=r"title|description", matches=rf"^({_PHRASE})\W*$"),
    ErrorPattern(matches=rf"^\W*[45]\d\d\b\W*({_PHRASE})|^error\b\s*[:!]|<title>[^<]*({_PHRASE})"),
    ErrorPattern(
        matches=rf"^({_PHRASE})\W*$|^.{{0,20}}something went wrong.{{0,20}}$|is not valid json$"
        r"|missing api_?key|^please enter .*(key|token)\W*$|^error finding function"
    ),
)
"""Tuned on 4,000 recorded answers of RapidAPI's APIs; see tests/stages/rest/test_replay.py."""


def error_in(body: Json, forms: Sequence[ErrorPattern]) -> str | None:
    """The error that a body reports; None if it reports none."""
    parts = list(_parts(body))
    for form in forms:
        for text in _candidates(body, parts, form):
            if _says_error(text, form):
                return text
    return None


def _candidates(body: Json, parts: Sequence[JsonObject], form: ErrorPattern) -> Iterator[str]:
    """The texts of a body to which a form applies."""
    if form.key is None:
        if isinstance(body, str):
            yield body
        return
    for part in parts:
        for key, value in part.items():
            if _is_key(form.key, key) and _has_beside(part, form.beside):
                yield value if isinstance(value, str) else "" if value is None else dumps(value)


def _parts(body: Json) -> Iterator[JsonObject]:
    """The objects that may hold an error: the body, its only item, and its wrappers."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return
    yield body
    for key, value in body.items():
        if isinstance(value, dict) and (key.lower() in _WRAPPERS or len(body) == 1):
            yield value


def _has_beside(part: JsonObject, pattern: str | None) -> bool:
    return pattern is None or len(part) == 1 or any(_is_key(pattern, key) for key in part)


def _is_key(pattern: str, key: str) -> bool:
    return len(key) <= KEY_CHARS and _matches_whole(pattern, key)


@lru_cache(maxsize=1 << 14)  # the bodies of an API have the same keys
def _matches_whole(pattern: str, key: str) -> bool:
    return re.fullmatch(pattern, key, re.IGNORECASE) is not None


def _says_error(text: str, form: ErrorPattern) -> bool:
    if form.matches is None:
        return text.strip().lower() not in _HARMLESS
    return re.search(form.matches, text[:SEARCHED_CHARS].strip(), re.IGNORECASE) is not None
