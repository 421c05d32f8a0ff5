"""The Ray shell: the one module that knows Ray Data.

A run is one dataset. Each model has its `tasks -> generate(model)`, stage 1 within, in actors of
its own; the streams of all models are one from there on, `-> execute -> judge`, through actors that
they share. Rows stream into the driver, which alone writes.

Rows travel in the columns of `samples`, where what a model wrote is text: Arrow types nothing of
it. Operators are async and take a small block each; many are in flight on each actor, and the gate
of its model client is what bounds the calls (measured: 98 % of the ideal rate, where Ray's defaults
reach 18 %). Rows are never lost to an exception: the steps of `stages` don't raise.
"""

import asyncio
import json
import logging
import math
import os
import queue
import socket
import threading
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, cast

# On one machine the workers share this environment: building it again for them, as Ray does under
# `uv run`, takes half a minute. Ray reads this when it is imported.
if "RAY_ADDRESS" not in os.environ:
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"

import pyarrow as pa
import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.data._internal.execution.backpressure_policy import (
    ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY,
    BackpressurePolicy,
)
from ray.data._internal.execution.operators.input_data_buffer import InputDataBuffer
from ray.data._internal.execution.operators.union_operator import UnionOperator
from ray.exceptions import GetTimeoutError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from upath import UPath

from apigen_ray import stages
from apigen_ray.checking import CheckSettings
from apigen_ray.config import Actors
from apigen_ray.errors import BadInput, SandboxLost
from apigen_ray.execution import Dispatcher, ExecuteSettings, RestTools
from apigen_ray.feedback import LAG, Pool
from apigen_ray.judging import Judge, Rule
from apigen_ray.metrics import MeteredModel, RowMeter
from apigen_ray.models.openai import Endpoint, OpenAIModel
from apigen_ray.models.replies import Entry, Keeper, KeepingModel, Limits, Summary
from apigen_ray.records import Reply, Seed, Stage, Style
from apigen_ray.rest import RestCaller, RestSettings
from apigen_ray.sampling import Ask, Sampler
from apigen_ray.sandbox import Sandbox, SandboxSettings, ToolCode, open_sandbox
from apigen_ray.storage import is_local
from apigen_ray.store import SCHEMA, Row
from apigen_ray.watch import Watched, Watchlist

MOST_ROWS_PER_BLOCK = 32
"""A block takes some 10 ms of CPU at each operator and as much of the driver, however small."""
QUEUED_BLOCKS = 6
"""An operator rests while the next one has this many blocks waiting: what is paid for is soon
written. Ray's own back-pressure counts bytes, and rows are small."""

SANDBOX = "sandbox"
"""The resource of Ray nodes that have runner sidecars: 1, however many runners."""
PATIENCE_S = 600.0
"""How long a prompt waits for the pool of its round before it is put off to the end. It must not
wait for ever: what the pool depends on may stand behind it in the queue, after a worker's death."""
ENDING_SEEN_S = 1.0
"""How soon generating actors know that nothing more is to be asked."""

_ending = threading.Event()
"""Set when the run in this process is to ask nothing more."""


@dataclass(frozen=True)
class Executor:
    """What an executor actor needs to run calls anywhere in the cluster."""

    settings: ExecuteSettings
    sandbox: SandboxSettings
    code: ToolCode
    rest: RestSettings
    rest_tools: RestTools


@dataclass(frozen=True)
class Jury:
    """What a judge actor needs."""

    endpoints: tuple[Endpoint, ...]
    rule: Rule


@dataclass(frozen=True)
class Generation:
    """The tasks of one model, and whose pools its prompts draw from."""

    endpoint: Endpoint
    tasks: Sequence[stages.Task]
    owner: str = ""


class _KeeperAndWatchlist(Keeper, Watchlist):
    """Both live as long as the run, on the machine of the driver: one process will do."""

    def __init__(self, *kept: Any) -> None:
        Keeper.__init__(self, *kept)
        Watchlist.__init__(self)


