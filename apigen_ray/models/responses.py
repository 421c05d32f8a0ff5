"""Reads responses of endpoints: a completion, a transient fault, or a final refusal."""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from apigen_ray import strict_json
from apigen_ray.errors import EndpointError, PromptTooLong
from apigen_ray.models.reasoning import Thought, split
from apigen_ray.models.retry_after_header import retry_after_s
from apigen_ray.records import Json

MAX_BODY_BYTES = 16 * 2**20
"""No completion is this large; a larger body would only fill the memory."""
RETRY_AFTER_CAP_S = 60.0
"""Endpoints that ask for a longer pause are asked again after this time."""
WEB_PAGE = "200, but a web page and no answer of an API; check base_url"
QUOTED_CHARS = 300
"""How much of an endpoint's error message is quoted."""

RETRIED = frozenset({408, 409, 425, 429})
"""Statuses below 500 that are retried; from 500 on, all are."""


class Transient(Exception):
    """A transient fault: the request is worth a retry."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        load: bool = False,
        slow: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.load = load
        """The endpoint says that it is overloaded."""
        self.slow = slow or load or timed_out
        """It is, or seems to be, overloaded."""
        self.timed_out = timed_out
        """It did not answer in time, and may still be at work on the request."""


class Unacceptable(EndpointError):
    """The endpoint rejects the request as it is: 400 or 422."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The fields of a response body that are used; for their meaning, see `Reply`."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    reasoning: str = ""
    reasoning_tokens: int = 0
    server_error: str = ""


async def completion_of(response: aiohttp.ClientResponse, secret: str | None) -> Completion:
    """The completion in a response; an empty one, if the server could not parse the model's output.

    That output is the model's fault, and paid for: the request is not sent again.

    Raises:
        Transient: if it can't be read, or is a failure that may pass: a retry may bring one.
        EndpointError: if it is a failure that is final.
    """
    if response.status == HTTPStatus.OK:
        body = await _read_capped(response)
        if body.lstrip().startswith(b"<"):
            raise Transient(WEB_PAGE)  # of a proxy, perhaps; the probe refuses a wrong URL
        return _parse(body)
    message = f"{response.status} {await error_message(response, secret)}"
    if response.status == HTTPStatus.INTERNAL_SERVER_ERROR and _UNPARSED.search(message):
        # No count of tokens comes with it.
        return Completion("", "", input_tokens=0, output_tokens=0, server_error=message)
    raise _failure(response, message)


_UNPARSED = re.compile(r"output that does not match the expected|Failed to parse input at pos")
"""How llama.cpp says that a completion doesn't fit the model's chat format, now and formerly."""


def _failure(response: aiohttp.ClientResponse, message: str) -> Exception:
    """What a status other than 200 means: a `Transient`, or an `EndpointError` that is final."""
    status = response.status
    if status not in RETRIED and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _refusal(status, message)(f"{response.url}: {message}")
    wait_s = _wait_s(response.headers.get("Retry-After"))
    # A 503 with a Retry-After means overload; without one, a server that is down.
    load = status == HTTPStatus.TOO_MANY_REQUESTS or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and wait_s is not None
    )
    slow = status == HTTPStatus.SERVICE_UNAVAILABLE
    return Transient(message, retry_after_s=wait_s, load=load, slow=slow)


