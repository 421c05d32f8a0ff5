"""Checks external rows in stage 1: in this process, or in one process for each core."""

import json
import logging
import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
from pydantic_core import to_json

from apigen_ray import strict_json
from apigen_ray.datasets.external.forms import ExternalRow, read_row
from apigen_ray.datasets.external.nested import has_objects, nested_rows
from apigen_ray.datasets.external.padding import (
    PaddedNulls,
    Padding,
    unpadded,
    unpadded_messages,
)
from apigen_ray.datasets.external.sources import Chunk
from apigen_ray.datasets.external.unreadable import Unreadable
from apigen_ray.datasets.xlam import style_of
from apigen_ray.models.reasoning import split
from apigen_ray.records import Checked, Json, Reason, Rejected, Stage, Style, Tool
from apigen_ray.run_folder.rows import (
    Row,
    as_table,
    checked_row,
    new_row,
    rejected_row,
    with_values,
)
from apigen_ray.stages.check import (
    CheckSettings,
    Signature,
    Signatures,
    check,
    check_pair,
    pair_count,
    signatures_of,
)
from apigen_ray.stages.conversation import Messages, check_conversation
from apigen_ray.tools.read_forms import UnreadableTool, read_tool
from apigen_ray.tools.write_forms import shown_form

log = logging.getLogger(__name__)

MODEL = "given"
"""The model of rows that don't name one."""
LONGEST_LINE = 1 << 26
"""Characters of a row, which may hold the results of a hundred calls."""
LONGEST_UNREAD = 10_000
"""Characters kept of a row that can't be read."""


class _Known(NamedTuple):
    """A tool, its text in a row, and the validator of its arguments."""

    tool: Tool
    text: str
    signature: Signatures


class _Shown(NamedTuple):
    """The tools of a row, as its columns have them."""

    tool_count: int
    signatures: Signatures
    text: str
    categories: str


class Batch(NamedTuple):
    """The rows of a chunk after stage 1, and a line on each row that could not be read."""

    rows: pa.Table
    unread: list[str]
    padded: Mapping[str, int]
    """How many rows have nulls in arguments that look like padding, by what was done: `keep`,
    `drop`."""


class Reader:
    """Reads external rows and checks them."""

    def __init__(
        self,
        tools: Sequence[Tool],
        settings: CheckSettings,
        answers: Mapping[str, Json],
        padded_nulls: PaddedNulls = "keep",
    ) -> None:
        """Prepare the tools.

        Args:
            tools: The tools of rows that have none, or that name theirs.
            settings: How strict stage 1 is.
            answers: Calls from a separate file, by the id of the row.
            padded_nulls: What is done with nulls that Arrow put into arguments of JSON rows; those
                of tables are dropped.
        """
        self._padded_nulls: PaddedNulls = padded_nulls
        self._padded: Counter[str] = Counter()
        self._known = {tool.name: _known(tool) for tool in tools}
        self._default = _shown(list(self._known.values()))
        self._tool = lru_cache(maxsize=8192)(self._tool_of_text)
        self._settings = settings
        self._answers = answers

    def batch(self, chunk: Chunk) -> Batch:
        """The rows of a chunk, with the reason for each that stage 1 rejected."""
        rows: list[Row] = []
        unread: list[str] = []
        self._padded = Counter()
        nested = isinstance(chunk.rows, pa.Table) and has_objects(chunk.rows)
        padding: Padding = "drop all" if nested else self._padded_nulls
        for index, raw in enumerate(_items(chunk.rows)):
            if raw == b"":
                continue
            id_ = str(chunk.before + chunk.first + index)
            try:
                row = _row(raw) if isinstance(raw, bytes) else raw
                id_ = id_ if row.get("id") is None else str(row["id"])
                given = read_row(row, self._answers)
                shown = self._shown(given.tools)
                if not isinstance(raw, bytes) or b"null" in raw:
                    given = self._without_padding(given, shown.signatures, padding)
                rows += self._checked(given.id or id_, given, shown)
            except Unreadable as error:
                where = chunk.where(index)
                unread.append(f"{where}: {error}")
                rows.append(_unread(id_, raw, Rejected(error.reason, unread[-1])))
            except Exception as error:  # a bug of ours must not cost the other rows
                log.exception("row not read", extra={"where": chunk.where(index)})
                unread.append(f"{chunk.where(index)}: {type(error).__name__}: {error}")
                rows.append(_unread(id_, raw, Rejected(Reason.INTERNAL, unread[-1])))
        return Batch(as_table(rows), unread, self._padded)

    def _without_padding(
        self, given: ExternalRow, signatures: Signatures, padding: Padding
    ) -> ExternalRow:
        if given.messages is not None:
            messages, padded = unpadded_messages(given.messages, signatures, padding)
            self._padded[padding[:4]] += padded
            return given._replace(messages=messages)
        found = unpadded(given.pair.get("answers"), signatures, padding)
        self._padded[padding[:4]] += found.looked_padded
        return given._replace(pair=given.pair | {"answers": found.calls}) if found.calls else given

    def _checked(self, id_: str, given: ExternalRow, shown: _Shown) -> list[Row]:
        if given.messages is not None:
            return [self._checked_conversation(id_, given, given.messages, shown)]
        thought = split(given.completion or "")
        if given.completion is None:
            results = [
                check_pair(
                    given.pair,
                    style=given.style,
                    signatures=shown.signatures,
                    settings=self._settings,
                )
            ]
        else:
            results = check(
                thought.text,
                finish_reason="" if thought.ended else "length",
                style=given.style,
                signatures=shown.signatures,
                count=pair_count(thought.text, self._settings),
                settings=self._settings,
            )
        several = len(results) > 1
        rows = [
            self._checked_row(f"{id_}-{index}" if several else id_, id_, given, shown, result)
            for index, result in enumerate(results)
        ]
        if thought.reasoning:
            rows = [with_values(row, reasoning=thought.reasoning) for row in rows]
        return rows

    def _checked_conversation(
        self, id_: str, given: ExternalRow, messages: Messages, shown: _Shown
    ) -> Row:
        checked = check_conversation(
            messages, style=given.style, signatures=shown.signatures, settings=self._settings
        )
        if given.style is None and len(checked.turns) > 1:
            given = given._replace(style=Style.MULTI_TURN)
        row = self._checked_row(id_, id_, given, shown, checked.result)
        return with_values(
            row,
            messages=strict_json.dumps(list(map(dict, checked.messages))),
            turns=strict_json.dumps(checked.turns),
        )

    def _checked_row(
        self, point: str, prompt: str, given: ExternalRow, shown: _Shown, result: Checked | Rejected
    ) -> Row:
        row = _NEW.copy()
        row["id"], row["prompt_id"] = point, prompt
        row["model"] = given.model or MODEL
        row["tools"], row["categories"] = shown.text, shown.categories
        row["completion"] = given.completion
        row["style"] = given.style or _style(result, shown.tool_count)
        return checked_row(row, result)

    def _shown(self, value: Json) -> _Shown:
        if value in (None, "null"):
            if not self._known:
                raise Unreadable(
                    Reason.MISSING_FIELD, "tools: the row has none, and --tools is not given"
                )
            return self._default
        try:
            return _shown([self._tool(text) for text in _tool_texts(value)])
        except (UnreadableTool, strict_json.NotJson) as error:
            raise Unreadable(Reason.INVALID_TOOL, f"tools: {error}") from error

    def _tool_of_text(self, text: str) -> _Known:
        tool = strict_json.parse(text)
        if not isinstance(tool, str):
            return _known(read_tool(tool))
        if tool not in self._known:
            raise UnreadableTool(f"no tool is named {tool[:80]!r}")
        return self._known[tool]


