"""The formats in which external data has a query, the tools shown and the calls that answer it.

- xLAM: `query`, `answers`, `tools`; JSON or the text of it. distilabel's APIGen tasks write the
  same, or `func_name` in place of `tools`.
- raw completions: `completion`, `tools`.
- messages: `messages` with `tool_calls`, `tools`; or with `function_call`, `functions`.
- BFCL: `question`, `function`; the calls are in a separate file, as `ground_truth` or `result`.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apigen_ray import strict_json
from apigen_ray.records import Json, JsonObject, Reason, Style

_OPTIONAL = ""
"""How BFCL says, among the accepted values of an argument, that it may be left out."""
_JSON_WORDS = {"true": True, "false": False, "null": None}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
"""What OpenAI's API refuses in function names: results in BFCL have `_` in its place."""


class Unreadable(ValueError):
    """A row in an unknown format, or with calls that can't be read."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ExternalRow(NamedTuple):
    """A row of external data, whatever format it came in."""

    id: str | None
    model: str | None
    style: Style | None
    tools: Json
    """Tools, names of tools, the JSON text of either, or None if the row has none."""
    pair: JsonObject
    """`query` and `answers`, as far as the row has them; empty if it has a `completion`."""
    completion: str | None = None


def read_row(row: Mapping[str, Any], answers: Mapping[str, Json]) -> ExternalRow:
    """Recognise the format of a row, and read it.

    Args:
        row: The row.
        answers: The entries of a separate file of answers, by the id of the row; see `read_answer`.

    Raises:
        Unreadable: if a field is missing, or the calls can't be read.
    """
    id_ = None if row.get("id") is None else str(row["id"])
    model = row.get("model") or row.get("model_name")
    listed = (row.get(key) for key in ("tools", "function", "functions"))
    tools = next((value for value in listed if value is not None), None)
    if tools is None and isinstance(row.get("func_name"), str):
        tools = [row["func_name"]]
    if "completion" in row:
        given = row["completion"]
        pair, completion = {}, given if isinstance(given, str) else strict_json.dumps(given)
    elif isinstance(row.get("messages"), list):
        pair, completion = _of_messages(row["messages"]), None
    else:
        pair, completion = _of_columns(row, id_, answers), None
    return ExternalRow(
        id=id_,
        model=model if isinstance(model, str) else None,
        style=_style(row.get("style")),
        tools=tools,
        pair=pair,
        completion=completion,
    )


def _of_columns(row: Mapping[str, Any], id_: str | None, answers: Mapping[str, Json]) -> JsonObject:
    pair: JsonObject = {}
    for key in ("query", "question"):
        if row.get(key) is not None:
            pair["query"] = _query(row[key])
    if id_ is not None and id_ in answers:
        pair["answers"] = _renamed(read_answer(answers[id_]), row.get("function"))
    elif row.get("answers") is not None:
        pair["answers"] = _text_or_json(row["answers"], "answers")
    if not pair:
        raise Unreadable(
            Reason.MISSING_FIELD, "neither `query` and `answers`, nor `completion`, nor `messages`"
        )
    return pair


def _of_messages(messages: Sequence[Any]) -> JsonObject:
    """The assistant's last turn as the answer, and the turns before it as the query."""
    turns = [message for message in messages if isinstance(message, Mapping)]
    replies = [place for place, message in enumerate(turns) if message.get("role") == "assistant"]
    if not replies:
        raise Unreadable(Reason.MISSING_FIELD, "messages: no reply of an assistant")
    asked = [message for message in turns[: replies[-1]] if message.get("role") != "system"]
    return {"query": _query(asked), "answers": _calls_of_message(turns[replies[-1]])}


def _calls_of_message(message: Mapping[str, Any]) -> list[Json]:
    """The calls of a reply: `tool_calls`, or `function_call` from before there were several."""
    made = message.get("tool_calls") or []
    if not isinstance(made, list):
        raise Unreadable(Reason.WRONG_TYPE, "messages: tool_calls is not a list")
    functions = [call.get("function") if isinstance(call, Mapping) else None for call in made]
    if not made and message.get("function_call") is not None:
        functions = [message["function_call"]]
    return [_call_of_function(function) for function in functions]


def _call_of_function(function: Any) -> Json:
    """A call; where there are no arguments, some write empty text or null, or leave them out."""
    if not isinstance(function, Mapping):
        raise Unreadable(Reason.MISSING_FIELD, "messages: a tool call without a function")
    written = function.get("arguments")
    blank = isinstance(written, str) and not written.strip()
    arguments = {} if blank else _text_or_json(written, "messages: arguments")
    return {"name": function.get("name"), "arguments": {} if arguments is None else arguments}


