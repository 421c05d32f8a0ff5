"""Rows made elsewhere, taken through stage 1: here, or in as many processes as there are cores."""

import json
import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
from pydantic_core import to_json

from apigen_ray import jsontext
from apigen_ray.checking import CheckSettings, check, check_pair, pair_count
from apigen_ray.elsewhere.forms import Given, Unreadable, read_given
from apigen_ray.elsewhere.sources import Chunk
from apigen_ray.records import Checked, Json, Reason, Rejected, Stage, Style, Tool
from apigen_ray.stages import checked_row, new_row, rejected_row
from apigen_ray.store import Row
from apigen_ray.tools import shown_form
from apigen_ray.tools.forms import UnreadableTool, read_tool
from apigen_ray.xlam import style_of

log = logging.getLogger(__name__)

MODEL = "given"
"""The model of rows that don't name theirs."""
LONGEST_UNREAD = 10_000
"""Characters kept of a row that can't be read."""


class _Known(NamedTuple):
    """A tool, and how rows show it."""

    tool: Tool
    text: str


class _Shown(NamedTuple):
    """The tools of a row, and the columns that say them."""

    tools: tuple[Tool, ...]
    columns: dict[str, str]


class Batch(NamedTuple):
    """What became of a chunk in stage 1, and a line on each row that could not be read."""

    rows: list[Row]
    unread: list[str]


class Reader:
    """Reads rows, and takes them through stage 1."""

    def __init__(
        self, tools: Sequence[Tool], settings: CheckSettings, answers: Mapping[str, Json]
    ) -> None:
        """Get ready.

        Args:
            tools: For rows that have none of their own, or name theirs.
            settings: How strict stage 1 is.
            answers: Calls that stand apart from the rows, by id.
        """
        self._known = {tool.name: _known(tool) for tool in tools}
        self._default = _shown(list(self._known.values()))
        self._read_text = lru_cache(maxsize=4096)(self._shown_text)
        self._settings = settings
        self._answers = answers

    def batch(self, chunk: Chunk) -> Batch:
        """The rows of a chunk, each with the reason why stage 1 rejected it, if it did."""
        rows: list[Row] = []
        unread: list[str] = []
        given: Any = chunk.rows
        table = isinstance(given, pa.Table)
        for index, raw in enumerate(given.to_pylist() if table else given):
            if not table and not raw.strip():
                continue
            id_ = str(chunk.before + chunk.first + index)
            try:
                row = _unpadded(raw) if table else _row(raw)
                id_ = id_ if row.get("id") is None else str(row["id"])
                rows += self._checked(id_, read_given(row, self._answers))
            except Unreadable as error:
                where = chunk.where(index)
                unread.append(f"{where}: {error}")
                rows.append(_unread(id_, raw, Rejected(error.reason, unread[-1])))
            except Exception as error:  # our fault, for which the other rows are not to suffer
                log.exception("row not read", extra={"where": chunk.where(index)})
                unread.append(f"{chunk.where(index)}: {type(error).__name__}: {error}")
                rows.append(_unread(id_, raw, Rejected(Reason.INTERNAL, unread[-1])))
        return Batch(rows, unread)

    def _checked(self, id_: str, given: Given) -> list[Row]:
        shown = self._shown(given.tools)
        if given.completion is None:
            results = [
                check_pair(
                    given.pair, style=given.style, tools=shown.tools, settings=self._settings
                )
            ]
        else:
            results = check(
                given.completion,
                finish_reason="",
                style=given.style,
                tools=shown.tools,
                count=pair_count(given.completion, self._settings),
                settings=self._settings,
            )
        several = len(results) > 1
        return [
            self._checked_row(f"{id_}-{index}" if several else id_, id_, given, shown, result)
            for index, result in enumerate(results)
        ]

    def _checked_row(
        self, point: str, prompt: str, given: Given, shown: _Shown, result: Checked | Rejected
    ) -> Row:
        row = _new(point, given.model or MODEL, given.style, prompt)
        row.update(shown.columns)  # type: ignore[typeddict-item]
        row["completion"] = given.completion
        if isinstance(result, Checked) and not given.style:
            names = [call.name for call in result.pair.calls]
            row["style"] = style_of(len(shown.tools), names).value
        return checked_row(row, result)

    def _shown(self, value: Json) -> _Shown:
        return self._read_text(value) if isinstance(value, str) else self._shown_list(value)

    def _shown_text(self, text: str) -> _Shown:
        try:
            return self._shown_list(jsontext.parse(text))
        except jsontext.NotJson as error:
            raise Unreadable(Reason.INVALID_TOOL, f"tools: {error}") from error

    def _shown_list(self, value: Json) -> _Shown:
        if value is None and not self._known:
            raise Unreadable(
                Reason.MISSING_FIELD, "tools: the row has none, and no --tools are given"
            )
        if value is None:
            return self._default
        listed = value if isinstance(value, list) else [value]
        return _shown([self._tool(item) for item in listed])

    def _tool(self, item: Json) -> _Known:
        if not isinstance(item, str):
            return _read(to_json(item))
        if item not in self._known:
            raise Unreadable(Reason.INVALID_TOOL, f"tools: no tool is named {item[:80]!r}")
        return self._known[item]


