"""Prompt templates: text files beside the code that fills them in."""

from functools import cache
from importlib.resources import files
from string import Template


class Templates:
    """The templates of a package."""

    def __init__(self, package: str) -> None:
        self._package = package

    def render(self, name: str, **values: str) -> str:
        """Fill in the template `name`. A `$` inside a value stays: values are not templates.

        Raises:
            KeyError: if the template names a value that is not given.
        """
        return Template(self.text(name)).substitute(values)

    def text(self, name: str) -> str:
        """The text of the template `name`, not filled in."""
        return _read(self._package, name)


@cache
def _read(package: str, name: str) -> str:
    return (files(package) / name).read_text(encoding="utf-8").strip()
