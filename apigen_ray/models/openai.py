"""A client for any endpoint that speaks OpenAI's chat completions (vLLM, SGLang, hosted ones).

What an endpoint may do is sorted in one place, `_read_failure`: some faults pass by themselves and
are tried again (`_Transient`); others are told to the user in the endpoint's own words.
"""

import asyncio
import json
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

import aiohttp
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    model_validator,
)
from pydantic.networks import HttpUrl

from apigen_ray.errors import BudgetSpent, EndpointError, PromptTooLong, RateLimited
from apigen_ray.models.guiding import Guide, ResponseFormat
from apigen_ray.models.pacing import Gate, Pace, Turn
from apigen_ray.models.replicas import Replicas
from apigen_ray.records import JsonObject, Message, Reply

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 2**20
"""No completion is this large; a body that is would only fill the memory."""
BACKOFF_CAP_S = 30.0
RETRY_AFTER_CAP_S = 60.0
PROBE_TIMEOUT_S = 10.0
QUOTED_CHARS = 300
"""How much of an endpoint's own words an error message repeats."""

RETRIED = frozenset({408, 409, 425, 429})
"""Client-side statuses that pass by themselves, as does everything from 500 on."""


def _plain_base_url(url: str) -> str:
    """Refuse what would break joining a path, or show a password in messages."""
    parsed = TypeAdapter(HttpUrl).validate_python(url)
    if parsed.username or parsed.password:
        raise ValueError("put the key into the variable that `api_key_env` names, not into the URL")
    if parsed.query or parsed.fragment:
        raise ValueError("a base URL ends with its path, such as http://localhost:8000/v1")
    return url.rstrip("/")


def _is_loopback(url: str) -> bool:
    host = (urlsplit(url).hostname or "").lower()
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Asking(BaseModel):
    """How a model is asked, wherever it is served."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """The label of the model in rows, ids and reports."""
    model: str = Field(min_length=1)
    """The model's id, as the endpoint knows it."""
    temperature: float = Field(default=0.7, ge=0)
    """The sampling temperature."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Nucleus sampling; without it the endpoint's own default holds."""
    max_tokens: int = Field(default=2048, ge=1)
    """The longest completion, in tokens."""
    response_format: ResponseFormat = "none"
    """`none`, as in the paper, leaves the form of a completion to the model; `json_object` asks for
    JSON, `json_schema` for JSON of the right schema; `guided_json` is an older way to say that."""
    concurrency: int = Field(default=32, ge=1)
    """The most requests in flight at a time. An endpoint that refuses or gets slow has fewer."""
    timeout_s: float = Field(default=120, gt=0)
    """How long one attempt may take, in seconds."""
    max_retries: int = Field(default=10, ge=0)
    """How often a request is sent again after a fault that may pass. Ten outlast a minute."""
    extra_body: dict[str, JsonValue] = {}
    """Further fields of the request body, passed through as they are."""
    usd_per_gpu_hour: float = Field(default=0, ge=0)
    """The price of a GPU hour, for a server of one's own: its replies share the time it is busy."""


class Endpoint(Asking):
    """Where a model is served, and how it is asked."""

    kind: Literal["openai"] = "openai"
    """Any endpoint that speaks OpenAI's chat completions."""
    base_url: Annotated[str, AfterValidator(_plain_base_url)] | None = None
    """What stands before `/chat/completions`, such as `http://localhost:8000/v1`."""
    base_urls: tuple[Annotated[str, AfterValidator(_plain_base_url)], ...] = ()
    """In place of `base_url`, where several servers serve the model: the least loaded is asked."""
    api_key_env: str | None = None
    """The environment variable that holds the key; the key itself is never written anywhere."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """The most requests a minute, where the endpoint has such a limit."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """The most tokens a minute, read and written, where the endpoint has such a limit."""
    usd_per_million_input: float = Field(default=0, ge=0)
    """The price of a million input tokens."""
    usd_per_million_output: float = Field(default=0, ge=0)
    """The price of a million output tokens."""
    usd_per_million_cached: float | None = Field(default=None, ge=0)
    """The price of a million input tokens that the endpoint had cached; else that of the others."""
    gpus: int = Field(default=1, ge=1)
    """How many GPUs serve the model, over all servers."""

    @model_validator(mode="after")
    def _served_somewhere(self) -> "Endpoint":
        if bool(self.base_url) == bool(self.base_urls):
            raise ValueError("give either base_url or base_urls")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """The base URL of each server."""
        return (self.base_url,) if self.base_url else self.base_urls


def shared(endpoints: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    """Split what a server allows by the minute, and what it costs, among those who ask it.

    A generator and a judge may be one model on one server. Their `concurrency` is not split: each
    slows down when the server does, so they come to share it, and neither waits for the other's
    idle part.
    """
    askers = Counter((endpoint.urls, endpoint.model) for endpoint in endpoints.values())
    return {
        key: part_of(endpoint, askers[endpoint.urls, endpoint.model])
        for key, endpoint in endpoints.items()
    }


def part_of(endpoint: Endpoint, askers: int) -> Endpoint:
    """What one of several equal askers may take of the limits a minute, and pays of the hour."""
    limits = ("requests_per_minute", "tokens_per_minute", "usd_per_gpu_hour")
    parts = {limit: whole / askers for limit in limits if (whole := getattr(endpoint, limit))}
    return endpoint.model_copy(update=parts)


class _Transient(Exception):
    """A fault that may pass: the request is worth sending again."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        load: bool = False,
        slow: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.load = load
        """The endpoint says that it has too much to do."""
        self.slow = slow or load
        """It has, or seems to have, too much to do."""


