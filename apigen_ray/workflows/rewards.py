"""Rewards for reinforcement learning: whether a model's calls are those expected.

    from apigen_ray import rewards

    rewards.call_match(message, expected, tools)  # by value: 1.0 or 0.0
    with apigen_ray.Sandbox(tools) as sandbox:
        rewards.execution_match(message, expected, sandbox)  # by what the calls return

A reward that is too kind is learned: calls that are missing, added, repeated or in another order, a
text that is nearly the same, `"5"` or 5.5 or true in place of 5, and an argument that nobody
declared, all give 0. Only what means the same for certain is equal: 5 and 5.0, and an argument that
is left out and its declared default. For verl, this file is `custom_reward_function.path`, and
`compute_score` its name.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from apigen_ray import strict_json
from apigen_ray.datasets.external.call_text import read_said
from apigen_ray.datasets.external.messages import read_messages
from apigen_ray.datasets.external.unreadable import Unreadable
from apigen_ray.errors import BadInput
from apigen_ray.records import Call, CallResult, Failed, JsonObject, Tool
from apigen_ray.run_folder.rows import calls_form
from apigen_ray.stages.agreement.compare import all_matched, is_telling
from apigen_ray.stages.arguments import Flaw
from apigen_ray.stages.check import CheckSettings, check_calls, signatures_of
from apigen_ray.stages.conversation import turns_of
from apigen_ray.tools.read_forms import UnreadableTool, read_tool

if TYPE_CHECKING:  # it brings Ray, which `call_match` does not need
    from apigen_ray.workflows.sandbox import Sandbox

Made: TypeAlias = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""What a model made: its text, in any model's form of calls; its message, in OpenAI's form, or a
list of these, as TRL's completions are; or the calls, each `{"name", "arguments"}`."""


def call_match(
    made: Made,
    expected: Sequence[Mapping[str, Any]],
    tools: Sequence[Tool | Mapping[str, Any]] = (),
    *,
    any_order: bool = False,
) -> float:
    """1.0 if a model made the calls that were expected, else 0.0.

    Args:
        made: What it made. What can't be read is wrong.
        expected: The right calls; none, where no call is right.
        tools: The tools shown, for the defaults of their arguments.
        any_order: Whether calls in another order are right, too.

    Raises:
        BadInput: if what is expected is no list of calls, or a tool can't be read.
    """
    right = _expected(expected)
    calls = _calls_of(made)
    schemas = {tool.name: tool.parameters for tool in map(_tool, tools)}
    return float(_same(calls, right, schemas, any_order=any_order))


def execution_match(
    made: Made,
    expected: Sequence[Mapping[str, Any]],
    sandbox: "Sandbox",
    *,
    any_order: bool = False,
) -> float:
    """1.0 if the calls are those expected, or return the same when both are run, else 0.0.

    Calls of another function, and arguments that don't fit its schema, are wrong whatever they
    return; so is a result that many calls share, such as `true`.

    Args:
        made: What a model made.
        expected: The right calls.
        sandbox: Where the calls are run; it is open.
        any_order: Whether calls in another order are right, too.

    Raises:
        BadInput: if what is expected is no list of calls.
        InfrastructureError: if the sandbox failed, which says nothing about the calls.
    """
    right = _expected(expected)
    calls = _calls_of(made)
    tools = {tool.name: tool for tool in sandbox.tools}
    schemas = {name: tool.parameters for name, tool in tools.items()}
    if _same(calls, right, schemas, any_order=any_order):
        return 1.0
    if calls is None or len(calls) != len(right) or not _fit(calls, tools):
        return 0.0
    ran = [_run(call, sandbox) for call in calls]
    wanted = [_run(call, sandbox) for call in right]
    if any_order:
        return float(all_matched(wanted, ran, _did_the_same))
    return float(all(map(_did_the_same, wanted, ran)))


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None
) -> float:
    """`call_match` with the arguments that verl gives.

    Args:
        data_source: Not used.
        solution_str: The model's text.
        ground_truth: The right calls, as JSON text.
        extra_info: With the `tools`, as JSON text.
    """
    del data_source
    tools = json.loads((extra_info or {}).get("tools") or "[]")
    return call_match(solution_str, json.loads(ground_truth), tools)


