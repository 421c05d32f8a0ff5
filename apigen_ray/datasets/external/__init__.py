"""Data made elsewhere: files and data sets in the forms they come in, read row by row."""

from apigen_ray.datasets.external.reader import Batch, read_batches
from apigen_ray.datasets.external.sources import Source, open_source, read_answers

__all__ = ["Batch", "Source", "open_source", "read_answers", "read_batches"]
