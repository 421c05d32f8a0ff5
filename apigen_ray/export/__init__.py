"""Verified data, taken elsewhere: in the forms that trainers read, and to the Hub."""

from apigen_ray.export.formats import FORMS
from apigen_ray.export.pushing import push
from apigen_ray.export.writing import Exported, export

__all__ = ["FORMS", "Exported", "export", "push"]