class RemoteKeeper:
    """The keeper as an actor on the machine of the driver, which holds the run folder."""

    def __init__(
        self, folder: UPath | None, limits: Limits, cost_usd: float = 0.0, tokens: int = 0
    ) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._actor = (
            ray.remote(_KeeperAndWatchlist)
            .options(num_cpus=0, scheduling_strategy=here, max_restarts=3, max_task_retries=3)
            .remote(folder.absolute() if folder else None, limits, cost_usd, tokens)
        )

    async def known(self) -> tuple[frozenset[str], str | None]:
        """See `Keeper.known`."""
        return cast("tuple[frozenset[str], str | None]", await self._actor.known.remote())

    async def get(self, key: str) -> Reply:
        """See `Keeper.get`."""
        return cast("Reply", await self._actor.get.remote(key))

    async def put(self, entries: Sequence[Entry]) -> str | None:
        """See `Keeper.put`."""
        return cast("str | None", await self._actor.put.remote(entries))

    async def begin(self, stage: str, ids: Collection[str]) -> frozenset[str]:
        """See `Watchlist.begin`."""
        return cast("frozenset[str]", await self._actor.begin.remote(stage, list(ids)))

    async def begin_alone(self, stage: str, id_: str) -> bool:
        """See `Watchlist.begin_alone`."""
        return cast("bool", await self._actor.begin_alone.remote(stage, id_))

    async def done(self, stage: str, ids: Collection[str]) -> None:
        """See `Watchlist.done`."""
        await self._actor.done.remote(stage, list(ids))

    async def ending(self) -> bool:
        """See `Keeper.ending`."""
        return cast("bool", await self._actor.ending.remote())

    def end(self) -> None:
        """See `Keeper.end`."""
        self._actor.end.remote()

    def notice(self, text: str) -> None:
        """See `Keeper.notice`."""
        self._actor.notice.remote(text)

    def summary(self) -> Summary:
        """See `Keeper.summary`."""
        return cast("Summary", ray.get(self._actor.summary.remote()))


class _Pools:
    """The actor behind `RemotePools`: generating actors wait in it for their pools."""

    def __init__(self) -> None:
        self._pools: dict[tuple[str, int], Any] = {}
        self._closed = False
        self._changed = asyncio.Condition()

    async def of(self, owner: str, round_: int) -> Any:
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or (owner, round_) in self._pools)
            return self._pools.get((owner, round_))

    async def publish(self, owner: str, round_: int, boxed: list[Any]) -> None:
        async with self._changed:
            self._pools[owner, round_] = boxed[0]
            self._changed.notify_all()

    async def close(self) -> None:
        async with self._changed:
            self._closed = True
            self._changed.notify_all()


class RemotePools:
    """The pools of a run's rounds: the driver makes them, the generating actors draw from them."""

    def __init__(self) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options = {"num_cpus": 0, "scheduling_strategy": here, "max_concurrency": 10_000}
        self._actor = ray.remote(_Pools).options(**options).remote()

    async def of(self, owner: str, round_: int) -> tuple[Seed, ...] | None:
        """The pairs of a pool, once there are any; None if there won't be, or not soon."""
        if round_ < LAG:
            return ()
        try:
            found = await asyncio.wait_for(self._actor.of.remote(owner, round_), PATIENCE_S)
        except (TimeoutError, RayActorError):
            return None
        return None if found is None else cast("tuple[Seed, ...]", await found)

    def publish(self, pool: Pool) -> None:
        """Let those go on that wait for a pool."""
        # In a list: a bare reference would be taken for its value.
        self._actor.publish.remote(pool.owner, pool.round, [ray.put(pool.pairs)])

    def close(self) -> None:
        """Send those away that wait: there will be no more pools."""
        self._actor.close.remote()


@contextmanager
def ray_session(log: UPath) -> Iterator[None]:
    """Use the Ray this program has, join the one `RAY_ADDRESS` names, or start one on this machine.

    Args:
        log: Where the messages go that Ray's native code writes into the middle of our output. An
            object store can't take them: they stay there, which is the log of a job.
    """
    with _stderr_to(log) if is_local(log) else nullcontext():
        started = not ray.is_initialized()
        if started:
            _start_ray()
        _set_up_ray_data()
        try:
            yield
        finally:
            if started:
                ray.shutdown()