def _query(value: Any) -> Any:
    """A query, or a conversation as one text; BFCL wraps the turns in a second list."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list) or not all(isinstance(turn, Mapping) for turn in value):
        return value
    turns = [(turn.get("role"), _joined(turn.get("content"))) for turn in value]
    users = [content for role, content in turns if role == "user"]
    if len(users) == 1 and all(role in ("user", "system") for role, _ in turns):
        return users[0]
    return "\n".join(f"{role}: {content}" for role, content in turns)


def _joined(content: Any) -> Any:
    """The content of a message; of a list of text parts, their text."""
    if not isinstance(content, list):
        return content
    parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise Unreadable(Reason.WRONG_TYPE, "messages: content has a part that is not text")
    return "\n".join(texts)


def _style(value: Any) -> Style | None:
    try:
        return Style(value) if value else None
    except ValueError as error:
        raise Unreadable(Reason.WRONG_TYPE, f"style: {error}") from error


def _text_or_json(value: Any, what: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return strict_json.parse(value)
    except strict_json.DuplicateKey as error:
        raise Unreadable(Reason.DUPLICATE_KEY, f"{what}: {error}") from error
    except strict_json.NotJson as error:
        raise Unreadable(Reason.INVALID_JSON, f"{what}: {error}") from error


# --- answers in a separate file


def _renamed(calls: Json, functions: Any) -> Json:
    """Calls by the real names of functions, not by those that OpenAI's API required."""
    listed = functions if isinstance(functions, list) else []
    names = [str(function.get("name")) for function in listed if isinstance(function, Mapping)]
    real = {_NOT_IN_NAMES.sub("_", name): name for name in names}
    if not isinstance(calls, list):
        return calls
    return [
        {**call, "name": real[call["name"]]}
        if isinstance(call, dict) and call.get("name") in real
        else call
        for call in calls
    ]


def read_answer(value: Json) -> Json:
    """The calls of a BFCL entry: its ground truth, or a model's result.

    They are Python text (`f(a=1)`, alone or in a list), `{name: arguments}` with arguments as text,
    or `{name: {argument: [accepted values]}}`, of which the first is taken.

    Raises:
        Unreadable: if text is neither Python calls nor JSON.
    """
    if isinstance(value, str):
        return _calls_of_text(value)
    if not isinstance(value, list):
        return value
    calls: list[Json] = []
    for item in value:
        if isinstance(item, str):
            calls += _calls_of_text(item)
        elif isinstance(item, dict) and len(item) == 1:
            [(name, arguments)] = item.items()
            if isinstance(arguments, str):
                arguments = _text_or_json(arguments, f"result: {name}")
            elif isinstance(arguments, dict):
                arguments = _first_values(arguments)
            calls.append({"name": name, "arguments": arguments})
        else:
            calls.append(item)
    return calls


def _first_values(accepted: JsonObject) -> JsonObject:
    found: JsonObject = {}
    for name, values in accepted.items():
        first = values[0] if isinstance(values, list) and values else values
        if first != _OPTIONAL:
            found[name] = _first_value(first)
    return found


def _first_value(value: Json) -> Json:
    """A value, in which nested objects have lists of accepted values again."""
    if isinstance(value, dict):
        return _first_values(value)
    if isinstance(value, list):
        return [_first_value(item) for item in value]
    return value


def _calls_of_text(text: str) -> list[Json]:
    try:
        node = ast.parse(text.strip(), mode="eval").body
        calls = node.elts if isinstance(node, ast.List) else [node]
        return [_call(call) for call in calls]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unreadable(Reason.INVALID_JSON, f"result: not a list of calls: {said}") from error


def _call(node: ast.expr) -> Json:
    if not isinstance(node, ast.Call):
        raise ValueError(f"{ast.unparse(node)[:80]} is not a call")
    if node.args or any(keyword.arg is None for keyword in node.keywords):
        raise ValueError(f"{ast.unparse(node.func)[:80]}: a positional argument")
    arguments = {str(word.arg): _literal(word.value) for word in node.keywords}
    return {"name": ast.unparse(node.func), "arguments": arguments}


class _JsonWords(ast.NodeTransformer):
    """Reads `true`, `false` and `null`, which models write in Python calls, too."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_JSON_WORDS[node.id]) if node.id in _JSON_WORDS else node


def _literal(node: ast.expr) -> Json:
    try:
        return strict_json.parse(strict_json.dumps(ast.literal_eval(_JsonWords().visit(node))))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(f"{ast.unparse(node)[:80]!r} is not a JSON value") from None
