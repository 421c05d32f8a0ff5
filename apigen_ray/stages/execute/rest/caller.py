"""Calls of REST tools, from arguments to a result.

API keys are removed from whatever a host answers: hosts like to repeat them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

from apigen_ray.errors import RestUnavailable
from apigen_ray.records import CallResult, Failed, JsonObject, Reason, RestBackend, VirtualBackend
from apigen_ray.stages.execute.rest.cassette import Cassette, Recorder
from apigen_ray.stages.execute.rest.client import Client, Lookup, Response, look_up
from apigen_ray.stages.execute.rest.policy import Policy
from apigen_ray.stages.execute.rest.reading import read, read_virtual
from apigen_ray.stages.execute.rest.request import Request, build, signed
from apigen_ray.stages.execute.rest.settings import RestSettings

MESSAGE_CHARS = 500
HIDDEN = "***"


class RestCaller:
    """Calls REST tools.

    Args:
        settings: What may be reached, and what a call may take.
        env: Holds the API keys, under the names that backends give.
        lookup: Finds the addresses of a host name.

    Raises:
        BadInput: if the cassette can't be read.
    """

    def __init__(
        self, settings: RestSettings, env: Mapping[str, str], lookup: Lookup = look_up
    ) -> None:
        self._settings = settings
        self._env = env
        self._client = Client(settings, Policy(settings.allow, settings.hosts), lookup)
        path = Path(settings.cassette or "")
        self._cassette = Cassette(path) if settings.mode == "replay" else None
        self._recorder = Recorder(path) if settings.mode == "record" else None

    async def call(
        self, backend: RestBackend | VirtualBackend, arguments: JsonObject
    ) -> CallResult:
        """Call a tool.

        Raises:
            RestUnavailable: if the call couldn't be tried, or the virtual server failed.
        """
        try:
            request = build(backend, arguments)
            exchange = await self._exchange(request)
        except ValueError as error:  # no request can be made of the arguments, or they aren't text
            denied = Failed(Reason.EGRESS_DENIED, f"not sent: {error}", 0.0)
            return _with_place(denied, backend.url)
        if isinstance(backend, VirtualBackend):
            return _with_place(self._read_virtual(exchange), request.place)
        if isinstance(exchange, Failed):
            return _with_place(exchange, request.place)
        return _with_place(read(exchange, self._settings.errors), request.place)

    async def close(self) -> None:
        """Close connections and files."""
        await self._client.close()
        if self._recorder is not None:
            self._recorder.close()

    async def _exchange(self, request: Request) -> Response | Failed:
        if self._cassette is not None:
            return self._cassette.find(request)
        sent = signed(request, self._env)
        exchange = _redacted(await self._client.send(sent), sent.secrets)
        if self._recorder is not None:
            self._recorder.append(request, exchange)
        return exchange

    def _read_virtual(self, exchange: Response | Failed) -> CallResult:
        if isinstance(exchange, Failed):
            raise RestUnavailable(f"virtual server: {exchange.message}")
        return read_virtual(exchange, self._settings.errors)


def _with_place(result: CallResult, place: str) -> CallResult:
    """A failure whose message names the request first, in one line."""
    if not isinstance(result, Failed):
        return result
    line = " ".join(f"{place}: {result.message}".split())
    short = line if len(line) <= MESSAGE_CHARS else line[:MESSAGE_CHARS] + "…"
    return Failed(result.reason, short, result.seconds)


def _redacted(exchange: Response | Failed, secrets: Sequence[str]) -> Response | Failed:
    """An exchange without secrets, in any of the forms that URLs and JSON give them."""
    for secret in secrets:
        for form in forms_of(secret):
            if isinstance(exchange, Failed):
                # Messages name hosts in lower case.
                message = re.sub(re.escape(form), HIDDEN, exchange.message, flags=re.IGNORECASE)
                exchange = replace(exchange, message=message)
            else:
                body = exchange.body.replace(form.encode(), HIDDEN.encode())
                content_type = exchange.content_type.replace(form, HIDDEN)
                exchange = replace(exchange, body=body, content_type=content_type)
    return exchange


def forms_of(secret: str) -> Iterator[str]:
    """A secret as it may stand in URLs and JSON."""
    yield from {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