def ray_nodes() -> str:
    """What the cluster has, in words."""
    alive = sum(node["Alive"] for node in ray.nodes())
    return f"{alive} nodes, {ray.cluster_resources().get('CPU', 0):g} CPUs, Ray {ray.__version__}"


def ray_nodes() -> str:
    """What the cluster has, in words."""
    alive = sum(node["Alive"] for node in ray.nodes())
    return f"{alive} nodes, {ray.cluster_resources().get('CPU', 0):g} CPUs, Ray {ray.__version__}"


@contextmanager
def _stderr_to(log: UPath) -> Iterator[None]:
    kept = os.dup(2)
    with log.open("a") as handle:
        os.dup2(handle.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _start_ray() -> None:
    address = os.environ.get("RAY_ADDRESS", "local")
    local = address == "local"
    if not local:
        _see_that_it_answers(address)
    sizes = {"object_store_memory": 1 << 30, "include_dashboard": False} if local else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **sizes)
    except (ConnectionError, RuntimeError, ValueError) as error:  # also another version of Ray
        why = str(error).strip().splitlines()[0]
        raise BadInput(f"no Ray at RAY_ADDRESS={address}: {why}") from error


def _see_that_it_answers(address: str) -> None:
    """Ray itself would take minutes to give up."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return  # `auto`
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise BadInput(f"no Ray at RAY_ADDRESS={address}: {error}") from error


def _set_up_ray_data() -> None:
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = 24 * 3600  # our own time-outs end what hangs
    context.issue_detectors_config.detectors = []
    # The cap below bounds memory by itself; Ray's budgets take a third of the driver's time here,
    # and its watch over the memory of tasks starts a thread for each.
    context.op_resource_reservation_enabled = False
    context.memory_usage_poll_interval_s = None
    context.set_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY, [_QueueCap])
    logging.getLogger("ray.data").setLevel(logging.ERROR)


class _QueueCap(BackpressurePolicy):  # type: ignore[misc]
    @property
    def name(self) -> str:
        return "QueueCap"

    def can_add_input(self, op: Any) -> bool:
        if _ending.is_set() and all(isinstance(d, InputDataBuffer) for d in op.input_dependencies):
            for queued in self._topology[op].input_queues:
                queued.clear()  # as if the dataset ended here
        following = list(_downstream(op))
        waiting = [self._topology[d].total_enqueued_input_blocks() for d in following]
        if not following:  # what the driver has yet to take
            waiting = [self._topology[op].output_queue.num_blocks]
        return all(blocks < QUEUED_BLOCKS for blocks in waiting)

    def max_task_output_bytes_to_read(self, op: Any) -> None:
        return None


def _downstream(op: Any) -> Iterator[Any]:
    """The operators that work on what `op` gives; a union only hands it on."""
    for following in op.output_dependencies:
        if isinstance(following, UnionOperator):
            yield from _downstream(following)
        else:
            yield following


def generate(
    generations: Sequence[Generation],
    *,
    sampler: Sampler,
    check: CheckSettings,
    executor: Executor,
    jury: Jury,
    keeper: RemoteKeeper,
    pools: RemotePools,
    actors: Actors,
) -> Generator[list[Row], None, None]:
    """Run the tasks of all models side by side. A prompt that is not asked after all has no row.

    Yields:
        Batches of settled rows as they come, and an empty batch when a moment passes without any,
        so that the caller's clock goes on.
    """
    shared = ray.put(sampler)
    streams = []
    for generation in generations:
        endpoint = generation.endpoint
        per_block = _rows_per_block([endpoint])
        per_prompt = max((task.ask.count for task in generation.tasks), default=1)
        items = [_task_item(task) for task in generation.tasks]
        source = _source(items, max(1, per_block // per_prompt))
        share = _share(endpoint, actors.generate)
        streams.append(
            source.map_batches(
                _named(f"generate({endpoint.name})", _Generate),
                fn_constructor_args=(shared, share, keeper, check, (pools, generation.owner)),
                compute=_pool(actors.generate, endpoint.concurrency, per_block),
                **_BLOCKWISE,
            )
        )
    points = streams[0].union(*streams[1:]) if len(streams) > 1 else streams[0]
    per_block = _rows_per_block(generation.endpoint for generation in generations)
    yield from _stream(_verified(points, executor, jury, keeper, actors, per_block=per_block))


def end_early(keeper: RemoteKeeper | None = None, pools: RemotePools | None = None) -> None:
    """Have what is in flight finish, and nothing more asked: `generate` and `verify` end soon."""
    _ending.set()
    if keeper:
        keeper.end()
    if pools:
        pools.close()


def verify(
    rows: Sequence[Row],
    *,
    executor: Executor | None,
    jury: Jury | None,
    keeper: RemoteKeeper,
    actors: Actors,
) -> Iterator[list[Row]]:
    """Take rows that passed stage 1 through the stages that are given; yields like `generate`."""
    per_block = _rows_per_block(jury.endpoints if jury else ())
    blocks = [_packed(rows[at : at + per_block]) for at in range(0, len(rows), per_block)]
    source = ray.data.from_arrow(blocks)
    yield from _stream(_verified(source, executor, jury, keeper, actors, per_block=per_block))


def _verified(
    rows: Dataset,
    executor: Executor | None,
    jury: Jury | None,
    keeper: RemoteKeeper,
    actors: Actors,
    *,
    per_block: int,
) -> Dataset:
    if executor:
        try_sidecars(executor)
        rows = rows.map_batches(
            _named("execute", _Execute),
            fn_constructor_args=(executor, keeper),
            compute=_pool(actors.execute, _calls_at_once(executor) * actors.execute, per_block),
            **_BLOCKWISE,
            **_placed(executor),
        )
    if jury:
        shares = [_share(endpoint, actors.judge) for endpoint in jury.endpoints]
        rows = rows.map_batches(
            _named("judge", _Judge),
            fn_constructor_args=(shares, jury.rule, keeper),
            compute=_pool(actors.judge, max(e.concurrency for e in jury.endpoints), per_block),
            **_BLOCKWISE,
        )
    return rows


def try_sidecars(executor: Executor, timeout_s: float = 600.0) -> None:
    """See that a node has runner sidecars, if calls run in such, and that the tools load in them.

    Args:
        executor: What will run there.
        timeout_s: How long to wait for such a node; an autoscaler may have to start it.

    Raises:
        BadInput: if there is none, or the tools don't load.
    """
    if executor.sandbox.kind != "sidecar" or not executor.code.functions:
        return
    trial = ray.remote(_trial).options(num_cpus=0.1, **_placed(executor)).remote(executor)
    try:
        complaint = ray.get(trial, timeout=timeout_s)
    except GetTimeoutError as error:
        ray.cancel(trial)
        raise BadInput(
            f"sandbox.kind is sidecar, but no free Ray node has a resource {SANDBOX!r}: start those"
            f" that have runners beside them with --resources='{{\"{SANDBOX}\": 1}}'"
        ) from error
    if complaint:
        raise BadInput(f"sandbox sidecars: {complaint}")


def _trial(executor: Executor) -> str | None:
    async def open_one() -> None:
        settings = executor.sandbox.model_copy(update={"slots": 1})
        await (await open_sandbox(settings, executor.code)).close()

    try:
        asyncio.run(open_one())
    except (BadInput, SandboxLost) as error:
        return str(error)
    return None


def _placed(executor: Executor) -> dict[str, Any]:
    """One executor a node, where there are runners beside it."""
    return {"resources": {SANDBOX: 1}} if executor.sandbox.kind == "sidecar" else {}


def _calls_at_once(executor: Executor) -> int:
    """How many calls an executor actor can have under way: in its sandboxes, and to a few hosts."""
    return executor.sandbox.slots + (
        4 * executor.rest.per_host_concurrency if executor.rest_tools else 0
    )


# --- operators

# Actors wait for others nearly all of their time: with whole CPUs, a small machine would deadlock
# before all stages run at once; with none, Ray would put them all on the head node.
_BLOCKWISE: dict[str, Any] = {"num_cpus": 0.1, "batch_size": None, "batch_format": "pyarrow"}


def _named(name: str, operator: type) -> type:
    """An operator by the name that Ray's metrics, logs and dashboard show."""
    return type(name, (operator,), {})


