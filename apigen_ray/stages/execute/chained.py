"""Calls that take values from the results of earlier ones: each is run when these are known."""

from collections.abc import Sequence

from apigen_ray.records import Call, CallResult, Failed, JsonObject, Reason
from apigen_ray.stages.arguments import Flaw, check_arguments
from apigen_ray.stages.check import Signatures
from apigen_ray.stages.execute.dispatch import Dispatcher, Run
from apigen_ray.stages.references import Unresolved, resolved
from apigen_ray.tools.references import end_of_group, has_references


class ChainedRunner:
    """Runs the calls of one `sequential` data point with real values in the place of references."""

    def __init__(self, runner: Dispatcher, signatures: Signatures) -> None:
        """Take what runs single calls, and what their arguments must satisfy."""
        self._runner = runner
        self._signatures = signatures
        self.arguments: dict[int, JsonObject] = {}
        """What each call with references was run with, by its index."""

    async def run(self, calls: Sequence[Call]) -> list[CallResult]:
        """One result a call; those that need none of each other's results are run together."""
        async with self._runner.data_point(calls) as run:
            return await self._run(calls, run)

    async def _run(self, calls: Sequence[Call], run: Run) -> list[CallResult]:
        arguments = [call.arguments for call in calls]
        results: dict[int, CallResult] = {}
        while len(results) < len(calls):
            start = len(results)
            ready: dict[int, Call] = {}
            for index in range(start, end_of_group(arguments, start)):
                made = self._with_values(index, calls[index], results)
                if isinstance(made, Failed):
                    results[index] = made
                else:
                    ready[index] = made
            returned = await run(list(ready.values())) if ready else []
            results |= dict(zip(ready, returned, strict=True))
        return [results[index] for index in range(len(calls))]

    def repeatable(self, call: Call) -> bool:
        """Whether the call can be run again without harm."""
        return self._runner.repeatable(call)

    def _with_values(self, index: int, call: Call, results: dict[int, CallResult]) -> Call | Failed:
        """The call as it is run; or why it can't be."""
        if not has_references(call.arguments):
            return call
        try:
            arguments = resolved(call.arguments, results, "arguments")
            assert isinstance(arguments, dict)
            self.arguments[index] = arguments
            signature = self._signatures[call.name]
            check_arguments(arguments, signature.arguments, call.name, coerce=False)
        except Unresolved as error:
            return Failed(Reason.UNRESOLVED_REFERENCE, str(error), 0.0)
        except Flaw as flaw:
            detail = f"with the values referred to, {flaw.detail}"
            return Failed(Reason.UNRESOLVED_REFERENCE, detail, 0.0)
        return Call(call.name, arguments)
