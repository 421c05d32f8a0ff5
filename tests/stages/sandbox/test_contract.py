"""What every kind of sandbox promises to the pipeline."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from sandboxes import alive, call, children, has_ended, opened, running, settings_for

from apigen_ray.errors import BadInput, SandboxLost
from apigen_ray.records import Call, Failed, Json, Reason, Returned
from apigen_ray.stages.execute.sandbox import Sandbox, ToolCode, open_sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")


def reason(result: object) -> Reason | None:
    return result.reason if isinstance(result, Failed) else None


def value(result: object) -> Json:
    assert isinstance(result, Returned), result
    return result.result


async def test_a_call_returns_its_result_and_time(sandbox: Sandbox) -> None:
    result = await call(sandbox, "add", a=1, b=2)
    assert isinstance(result, Returned)
    assert result.result == 3
    assert 0 < result.seconds < 1


@pytest.mark.parametrize(
    "given",
    [
        None,
        True,
        0,
        -1.5,
        10**30,
        "",
        "naïve \u0000 \U0001f600",
        [],
        {},
        {"a": [1, {"b": [None, False]}], "": ""},
        "x" * 900_000,
        {"__class__": "list", "$ref": "#", "__import__('os').system('id')": "{0.__class__}"},
        "__import__('os').system('id')",
        "'; DROP TABLE calls; --",
        "%s%s%s%n{}{0}{self.__class__}",
    ],
)
async def test_json_values_survive_both_ways(sandbox: Sandbox, given: Json) -> None:
    assert value(await call(sandbox, "echo", value=given)) == given


async def test_a_tuple_comes_back_as_a_list_and_an_async_tool_is_awaited(sandbox: Sandbox) -> None:
    assert value(await call(sandbox, "double_later", number=4)) == 8


async def test_calls_keep_their_order_and_each_has_its_own_verdict(sandbox: Sandbox) -> None:
    results = await sandbox.run(
        [
            Call("add", {"a": 1, "b": 1}),
            Call("add", {"a": 1, "b": "1"}),
            Call("wait", {"seconds": 5}),
            Call("add", {"a": 2, "b": 2}),
        ]
    )
    assert [reason(one) for one in results] == [None, Reason.RAISED, Reason.TIMEOUT, None]
    assert value(results[3]) == 4


async def test_no_calls_no_results(sandbox: Sandbox) -> None:
    assert await sandbox.run([]) == []


@pytest.mark.parametrize(
    "arguments", [{}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "__class__": 3}]
)
async def test_wrong_argument_names_are_failures(sandbox: Sandbox, arguments: dict) -> None:
    result = await call(sandbox, "add", **arguments)
    assert reason(result) is Reason.RAISED
    assert "TypeError" in result.message


@pytest.mark.parametrize("name", ["self", "cls", "function", "name", "arguments"])
async def test_no_argument_name_collides_with_ours(sandbox: Sandbox, name: str) -> None:
    result = await call(sandbox, "echo", **{name: 1})
    assert "unexpected keyword argument" in result.message


async def test_self_can_be_an_argument_but_not_replace_an_owner(sandbox: Sandbox) -> None:
    assert value(await call(sandbox, "describe_owner", self="text")) == "text"
    assert value(await call(sandbox, "Sum", numbers=[1, 2])) == 3
    result = await sandbox.run([Call("Sum", {"self": 1, "numbers": [1, 2]})])
    assert reason(result[0]) is Reason.RAISED


@pytest.mark.parametrize(
    "name",
    [
        "",
        "MEMORY",
        "os",
        "os.listdir",
        "__import__",
        "add.__globals__",
        "benign_tools.add",
        "\ud800",
    ],
)
async def test_only_the_tools_named_can_be_called(sandbox: Sandbox, name: str) -> None:
    result = await call(sandbox, name)
    assert reason(result) is Reason.RAISED
    assert "no tool is named" in result.message


async def test_arguments_of_10_mb_are_taken(sandbox: Sandbox) -> None:
    result = await call(sandbox, "echo", value="x" * (10 << 20))
    assert reason(result) is Reason.OUTPUT_TOO_LARGE


async def test_arguments_beyond_any_measure_fail_the_call(sandbox: Sandbox) -> None:
    assert reason(await call(sandbox, "echo", value="x" * (40 << 20))) is Reason.RAISED
    assert value(await call(sandbox, "add", a=1, b=2)) == 3


async def test_arguments_nested_too_deep_fail_the_call(sandbox: Sandbox) -> None:
    deep: Json = 1
    for _ in range(600):
        deep = [deep]
    assert reason(await call(sandbox, "echo", value=deep)) is Reason.NOT_SERIALIZABLE
    for _ in range(100_000):
        deep = [deep]
    assert reason(await call(sandbox, "echo", value=deep)) is Reason.RAISED


async def test_nan_in_the_arguments_fails_the_call(sandbox: Sandbox) -> None:
    assert reason(await call(sandbox, "echo", value=float("nan"))) is Reason.RAISED


@pytest.mark.parametrize(("size", "expected"), [(1 << 20, None), ((1 << 20) + 1, "too_large")])
async def test_the_cap_on_results_is_exact(
    sandbox: Sandbox, size: int, expected: str | None
) -> None:
    result = await call(sandbox, "repeat", text="x", times=size - 2)  # and two quotes
    assert reason(result) is (Reason.OUTPUT_TOO_LARGE if expected else None)


async def test_last_words_explain_a_crash(sandbox: Sandbox) -> None:
    result = await call(sandbox, "print_and_crash")
    assert result == Failed(Reason.CRASHED, "exited with status 3: last words", result.seconds)


async def test_a_timeout_takes_as_long_as_it_says(sandbox: Sandbox) -> None:
    started = time.monotonic()
    result = await call(sandbox, "wait", seconds=30)
    assert reason(result) is Reason.TIMEOUT
    assert 1.0 <= result.seconds < 1.3
    assert time.monotonic() - started < 2


async def test_calls_do_not_see_each_others_memory(sandbox: Sandbox) -> None:
    assert value(await call(sandbox, "remember", value="secret")) == ["secret"]
    assert value(await call(sandbox, "recall")) == []


async def test_calls_do_not_see_each_others_files(sandbox: Sandbox) -> None:
    assert value(await call(sandbox, "leave_file", name="secret")) == ["secret"]
    assert value(await call(sandbox, "list_files")) == []


@pytest.mark.parametrize("size", [20, 200_000])
async def test_arguments_and_results_leave_no_trace_in_memory(sandbox: Sandbox, size: int) -> None:
    start, rest = "needle-", "in-the-haystack-4711"
    assert value(await call(sandbox, "echo", value=(start + rest) * (size // 20)))
    found = await call(sandbox, "find_in_memory", start=start, reversed_rest=rest[::-1])
    assert value(found) == 0


async def test_the_search_of_memory_finds_what_is_there(sandbox: Sandbox) -> None:
    name = "find_in_memory"  # as it is in the runner's list of tools
    assert value(await call(sandbox, name, start=name[:5], reversed_rest=name[5:][::-1])) > 0


async def test_tools_find_their_data_files(sandbox: Sandbox) -> None:
    assert value(await call(sandbox, "read_data")) == "data beside the code"


async def test_concurrent_data_points_share_the_slots_in_their_order(kind: str) -> None:
    async with opened(settings_for(kind, slots=2)) as sandbox:
        calls = (call(sandbox, "wait_and_tell_when", seconds=0.2) for _ in range(6))
        times = [value(one) for one in await asyncio.gather(*calls)]
        overlapping = [sum(a[0] < b[1] and b[0] < a[1] for b in times) for a in times]
        assert max(overlapping) > 1  # each overlaps with itself
        assert [begun for begun, _ in times[::2]] == sorted(begun for begun, _ in times[::2])
        assert all(times[n][0] >= min(end for _, end in times[:n]) for n in range(2, 6))


async def test_many_small_calls_are_each_answered_right(kind: str) -> None:
    async with opened(settings_for(kind, slots=2)) as sandbox:
        results = await asyncio.gather(*(call(sandbox, "add", a=n, b=n) for n in range(50)))
        assert [value(one) for one in results] == [2 * n for n in range(50)]


async def test_calls_of_a_data_point_can_share_a_fork(kind: str) -> None:
    async with opened(settings_for(kind, fork_per="data_point")) as sandbox:
        point = [Call("remember", {"value": 1}), Call("remember", {"value": 2})]
        assert [value(one) for one in await sandbox.run(point)] == [[1], [1, 2]]
        assert [value(one) for one in await sandbox.run(point)] == [[1], [1, 2]]


async def test_a_shared_fork_that_ends_does_not_take_the_other_calls_along(kind: str) -> None:
    async with opened(settings_for(kind, fork_per="data_point")) as sandbox:
        results = await sandbox.run(
            [
                Call("remember", {"value": 1}),
                Call("print_and_crash", {}),
                Call("remember", {"value": 2}),
                Call("wait", {"seconds": 9}),
                Call("nope", {}),
                Call("remember", {"value": 3}),
            ]
        )
        reasons = [None, Reason.CRASHED, None, Reason.TIMEOUT, Reason.RAISED, None]
        assert [reason(one) for one in results] == reasons
        assert [value(results[2]), value(results[5])] == [[2], [3]]


async def test_a_shared_fork_that_leaves_after_an_answer_takes_no_other_call_along(
    kind: str,
) -> None:
    async with opened(settings_for(kind, fork_per="data_point")) as sandbox:
        calls = [*[Call("forge_and_leave", {})] * 2, Call("add", {"a": 1, "b": 2})]
        results = await sandbox.run(calls)
        assert [value(one) for one in results] == ["forged", "forged", 3]


def offspring(pids: set[int]) -> set[int]:
    return {child for pid in pids for child in children(pid)}


async def test_a_fork_killed_while_it_waits_costs_no_call(kind: str) -> None:
    if kind == "gvisor":
        pytest.skip("its processes can't be seen from here")
    before = running(kind)
    async with opened(settings_for(kind)) as sandbox:
        runners = running(kind) - before
        earlier = offspring(runners)
        assert value(await call(sandbox, "add", a=1, b=2)) == 3
        for _ in range(100):  # the next fork is made when the call is swept up
            if forks := offspring(runners) - earlier:
                break
            await asyncio.sleep(0.05)
        runners = {pid for pid in runners if children(pid)}
        kill(forks)
        for _ in range(100):
            if all(map(has_ended, forks)):
                break
            await asyncio.sleep(0.05)
        assert value(await call(sandbox, "add", a=2, b=2)) == 4
        assert alive(runners) == runners


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
async def test_text_without_a_utf8_form_fails_the_call(sandbox: Sandbox, text: str) -> None:
    assert reason(await call(sandbox, "echo", value=text)) is Reason.NOT_SERIALIZABLE
    assert value(await call(sandbox, "add", a=1, b=2)) == 3


async def test_a_number_too_long_to_read_fails_the_call(sandbox: Sandbox) -> None:
    assert reason(await call(sandbox, "echo", value=10**5000)) is Reason.RAISED
    assert value(await call(sandbox, "add", a=1, b=2)) == 3


def kill(pids: set[int]) -> None:
    assert pids
    for pid in sorted(pids):  # a runner before its forks
        with suppress(ProcessLookupError):  # it went with its parent
            os.kill(pid, signal.SIGKILL)


async def left_of(pids: set[int], within_s: float) -> set[int]:
    """Those that are still there when the time is over."""
    for _ in range(round(within_s / 0.05)):
        if alive(pids):
            await asyncio.sleep(0.05)
    return alive(pids)


async def test_runners_killed_while_idle_are_replaced(kind: str) -> None:
    before = running(kind)
    async with opened(settings_for(kind, slots=2)) as sandbox:
        for when in ("idle", "idle again"):
            kill(running(kind) - before)
            await asyncio.sleep(0.1)
            assert value(await call(sandbox, "add", a=1, b=2)) == 3, when


async def test_a_runner_killed_during_a_call_costs_a_second_try(kind: str) -> None:
    before = running(kind)
    async with opened(settings_for(kind)) as sandbox:
        pending = asyncio.create_task(call(sandbox, "wait", seconds=0.5))
        await asyncio.sleep(0.2)
        kill(running(kind) - before)
        assert value(await pending) == "waited"


async def test_a_sandbox_that_keeps_dying_is_reported_as_lost(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(settings_for(kind)) as sandbox:
        monkeypatch.setattr("apigen_ray.stages.execute.sandbox.protocol.GRACE_S", -0.9)
        with pytest.raises(SandboxLost):
            await call(sandbox, "wait", seconds=0.8)
        monkeypatch.undo()
        assert value(await call(sandbox, "add", a=1, b=2)) == 3


async def test_a_cancelled_call_does_not_answer_the_next(kind: str) -> None:
    async with opened(settings_for(kind)) as sandbox:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await call(sandbox, "wait", seconds=0.6)
        assert value(await call(sandbox, "add", a=1, b=2)) == 3


async def test_closing_leaves_nothing_behind(kind: str) -> None:
    before = running(kind)
    async with opened(settings_for(kind, slots=2)) as sandbox:
        started = running(kind) - before
        assert len(started) >= 2
        assert value(await call(sandbox, "add", a=1, b=2)) == 3
    assert not await left_of(started, within_s=1 if kind in ("sidecar", "bubblewrap") else 0)


async def test_closing_ends_the_calls_under_way_and_those_that_wait(kind: str) -> None:
    async with opened(settings_for(kind, timeout_s=30)) as sandbox:
        points = [asyncio.create_task(call(sandbox, "wait", seconds=20)) for _ in range(3)]
        await asyncio.sleep(0.2)
    async with asyncio.timeout(5):
        ended = await asyncio.gather(*points, return_exceptions=True)
    assert [type(one) for one in ended] == [SandboxLost] * 3
    with pytest.raises(SandboxLost):
        await call(sandbox, "add", a=1, b=2)


HOST = """
import asyncio, sys
from sandboxes import benign_code, settings_for
from apigen_ray.stages.execute.sandbox import open_sandbox
from apigen_ray.records import Call
async def main():
    sandbox = await open_sandbox(settings_for(sys.argv[1], timeout_s=60), benign_code())
    print("open", flush=True)
    await sandbox.run([Call("wait", {"seconds": 60})])
