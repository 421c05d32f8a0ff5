"""What an importer declares of itself. `tools import` makes a command of each declaration.

To add one: write its module with an `IMPORTER`, and name that in `apigen_ray/cli/tools.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from apigen_ray.errors import BadInput
from apigen_ray.tools.categories import CATEGORIES, OTHER
from apigen_ray.tools.importers.findings import Finding

Options = TypeVar("Options")
Default = TypeVar("Default")


@dataclass(frozen=True, slots=True)
class Importer(Generic[Options]):
    """A kind of source, and how it is read.

    `options` is a dataclass whose fields, declared by `option`, are options of the command. All
    have defaults.
    """

    name: str
    summary: str
    source: str
    """What may be named as a source."""
    example: str
    """The end of a command line, after the importer's name."""
    options: type[Options]
    read: Callable[[Sequence[str], Options], Iterator[Finding]]


def option(default: Default, description: str, **settings: Any) -> Default:
    """A field that is an option of the command; the settings are those of argparse."""
    metadata = {"help": description, **settings}
    declared: Default
    if isinstance(default, dict):
        declared = field(default_factory=default.copy, metadata=metadata)  # type: ignore[assignment]
    else:
        declared = field(default=default, metadata=metadata)
    return declared


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The importer takes none."""


def _category(name: str) -> str:
    if name not in CATEGORIES:
        raise BadInput(f"--category {name}: must be one of {', '.join(CATEGORIES)}")
    return name


@dataclass(frozen=True, slots=True)
class CategoryOption:
    """The option of importers whose sources may not say what their tools are about."""

    category: str = option(OTHER, "for tools whose source names none", type=_category)
