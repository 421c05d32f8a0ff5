"""Regular expressions of tool schemas, which are untrusted: no text may keep one busy.

They are ECMAScript's, as JSON Schema has them. Patterns are matched in linear time; those with
look-arounds or references back, which can't be, take at most some milliseconds.
"""

from functools import lru_cache

import jsonschema_rs

ENGINE = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000)
"""A text that needs more steps does not match."""


def is_pattern(written: str) -> bool:
    """Whether a text is a regular expression that can be matched."""
    return _compiled(written) is not None


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern occurs in a text; one that is no regular expression occurs in none."""
    compiled = _compiled(pattern)
    return compiled is not None and compiled.is_valid(text)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> jsonschema_rs.Draft202012Validator | None:
    try:
        return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=ENGINE)
    except (jsonschema_rs.ValidationError, ValueError):
        return None
