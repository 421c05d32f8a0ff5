"""The formats of an export, one module each.

A module here is a format by its name, with `-` for `_`, and defines it as `FORMAT`.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from apigen_ray.errors import BadInput

if TYPE_CHECKING:
    from apigen_ray.datasets.export.examples import Format


def format_names() -> list[str]:
    """The names of all formats. The command line lists them, so no format is imported here."""
    return [module.name.replace("_", "-") for module in iter_modules(__path__)]


def load_format(name: str) -> "Format":
    """The format of a name.

    Raises:
        BadInput: if there is no such format.
    """
    if name not in (names := format_names()):
        raise BadInput(f"--format: must be one of {', '.join(names)}, not {name!r}")
    found: Format = import_module(f"{__name__}.{name.replace('-', '_')}").FORMAT
    return found
