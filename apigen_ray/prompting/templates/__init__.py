"""The generator's prompt (after appendix B.1 of the paper).

It is composed of a frame (`generator.txt`), a style (`styles/`) and a user's voice
(`voices/`).
"""

from importlib.resources import files

from apigen_ray.models.templates import Templates

VOICES = ("plain", "terse", "long", "ambiguous", "misspelled")

GENERATOR = Templates(__name__)


def texts() -> dict[str, str]:
    """All templates by file name, for the manifest of a run."""
    names = ["generator.txt"]
    for folder in ("styles", "voices"):
        names += [f"{folder}/{entry.name}" for entry in (files(__name__) / folder).iterdir()]
    return {name: GENERATOR.text(name) for name in sorted(names)}