class _Unacceptable(EndpointError):
    """The endpoint won't have the request as it is: 400 or 422."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is kept of a response body."""

    text: str
    finish_reason: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int


class OpenAIModel:
    """A chat model behind an OpenAI-compatible endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        api_key: str | None,
        notice: Callable[[str], object] = log.warning,
    ) -> None:
        """Make a client; nothing is connected yet.

        Args:
            endpoint: Where and how to ask.
            api_key: The key, if the endpoint wants one.
            notice: Is told what the user should know, such as that a schema is not supported.
        """
        self._endpoint = endpoint
        self._api_key = api_key.strip() if api_key else None
        self._notice = notice
        self._gate = Gate(
            Pace(endpoint.concurrency), endpoint.requests_per_minute, endpoint.tokens_per_minute
        )
        self._replicas = Replicas(endpoint.urls)
        self._guide = Guide(endpoint.response_format)
        self._session: aiohttp.ClientSession | None = None
        self._ending: str | None = None

    async def complete(
        self, messages: Sequence[Message], schema: JsonObject | None = None, *, sample: str = ""
    ) -> Reply:
        """Ask for one chat completion; `sample` is not needed, an endpoint draws anew each time.

        Raises:
            EndpointError: if the endpoint can't be reached or refuses, after retries.
            PromptTooLong: if the messages don't fit into the model's context.
            RateLimited: if it kept refusing for load.
        """
        refused: set[int] = set()
        for level, fields in self._guide.fields(schema).items():
            try:
                reply = await self._ask({**self._body(messages), **fields})
            except _Unacceptable:
                if not fields:
                    raise
                refused.add(level)
                continue
            if words := self._guide.took(level, refused):
                self._notice(f"model {self._endpoint.name}: {words}")
            return reply
        raise AssertionError("the last level asks for nothing")

    @property
    def load(self) -> tuple[int, int]:
        """The requests in flight, and how many there may be."""
        return self._gate.load

    async def _ask(self, fields: dict[str, object]) -> Reply:
        """Send a request until it is answered, or our patience ends."""
        body = json.dumps(fields).encode()
        attempt, started = 1, None
        while True:
            # The slot is free while we wait to try again.
            async with self._gate.turn() as turn:
                if self._ending:
                    raise BudgetSpent(self._ending)
                started = started or turn.started
                try:
                    answer = await self._attempt(body, turn)
                    break
                except _Transient as fault:
                    failed = fault
            if attempt > self._endpoint.max_retries:
                raise self._given_up(failed, attempt) from None
            await asyncio.sleep(_pause(attempt, failed.retry_after_s))
            attempt += 1
        return Reply(
            text=answer.text,
            finish_reason=answer.finish_reason,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=self._cost(answer, turn.share_s),
            seconds=time.monotonic() - started,
            attempts=attempt,
        )

    async def _attempt(self, body: bytes, turn: Turn) -> _Answer:
        """Send the request once, to the replica with the least to do."""
        with self._replicas.chosen(time.monotonic()) as replica:
            try:
                answer = await self._post(replica.url, body)
            except _Transient as fault:
                turn.outcome = "refused" if fault.slow else "failed"
                turn.retry_after_s = fault.retry_after_s
                if not fault.load:
                    replica.failed(time.monotonic())
                log.warning(
                    "request failed",
                    extra={"endpoint": self._endpoint.name, "url": replica.url, "why": str(fault)},
                )
                raise
            replica.answered(time.monotonic() - turn.started)
        turn.outcome = "answered"
        turn.tokens = answer.input_tokens + answer.output_tokens
        return answer

    async def probe(self) -> None:
        """Find out with one cheap request to each server whether the endpoint can be used at all.

        Raises:
            EndpointError: if none can, in one line that names the URL and what to do.
        """
        faults = []
        for url in self._endpoint.urls:
            try:
                await self._probe(url)
            except EndpointError as error:
                faults.append(error)
        if len(faults) == len(self._endpoint.urls):
            raise faults[0]
        for fault in faults:
            self._notice(f"model {self._endpoint.name}: {fault} (the other servers are used)")

    async def _probe(self, base_url: str) -> None:
        url = f"{base_url}/models"
        timeout = aiohttp.ClientTimeout(total=min(PROBE_TIMEOUT_S, self._endpoint.timeout_s))
        try:
            async with self._connect().get(url, timeout=timeout, allow_redirects=False) as response:
                status = response.status
                words = await self._words(response)
        except TimeoutError:
            raise EndpointError(
                f"{url}: no answer within {timeout.total:g} s; is the server up and not overloaded?"
            ) from None
        except aiohttp.ClientConnectorDNSError:
            raise EndpointError(f"{url}: no such host; check base_url") from None
        except (aiohttp.ClientError, OSError) as error:
            raise EndpointError(
                f"{url}: {self._one_line(str(error))}; start the server or correct base_url"
            ) from None
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise EndpointError(f"{url}: {status} {words}; {self._key_advice()}")
        # Not every endpoint lists its models: "not found" was said by a server that is there.
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or HTTPStatus(300) <= status < 400:
            raise EndpointError(f"{url}: {status} {words}; check base_url and the server's log")

    def end(self, why: str) -> None:
        """Ask nothing more."""
        self._ending = why

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _connect(self) -> aiohttp.ClientSession:
        """Open the session at its first use: it belongs to the event loop that runs then."""
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
            self._session = aiohttp.ClientSession(
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=self._endpoint.timeout_s),
                connector=aiohttp.TCPConnector(limit=0),  # the gate is the limit
                cookie_jar=aiohttp.DummyCookieJar(),
                # Proxy settings from the environment; no proxy can reach this machine's loopback.
                trust_env=not all(map(_is_loopback, self._endpoint.urls)),
            )
        return self._session

    def _body(self, messages: Sequence[Message]) -> dict[str, object]:
        endpoint = self._endpoint
        body: dict[str, object] = {
            "model": endpoint.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "temperature": endpoint.temperature,
            "max_tokens": endpoint.max_tokens,
        }
        if endpoint.top_p is not None:
            body["top_p"] = endpoint.top_p
        return {**body, **endpoint.extra_body}

    async def _post(self, base_url: str, body: bytes) -> _Answer:
        url = f"{base_url}/chat/completions"
        headers = {"Content-Type": "application/json"}
        try:
            # A redirect would turn the POST into a GET; it is told to the user instead.
            async with self._connect().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status != HTTPStatus.OK:
                    raise await self._read_failure(response)
                return _parse(await _read_capped(response))
        except TimeoutError:
            raise _Transient(
                f"no answer within {self._endpoint.timeout_s:g} s", slow=True
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _Transient(self._one_line(f"{type(error).__name__}: {error}")) from None

    async def _read_failure(self, response: aiohttp.ClientResponse) -> Exception:
        status = response.status
        words = f"{status} {await self._words(response)}"
        if status not in RETRIED and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return _refusal(status, words)(f"{response.url}: {words}")
        retry_after_s = _retry_after_s(response.headers.get("Retry-After"))
        # A 503 with a time to come back is load; without one it is a server that is down.
        load = status == HTTPStatus.TOO_MANY_REQUESTS or (
            status == HTTPStatus.SERVICE_UNAVAILABLE and retry_after_s is not None
        )
        slow = status == HTTPStatus.SERVICE_UNAVAILABLE
        return _Transient(words, retry_after_s=retry_after_s, load=load, slow=slow)

    def _given_up(self, fault: _Transient, attempts: int) -> EndpointError:
        kind = RateLimited if fault.load else EndpointError
        times = "once" if attempts == 1 else f"{attempts} times"
        words = self._one_line(str(fault))
        return kind(f"{', '.join(self._endpoint.urls)}: asked {times}, at last: {words}")

    async def _words(self, response: aiohttp.ClientResponse) -> str:
        """Read what the endpoint says about a failure: its message, else the body as it is."""
        try:
            text = (await _read_capped(response)).decode("utf-8", "replace")
        except (_Transient, aiohttp.ClientError) as fault:
            return self._one_line(str(fault))
        try:
            said = json.loads(text)
            error = said.get("error", said)
            message = error if isinstance(error, str) else error["message"]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            message = text
        return self._one_line(str(message)) or str(response.reason)

    def _one_line(self, text: str) -> str:
        """Shorten `text` to a line in which the key, which endpoints like to repeat, is hidden."""
        if self._api_key:
            text = text.replace(self._api_key, "***")
        text = " ".join(text.split())
        return text if len(text) <= QUOTED_CHARS else text[:QUOTED_CHARS] + "…"

    def _key_advice(self) -> str:
        if self._endpoint.api_key_env is None:
            return "name the environment variable that holds the key in api_key_env"
        return f"check the key in the environment variable {self._endpoint.api_key_env}"

    def _cost(self, answer: _Answer, busy_s: float) -> float:
        endpoint = self._endpoint
        cached_price = endpoint.usd_per_million_cached
        if cached_price is None:
            cached_price = endpoint.usd_per_million_input
        per_million = (
            (answer.input_tokens - answer.cached_tokens) * endpoint.usd_per_million_input
            + answer.cached_tokens * cached_price
            + answer.output_tokens * endpoint.usd_per_million_output
        )
        per_hour = endpoint.usd_per_gpu_hour * endpoint.gpus
        return per_million / 1e6 + per_hour * busy_s / 3600


def _refusal(status: int, words: str) -> type[EndpointError]:
    """What a refusal means that asking again would not change."""
    if status not in (400, 413, 422):
        return EndpointError
    return PromptTooLong if _TOO_LONG.search(words) else _Unacceptable


_TOO_LONG = re.compile(
    # OpenAI, vLLM, SGLang | llama.cpp | vLLM, SGLang | TGI | others
    r"context.(length|window)|context size|maximum (model|allowed) length"
    r"|tokens. must be <=|prompt is too long",
    re.IGNORECASE,
)


def _pause(attempt: int, retry_after_s: float | None) -> float:
    """How long to wait after `attempt`: exponential with jitter, or as the endpoint asks."""
    if retry_after_s is not None:
        # Everybody was told the same time: do not come back all at once.
        return retry_after_s + random.uniform(0, 0.5)
    longest = min(BACKOFF_CAP_S, 0.5 * 2**attempt)
    return random.uniform(longest / 2, longest)


def _retry_after_s(header: str | None) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date; None where it is neither."""
    if header is None:
        return None
    if re.fullmatch(r"\s*\d+(\.\d+)?\s*", header):
        seconds = float(header)
    else:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_CAP_S)


