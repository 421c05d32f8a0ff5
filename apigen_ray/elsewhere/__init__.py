"""Data made elsewhere: files and data sets in the forms they come in, read row by row."""

from apigen_ray.elsewhere.reading import Batch, read_batches
from apigen_ray.elsewhere.sources import Source, open_source, read_answers

__all__ = ["Batch", "Source", "open_source", "read_answers", "read_batches"]
