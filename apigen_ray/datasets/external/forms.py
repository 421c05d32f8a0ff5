"""The formats in which external data has a query, the tools shown and the calls that answer it.

A row is read as one of these:

- a pair. xLAM: `query`, `answers`, `tools`, JSON or the text of it; distilabel's APIGen tasks write
  the same, or `func_name` in place of `tools`. NESTFUL: `input`, `output`. BFCL: `question`,
  `function`; the calls are in a separate file, as `ground_truth` or `result`.
- raw model text: `completion`, `tools`.
- a conversation: `messages` or `conversations`, with a `system` text or not; `prompt` and
  `completion` as messages, or `prompt` and `chosen` (TRL); a rendered `text`. `messages.py` has the
  rest, such as OpenAI's form, ShareGPT, Hermes, ToolBench, TOUCAN and APIGen-MT. Tools are in
  `tools`, `functions` or the system's message.
- a task for reinforcement learning, of NeMo Gym or verl, with what is expected as its end.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apigen_ray import strict_json
from apigen_ray.datasets.external.bfcl import read_answer, renamed, turns_with_calls
from apigen_ray.datasets.external.chat_text import messages_of_text
from apigen_ray.datasets.external.messages import read_messages, text_of
from apigen_ray.datasets.external.nestful import read_nestful
from apigen_ray.datasets.external.system import own_words, tools_in
from apigen_ray.datasets.external.tasks import task_messages, task_tools
from apigen_ray.datasets.external.unreadable import Unreadable, text_or_json
from apigen_ray.records import Json, JsonObject, Reason, Style
from apigen_ray.stages.conversation import NO_CALL, is_pair, query_of, turns_of
from apigen_ray.tools.references import has_references


class ExternalRow(NamedTuple):
    """A row of external data, whatever format it came in."""

    id: str | None
    model: str | None
    style: Style | None
    tools: Json
    """Tools, names of tools, the JSON text of either, or None if the row has none."""
    pair: JsonObject
    """`query` and `answers`, as far as the row has them; empty if it is one of the others."""
    completion: str | None = None
    messages: list[JsonObject] | None = None
    """A conversation, unless a pair says as much."""


def read_row(row: Mapping[str, Any], answers: Mapping[str, Json]) -> ExternalRow:
    """Recognise the format of a row, and read it.

    Args:
        row: The row.
        answers: The entries of a separate file of answers, by the id of the row; see `read_answer`.

    Raises:
        Unreadable: if a field is missing, or the calls can't be read.
    """
    given = row.get("chosen_id", row.get("id"))
    id_ = None if given is None else str(given)
    model = row.get("model") or row.get("model_name")
    tools, style = _tools(row), _style(row.get("style"))
    found = ExternalRow(id_, model if isinstance(model, str) else None, style, tools, {})
    if (pair := _chosen_pair(row)) is not None:
        return found._replace(tools=pair[0], completion=pair[1])
    if _is_completion(row):
        given = row["completion"]
        text = given if isinstance(given, str) else strict_json.dumps(given)
        return found._replace(completion=text)
    if listed := _conversation(row, id_, answers):
        return _of_conversation(found, listed)
    columns = _of_columns(row, id_, answers)
    refers = style is None and has_references(columns.get("answers"))
    return found._replace(pair=columns, style=Style.SEQUENTIAL if refers else style)


def _is_completion(row: Mapping[str, Any]) -> bool:
    """Whether the row has a model's text; TRL's completions are messages that follow a prompt."""
    if "completion" not in row:
        return False
    return not (isinstance(row["completion"], list) and isinstance(row.get("prompt"), list))


def _chosen_pair(row: Mapping[str, Any]) -> tuple[Json, str] | None:
    """The tools and the better completion of a preference for whole pairs (`export --format dpo`).

    The prompt ends with the tools, after an empty line.
    """
    prompt, chosen = row.get("prompt"), row.get("chosen")
    if not (
        isinstance(prompt, list) and isinstance(chosen, list) and len(prompt) == len(chosen) == 1
    ):
        return None
    asked, answer = text_of(prompt[0].get("content")), text_of(chosen[0].get("content"))
    if not answer.startswith('{"query": '):
        return None
    return asked.rpartition("\n\n")[2], answer


def _tools(row: Mapping[str, Any]) -> Json:
    for key in ("tools", "function", "functions"):
        if (given := row.get(key)) is not None:
            tools: Json = given
            return tools
    if isinstance(row.get("func_name"), str):
        return [row["func_name"]]
    return task_tools(row)


def _conversation(
    row: Mapping[str, Any], id_: str | None, answers: Mapping[str, Json]
) -> Sequence[Any] | None:
    """The messages of a row; None if it has none."""
    for key in ("messages", "conversations"):
        given = row.get(key)
        if isinstance(given, str) and given.lstrip().startswith("["):
            given = text_or_json(given, key)
        if isinstance(given, list):
            system = row.get("system")
            own = isinstance(system, str) and system.strip()
            return [{"role": "system", "content": system}, *given] if own else given
    if (task := task_messages(row)) is not None:
        return task
    prompt = row.get("prompt")
    replies = (row.get(key) for key in ("completion", "chosen"))
    reply = next((value for value in replies if isinstance(value, list)), None)
    if isinstance(prompt, list) and reply is not None:
        return [*prompt, *reply]
    if isinstance(row.get("text"), str) and not {"query", "answers"} & row.keys():
        return messages_of_text(row["text"])
    return turns_with_calls(row.get("question"), answers.get(id_ or ""))


def _of_conversation(row: ExternalRow, listed: Sequence[Any]) -> ExternalRow:
    tools = row.tools
    messages: list[JsonObject] = []
    for message in read_messages(listed):
        if message["role"] == "system":
            said = str(message["content"])
            tools = (list(tools_in(said)) or None) if tools is None else tools
            message["content"] = own_words(said)
        if message["content"] or message["role"] != "system":
            messages.append(message)
    if not turns_of(messages) and messages[-1]["content"] == NO_CALL:
        row = row._replace(style=row.style or Style.IRRELEVANCE)
        if len(messages) == 2:
            pair: JsonObject = {"query": query_of(messages), "answers": []}
            return row._replace(tools=tools, pair=pair)
    if is_pair(messages):
        [turn] = turns_of(messages)
        pair = {"query": query_of(messages), "answers": turn.answers}
        return row._replace(tools=tools, pair=pair)
    return row._replace(tools=tools, messages=messages)


def _of_columns(row: Mapping[str, Any], id_: str | None, answers: Mapping[str, Json]) -> JsonObject:
    if row.get("input") is not None and row.get("output") is not None:
        return read_nestful(row["input"], text_or_json(row["output"], "output"))
    pair: JsonObject = {}
    for key in ("query", "question"):
        if row.get(key) is not None:
            pair["query"] = _query(row[key])
    if id_ is not None and id_ in answers:
        pair["answers"] = renamed(read_answer(answers[id_]), row.get("function"))
    elif row.get("answers") is not None:
        pair["answers"] = _with_objects(text_or_json(row["answers"], "answers"))
    if not pair:
        raise Unreadable(
            Reason.MISSING_FIELD, "neither `query` and `answers`, nor `completion`, nor `messages`"
        )
    return pair


def _with_objects(calls: Any) -> Any:
    """Calls, whose arguments may be given as the text of an object, as OpenAI does."""
    if not isinstance(calls, list):
        return calls
    return [
        {**call, "arguments": text_or_json(call["arguments"], "answers: arguments")}
        if isinstance(call, dict) and _is_object_text(call.get("arguments"))
        else call
        for call in calls
    ]


def _is_object_text(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip().startswith("{")


def _query(value: Any) -> Any:
    """A query, or a conversation as one text; BFCL wraps the turns in a second list."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list) or not all(isinstance(turn, Mapping) for turn in value):
        return value
    turns = [(turn.get("role"), text_of(turn.get("content"))) for turn in value]
    users = [content for role, content in turns if role == "user"]
    if len(users) == 1 and all(role in ("user", "system") for role, _ in turns):
        return users[0]
    return "\n".join(f"{role}: {content}" for role, content in turns)


def _style(value: Any) -> Style | None:
    try:
        return Style(value) if value else None
    except ValueError as error:
        raise Unreadable(Reason.WRONG_TYPE, f"style: {error}") from error
