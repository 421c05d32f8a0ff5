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
from apigen_ray.workflows.clean_tools.model_requests import TEMPLATES, UnusableAnswer, ask, escaped

MAX_CANDIDATES = 3
"""The most sets of arguments to try a tool with: an example may be out of date."""
RESULT_CHARACTERS = 1000
"""How much of a result the journal keeps."""


def documented_arguments(tool: Tool) -> list[JsonObject]:
    """Arguments from the documentation: example calls, else defaults and examples of parameters.

    Empty if a required parameter has neither.
    """
    examples: Any = tool.parameters.get("examples")
    if examples:
        valid = [example for example in examples if argument_problem(tool, example) is None]
        return valid[:MAX_CANDIDATES]
    properties: Any = tool.parameters.get("properties") or {}
    required: Any = tool.parameters.get("required") or []
    arguments: JsonObject = {}
    for name, schema in properties.items():
        value = None
        if isinstance(schema, dict):
            value = _documented_value(schema, required=name in required)
        if value is not None:
            arguments[name] = value
        elif name in required:
            return []
    return [arguments] if argument_problem(tool, arguments) is None else []


def _documented_value(schema: dict[str, Any], *, required: bool) -> Any:
    """A value for a parameter; an enum's first value only if the parameter is required."""
    if isinstance(schema.get("examples"), list) and schema["examples"]:
        return schema["examples"][0]
    value = schema.get("const", schema.get("default"))
    if value is None and required and isinstance(schema.get("enum"), list):
        value = next(iter(schema["enum"]), None)
    return value


def argument_problem(tool: Tool, arguments: Any) -> str | None:
    """What stage 1 finds wrong with arguments; None if nothing."""
    pair: JsonObject = {"query": "q", "answers": [{"name": tool.name, "arguments": arguments}]}
    checked = check_pair(
        pair, style=None, signatures=signatures_of([tool]), settings=CheckSettings()
    )
    return None if isinstance(checked, Checked) else checked.detail.removeprefix("answers[0].")


async def propose_arguments(tool: Tool, model: Model) -> list[JsonObject]:
    """Arguments that a model proposes and stage 1 accepts.

    Raises:
        UnusableAnswer: if there are none.
        InfrastructureError: if the model can't be asked.
    """

    def read(answer: JsonObject) -> list[JsonObject]:
        listed: Any = answer.get("arguments")
        if not isinstance(listed, list) or not listed:
            raise UnusableAnswer("`arguments` must be a list of objects")
        flaws = [argument_problem(tool, arguments) for arguments in listed]
        if all(flaws):
            raise UnusableAnswer(str(flaws[0]))
        return [a for a, flaw in zip(listed, flaws, strict=True) if flaw is None][:MAX_CANDIDATES]

    shown: JsonObject = {"name": tool.name, "description": tool.description}
    described = escaped(shown | {"parameters": tool.parameters})
    prompt = TEMPLATES.render("propose_arguments.txt", count=str(MAX_CANDIDATES), tool=described)
    return await ask(model, prompt, read, tool.name)


class Journal:
    """The verdicts of calls, one JSON line each: a call in the journal is not repeated.

    A process that is killed while writing leaves half a line, which is skipped.
    """

    def __init__(self, path: Path, context: str) -> None:
        """Open the journal; `context` stands for all that verdicts depend on besides the call.

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
        """The result of a call as rows have it, possibly cut.

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
    """The first arguments that succeed, with the verdict; or the last that fail.

    Raises:
        InfrastructureError: if the runner failed.
    """
    for arguments in candidates:
        verdict = await journal.call(tool, arguments, runner)
        if verdict["ok"]:
            break
    return arguments, verdict
