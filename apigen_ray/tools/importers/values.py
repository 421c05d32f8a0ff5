"""The JSON values of a file: one per line of JSONL, or the items of a JSON list."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apigen_ray.tools.importers.findings import RefusalReason, Refused


def read_values(path: Path) -> Iterator[tuple[str, Any]]:
    """Each value with its location; a `Refused` in place of a line that is not JSON.

    JSONL is recognised by its content: several data sets name such files `.json`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        detail = str(getattr(error, "strerror", None) or error)
        yield str(path), Refused(str(path), RefusalReason.UNREADABLE, detail)
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if not isinstance(error, json.JSONDecodeError) or not _is_lines(text):
            yield str(path), Refused(str(path), RefusalReason.UNREADABLE, f"not JSON: {error}")
            return
    else:
        if isinstance(value, list):
            yield from ((f"{path}[{number}]", item) for number, item in enumerate(value))
        else:
            yield str(path), value
        return
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        if line.strip():
            try:
                yield where, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield where, Refused(where, RefusalReason.UNREADABLE, f"not JSON: {error}")


def _is_lines(text: str) -> bool:
    """Whether one of the first lines is a whole JSON object."""
    for line in text.split("\n", 20)[:20]:
        if line.lstrip().startswith("{"):
            try:
                json.loads(line)
            except (ValueError, RecursionError):
                continue
            return True
    return False
