"""Labelled rows: right and wrong pairs, and verdicts that judges gave about them before.

- ours, as `review --read` writes them: `query`, `answers`, `tools`, of a conversation `messages`,
  too, and `label`: `right`, `wrong` or `unsure`; `why` is the kind of error. With a run, also
  the file that the review page saves.
- FC-RewardBench (`ibm-research/fc-reward-bench`): each side is a pair of its own, judged alone.
  `chosen_output` is right, `rejected_output` wrong, its kind `error_type`; the query is
  `conversation`.
- When2Call (`nvidia/When2Call`, the multiple-choice test): its answer `tool_call` is right where
  that is the `correct_answer`, and else wrong, its kind the correct answer: a call where something
  has to be asked, or nothing fits. No call is right where the correct answer is `cannot_answer`,
  and wrong where it is `tool_call`. Its other answers are texts, which a pair can't hold.
- LiveMCPBench's trajectories: `annotation_task_success` beside the verdicts of `judges`. They are
  no pairs, so only these verdicts are compared.
- ToolAlpaca's evaluations: GPT-4's `process_correctness` of a model's calls is the label. Whether
  the calls equal the standard answer counts as one more judge.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from apigen_ray import strict_json
from apigen_ray.datasets.external.bfcl import read_answer
from apigen_ray.datasets.external.forms import read_row
from apigen_ray.datasets.external.unreadable import Unreadable
from apigen_ray.errors import BadInput
from apigen_ray.records import Call, Json, JsonObject, Pair, Tool
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.tools.read_forms import UnreadableTool, read_tool
from apigen_ray.workflows.audit.cases import Case, with_messages
from apigen_ray.workflows.audit.sources import case_of, rows_of

WRONG = "wrong"
"""The kind of error where none is named."""
NO_CALL = "no call"
EXACT = "equals the standard answer"
_TOOL_CALL = re.compile(r"</?TOOLCALL>")
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_DOCUMENTED = re.compile(r"^(\w+): (.*)\nParameters: (\{.*\})$", re.MULTILINE)
_CALLED = re.compile(r"^\d+\. Function: (\S+)\nParameters: (\{.*\})$", re.MULTILINE)
_ONE_OF = re.compile(r"One of: \[([^\]]*)\]")
_TYPES = {"string", "integer", "number", "boolean"}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row of which it is known whether it is right."""

    id: str
    kind: str | None
    """What is wrong with it; None if it is right."""
    case: Case | None = None
    """None if its calls can't be read, or it is no pair at all."""
    is_pair: bool = True
    verdicts: Mapping[str, bool] = field(default_factory=dict)
    """By judge: whether it was passed."""


def read_labelled(path: Path, run: RunFolder | None = None) -> tuple[list[Labelled], list[str]]:
    """The labelled rows of a file, and a line on each kind of thing that was left out.

    Args:
        path: JSON lines, or a JSON object.
        run: The run that labels without rows belong to.

    Raises:
        BadInput: if the file can't be read, or has no labels.
    """
    notices: list[str] = []
    try:
        text = path.read_text("utf-8")
        whole = _whole(text)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    try:
        if isinstance(whole, dict) and "labels" in whole:
            found = list(_of_review(path, whole["labels"], run, notices))
        elif isinstance(whole, dict):
            found = [row for name, rows in whole.items() for row in _tool_alpaca(name, rows)]
        else:
            found = list(_of_lines(path, text, notices))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise BadInput(f"{path}: not labelled rows in a known form: {why}") from error
    if not found:
        raise BadInput(f"{path}: no labelled rows; {'; '.join(notices) or 'it holds none'}")
    return found, notices


