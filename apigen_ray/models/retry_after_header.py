"""The Retry-After header, as endpoints of models and REST APIs send it."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str | None) -> float | None:
    """How many seconds a Retry-After header asks to wait; None if it gives no time.

    It holds seconds (some servers add decimals) or an HTTP date. Callers set their own limit.
    """
    if header is None:
        return None
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", header):
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