def read_batches(
    chunks: Iterable[Chunk],
    tools: Sequence[Tool],
    settings: CheckSettings,
    answers: Mapping[str, Json],
    padded_nulls: PaddedNulls = "keep",
) -> Iterator[Batch]:
    """Check chunks in stage 1, and yield them in order.

    From the second chunk on, each core has a process; one more chunk than these is read ahead.
    """
    waiting = iter(chunks)
    given = (tools, settings, answers, padded_nulls)
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


def _start(
    tools: Sequence[Tool],
    settings: CheckSettings,
    answers: Mapping[str, Json],
    padded_nulls: PaddedNulls,
) -> None:
    _readers.append(Reader(tools, settings, answers, padded_nulls))


def _batch(chunk: Chunk) -> Batch:
    return _readers[0].batch(chunk)


# --- one row


def _items(rows: bytes | pa.Table) -> Iterable[bytes | dict[str, Any]]:
    """The raw rows; a blank line is empty."""
    if isinstance(rows, bytes):
        return map(bytes.strip, rows.split(b"\n"))
    return nested_rows(rows)


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = strict_json.parse(line.decode("utf-8"), max_characters=LONGEST_LINE)
    except (strict_json.NotJson, UnicodeDecodeError) as error:
        raise Unreadable(Reason.INVALID_JSON, f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise Unreadable(Reason.WRONG_TYPE, "not a JSON object")
    return row


def _style(result: Checked | Rejected, tools: int) -> Style | None:
    """The style of a row by its calls, if all of them can be read."""
    if isinstance(result, Checked):
        return style_of(tools, [call.name for call in result.pair.calls])
    answers = result.answers if isinstance(result.answers, list) else []
    names = [answer.get("name") for answer in answers if isinstance(answer, dict)]
    functions = [name for name in names if isinstance(name, str)]
    all_read = functions and len(functions) == len(answers)
    return style_of(tools, functions) if all_read else None


def _tool_texts(value: Json) -> list[str]:
    """The tools of a row, each as JSON text."""
    if isinstance(value, str):
        return strict_json.items(value)
    return [to_json(item).decode() for item in (value if isinstance(value, list) else [value])]


def _unread(id_: str, raw: Any, rejected: Rejected) -> Row:
    row = _NEW.copy()
    row["id"] = row["prompt_id"] = id_
    line = isinstance(raw, bytes)
    text = raw.decode("utf-8", "replace") if line else json.dumps(raw, default=str)
    row["completion"] = text[:LONGEST_UNREAD]
    return rejected_row(row, Stage.CHECK, rejected)


_NEW = new_row("", model=MODEL, style=None, prompt_id="", tried=0)


def _known(tool: Tool) -> _Known:
    return _Known(tool, strict_json.dumps(shown_form(tool)), signatures_of([tool]))


def _shown(known: Sequence[_Known]) -> _Shown:
    signatures: dict[str, Signature] = {}
    for one in known:
        signatures |= one.signature
    text = f"[{', '.join([one.text for one in known])}]"
    categories = _sorted_text(frozenset([one.tool.category for one in known]))
    return _Shown(len(known), signatures, text, categories)


@lru_cache(maxsize=4096)
def _sorted_text(names: frozenset[str]) -> str:
    return strict_json.dumps(sorted(names))
