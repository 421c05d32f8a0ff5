"""The paper's 21 categories, and what those of sources are among them (`categories.toml`)."""

import tomllib
from pathlib import Path
from typing import Any

_TABLES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("categories.toml").read_text(encoding="utf-8")
)
CATEGORIES: tuple[str, ...] = tuple(_TABLES.pop("paper"))
OTHER = "Other"


def category_of(table: str, name: object) -> str | None:
    """What a category of a source (`toolbench`, `mcp`, ...) is among the paper's.

    One that the table lacks is itself if the paper has it; else there is none.
    """
    known: dict[str, str] = _TABLES[table]
    found = known.get(str(name))
    if found is None and str(name) in CATEGORIES:
        return str(name)
    return found


def source_categories(table: str) -> dict[str, str]:
    """The whole table of a source."""
    return dict(_TABLES[table])