async def error_message(response: aiohttp.ClientResponse, secret: str | None) -> str:
    """The endpoint's message about a failure, or else the whole body."""
    try:
        text = (await _read_capped(response)).decode("utf-8", "replace")
    except (Transient, aiohttp.ClientError) as fault:
        return one_line(str(fault), secret)
    try:
        body = json.loads(text)
        error = body.get("error", body)
        message = error if isinstance(error, str) else error["message"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        message = text
    return one_line(str(message), secret) or str(response.reason)


def one_line(text: str, secret: str | None) -> str:
    """Shorten a text to one line, and hide the key, which endpoints like to repeat."""
    if secret:
        text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= QUOTED_CHARS else text[:QUOTED_CHARS] + "…"


def _refusal(status: int, message: str) -> type[EndpointError]:
    """The kind of a refusal that a retry would not change."""
    if status not in (400, 413, 422):
        return EndpointError
    return PromptTooLong if _TOO_LONG.search(message) else Unacceptable


_TOO_LONG = re.compile(
    # OpenAI, vLLM, SGLang | llama.cpp | vLLM, SGLang | TGI | others
    r"context.(length|window)|context size|maximum (model|allowed) length"
    r"|tokens. must be <=|prompt is too long",
    re.IGNORECASE,
)


def _wait_s(retry_after: str | None) -> float | None:
    """How long to wait before the next attempt, if the endpoint says so."""
    asked_s = retry_after_s(retry_after)
    return None if asked_s is None else min(asked_s, RETRY_AFTER_CAP_S)


async def _read_capped(response: aiohttp.ClientResponse) -> bytes:
    """Read a body, unpacked, up to `MAX_BODY_BYTES`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Transient(f"the response is larger than {MAX_BODY_BYTES // 2**20} MiB")
    return bytes(body)


def _parse(body: bytes) -> Completion:
    """Read a chat completion; one that can't be read is worth a retry."""
    try:
        return _completion(json.loads(body))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        start = body[:QUOTED_CHARS].decode("utf-8", "replace")
        raise Transient(f"not a chat completion: {start!r}") from None


def _completion(response: Any) -> Completion:
    choice = response["choices"][0]
    message = choice["message"]
    usage = response.get("usage") or {}
    # `reasoning_content`: DeepSeek, SGLang, llama.cpp, vLLM; `reasoning`: Ollama, OpenRouter, vLLM
    given = message.get("reasoning_content") or message.get("reasoning")
    text, thinking = _content(message.get("content"))
    thought = split(
        _tool_calls(message) or text, _text(given) if isinstance(given, str) else thinking
    )
    output_tokens = _count(usage.get("completion_tokens")) or 0
    return Completion(
        text=thought.text,
        # A thought that does not end was cut off, whatever the server calls it.
        finish_reason=_text(choice.get("finish_reason")) if thought.ended else "length",
        input_tokens=_count(usage.get("prompt_tokens")) or 0,
        output_tokens=output_tokens,
        cached_tokens=_cached_tokens(response, usage),
        reasoning=thought.reasoning,
        reasoning_tokens=_reasoning_tokens(usage, thought, output_tokens),
    )


def _tool_calls(message: Any) -> str:
    """The calls of a message as JSON text; empty if it has none."""
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    calls: list[Json] = [{"name": f["name"], "arguments": _arguments(f)} for f in functions]
    return _without_surrogates(strict_json.dumps(calls)) if calls else ""


def _arguments(function: Any) -> Json:
    """The arguments as JSON, which OpenAI's form has as text; as they are, if it can't be read."""
    given: Json = function.get("arguments")
    try:
        return strict_json.parse(given or "{}") if isinstance(given, str | None) else given
    except strict_json.NotJson:
        return given


def _text(value: object) -> str:
    """A text that may be missing."""
    if not isinstance(value, str | None):
        raise TypeError
    return _without_surrogates(value or "")


def _content(value: Any) -> tuple[str, str]:
    """The text and the reasoning of a content, which may be a list of parts."""
    if not isinstance(value, list):
        return _text(value), ""
    texts = [part if isinstance(part, str) else part.get("text") for part in value]
    thoughts = [_content(part["thinking"])[0] for part in value if "thinking" in part]
    return "".join(map(_text, texts)), "".join(thoughts)


def _count(value: object) -> int | None:
    """A number that may be missing."""
    if not isinstance(value, int | None):
        raise TypeError
    return value


def _cached_tokens(response: Any, usage: Any) -> int | None:
    """As OpenAI, vLLM and SGLang report them, or DeepSeek, or llama.cpp."""
    places = (
        (usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        usage.get("prompt_cache_hit_tokens"),
        (response.get("timings") or {}).get("cache_n"),
    )
    return next((_count(found) for found in places if found is not None), None)


def _reasoning_tokens(usage: Any, thought: Thought, output_tokens: int) -> int:
    """As OpenAI and DeepSeek report them, or SGLang; else by the reasoning's share of the text."""
    details = usage.get("completion_tokens_details") or {}
    reported = _count(details.get("reasoning_tokens")) or _count(usage.get("reasoning_tokens"))
    characters = len(thought.reasoning) + len(thought.text)
    estimated = output_tokens * len(thought.reasoning) // characters if characters else 0
    return reported or estimated


def _without_surrogates(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON may escape but UTF-8 can't hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
