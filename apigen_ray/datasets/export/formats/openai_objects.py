"""`openai-objects`: messages and tools for chat templates, where arguments are an object."""

from apigen_ray.datasets.export.examples import Example, Format, Record
from apigen_ray.datasets.export.formats.openai import KEYS, record_of


def openai_objects(example: Example) -> Record:
    """The record of an example."""
    return record_of(example, lambda arguments: arguments)


FORMAT = Format(KEYS, openai_objects, weights=True)
