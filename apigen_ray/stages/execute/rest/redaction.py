"""API keys are taken out of whatever a host answers: hosts like to repeat them."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote, quote_plus

from apigen_ray.records import Failed
from apigen_ray.stages.execute.rest.client import Response

HIDDEN = "***"


def redacted(exchange: Response | Failed, secrets: Sequence[str]) -> Response | Failed:
    """An exchange in which no secret stands, in any of the forms that a URL or JSON give it."""
    for secret in secrets:
        for form in _forms(secret):
            if isinstance(exchange, Failed):
                # Names of hosts are told in lower case.
                message = re.sub(re.escape(form), HIDDEN, exchange.message, flags=re.IGNORECASE)
                exchange = replace(exchange, message=message)
            else:
                body = exchange.body.replace(form.encode(), HIDDEN.encode())
                content_type = exchange.content_type.replace(form, HIDDEN)
                exchange = replace(exchange, body=body, content_type=content_type)
    return exchange


def _forms(secret: str) -> Iterator[str]:
    yield from {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
