"""`log.jsonl`: what somebody wants to know who looks for the cause of trouble."""

import asyncio
import io
import json
import logging
from pathlib import Path

import pytest
from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.run_folder.event_log import (
    MAX_PER_MINUTE,
    NAME,
    ForwardingHandler,
    RunLog,
    forwarding_logs,
    log_context,
)
from apigen_ray.run_folder.storage import resolve_path
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.run import run

ROOT = Path(__file__).parents[2]
log = logging.getLogger("apigen_ray.test")


async def test_a_line_names_what_is_being_worked_on_in_tasks_too():
    lines = []

    async def asked(id_):
        with log_context(model="m", rows=[id_]):
            await asyncio.sleep(0)
            log.warning("request failed", extra={"url": "http://h"})

    with forwarding_logs(lines.append):
        await asyncio.gather(asked("a"), asked("b"))
        log.warning("elsewhere")
    log.warning("after")
    assert [line.get("rows") for line in lines] == [["a"], ["b"], None]
    assert (lines[0]["event"], lines[0]["level"]) == ("request failed", "warning")
    assert (lines[0]["url"], lines[0]["model"]) == ("http://h", "m")


def test_an_exception_is_in_its_line():
    lines = []
    with forwarding_logs(lines.append):
        try:
            raise ValueError("cause")
        except ValueError:
            log.exception("failed")
    assert "ValueError: cause" in lines[0]["traceback"]


def test_a_flood_is_a_few_lines_and_their_number():
    lines = []
    handler = ForwardingHandler(lines.append)
    for second in [0] * 100 + [60]:
        for event in ("flood", "other") if second else ("flood",):
            record = logging.makeLogRecord({"msg": event, "levelno": logging.WARNING})
            record.created = 600 + second
            handler.emit(record)
    floods = [line for line in lines if line["event"] == "flood"]
    assert len(floods) == MAX_PER_MINUTE + 1
    assert floods[-1]["left_out"] == 100 - MAX_PER_MINUTE
    assert "left_out" not in lines[-1]


def test_a_log_that_can_not_be_written_ends_nothing(tmp_path):
    RunLog(resolve_path(tmp_path / "missing")).add({"time": "", "level": "info", "event": "e"})


@pytest.mark.usefixtures("shared_ray")
def test_a_run_in_trouble_says_which_server_and_which_rows(tmp_path):
    with serving([SimulatedEndpoint(name="m", latency_s=0.1)]) as served:
        up = served["m"].model_dump(mode="json")
        two = {"base_url": None, "base_urls": [up["base_url"], "http://127.0.0.1:9/v1"]}
        nowhere = {"base_url": up["base_url"].removesuffix("/v1") + "/nowhere/v1"}
        settings = RunConfig.model_validate(
            {
                "out": str(tmp_path),
                "points": {"simple": 12},
                "tools": [str(ROOT / "sandbox" / "tools")],
                "models": [up | two],
                "judge": up | nowhere | {"name": "judge"},
                "sandbox": {"kind": "process"},
            }
        )
        assert run(settings, fresh=False, console=Console(file=io.StringIO())).exit_code == 1
    lines = [json.loads(line) for line in (tmp_path / NAME).read_text().splitlines()]
    assert {line["run"] for line in lines} == {str(tmp_path)}
    assert [lines[0]["event"], lines[-1]["event"]] == ["run started", "run ended"]
    rows = [row for table in RunFolder(tmp_path).tables() for row in table.to_pylist()]
    failed = [line for line in lines if line["event"] == "request failed"]
    assert failed
    assert {line["url"] for line in failed} == {"http://127.0.0.1:9/v1"}
    assert {line["model"] for line in failed} == {"m"}
    assert {id_ for line in failed for id_ in line["rows"]} <= {row["id"] for row in rows}
    told = [line["rows"] for line in lines if line["event"] == "row error"]
    assert sorted(told) == sorted([row["id"]] for row in rows if row["outcome"] == "error")
    assert told
