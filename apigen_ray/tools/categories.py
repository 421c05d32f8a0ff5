"""The paper's 21 categories, and how those of sources map to them (`categories.toml`)."""

import tomllib
from pathlib import Path
from typing import Any

_TABLES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("categories.toml").read_text(encoding="utf-8")
)
CATEGORIES: tuple[str, ...] = tuple(_TABLES.pop("paper"))
OTHER = "Other"


def category_of(table: str, name: object) -> str | None:
    """The paper's category for one of a source (`toolbench`, `mcp`, ...).

    A name that is not in the source's table is kept if the paper has it; otherwise None.
    """
    known: dict[str, str] = _TABLES[table]
    found = known.get(str(name))
    if found is None and str(name) in CATEGORIES:
        return str(name)
    return found
