"""The funnel in a terminal: its numbers whole at 80 columns, and no name steers the terminal."""

import pyarrow as pa
import pytest
from points import fill, point
from rich.console import Console
from rich.text import Text

from apigen_ray.records import Reason
from apigen_ray.report.activity import Activity
from apigen_ray.report.stats import COLUMNS, count
from apigen_ray.report.terminal import Notices, Progress, print_funnel, print_rows
from apigen_ray.run_folder.store import RunFolder


def printed(path, names):
    rows = [point(f"{n}{i}", model=n) for n in names for i in range(1234)]
    rows += [point(f"{n}-", Reason.WRONG_TYPE, model=n) for n in names]
    folder = RunFolder(path)
    fill(folder, rows)
    console = Console(width=80, markup=False, highlight=False)
    with console.capture() as captured:
        print_funnel(console, count(folder.tables(COLUMNS), len(rows)))
    return captured.get()


def test_a_long_name_takes_no_room_from_the_numbers(tmp_path):
    text = printed(tmp_path, ["m", "acme-labs.A-Very-Long-Model-Name-Instruct-2507-FP8-dynamic"])
    assert text.count(" 1,234 │      1 │         0 │        0 │     0 │ 99.9%│") == 2
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_name_is_shown_without_what_steers_a_terminal(tmp_path):
    text = printed(tmp_path, ["m", "red\x1b[31m\x00\u202e"])
    assert not {"\x1b", "\x00", "\u202e"} & set(text)
    assert r"red\x1b[31m" in text


def test_what_was_cached_and_reasoned_is_said_where_it_is_reported(tmp_path):
    rows = [
        point("a", input_tokens=100, output_tokens=50, reasoning_tokens=20, cached_tokens=75),
        point("b", input_tokens=100, output_tokens=10),
    ]
    folder = RunFolder(tmp_path)
    fill(folder, rows)
    stats = count(folder.tables(COLUMNS), 2)
    console = Console(width=80, markup=False, highlight=False)
    with console.capture() as captured:
        print_funnel(console, stats)
    assert "tokens: 200 in (75% cached), 60 out (20 reasoning)" in captured.get()
    assert stats.as_json()["tokens"] == {
        "input": 200,
        "output": 60,
        "reasoning": 20,
        "cached_share": 0.75,
    }


@pytest.mark.parametrize(("before", "waits"), [({"verified": 3}, False), ({"verified": 2}, True)])
def test_only_what_is_not_done_is_waited_for(before, waits):
    console = Console(width=200)
    with console.capture() as captured, Progress(console, 3, before):
        pass
    assert ("waiting" in captured.get()) == waits


def test_what_is_at_work_is_shown_in_the_order_of_the_stages():
    rows = {"judge": 2, "generate(b)": 1200, "execute": 3, "generate(a)": 4}
    activity = Activity(rows, {"judge": (2, 8), "b": (1000, 1024)})
    console = Console(width=200)
    with console.capture() as captured:
        progress = Progress(console, 3, {}, lambda: activity)
        progress.show(last=True)
    assert "at work: generate(a) 4, generate(b) 1,200, execute 3, judge 2\n" in captured.get()
    assert "requests: b 1,000 of 1,024, judge 2 of 8" in captured.get()


class Run:
    """A progress with a clock that the test moves, and what it shows."""

    def __init__(self, requested=16):
        self.now = 0.0
        self.activity = Activity()
        self.console = Console(width=200)
        self.progress = Progress(
            self.console, requested, {}, lambda: self.activity, lambda: self.now
        )

    def shown(self):
        with self.console.capture() as captured:
            self.progress.show(last=True)
        return captured.get()

    def settle(self, *outcomes):
        costs = [0.0] * len(outcomes)
        self.progress.add(pa.table({"outcome": list(outcomes), "cost_usd": costs}))


def test_the_first_reply_ends_the_waiting_and_not_the_first_settled_row():
    run = Run()
    run.now = 41
    assert "waiting for the first replies, 0:41" in run.shown()
    run.activity = Activity(replies=1, output_tokens=123)
    assert "1 reply  0:41 elapsed  3.0 tokens/s" in run.shown()
    run.settle("verified")
    assert "1.5/min  0:41 elapsed, 10:15 left  3.0 tokens/s" in run.shown()


