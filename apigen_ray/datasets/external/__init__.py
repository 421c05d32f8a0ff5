"""External data: files and data sets in their own formats, read row by row."""

from apigen_ray.datasets.external.reader import Batch, read_batches
from apigen_ray.datasets.external.sources import Source, open_source, read_answers

__all__ = ["Batch", "Source", "open_source", "read_answers", "read_batches"]
