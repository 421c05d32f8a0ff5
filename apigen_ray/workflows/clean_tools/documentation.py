"""Rules that judge the documentation of a tool."""

import re
from collections.abc import Iterator
from typing import Any

from apigen_ray.records import Tool

FEWEST_WORDS = 3
MOST_CHARACTERS = 1500
_LETTERS = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[a-zA-ZÀ-ɏ]")
_PLACEHOLDER = re.compile(
    r"(to ?do|tbd|fix ?me|n/?a|none|null|undefined|test(ing|s| \d+)?|description|string|text"
    r"|no description( available| provided)?|lorem ipsum.*|sample|example|default|foo|bar)\W*",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"</?(p|br|b|i|a|div|span|ul|ol|li|h\d|code|pre|table|strong|em|img)\b[^<>]*>|&[a-z]{2,8};"
    r"|```|\*\*|^#+ |\]\(https?:|\|\s*-{3,}",
    re.IGNORECASE | re.MULTILINE,
)
_LEFT_OVER = re.compile(
    r"\[object \w+\]|\{\{.*?\}\}|%[sd]\b|^:param\b|\s:param \w+:|Traceback \(most recent"
    r"|\bArgs:\s+\w+ ?(\(.*?\))?:|\\u00[0-9a-f]{2}|�{2,}",
    re.IGNORECASE,
)
"""Traces in a text whose source was misread."""


def undocumented(tool: Tool) -> str | None:
    """What is missing if the tool has no text at all; else None."""
    if _LETTERS.search(tool.description) or any(map(_LETTERS.search, parameter_texts(tool))):
        return None
    return "neither the tool nor any of its parameters is described"


def misread(tool: Tool) -> str | None:
    """Evidence that the documentation was misread; None if there is none."""
    properties: Any = tool.parameters.get("properties") or {}
    required: Any = tool.parameters.get("required") or []
    for name in properties:
        if len(name) > 64 or not name.strip() or re.search(r"[\s<>{}\[\]]", name):
            return f"{name[:100]!r} is not a parameter name"
    for name in required:
        if name not in properties:
            return f"the required parameter {name!r} is not described"
    for text in (tool.description, *parameter_texts(tool)):
        if found := _LEFT_OVER.search(text):
            return f"a text contains {found.group().strip()[:60]!r}"
    return None


def description_problem(tool: Tool) -> str | None:
    """Why the texts may be unusable; None if they seem fine."""
    if problem := text_problem(tool.description, tool.name):
        return f"the description {problem}"
    properties: Any = tool.parameters.get("properties") or {}
    for name, schema in properties.items():
        text = str(schema.get("description") or "") if isinstance(schema, dict) else ""
        if text and (_PLACEHOLDER.fullmatch(text.strip()) or _MARKUP.search(text)):
            return f"the description of {name!r} is a placeholder or contains markup"
    return None


def text_problem(text: str, name: str) -> str | None:
    """Why a text does not describe a tool of this name; None if it seems to."""
    text = text.strip()
    letters = _LETTERS.findall(text)
    if not letters:
        return "is empty"
    if _PLACEHOLDER.fullmatch(text):
        return "is a placeholder"
    if _MARKUP.search(text):
        return "contains markup"
    if _plain(text) == _plain(name):
        return "only repeats the name"
    if re.fullmatch(r"\S*://\S*|[A-Z]+ /\S*", text):
        return "is only a URL"
    if len(text) > MOST_CHARACTERS:
        return f"has {len(text):,} characters"
    if 2 * len(_LATIN.findall(text)) < len(letters):
        return "is not in English"
    if len(text.split()) < FEWEST_WORDS:
        return f"has fewer than {FEWEST_WORDS} words"
    return None


def parameter_texts(tool: Tool) -> Iterator[str]:
    """The descriptions of the parameters that have one."""
    properties: Any = tool.parameters.get("properties") or {}
    for schema in properties.values():
        if isinstance(schema, dict) and isinstance(schema.get("description"), str):
            yield schema["description"]


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()
