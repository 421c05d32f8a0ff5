"""Verified data, taken elsewhere: in the forms that trainers read, and to the Hub."""

from apigen_ray.datasets.export.formats import FORMS
from apigen_ray.datasets.export.pushing import push
from apigen_ray.datasets.export.writing import Exported, export

__all__ = ["FORMS", "Exported", "export", "push"]