def read_batches(
    chunks: Iterable[Chunk],
    tools: Sequence[Tool],
    settings: CheckSettings,
    answers: Mapping[str, Json],
) -> Iterator[Batch]:
    """Take chunks through stage 1, and give them in their order.

    A second chunk is worth a process for each core; one more than these is read ahead.
    """
    waiting = iter(chunks)
    given = (tools, settings, answers)
    reader = Reader(*given)
    if (first := next(waiting, None)) is None:
        return
    yield reader.batch(first)
    if (second := next(waiting, None)) is None:
        return
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), _start, given) as pool:
        under_way: deque[Future[Batch]] = deque([pool.submit(_batch, second)])
        try:
            for chunk in waiting:
                under_way.append(pool.submit(_batch, chunk))
                if len(under_way) > cores + 1:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


_readers: list[Reader] = []
"""The reader of a worker process."""


def _start(tools: Sequence[Tool], settings: CheckSettings, answers: Mapping[str, Json]) -> None:
    _readers.append(Reader(tools, settings, answers))


def _batch(chunk: Chunk) -> Batch:
    return _readers[0].batch(chunk)


# --- one row


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = jsontext.parse(line.decode("utf-8"))
    except (jsontext.NotJson, UnicodeDecodeError) as error:
        raise Unreadable(Reason.INVALID_JSON, f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise Unreadable(Reason.WRONG_TYPE, "a row is a JSON object")
    return row


def _unpadded(value: Any) -> Any:
    """What a table holds, without the nulls that Arrow puts in place of keys that are not there."""
    if isinstance(value, dict):
        return {key: _unpadded(inner) for key, inner in value.items() if inner is not None}
    return [_unpadded(inner) for inner in value] if isinstance(value, list) else value


def _unread(id_: str, raw: Any, rejected: Rejected) -> Row:
    row = _new(id_, MODEL, None, id_)
    line = isinstance(raw, bytes)
    text = raw.decode("utf-8", "replace") if line else json.dumps(raw, default=str)
    row["completion"] = text.strip()[:LONGEST_UNREAD]
    return rejected_row(row, Stage.CHECK, rejected)


def _new(id_: str, model: str, style: Style | None, prompt: str) -> Row:
    return new_row(id_, model=model, style=style, tools=(), prompt_id=prompt, tried=0)


@lru_cache(maxsize=65_536)
def _read(text: bytes) -> _Known:
    try:
        return _known(read_tool(json.loads(text)))
    except UnreadableTool as error:
        raise Unreadable(Reason.INVALID_TOOL, f"tools: {error}") from error


def _known(tool: Tool) -> _Known:
    return _Known(tool, jsontext.dumps(shown_form(tool)))


def _shown(known: Sequence[_Known]) -> _Shown:
    columns = {
        "tools": f"[{', '.join(text for _, text in known)}]",
        "categories": jsontext.dumps(sorted({tool.category for tool, _ in known})),
    }
    return _Shown(tuple(tool for tool, _ in known), columns)