asyncio.run(main())
"""


async def test_a_killed_host_process_leaves_no_runner_behind(kind: str) -> None:
    settings_for(kind)  # skips here, where the child process could not
    before = running(kind)
    host = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOST, kind),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent,
    )
    assert host.stdout
    assert await host.stdout.readline() == b"open\n"
    started = running(kind, host.pid) - before
    assert started
    host.kill()
    await host.wait()
    assert not await left_of(started, within_s=5)


def code_of(source: str) -> ToolCode:
    return ToolCode({"broken.py": source.encode()}, {"tool": ("broken", "tool")})


async def why_refused(kind: str, sources: Iterable[str]) -> list[object]:
    """What comes of opening sandboxes, side by side, with modules that can't be loaded."""
    opening = (open_sandbox(settings_for(kind), code_of(source)) for source in sources)
    return await asyncio.gather(*opening, return_exceptions=True)


async def test_a_module_that_does_not_load_is_named(kind: str) -> None:
    complaints = {
        "import no_such_module": "No module named 'no_such_module'",
        "raise SystemExit('bye')": "SystemExit: bye",
        "def f(:": "SyntaxError",
        "import os; os._exit(0)": "importing it ended the sandbox",
        "x = 1": "no function tool",
        "tool = 1": "no function tool",
        "def get_tools(): raise ValueError('none')": "ValueError: none",
    }
    refusals = await why_refused(kind, complaints)
    for (source, complaint), refusal in zip(complaints.items(), refusals, strict=True):
        assert isinstance(refusal, BadInput), source
        assert "'broken'" in str(refusal), source
        assert complaint in str(refusal), source


