"""Data made elsewhere, through the same stages as our own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from upath import UPath

from apigen_ray import jsontext
from apigen_ray.checking import CheckSettings, check, check_pair, pair_count
from apigen_ray.collecting import collect
from apigen_ray.config import GRACE_S, Actors, RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.execution import ExecuteSettings
from apigen_ray.models.replies import Limits
from apigen_ray.pipeline import Executor, Jury, RemoteKeeper, end_early, ray_session
from apigen_ray.pipeline import verify as verified
from apigen_ray.preparation import endpoints_of, judge_settings, prepare_executor
from apigen_ray.records import Checked, JsonObject, Reason, Rejected, Stage, Style, Tool
from apigen_ray.rest import RestSettings
from apigen_ray.run import conclude
from apigen_ray.sandbox import SandboxSettings
from apigen_ray.stages import checked_row, finished, new_row, rejected_row, tried_again
from apigen_ray.store import REPLIES, Row, RunFolder
from apigen_ray.tools import Library, load_library
from apigen_ray.xlam import json_field, read_rows, row_tools, style_of

STAGES = ("format", "execution", "semantic")


def verify(
    data: str,
    *,
    tools: Sequence[str],
    stages: Sequence[str],
    out: str | Path,
    config: RunConfig | None,
    console: Console,
) -> int:
    """Take the rows of a file through the stages asked for, into a run folder.

    Args:
        data: JSONL, Parquet or a data-set name; rows as in DESIGN: xLAM columns, or
            `{"id", "completion", "tools"?}`.
        tools: Sources of tools, for rows without any and for the code to execute.
        stages: Of `format`, `execution`, `semantic`; the first is always taken.
        out: The run folder.
        config: Where the judge and the settings of the stages come from.
        console: Where progress and the funnel are shown.

    Returns:
        The exit code: 0 if every row has an outcome other than `error`, else 1.

    Raises:
        BadInput: if a file, a row's form, or the choice of stages is wrong.
    """
    for stage in stages:
        if stage not in STAGES:
            raise BadInput(f"--stages: {stage!r} is none of {', '.join(STAGES)}")
    if "semantic" in stages and config is None:
        raise BadInput(
            "--stages: `semantic` needs a judge: give --config, or --stages format,execution"
        )
    library = load_library(tools)
    check_settings = config.check if config else CheckSettings()
    rows = list(_checked_rows(data, library, check_settings))
    folder = RunFolder(out)
    with ExitStack() as stack:
        stack.enter_context(folder.writing())
        manifest = _manifest(data, tools, stages, len(rows), config)
        _check_same(folder, manifest)
        settled, tried = folder.attempts_by_id()
        wanted = [
            tried_again(row, tried.get(row["id"], 0)) for row in rows if row["id"] not in settled
        ]
        executor = jury = None
        if "execution" in stages:
            executor, manifest["sandbox"] = prepare_executor(
                library,
                console,
                execute=config.execute if config else ExecuteSettings(),
                sandbox=config.sandbox if config else SandboxSettings(),
                rest=config.rest if config else RestSettings(),
            )
            wanted = [_with_code(row, executor) for row in wanted]
        if "semantic" in stages and config:
            endpoints = stack.enter_context(endpoints_of(judge_settings(config), console))
            jury = Jury(tuple(endpoints.values()), config.votes)
        folder.write_json("manifest.json", manifest)
        actors = config.actors if config else Actors()
        limits = Limits(config.budget_usd, config.max_tokens_total) if config else Limits()
        collect(
            _through(
                wanted, executor, jury, limits=limits, actors=actors, out=folder.path, stack=stack
            ),
            folder,
            len(rows),
            console,
            end=end_early,
            grace_s=config.grace_s if config else GRACE_S,
        )
        return conclude(folder, len(rows), console)


def _through(
    rows: Sequence[Row],
    executor: Executor | None,
    jury: Jury | None,
    *,
    limits: Limits,
    actors: Actors,
    out: UPath,
    stack: ExitStack,
) -> Iterator[list[Row]]:
    """What stage 1 rejected is done; the rest needs Ray, if it needs any further stage."""
    pending = [row for row in rows if not row["outcome"]]
    yield [row for row in rows if row["outcome"]]
    if not executor and not jury:
        yield [finished(row) for row in pending]
    elif pending:
        stack.enter_context(ray_session(out / "ray.log"))
        keeper = RemoteKeeper(out / REPLIES, limits)
        yield from verified(pending, executor=executor, jury=jury, keeper=keeper, actors=actors)


def _checked_rows(data: str, library: Library, settings: CheckSettings) -> Iterator[Row]:
    seen: set[str] = set()
    known = library.by_name()
    for number, (where, given) in enumerate(read_rows(data)):
        try:
            listed = json_field(given, "tools")
        except jsontext.NotJson as error:
            raise BadInput(f"{where}: tools: {error}") from error
        tools = row_tools(listed, known, where, library.tools)
        style = _style(where, given)
        id_ = str(given.get("id", number))
        results = _results(where, given, tools, style, settings)
        for index, result in enumerate(results):
            point = id_ if len(results) == 1 else f"{id_}-{index}"
            if point in seen:
                raise BadInput(f"{where}: id: {point!r} stands twice")
            seen.add(point)
            row = new_row(point, model="given", style=style, tools=tools, prompt_id=id_, tried=0)
            if isinstance(result, Checked):
                names = [call.name for call in result.pair.calls]
                row["style"] = style or style_of(len(tools), names)
            if "completion" in given:
                row["completion"] = str(given["completion"])
            yield checked_row(row, result)


def _results(
    where: str,
    given: Mapping[str, Any],
    tools: Sequence[Tool],
    style: Style | None,
    settings: CheckSettings,
) -> list[Checked | Rejected]:
    if "completion" in given:
        text = str(given["completion"])
        count = pair_count(text, settings)
        return check(
            text, finish_reason="", style=style, tools=tools, count=count, settings=settings
        )
    pair: JsonObject = {key: given[key] for key in ("query", "answers") if key in given}
    if not pair:
        raise BadInput(f"{where}: a row has `query` and `answers`, or `completion`")
    try:
        if "answers" in pair:
            pair["answers"] = json_field(given, "answers")
    except jsontext.NotJson as error:
        reason = Reason.DUPLICATE_KEY
        if not isinstance(error, jsontext.DuplicateKey):
            reason = Reason.INVALID_JSON
        query = given.get("query")
        return [Rejected(reason, f"answers: {error}", query if isinstance(query, str) else None)]
    return [check_pair(pair, style=style, tools=tools, settings=settings)]


def _style(where: str, given: Mapping[str, Any]) -> Style | None:
    try:
        return Style(given["style"]) if given.get("style") else None
    except ValueError as error:
        raise BadInput(f"{where}: style: {error}") from error


def _with_code(row: Row, executor: Executor) -> Row:
    """A row whose calls can't be run here is no bad sample: it is left for a run that can."""
    if row["outcome"]:
        return row
    for call in json.loads(row["answers"] or "[]"):
        name = call["name"]
        if name not in executor.code.functions and name not in executor.rest_tools:
            detail = f"{name}: no code among --tools, so its calls can't be run"
            return rejected_row(row, Stage.EXECUTE, Rejected(Reason.SANDBOX, detail))
    return row


def _manifest(
    data: str, tools: Sequence[str], stages: Sequence[str], rows: int, config: RunConfig | None
) -> dict[str, Any]:
    return {
        "requested": rows,
        "verify": {"data": data, "tools": list(tools), "stages": list(stages)},
        "config": config.model_dump(mode="json") if config else {},
    }


def _check_same(folder: RunFolder, manifest: Mapping[str, Any]) -> None:
    before: Any = folder.read_manifest()
    if before is not None and before.get("verify") != manifest["verify"]:
        raise BadInput(f"{folder.path}: holds another run; give another --out")
