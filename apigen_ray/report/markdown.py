"""Markdown tables and code blocks that no text can break out of."""

import re
from collections.abc import Sequence


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, its first column left-aligned and the others right."""
    rule = ["---"] + ["---:"] * (len(headers) - 1)
    return "\n".join(f"| {' | '.join(map(plain, row))} |" for row in (headers, rule, *rows))


def fenced(text: str, language: str) -> str:
    """A block of code, with a fence longer than any in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def plain(text: str) -> str:
    """Its text on a line, escaped: it can start no cell or element, nor link to a server."""
    for mark, harmless in (("|", "&#124;"), ("<", "&lt;"), ("](", r"]\(")):
        text = text.replace(mark, harmless)
    return " ".join(text.split())
