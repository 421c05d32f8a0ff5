"""A client for any endpoint that speaks OpenAI's chat completions (vLLM, SGLang, hosted ones).

`responses` classifies what an endpoint answers: transient faults are retried (`Transient`); others
are reported to the user in the endpoint's own words.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

import aiohttp

from apigen_ray.errors import BudgetSpent, EndpointError, RateLimited
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.pacing import AdaptiveLimit, Attempt, RequestLimiter
from apigen_ray.models.replicas import Replicas
from apigen_ray.models.responses import (
    WEB_PAGE,
    Completion,
    Transient,
    Unacceptable,
    completion_of,
    error_message,
    one_line,
)
from apigen_ray.models.structured_output import StructuredOutput
from apigen_ray.records import JsonObject, Message, Reply

log = logging.getLogger(__name__)

BACKOFF_CAP_S = 30.0
PROBE_TIMEOUT_S = 10.0
TIMEOUT_RETRIES = 1
"""A request that timed out may still keep its server busy: each retry adds to its load."""


def _is_loopback(url: str) -> bool:
    host = (urlsplit(url).hostname or "").lower()
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
            notice: Called with what the user should know, such as that a schema is not supported.
        """
        self._endpoint = endpoint
        self._api_key = api_key.strip() if api_key else None
        self._notice = notice
        self._limiter = RequestLimiter(
            AdaptiveLimit(endpoint.concurrency),
            endpoint.requests_per_minute,
            endpoint.tokens_per_minute,
        )
        self._replicas = Replicas(endpoint.urls)
        self._structured_output = StructuredOutput(endpoint.response_format)
        self._session: aiohttp.ClientSession | None = None
        self._ending: str | None = None

    async def complete(
        self,
        messages: Sequence[Message],
        schema: JsonObject | None = None,
        *,
        sample: str = "",
        tools: Sequence[JsonObject] = (),
    ) -> Reply:
        """Ask for one chat completion; `sample` is not used: an endpoint samples anew each time.

        Raises:
            EndpointError: if the endpoint can't be reached or refuses, after retries.
            PromptTooLong: if the messages don't fit into the model's context.
            RateLimited: if it kept refusing for load.
        """
        refused: set[int] = set()
        for level, fields in self._structured_output.fields(schema).items():
            try:
                reply = await self._ask({**self._body(messages, tools), **fields})
            except Unacceptable:
                if not fields:
                    raise
                refused.add(level)
                continue
            if message := self._structured_output.fallback_used(level, refused):
                self._notice(f"model {self._endpoint.name}: {message}")
            return reply
        raise AssertionError("the last level has no fields, which no endpoint refuses")

    @property
    def load(self) -> tuple[int, int]:
        """The requests in flight, and how many there may be."""
        return self._limiter.load

    async def _ask(self, fields: dict[str, object]) -> Reply:
        """Send a request until it is answered, or no retries are left."""
        body = json.dumps(fields).encode()
        attempts, timeouts, started = 1, 0, None
        while True:
            # The slot is free during the pause before a retry.
            async with self._limiter.attempt() as attempt:
                if self._ending:
                    raise BudgetSpent(self._ending)
                started = started or attempt.started
                try:
                    answer = await self._send(body, attempt)
                    break
                except Transient as fault:
                    failed = fault
            timeouts += failed.timed_out
            if attempts > self._endpoint.max_retries or timeouts > TIMEOUT_RETRIES:
                raise self._final_error(failed, attempts) from None
            await asyncio.sleep(_pause(attempts, failed.retry_after_s))
            attempts += 1
        return Reply(
            text=answer.text,
            finish_reason=answer.finish_reason,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=self._cost(answer, attempt.share_s),
            seconds=time.monotonic() - started,
            attempts=attempts,
            reasoning=answer.reasoning if self._endpoint.reasoning == "keep" else "",
            reasoning_tokens=answer.reasoning_tokens,
            cached_tokens=answer.cached_tokens,
            server_error=answer.server_error,
        )

    async def _send(self, body: bytes, attempt: Attempt) -> Completion:
        """Send the request once, to the least loaded replica."""
        with self._replicas.least_loaded(time.monotonic()) as replica:
            try:
                answer = await self._post(replica.url, body)
            except Transient as fault:
                attempt.outcome = "refused" if fault.slow else "failed"
                attempt.retry_after_s = fault.retry_after_s
                if not fault.load:
                    replica.failed(time.monotonic())
                log.warning(
                    "request failed",
                    extra={"endpoint": self._endpoint.name, "url": replica.url, "why": str(fault)},
                )
                raise
            replica.answered(time.monotonic() - attempt.started)
        attempt.outcome = "answered"
        attempt.tokens = answer.input_tokens + answer.output_tokens
        return answer

    async def probe(self) -> None:
        """Check with one cheap request to each server that the endpoint can be used.

        Raises:
            EndpointError: if no server can, in one line that names the URL and what to do.
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
                message = await error_message(response, self._api_key)
        except TimeoutError:
            raise EndpointError(
                f"{url}: no answer within {timeout.total:g} s; is the server up and not overloaded?"
            ) from None
        except aiohttp.ClientConnectorDNSError:
            raise EndpointError(f"{url}: no such host; check base_url") from None
        except (aiohttp.ClientError, OSError) as error:
            message = one_line(str(error), self._api_key)
            raise EndpointError(f"{url}: {message}; start the server or correct base_url") from None
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise EndpointError(f"{url}: {status} {message}; {self._key_advice()}")
        if status == HTTPStatus.OK and message.startswith("<"):
            raise EndpointError(f"{url}: {WEB_PAGE}")
        # Not every endpoint lists its models: a "not found" still comes from a running server.
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or HTTPStatus(300) <= status < 400:
            raise EndpointError(f"{url}: {status} {message}; check base_url and the server's log")

    def end(self, why: str) -> None:
        """Send no more requests."""
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
                connector=aiohttp.TCPConnector(limit=0),  # `RequestLimiter` sets it
                cookie_jar=aiohttp.DummyCookieJar(),
                # Proxy settings from the environment; no proxy can reach this machine's loopback.
                trust_env=not all(map(_is_loopback, self._endpoint.urls)),
            )
        return self._session

    def _body(self, messages: Sequence[Message], tools: Sequence[JsonObject]) -> dict[str, object]:
        endpoint = self._endpoint
        body: dict[str, object] = {
            "model": endpoint.model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "temperature": endpoint.temperature,
            "max_tokens": endpoint.max_tokens,
        }
        if endpoint.top_p is not None:
            body["top_p"] = endpoint.top_p
        if tools:
            body["tools"] = list(tools)
        return {**body, **endpoint.extra_body}

    async def _post(self, base_url: str, body: bytes) -> Completion:
        url = f"{base_url}/chat/completions"
        headers = {"Content-Type": "application/json"}
        try:
            # A redirect would turn the POST into a GET; it is reported to the user instead.
            async with self._connect().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return await completion_of(response, self._api_key)
        except TimeoutError:
            message = f"no answer within {self._endpoint.timeout_s:g} s"
            advice = "if it is that slow, raise its timeout_s or lower its concurrency"
            self._notice(f"model {self._endpoint.name}: {message}; {advice}")
            raise Transient(message, timed_out=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(one_line(f"{type(error).__name__}: {error}", self._api_key)) from None

    def _final_error(self, fault: Transient, attempts: int) -> EndpointError:
        kind = RateLimited if fault.load else EndpointError
        message = one_line(str(fault), self._api_key)
        if attempts > 1:
            message = f"failed after {attempts} attempts; last error: {message}"
        return kind(f"{', '.join(self._endpoint.urls)}: {message}")

    def _key_advice(self) -> str:
        if self._endpoint.api_key_env is None:
            return "set api_key_env to the environment variable that holds the key"
        return f"check the key in the environment variable {self._endpoint.api_key_env}"

    def _cost(self, answer: Completion, busy_s: float) -> float:
        endpoint = self._endpoint
        cached_price = endpoint.usd_per_million_cached
        if cached_price is None:
            cached_price = endpoint.usd_per_million_input
        cached_tokens = answer.cached_tokens or 0
        per_million = (
            (answer.input_tokens - cached_tokens) * endpoint.usd_per_million_input
            + cached_tokens * cached_price
            + answer.output_tokens * endpoint.usd_per_million_output
        )
        per_hour = endpoint.usd_per_gpu_hour * endpoint.gpus
        return per_million / 1e6 + per_hour * busy_s / 3600


def _pause(attempt: int, retry_after_s: float | None) -> float:
    """How long to wait after `attempt`: exponential with jitter, or as the endpoint asks."""
    if retry_after_s is not None:
        # Everybody was told the same time: do not come back all at once.
        return retry_after_s + random.uniform(0, 0.5)
    longest = min(BACKOFF_CAP_S, 0.5 * 2**attempt)
    return random.uniform(longest / 2, longest)
