"""What can't be read in external data, and why."""

from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import Reason


class Unreadable(ValueError):
    """A row in an unknown format, or with calls that can't be read."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def text_or_json(value: Any, what: str) -> Any:
    """A value that may be given as its JSON text.

    Raises:
        Unreadable: if it is text and not JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return strict_json.parse(value)
    except strict_json.DuplicateKey as error:
        raise Unreadable(Reason.DUPLICATE_KEY, f"{what}: {error}") from error
    except strict_json.NotJson as error:
        raise Unreadable(Reason.INVALID_JSON, f"{what}: {error}") from error
