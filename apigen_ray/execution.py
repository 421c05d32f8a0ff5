"""Stage 2 (paper §3.2): run the calls in the sandbox, and see what they give."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from apigen_ray.records import (
    Call,
    CallResult,
    Failed,
    JsonObject,
    Reason,
    Rejected,
    Returned,
)
from apigen_ray.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Executed:
    """The results of a data point's calls, in order, and the wall time of them all."""

    results: tuple[CallResult, ...]
    seconds: float

    @property
    def rejection(self) -> Rejected | None:
        """The first failure decides; None if all calls returned."""
        for index, result in enumerate(self.results):
            if isinstance(result, Failed):
                return Rejected(result.reason, f"calls[{index}]: {result.message}")
        return None


async def execute(calls: Sequence[Call], sandbox: Sandbox) -> Executed:
    """Run every call, in order, each with a verdict of its own.

    Raises:
        SandboxLost: if the sandbox failed, whatever the calls are worth.
    """
    start = time.monotonic()
    results = await sandbox.run(calls) if calls else []
    return Executed(tuple(_answered(result) for result in results), time.monotonic() - start)


def _answered(result: CallResult) -> CallResult:
    """A call that returns nothing, or an error object in place of raising, did not succeed."""
    if isinstance(result, Failed):
        return result
    if result.result is None:
        return Failed(Reason.EMPTY_RESULT, "returned null", result.seconds)
    error = result.result.get("error") if isinstance(result.result, dict) else None
    if error:
        return Failed(
            Reason.ERROR_IN_BODY, f"returned an error: {str(error)[:500]}", result.seconds
        )
    return result


def result_form(result: CallResult) -> JsonObject:
    """A result as rows hold it."""
    if isinstance(result, Returned):
        return {"ok": True, "result": result.result, "seconds": round(result.seconds, 6)}
    return {
        "ok": False,
        "reason": result.reason.value,
        "message": result.message,
        "seconds": round(result.seconds, 6),
    }
