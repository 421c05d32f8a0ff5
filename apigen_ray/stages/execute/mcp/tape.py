"""Calls over HTTP on the cassette of `rest`: recorded without keys, answered from it offline."""

from pathlib import Path

from apigen_ray import strict_json
from apigen_ray.records import CallResult, Failed, JsonObject, Returned
from apigen_ray.stages.execute.rest.cassette import Cassette, Recorder
from apigen_ray.stages.execute.rest.client import Response
from apigen_ray.stages.execute.rest.request import Request
from apigen_ray.stages.execute.rest.settings import RestSettings


class Tape:
    """The cassette, as MCP calls use it."""

    def __init__(self, rest: RestSettings) -> None:
        """Open the cassette that the settings name.

        Raises:
            BadInput: if it can't be read.
        """
        path = Path(rest.cassette or "")
        self._cassette = Cassette(path) if rest.mode == "replay" else None
        self._recorder = Recorder(path) if rest.mode == "record" else None

    @property
    def replays(self) -> bool:
        """Whether calls are answered from it."""
        return self._cassette is not None

    def find(self, url: str, tool: str, arguments: JsonObject) -> CallResult:
        """What was recorded for a call.

        Raises:
            RestUnavailable: if nothing was.
        """
        assert self._cassette is not None
        found = self._cassette.find(_request(url, tool, arguments))
        if isinstance(found, Failed):
            return found
        text = found.body.decode()
        return Returned(strict_json.parse(text, max_characters=len(text)), found.seconds)

    def record(self, url: str, tool: str, arguments: JsonObject, result: CallResult) -> None:
        """Record a call, if that is asked for."""
        if self._recorder is None:
            return
        exchange: Response | Failed
        if isinstance(result, Failed):
            exchange = result
        else:
            body = strict_json.dumps(result.result).encode()
            exchange = Response(200, "application/json", body, result.seconds)
        self._recorder.append(_request(url, tool, arguments), exchange)

    def close(self) -> None:
        """Close the file."""
        if self._recorder is not None:
            self._recorder.close()


def _request(url: str, tool: str, arguments: JsonObject) -> Request:
    return Request("POST", url, body={"tool": tool, "arguments": arguments})