def test_what_a_stage_has_rejected_counts_at_once_and_once():
    run = Run()
    run.activity = Activity(settled={"fail_format": 3}, replies=9)
    assert "3/16  verified 0  format 3  execution 0" in run.shown()
    run.settle("verified", "fail_format")
    assert "4/16  verified 1  format 3  execution 0" in run.shown()
    run.settle("fail_format", "fail_format", "fail_format")
    assert "5/16  verified 1  format 4  execution 0" in run.shown()


@pytest.mark.parametrize("terminal", [True, False])
def test_each_line_fits_80_columns(terminal):
    now = 0.0
    activity = Activity(
        {"generate(qwen3-32b)": 64, "execute": 128, "judge": 192},
        {"qwen3-32b": (64, 64), "llama-3.3-70b": (64, 64)},
        {"fail_format": 2345},
        replies=30_000,
        output_tokens=3_000_000,
    )
    console = Console(width=80, force_terminal=terminal)
    with console.capture() as captured:
        before = {"verified": 23456, "fail_execution": 345, "fail_semantic": 456}
        progress = Progress(console, 40_000, before, Activity, lambda: now)
        progress._activity = lambda: activity
        now = 4000.0
        progress.add(pa.table({"outcome": ["verified"] * 500, "cost_usd": [0.1] * 500}))
        progress.show(last=True)
        if terminal:
            console.print(progress._live.renderable)
    lines = captured.get().splitlines()
    assert max(map(len, map(Text.from_ansi, lines))) <= 80
    assert len(lines) == 4


def test_the_rate_of_a_slow_run_is_no_zero_and_its_end_is_told():
    run = Run(requested=3)
    for _ in range(2):
        run.now += 3000
        run.settle("fail_format")
        assert "1.2/h" in run.shown()
    assert "1:40:00 elapsed, 50:00 left" in run.shown()
    run.now += 3000
    run.settle("verified")
    assert "2:30:00 elapsed, 0:00 left" in run.shown()


def test_what_an_ended_run_was_working_on_is_not_shown_but_its_pace_is():
    console = Console(width=200)
    activity = Activity({"judge": 2}, {"judge": (2, 8)}, replies=7, output_tokens=70)
    with console.capture() as captured, Progress(console, 3, {}, lambda: activity):
        pass
    assert "7 replies" in captured.get()
    assert "judge" not in captured.get()


def test_each_notice_is_shown_once_and_steers_no_terminal():
    console = Console(width=200)
    notices = Notices(console)
    with console.capture() as captured:
        notices.show(("model [red]m[/]: slow\x1b[31m",))
        notices.show(("model [red]m[/]: slow\x1b[31m", "model b: slow"))
    assert captured.get().splitlines() == [r"model [red]m[/]: slow\x1b[31m", "model b: slow"]


def test_rows_in_full_are_of_different_outcomes_and_steer_no_terminal():
    rows = [
        point("b", query="Add 1\x1b[31m"),
        point("a"),
        point("c", Reason.RAISED),
        point("d", Reason.WRONG_TYPE),
    ]
    console = Console(width=200, markup=False, highlight=False)
    with console.capture() as captured:
        print_rows(console, rows)
    text = captured.get()
    assert [line for line in text.splitlines() if line and not line.startswith(" ")] == [
        "verified: a",
        "fail_format, wrong_type: d",
        "fail_execution, raised: c",
    ]
    assert '  results: [{"ok": true, "result": 1, "seconds": 0.1}]' in text
    with console.capture() as captured:
        print_rows(console, rows[:1])
    assert "query: Add 1\\x1b[31m" in captured.get()


def test_how_many_solvers_agree_is_told_where_they_were_asked(tmp_path):
    folder = RunFolder(tmp_path)
    agreed = {"a": "2 of 2", "b": "2 of 3", "c": "2 of 2", "d": None}
    fill(folder, [point(id_, agreement=text) for id_, text in agreed.items()])
    stats = count(folder.tables(COLUMNS), 4)
    console = Console(width=80, markup=False, highlight=False)
    with console.capture() as captured:
        print_funnel(console, stats)
    told = "solvers that made the calls of a data point: 2 of 2 for 2, 2 of 3 for 1"
    assert told in captured.get()
    assert stats.as_json()["agreement"] == {"2 of 2": 2, "2 of 3": 1}