# --- what was made


def _calls_of(made: Made) -> list[Call] | None:
    """The calls that a model made; None if they can't be read."""
    try:
        if isinstance(made, str):
            return _as_calls(read_said(made).calls)
        if isinstance(made, Mapping):
            made = [made]
        messages = [item for item in made if isinstance(item, Mapping) and "role" in item]
        if len(messages) < len(made):
            return _as_calls(list(made))
        read = read_messages([{"role": "user", "content": "?"}, *messages]) if messages else []
    except (Unreadable, strict_json.NotJson):
        return None
    return _as_calls([answer for turn in turns_of(read) for answer in turn.answers])


def _as_calls(listed: Sequence[Any]) -> list[Call] | None:
    calls = []
    for item in listed:
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            return None
        arguments = item.get("arguments")
        if isinstance(arguments, str):
            arguments = strict_json.parse(arguments)
        if not isinstance(arguments, dict):
            return None
        calls.append(Call(item["name"], arguments))
    return calls


def _expected(expected: Sequence[Mapping[str, Any]]) -> list[Call]:
    try:
        calls = _as_calls(expected)
    except strict_json.NotJson as error:
        raise BadInput(f"expected: arguments: {error}") from error
    if calls is None:
        raise BadInput('expected: must be calls, each {"name", "arguments"}')
    return calls


def _tool(tool: Tool | Mapping[str, Any]) -> Tool:
    return tool if isinstance(tool, Tool) else _read_tool(json.dumps(tool))


@lru_cache(maxsize=4096)
def _read_tool(text: str) -> Tool:
    try:
        return read_tool(json.loads(text))
    except UnreadableTool as error:
        raise BadInput(f"tools: {error}") from error


# --- whether it is right


def _same(
    calls: Sequence[Call] | None,
    right: Sequence[Call],
    schemas: Mapping[str, JsonObject],
    *,
    any_order: bool,
) -> bool:
    if calls is None or len(calls) != len(right):
        return False
    made = [(call.name, _filled(call, schemas)) for call in calls]
    wanted = [(call.name, _filled(call, schemas)) for call in right]
    if any_order:
        return all_matched(wanted, made, strict_json.equal)
    return all(map(strict_json.equal, wanted, made))


def _filled(call: Call, schemas: Mapping[str, JsonObject]) -> JsonObject:
    """The arguments with the declared defaults of those that are left out."""
    properties = schemas.get(call.name, {}).get("properties")
    declared = properties if isinstance(properties, dict) else {}
    return {
        name: schema["default"]
        for name, schema in declared.items()
        if isinstance(schema, dict) and "default" in schema
    } | call.arguments


def _fit(calls: Sequence[Call], tools: Mapping[str, Tool]) -> bool:
    """Whether calls pass stage 1: Python would run more than that."""
    try:
        for call in calls:
            shown = [tools[call.name]] if call.name in tools else []
            check_calls(calls_form([call]), signatures_of(shown), CheckSettings())
    except Flaw:
        return False
    return True


def _run(call: Call, sandbox: "Sandbox") -> tuple[Call, CallResult]:
    return call, sandbox.call(call.name, call.arguments)


def _did_the_same(one: tuple[Call, CallResult], other: tuple[Call, CallResult]) -> bool:
    """Whether two calls of a function returned the same, and few calls return that."""
    (wanted, right), (made, result) = one, other
    if wanted.name != made.name or isinstance(right, Failed) or isinstance(result, Failed):
        return False
    return is_telling(right.result) and strict_json.equal(right.result, result.result)
