"""The prompt templates, as text files, and the one function that fills them in.

`generator.txt` and `judge.txt` are worded after the prompts of the paper (appendix B). A generator
prompt is put together from the frame, a style (`styles/`) and a user's voice (`voices/`).
"""

from functools import cache
from importlib.resources import files
from string import Template

VOICES = ("plain", "terse", "long", "ambiguous", "misspelled")


@cache
def _read(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8").strip()


def render(name: str, **values: str) -> str:
    """Fill in the template `name`. A `$` inside a value stays as it is: values are not templates.

    Raises:
        KeyError: if the template names a value that is not given.
    """
    return Template(_read(name)).substitute(values)


def texts() -> dict[str, str]:
    """Every template by file name, for the run's manifest."""
    names = ["generator.txt", "judge.txt", "judge_again.txt"]
    for folder in ("styles", "voices"):
        names += [f"{folder}/{entry.name}" for entry in (files(__name__) / folder).iterdir()]
    return {name: _read(name) for name in sorted(names)}
