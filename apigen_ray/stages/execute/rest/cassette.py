"""Recorded exchanges, one JSON line each: `{"key", "request", "answer" | "failure", "seconds"}`.

Requests are recorded before keys are added to them, and answers after keys were removed.
"""

import json
import logging
import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from apigen_ray.errors import BadInput, RestUnavailable
from apigen_ray.records import Failed, Reason
from apigen_ray.stages.execute.rest.client import Response
from apigen_ray.stages.execute.rest.request import Request

log = logging.getLogger(__name__)


class Cassette:
    """A cassette to replay; the last of several recordings of one request counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._entries = dict(_entries(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise BadInput(f"rest.cassette: {path}: {error}") from error

    def find(self, request: Request) -> Response | Failed:
        """What was recorded for a request.

        Raises:
            RestUnavailable: if nothing was recorded.
        """
        entry = self._entries.get(request.fingerprint())
        if entry is None:
            raise RestUnavailable(f"{request.place}: not in the cassette {self._path}")
        return _exchange(entry)


class Recorder:
    """Appends exchanges to a cassette, which others may be appending to."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, request: Request, exchange: Response | Failed) -> None:
        """Record an exchange. One write a line, so that lines of several writers don't mix."""
        os.write(self._file, (json.dumps(_entry(request, exchange)) + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _entries(text: str) -> list[tuple[str, dict[str, Any]]]:
    entries = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line:
            continue
        try:
            entry = json.loads(line)
            entries.append((str(entry["key"]), entry))
        except (ValueError, LookupError, TypeError):
            log.warning("cassette: skipped line %d, which is incomplete", number)
    return entries


def _entry(request: Request, exchange: Response | Failed) -> dict[str, Any]:
    entry: dict[str, Any] = {"key": request.fingerprint(), "request": request.place}
    if isinstance(exchange, Failed):
        entry["failure"] = {"reason": exchange.reason.value, "message": exchange.message}
    else:
        answer = {"status": exchange.status, "content_type": exchange.content_type}
        entry["answer"] = answer | _body_form(exchange.body)
    return entry | {"seconds": round(exchange.seconds, 6)}


def _body_form(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": b64encode(body).decode()}


def _exchange(entry: dict[str, Any]) -> Response | Failed:
    if "failure" in entry:
        failure = entry["failure"]
        return Failed(Reason(failure["reason"]), failure["message"], entry["seconds"])
    answer = entry["answer"]
    body = answer["body"].encode() if "body" in answer else b64decode(answer["body_base64"])
    return Response(answer["status"], answer["content_type"], body, entry["seconds"])
