"""Prometheus metrics, exported through the metrics port of each Ray node.

The driver counts rows as they are settled, actors count the requests that they make. No label
contains text that a model wrote.
"""

import asyncio
import json
from collections.abc import Callable, Sequence

import pyarrow as pa
from ray.util.metrics import Counter, Gauge, Histogram

from apigen_ray.errors import InfrastructureError
from apigen_ray.models.clients import Client
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.records import JsonObject, Message, Reason, Reply

REPLY_BUCKETS_S = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
CALL_BUCKETS_S = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]

LOAD_INTERVAL_S = 1.0
_ROW_TAGS = ("model", "stage", "outcome", "reason")


class RowMeter:
    """Counts settled rows, and the calls made for them."""

    def __init__(self) -> None:
        self._rows = Counter(
            "apigen_rows",
            "Settled data points, by the stage that decided",
            _ROW_TAGS,
        )
        self._calls = Counter("apigen_calls", "Calls of tools, by what came of them", ("result",))
        self._seconds = Histogram(
            "apigen_call_seconds", "Wall time of a call of a tool", CALL_BUCKETS_S
        )
        self._denied = Counter("apigen_egress_denials", "Calls that asked for a forbidden address")

    def count(self, rows: pa.Table) -> None:
        """Count rows."""
        for row in rows.select([*_ROW_TAGS, "execution_results"]).to_pylist():
            self._rows.inc(1, {name: row[name] or "" for name in _ROW_TAGS})
            for result in json.loads(row["execution_results"] or "[]"):
                reason = result.get("reason", "ok")
                self._calls.inc(1, {"result": reason})
                self._seconds.observe(result["seconds"])
                if reason == Reason.EGRESS_DENIED:
                    self._denied.inc(1)


class MeteredModel:
    """A model whose requests are counted; replies from the cache are not requests."""

    def __init__(
        self, model: Client, endpoint: Endpoint, report_load: Callable[[str, int, int], None]
    ) -> None:
        """Count the requests of a model.

        Args:
            model: The model.
            endpoint: Its endpoint.
            report_load: Called every second with the requests in flight, and their limit.
        """
        self._model = model
        self._name = endpoint.name
        self._report_load = report_load
        self._reporting: asyncio.Task[None] | None = None
        tags = {"model": endpoint.name}
        self._requests = Counter("apigen_requests", "Requests to models", ("model", "result"))
        self._retries = Counter("apigen_retries", "Requests that were sent again", ("model",))
        self._tokens = Counter("apigen_tokens", "Tokens paid for", ("model", "direction"))
        self._cost = Counter("apigen_cost_usd", "Dollars spent on models", ("model",))
        self._seconds = Histogram(
            "apigen_reply_seconds", "Time to a reply", REPLY_BUCKETS_S, ("model",)
        )
        self._limit = Gauge("apigen_concurrency", "Requests a model may have in flight", ("model",))
        self._in_flight = Gauge("apigen_in_flight", "Requests a model has in flight", ("model",))
        for metric in (self._requests, self._retries, self._tokens, self._cost, self._seconds):
            metric.set_default_tags(tags)
        for gauge in (self._limit, self._in_flight):
            gauge.set_default_tags(tags)

    async def complete(
        self,
        messages: Sequence[Message],
        schema: JsonObject | None = None,
        *,
        sample: str = "",
        tools: Sequence[JsonObject] = (),
    ) -> Reply:
        """See `Model.complete`."""
        self._reporting = self._reporting or asyncio.create_task(self._report())
        try:
            reply = await self._model.complete(messages, schema, sample=sample, tools=tools)
        except InfrastructureError as error:
            self._requests.inc(1, {"result": error.reason})
            raise
        self._requests.inc(1, {"result": "ok"})
        self._seconds.observe(reply.seconds)
        counted = [
            (self._retries, reply.attempts - 1, {}),
            (self._cost, reply.cost_usd, {}),
            (self._tokens, reply.input_tokens, {"direction": "in"}),
            (self._tokens, reply.output_tokens, {"direction": "out"}),
        ]
        for counter, value, tags in counted:
            if value > 0:
                counter.inc(value, tags)
        return reply

    def end(self, why: str) -> None:
        """Send no more requests."""
        self._model.end(why)

    async def close(self) -> None:
        """Close connections."""
        if self._reporting:
            self._reporting.cancel()
        await self._model.close()

    async def _report(self) -> None:
        while True:
            in_flight, limit = self._model.load
            self._in_flight.set(in_flight)
            self._limit.set(limit)
            self._report_load(self._name, in_flight, limit)
            await asyncio.sleep(LOAD_INTERVAL_S)