GARBAGE = """
import os
for descriptor in range(3, 32):
    try:
        os.write(descriptor, {garbage!r})
    except OSError:
        pass
def tool(): return 1
"""


async def test_a_module_that_talks_to_the_host_is_refused(kind: str) -> None:
    said = [
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x03\xff{}",
        b"\xff\xff\xff\xff",
        b'\x00\x00\x00\x13{"event": "loading"}' * 2,
        b'\x00\x00\x00\x12{"event": "failed"}',
    ]
    refusals = await why_refused(kind, (GARBAGE.format(garbage=garbage) for garbage in said))
    for garbage, refusal in zip(said, refusals, strict=True):
        assert isinstance(refusal, BadInput | SandboxLost), garbage


LEAVES = """
import os, time
open(os.environ["TMPDIR"] + "/left", "w").close()
if os.fork() == 0:
    time.sleep(3600)
def tool():
    return [os.listdir(os.environ["TMPDIR"]), os.path.exists(f"/proc/{child}")]
"""


async def test_what_a_module_leaves_when_imported_is_gone_at_the_first_call(kind: str) -> None:
    source = LEAVES.replace("if os.fork()", "child = os.fork()\nif child")
    async with opened(settings_for(kind), code_of(source)) as sandbox:
        assert value(await call(sandbox, "tool")) == [[], False]


