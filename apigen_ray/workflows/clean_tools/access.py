"""The accessibility test: does a tool answer a call?"""

import fcntl
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from apigen_ray import strict_json
from apigen_ray.errors import BadInput
from apigen_ray.models import Model
from apigen_ray.records import Call, Checked, JsonObject, Tool
from apigen_ray.run_folder.store import digest
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.stages.execute.dispatch import Runner, execute, result_form
from apigen_ray.workflows.clean_tools.model_requests import TEMPLATES, Unusable, ask, inert

TRIES = 3
"""The most sets of arguments that a tool is tried with: an example may have grown old."""
RESULT_CHARACTERS = 1000
"""How much of a result the journal keeps."""


def arguments_at_hand(tool: Tool) -> list[JsonObject]:
    """The arguments that the documentation gives: example calls, else defaults and examples.

    Empty if a required parameter has neither.
    """
    examples: Any = tool.parameters.get("examples")
    if examples:
        return [example for example in examples if accepted(tool, example) is None][:TRIES]
    properties: Any = tool.parameters.get("properties") or {}
    required: Any = tool.parameters.get("required") or []
    told: JsonObject = {}
    for name, schema in properties.items():
        value = _told(schema, required=name in required) if isinstance(schema, dict) else None
        if value is not None:
            told[name] = value
        elif name in required:
            return []
    return [told] if accepted(tool, told) is None else []


def _told(schema: dict[str, Any], *, required: bool) -> Any:
    """A parameter's value; one that may be left out needs to be told as such."""
    if isinstance(schema.get("examples"), list) and schema["examples"]:
        return schema["examples"][0]
    value = schema.get("const", schema.get("default"))
    if value is None and required and isinstance(schema.get("enum"), list):
        value = next(iter(schema["enum"]), None)
    return value


def accepted(tool: Tool, arguments: Any) -> str | None:
    """What stage 1 has against arguments; None if nothing."""
    pair: JsonObject = {"query": "q", "answers": [{"name": tool.name, "arguments": arguments}]}
    checked = check_pair(
        pair, style=None, signatures=signatures_of([tool]), settings=CheckSettings()
    )
    return None if isinstance(checked, Checked) else checked.detail.removeprefix("answers[0].")


async def proposed(tool: Tool, model: Model) -> list[JsonObject]:
    """Arguments that a model proposes, and stage 1 passes.

    Raises:
        Unusable: if there are none.
        InfrastructureError: if the model can't be asked.
    """

    def read(answer: JsonObject) -> list[JsonObject]:
        listed: Any = answer.get("arguments")
        if not isinstance(listed, list) or not listed:
            raise Unusable("`arguments` is a list of objects")
        flaws = [accepted(tool, arguments) for arguments in listed]
        if all(flaws):
            raise Unusable(str(flaws[0]))
        return [a for a, flaw in zip(listed, flaws, strict=True) if flaw is None][:TRIES]

    shown: JsonObject = {"name": tool.name, "description": tool.description}
    told = inert(shown | {"parameters": tool.parameters})
    prompt = TEMPLATES.render("propose_arguments.txt", count=str(TRIES), tool=told)
    return await ask(model, prompt, read, tool.name)


class Journal:
    """The verdicts of calls, a JSON line each: what stands there is not called again.

    A process that is killed while it writes leaves half a line, which is not read.
    """

    def __init__(self, path: Path, context: str) -> None:
        """Open the journal; `context` is all else that a verdict depends on.

        Raises:
            BadInput: if another process has it open.
        """
        self._context = context
        self._file: IO[str] = path.open("a", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise BadInput(f"{path}: another process is cleaning into this list") from error
        self._verdicts = dict(_read_lines(path))
        if self._file.tell():
            self._file.write("\n")  # the last line may be half of one
        self.called = 0
        """Calls made by this process."""

    async def call(self, tool: Tool, arguments: JsonObject, runner: Runner) -> JsonObject:
        """The verdict on a call, as rows hold it; the result may be cut.

        Raises:
            InfrastructureError: if the runner failed.
        """
        backend = repr(tool.backend)
        key = digest([self._context, tool.name, backend, strict_json.canonical(arguments)])[:32]
        if key not in self._verdicts:
            executed = await execute([Call(tool.name, arguments)], runner)
            verdict = _cut(result_form(executed.results[0]))
            entry: JsonObject = {"key": key, "tool": tool.name, "arguments": arguments}
            self._file.write(strict_json.dumps(entry | {"verdict": verdict}) + "\n")
            self._file.flush()
            self._verdicts[key] = verdict
            self.called += 1
        return self._verdicts[key]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _read_lines(path: Path) -> Iterator[tuple[str, JsonObject]]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
                yield entry["key"], entry["verdict"]
            except (ValueError, KeyError, TypeError):
                continue


def _cut(verdict: JsonObject) -> JsonObject:
    text = strict_json.dumps(verdict.get("result"))
    if len(text) <= RESULT_CHARACTERS:
        return verdict
    return verdict | {"result": text[:RESULT_CHARACTERS] + "…"}


async def first_success(
    tool: Tool, candidates: Sequence[JsonObject], journal: Journal, runner: Runner
) -> tuple[JsonObject, JsonObject]:
    """The first arguments that work, and the verdict; or the last that don't.

    Raises:
        InfrastructureError: if the runner failed.
    """
    for arguments in candidates:
        verdict = await journal.call(tool, arguments, runner)
        if verdict["ok"]:
            break
    return arguments, verdict