async def _read_capped(response: aiohttp.ClientResponse) -> bytes:
    """Read a body, unpacked, up to `MAX_BODY_BYTES`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _Transient(f"a body of more than {MAX_BODY_BYTES // 2**20} MiB")
    return bytes(body)


def _parse(body: bytes) -> _Answer:
    """Read a chat completion. One that can't be read may come right at the next attempt."""
    try:
        completion = json.loads(body)
        choice = completion["choices"][0]
        text = choice["message"].get("content")
        finish_reason = choice.get("finish_reason")
        usage = completion.get("usage") or {}
        input_tokens = usage.get("prompt_tokens") or 0
        output_tokens = usage.get("completion_tokens") or 0
        cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        if not (
            isinstance(text, str | None)
            and isinstance(finish_reason, str | None)
            and isinstance(input_tokens, int)
            and isinstance(output_tokens, int)
            and isinstance(cached_tokens, int)
        ):
            raise TypeError
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        start = body[:QUOTED_CHARS].decode("utf-8", "replace")
        raise _Transient(f"not a chat completion: {start!r}") from None
    text = _without_surrogates(text or "")
    return _Answer(text, finish_reason or "", input_tokens, cached_tokens, output_tokens)


def _without_surrogates(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON may escape but UTF-8 can't hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