async def test_a_module_that_hangs_is_named(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apigen_ray.stages.execute.sandbox.protocol.IMPORT_TIMEOUT_S", 1.0)
    before = running(kind)
    with pytest.raises(BadInput, match=r"'broken'.*still importing"):
        await open_sandbox(settings_for(kind), code_of("while True: pass"))
    assert not await left_of(running(kind) - before, within_s=10 if kind == "sidecar" else 0)


async def test_get_tools_decides_what_a_name_means(kind: str) -> None:
    source = "def tool(): return 'attribute'\ndef get_tools(): return {'tool': lambda: 'offered'}"
    async with opened(settings_for(kind), code_of(source)) as sandbox:
        assert value(await call(sandbox, "tool")) == "offered"


async def test_a_module_may_have_the_name_of_a_runner_file(kind: str) -> None:
    code = ToolCode(
        {"child.py": b"def tool(): return 'mine'", "seccomp.py": b"def tool(): return 'mine too'"},
        {"a": ("child", "tool"), "b": ("seccomp", "tool")},
    )
    async with opened(settings_for(kind), code) as sandbox:
        assert value(await call(sandbox, "a")) == "mine"
        assert value(await call(sandbox, "b")) == "mine too"


async def test_what_a_module_prints_when_imported_goes_nowhere(kind: str) -> None:
    code = code_of("print('x' * 100_000)\ndef tool(): return 1")
    async with opened(settings_for(kind), code) as sandbox:
        assert value(await call(sandbox, "tool")) == 1
