"""The generator's prompt (after appendix B.1 of the paper).

What never changes is the system message (`generator.txt`), so that an engine reads it once and
finds it in its prefix cache. The request (`request.txt`) begins with what changes least: a style
(`styles/`) and a user's voice (`voices/`). No sentence of them could pass for an answer: a small
model would copy it.
"""

from functools import cache
from importlib.resources import files

from apigen_ray.models.templates import Templates

VOICES = ("plain", "terse", "long", "ambiguous", "misspelled")

GENERATOR = Templates(__name__)


@cache
def texts() -> dict[str, str]:
    """Every template by file name, for the run's manifest."""
    names = [entry.name for entry in files(__name__).iterdir() if entry.name.endswith(".txt")]
    for folder in ("styles", "voices"):
        names += [f"{folder}/{entry.name}" for entry in (files(__name__) / folder).iterdir()]
    return {name: GENERATOR.text(name) for name in sorted(names)}
