"""Responses of APIs become results, or failures with a reason."""

import ast
import json
import re
from collections.abc import Sequence
from http import HTTPStatus

from apigen_ray.errors import RestUnavailable
from apigen_ray.records import CallResult, Failed, Json, Reason, Returned
from apigen_ray.stages.execute.rest.client import Response
from apigen_ray.stages.execute.rest.envelopes import ErrorPattern, error_in
from apigen_ray.strict_json import NotJson, dumps, parse

LITERAL_CHARS = 1 << 15
"""Longer texts are not parsed as Python literals: that would delay all other calls."""

SHORT_CHARS = 10
"""A shorter error says little without the rest of the body."""


class _Unreadable(ValueError):
    """A body that is neither JSON nor text."""


def read(response: Response, errors: Sequence[ErrorPattern]) -> CallResult:
    """The result of a call to an API, from its response."""
    try:
        body = _body(response)
    except _Unreadable as error:
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return Failed(Reason.NOT_SERIALIZABLE, str(error), response.seconds)
        body = None
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        words = error_in(body, errors) or ("" if body is None else dumps(body))
        message = f"{status_line(response.status)}: {words}".removesuffix(": ")
        return Failed(Reason.HTTP_STATUS, message, response.seconds)
    return _checked(body, errors, response.seconds)


def read_virtual(response: Response, errors: Sequence[ErrorPattern]) -> CallResult:
    """The result of a call to a virtual API: its server wraps everything, errors too, in a 200.

    Raises:
        RestUnavailable: if the server itself failed, and not the API that it plays.
    """
    try:
        wrapped = _body(response)
    except _Unreadable as fault:
        raise RestUnavailable(f"virtual server: {fault}") from None
    if response.status != HTTPStatus.OK or not isinstance(wrapped, dict) or "error" not in wrapped:
        raise RestUnavailable(f"virtual server: {status_line(response.status)}: {dumps(wrapped)}")
    error, answer = str(wrapped["error"] or ""), _literal(wrapped.get("response"))
    if not error:
        return _checked(answer, errors, response.seconds)
    if error.startswith("Failed to generate"):
        raise RestUnavailable(f"virtual server: {error}")
    message = f"{error} {error_in(answer, errors) or (dumps(answer) if answer else '')}"
    return Failed(_virtual_reason(error), message, response.seconds)


def status_line(status: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _checked(body: Json, errors: Sequence[ErrorPattern], seconds: float) -> CallResult:
    if body is None or body == "":
        return Failed(Reason.EMPTY_RESULT, "the response is empty", seconds)
    if isinstance(body, str) and "\0" in body:
        return Failed(Reason.NOT_SERIALIZABLE, "the response is binary data, not text", seconds)
    error = error_in(body, errors)
    if error is not None:
        words = error if len(error) > SHORT_CHARS else dumps(body)  # `false`, or a number
        return Failed(Reason.ERROR_IN_BODY, f"the response says: {words}", seconds)
    return Returned(body, seconds)


def _virtual_reason(error: str) -> Reason:
    if error.startswith("Timeout error"):
        return Reason.TIMEOUT
    return Reason.HTTP_STATUS if "status_code=" in error else Reason.ERROR_IN_BODY


def _body(response: Response) -> Json:
    """The JSON value of a body; its text if it isn't JSON; None if it is empty."""
    text = _decoded(response).strip()
    if not text:
        return None
    is_json = re.match(r"[\w.+-]+/([\w.+-]+\+)?json\b", response.content_type, re.IGNORECASE)
    if not is_json and text[0] not in "{[":
        return text
    try:
        return parse(text)
    except NotJson as error:
        if is_json and text[0] in '{["':
            raise _Unreadable(f"not strict JSON: {error}") from None
        return text


def _decoded(response: Response) -> str:
    charset = re.search(r"charset\s*=\s*\"?([\w.:-]+)", response.content_type, re.IGNORECASE)
    for encoding in ([charset[1]] if charset else []) + ["utf-8-sig"]:
        try:
            return response.body.decode(encoding)
        except (LookupError, UnicodeError):
            continue
    kind = response.content_type.partition(";")[0] or "an unnamed type"
    raise _Unreadable(f"a body of {kind} that is not text")


def _literal(answer: Json) -> Json:
    """ToolBench's servers answer with the text of a JSON value, or with Python's `str` of it."""
    if not isinstance(answer, str):
        return answer
    text = answer.strip()
    if text[:1] not in ("{", "[", '"', "'"):
        return text
    try:
        return parse(text)
    except NotJson:
        pass
    try:
        return parse(json.dumps(ast.literal_eval(text))) if len(text) <= LITERAL_CHARS else text
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
