"""Proves the isolation on this machine: runs every attack, then checks what the next call finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apigen_ray.errors import SandboxLost
from apigen_ray.records import Call, CallResult, Failed, Returned
from apigen_ray.stages.execute.sandbox.attacks import hostile_tools
from apigen_ray.stages.execute.sandbox.opening import choose_kind, open_sandbox
from apigen_ray.stages.execute.sandbox.pool import Sandbox
from apigen_ray.stages.execute.sandbox.settings import SandboxSettings
from apigen_ray.stages.execute.sandbox.toolcode import ToolCode, pack


@dataclass(frozen=True)
class CheckResult:
    """Whether one promise holds."""

    name: str
    holds: bool
    detail: str


def hostile_code() -> ToolCode:
    """The attacks as tools, and `state`, which sees what they changed."""
    folder = Path(str(hostile_tools.__file__)).parent
    functions = [hostile_tools.state, *(one.function for one in hostile_tools.ATTACKS.values())]
    modules = {
        function.__name__: folder.name + function.__module__.removeprefix(hostile_tools.__name__)
        for function in functions
    }
    return pack([folder], {name: (module, name) for name, module in modules.items()})


def attacks_on(kind: str, runtime: str | None) -> Sequence[str]:
    """The attacks that a kind of sandbox promises to contain."""
    has_memory_cgroup = kind in ("docker", "sidecar") and runtime is None
    return [
        name
        for name, attack in hostile_tools.ATTACKS.items()
        if (has_memory_cgroup or not attack.container_only)
        and (runtime is None or not attack.linux_only)
    ]


async def self_check(settings: SandboxSettings) -> list[CheckResult]:
    """Attack a sandbox in every way we know; a short time limit keeps it to about a minute."""
    kind, _ = choose_kind(settings)
    quick = settings.model_copy(update={"kind": kind, "timeout_s": 2.0, "slots": 1})
    sandbox = await open_sandbox(quick, hostile_code())
    try:
        clean = await look(sandbox)
        return [await check(sandbox, name, clean) for name in attacks_on(kind, settings.runtime)]
    finally:
        await sandbox.close()


async def look(sandbox: Sandbox) -> CallResult:
    """What a call finds, without the time that finding it took."""
    [seen] = await sandbox.run([Call("state", {})])
    return Returned(seen.result, 0.0) if isinstance(seen, Returned) else seen


async def check(sandbox: Sandbox, name: str, clean: CallResult) -> CheckResult:
    """Run one attack; its verdict must be right, and the next call must find everything clean."""
    attack = hostile_tools.ATTACKS[name]
    try:
        [result] = await sandbox.run([Call(name, {})])
        after = await look(sandbox)
    except SandboxLost as error:
        return CheckResult(attack.promise, False, f"the attack ended the sandbox: {error}")
    verdict = result.reason.value if isinstance(result, Failed) else "returned"
    text = result.message if isinstance(result, Failed) else repr(result.result)
    detail = f"{name}: {verdict}: {text}"[:200]
    if verdict not in attack.expected:
        return CheckResult(attack.promise, False, detail)
    if after != clean:
        return CheckResult(attack.promise, False, f"{detail}; the next call found {after}"[:500])
    return CheckResult(attack.promise, True, detail)