def _whole(text: str) -> Any:
    """The JSON value that a file is; None if it is lines of them."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    is_whole = isinstance(value, dict) and all(isinstance(v, list) for v in value.values())
    return value if is_whole or (isinstance(value, dict) and "labels" in value) else None


def _of_lines(path: Path, text: str, notices: list[str]) -> Iterator[Labelled]:
    unread: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = json.loads(line)
        form = next((read for key, read in _FORMS.items() if key in row), None)
        if form is None:
            raise LookupError(f"line {number} has none of {', '.join(_FORMS)}")
        try:
            yield from form(str(row.get("id", number)), row)
        except (Unreadable, UnreadableTool) as error:
            unread.append(f"line {number}: {error}")
    if unread:
        notices.append(f"{path}: {len(unread)} rows can't be read, left out: {unread[0]}")


def _of_review(
    path: Path, labels: Sequence[Mapping[str, str]], run: RunFolder | None, notices: list[str]
) -> Iterator[Labelled]:
    """The labels of the review page, for rows of a run."""
    if run is None:
        raise BadInput(f"{path}: labels without rows: give the run that they are for")
    given = {label["id"]: label for label in labels}
    rows = {row["id"]: row for row in rows_of(run, set(given))}
    if unknown := [id_ for id_ in given if id_ not in rows]:
        notices.append(
            f"{path}: {len(unknown)} labels are for rows that {run.path} does not have, such as "
            f"{unknown[0]}"
        )
    for id_, row in sorted(rows.items()):
        if given[id_]["label"] != "unsure":
            yield Labelled(id_, _kind(given[id_]), case_of(row))


def _kind(label: Mapping[str, str]) -> str | None:
    return None if label["label"] == "right" else label.get("why") or WRONG


# --- forms of lines


def _ours(id_: str, row: Mapping[str, Any]) -> Iterator[Labelled]:
    if row["label"] == "unsure":
        return
    given = read_row(row, {})
    results = row.get("execution_results")
    results = strict_json.parse(results) if isinstance(results, str) else results
    if given.messages is None:
        case = _case(id_, given.pair.get("query"), given.pair.get("answers"), given.tools)
    elif case := _case(id_, "", [], given.tools):
        case = with_messages(case, given.messages)
    if case and isinstance(results, list):
        case = replace(case, style=given.style, results=tuple(results))
    yield Labelled(id_, _kind(row), case)


def _fc_reward_bench(id_: str, row: Mapping[str, Any]) -> Iterator[Labelled]:
    id_ = str(row.get("test_id", id_))
    query = read_row({"question": row["conversation"]}, {}).pair["query"]
    for side, kind in (("chosen_output", None), ("rejected_output", row["error_type"])):
        calls = _read_calls(row[side])
        yield Labelled(f"{id_}/{side}", kind, _case(f"{id_}/{side}", query, calls, row["tools"]))


def _when_to_call(id_: str, row: Mapping[str, Any]) -> Iterator[Labelled]:
    id_ = str(row.get("uuid", id_))
    correct, query, tools = row["correct_answer"], row["question"], row["tools"]
    made = row["answers"].get("tool_call")
    if made is not None:
        kind = None if correct == "tool_call" else f"a call where {correct} is right"
        calls = _read_calls(_TOOL_CALL.sub("", made) if isinstance(made, str) else made)
        yield Labelled(f"{id_}/call", kind, _case(f"{id_}/call", query, calls, tools))
    if correct in ("tool_call", "cannot_answer"):
        kind = NO_CALL if correct == "tool_call" else None
        yield Labelled(f"{id_}/none", kind, _case(f"{id_}/none", query, [], tools))


def _live_mcp_bench(id_: str, row: Mapping[str, Any]) -> Iterator[Labelled]:
    """Some verdicts stand only at the end of the judge's thoughts."""
    success = row["annotation_task_success"] == "success"
    verdicts = {
        judge: said[-1] == "success"
        for judge, given in row["judges"].items()
        if (said := re.findall(r"success|failure", given["judge"]))
    }
    id_ = str(row.get("task_id", id_))
    yield Labelled(id_, None if success else "failure", is_pair=False, verdicts=verdicts)


_FORMS: Mapping[str, Callable[[str, Mapping[str, Any]], Iterator[Labelled]]] = {
    "label": _ours,
    "rejected_output": _fc_reward_bench,
    "correct_answer": _when_to_call,
    "annotation_task_success": _live_mcp_bench,
}
"""How to read a line that has a key."""


def _case(id_: str, query: Any, calls: Any, tools: Any) -> Case | None:
    """A case; None if the calls are not such."""
    listed: Any = strict_json.parse(tools) if isinstance(tools, str) else tools
    shown = [strict_json.parse(tool) if isinstance(tool, str) else tool for tool in listed or []]
    if not isinstance(query, str) or not isinstance(calls, list):
        return None
    made = [_call(call) for call in calls]
    read = tuple(call for call in made if call is not None)
    if len(read) < len(made):
        return None
    return Case(id_, Pair(query, read), tuple(map(read_tool, shown)))


def _call(value: Json) -> Call | None:
    if not isinstance(value, dict):
        return None
    name, arguments = value.get("name"), value.get("arguments")
    if isinstance(name, str) and isinstance(arguments, dict):
        return Call(name, arguments)
    return None


def _read_calls(value: Any) -> Json:
    """Calls as BFCL or a model writes them; None if they can't be read."""
    if isinstance(value, str):
        with suppress(strict_json.NotJson):  # else Python text, perhaps
            value = strict_json.parse(value)
    try:
        return read_answer(value)
    except Unreadable:
        return None


# --- ToolAlpaca


def _tool_alpaca(api: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Labelled]:
    for row in rows:
        verdict = row.get("process_correctness")
        if verdict not in ("Yes", "No"):
            continue
        id_ = f"{api}/{row['id']}"
        parts = _sections(row["input"][0]["content"])
        made = _steps(parts["AI Assistant's Solution"])
        case = None
        if made is not None:
            tools = tuple(_tools_of(parts["Documentation"]))
            case = Case(id_, Pair(parts["Task Instruction"].strip(), made), tools)
        standard = _steps(parts["Standard Answer"])
        same = {EXACT: _as_set(made) == _as_set(standard)}
        yield Labelled(id_, None if verdict == "Yes" else WRONG, case, verdicts=same)


def _sections(text: str) -> dict[str, str]:
    """The last section under each heading: the guidelines before them name some of these, too."""
    _, *parts = _SECTION.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _steps(text: str) -> tuple[Call, ...] | None:
    try:
        return tuple(Call(name, json.loads(given)) for name, given in _CALLED.findall(text))
    except ValueError:
        return None


def _as_set(calls: Sequence[Call] | None) -> set[str] | None:
    if calls is None:
        return None
    return {strict_json.canonical([call.name, call.arguments]) for call in calls}


def _tools_of(text: str) -> Iterator[Tool]:
    for name, description, parameters in _DOCUMENTED.findall(text):
        said = json.loads(parameters)
        properties: dict[str, Json] = {key: _property(about) for key, about in said.items()}
        required = [key for key, about in said.items() if about.startswith("Required.")]
        schema: JsonObject = {"type": "object", "properties": properties, "required": required}
        yield Tool(name, description, schema, "")


def _property(about: str) -> dict[str, Json]:
    kind = about.removeprefix("Required. ").partition(".")[0].lower()
    schema: dict[str, Json] = {"description": about}
    if kind in _TYPES:
        schema["type"] = kind
    if choices := _ONE_OF.search(about):
        schema["enum"] = [choice.strip() for choice in choices[1].split(",")]
    return schema