def _rows_per_block(endpoints: Iterable[Endpoint]) -> int:
    """Few where replies are few, so that they get on soon; more where a block costs more."""
    concurrency = max((endpoint.concurrency for endpoint in endpoints), default=MOST_ROWS_PER_BLOCK)
    return min(max(4, concurrency // 4), MOST_ROWS_PER_BLOCK)


def _pool(actors: int, concurrency: int, rows_per_block: int) -> ActorPoolStrategy:
    """Enough blocks in flight on each actor for `concurrency` calls, whose times vary widely.

    A block ends with its slowest call: as many times later than the mean call, with log-normal
    times (sigma 1), as the factor below says.
    """
    slowest = 0.5 + math.log2(rows_per_block)
    blocks = max(4, math.ceil(concurrency * slowest / rows_per_block / actors))
    return ActorPoolStrategy(
        size=actors,
        max_concurrent_calls_per_actor=blocks,
        max_tasks_in_flight_per_actor=blocks + 4,
    )


def _share(endpoint: Endpoint, actors: int) -> Endpoint:
    """What each of the actors may ask of an endpoint, and pays for its time.

    Shares are fixed: what the others do shows itself in the latency and the refusals that each
    one sees.
    """
    shares: dict[str, Any] = {"concurrency": max(1, endpoint.concurrency // actors)}
    for limit in ("requests_per_minute", "tokens_per_minute", "usd_per_gpu_hour"):
        if whole := getattr(endpoint, limit):
            shares[limit] = whole / actors
    return endpoint.model_copy(update=shares)


def _client(endpoint: Endpoint, keeper: RemoteKeeper) -> KeepingModel:
    key = os.environ.get(endpoint.api_key_env) if endpoint.api_key_env else None
    model = MeteredModel(OpenAIModel(endpoint, key, keeper.notice), endpoint)
    return KeepingModel(model, endpoint, keeper)


class _Generate:
    def __init__(
        self,
        sampler: Any,
        endpoint: Endpoint,
        keeper: RemoteKeeper,
        check: CheckSettings,
        pools: tuple[RemotePools, str],
    ) -> None:
        self._sampler: Sampler = ray.get(sampler)
        self._samplers: dict[int, asyncio.Task[Sampler | None]] = {}
        self._pools, self._owner = pools
        self._keeper = keeper
        self._model = _client(endpoint, keeper)
        self._watch: asyncio.Task[None] | None = None
        self._name = endpoint.name
        self._check = check
        self._with_schema = endpoint.response_format in ("json_schema", "guided_json")
        self._watched = Watched(f"generate({endpoint.name})", keeper)

    async def __call__(self, block: pa.Table) -> pa.Table:
        self._watch = self._watch or asyncio.create_task(self._see_the_end())
        tasks = [_item_task(item) for item in block.to_pylist()]
        by_prompt = {str(task.ask.index): task for task in tasks}
        rows = await self._watched.each(by_prompt, self._generated, self._refused)
        return _packed(list(chain.from_iterable(rows)))

    async def _generated(self, task: stages.Task) -> list[Row]:
        sampler = await self._sampler_of(task.ask.round)
        if sampler is None:
            return []
        return await stages.generate_step(
            task, sampler, self._model, self._name, self._check, with_schema=self._with_schema
        )

    async def _refused(self, task: stages.Task) -> list[Row]:
        return stages.deadly_task(task, self._name)

    async def _sampler_of(self, round_: int) -> Sampler | None:
        if round_ not in self._samplers:
            self._samplers.pop(round_ - LAG - 1, None)
            self._samplers[round_] = asyncio.create_task(self._with_pool(round_))
        return await self._samplers[round_]

    async def _with_pool(self, round_: int) -> Sampler | None:
        pairs = await self._pools.of(self._owner, round_)
        return None if pairs is None else self._sampler.with_pool(pairs)

    async def _see_the_end(self) -> None:
        while not await self._keeper.ending():  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(ENDING_SEEN_S)
        self._model.end("the run is ending")


class _Execute:
    def __init__(self, executor: Executor, keeper: RemoteKeeper) -> None:
        self._executor = executor
        self._watched = Watched("execute", keeper)
        self._sandbox: Sandbox | None = None
        self._opening = asyncio.Lock()
        rest = RestCaller(executor.rest, os.environ)
        self._runner = Dispatcher(executor.rest_tools, rest, self._opened, executor.settings.errors)

    async def __call__(self, block: pa.Table) -> pa.Table:
        return await _advanced(block, self._executed, self._watched, Stage.EXECUTE)

    async def _executed(self, row: Row) -> Row:
        return await stages.execute_step(row, self._runner, self._executor.settings)

    async def _opened(self) -> Sandbox:
        async with self._opening:
            if self._sandbox is None:
                self._sandbox = await open_sandbox(self._executor.sandbox, self._executor.code)
            return self._sandbox


class _Judge:
    def __init__(self, endpoints: Sequence[Endpoint], rule: Rule, keeper: RemoteKeeper) -> None:
        self._judges = [Judge(endpoint.name, _client(endpoint, keeper)) for endpoint in endpoints]
        self._rule = rule
        self._watched = Watched("judge", keeper)

    async def __call__(self, block: pa.Table) -> pa.Table:
        return await _advanced(block, self._judged, self._watched, Stage.JUDGE)

    async def _judged(self, row: Row) -> Row:
        return await stages.judge_step(row, self._judges, self._rule)


async def _advanced(
    block: pa.Table, step: Callable[[Row], Awaitable[Row]], watched: Watched, stage: Stage
) -> pa.Table:
    """Take the rows of a block that are still in the race through a stage, all at once."""

    async def refuse(row: Row) -> Row:
        return stages.deadly_row(row, stage)

    rows = _unpacked(block)
    racing = {row["id"]: row for row in rows if not row["outcome"]}
    moved = dict(zip(racing, await watched.each(racing, step, refuse), strict=True))
    return _packed([moved.get(row["id"], row) for row in rows])


# --- rows in and out


def _source(items: Sequence[Mapping[str, Any]], items_per_block: int) -> Dataset:
    blocks = math.ceil(len(items) / items_per_block)
    return ray.data.from_items([dict(item) for item in items], override_num_blocks=blocks)


def _task_item(task: stages.Task) -> dict[str, Any]:
    return asdict(task.ask) | {"tried": json.dumps(dict(task.tried))}


def _item_task(item: Mapping[str, Any]) -> stages.Task:
    tried = {int(point): times for point, times in json.loads(item["tried"]).items()}
    index, count, round_ = (int(item[key]) for key in ("index", "count", "round"))
    ask = Ask(index, Style(item["style"]), count, round_, item["category"])
    return stages.Task(ask, tried)


def _packed(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _unpacked(block: pa.Table) -> list[Row]:
    return cast("list[Row]", block.to_pylist())


_END = object()


def _stream(dataset: Dataset) -> Iterator[list[Row]]:
    """The rows of a dataset as they come; a thread of its own runs it."""
    arrived: queue.Queue[Any] = queue.Queue()
    stopped = threading.Event()
    meter = RowMeter()

    def consume() -> None:
        try:
            for block in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                arrived.put(block)
                if stopped.is_set():
                    break
            arrived.put(_END)
        except BaseException as error:  # raised again by the caller's thread, below
            arrived.put(error)

    _ending.clear()
    threading.Thread(target=consume, daemon=True).start()
    try:
        while True:
            try:
                item = arrived.get(timeout=0.5)
            except queue.Empty:
                yield []
                continue
            if item is _END:
                return
            if isinstance(item, BaseException):
                raise item
            rows = [stages.finished(row) for row in _unpacked(item)]
            meter.count(rows)
            yield rows
    finally:
        stopped.set()  # the caller has enough: what is in flight ends with its block
