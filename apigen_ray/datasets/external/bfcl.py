"""BFCL's files: calls as accepted values or as Python text, and questions of several turns."""

import ast
import re
from collections.abc import Mapping
from typing import Any

from apigen_ray import strict_json
from apigen_ray.datasets.external.unreadable import Unreadable, text_or_json
from apigen_ray.records import Json, JsonObject, Reason

_OPTIONAL = ""
"""How BFCL says, among the accepted values of an argument, that it may be left out."""
_JSON_WORDS = {"true": True, "false": False, "null": None}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
"""What OpenAI's API refuses in function names: results in BFCL have `_` in its place."""


def turns_with_calls(question: Any, answer: Json) -> list[JsonObject] | None:
    """The messages of a question with several turns, each with a list of calls; else None."""
    if not (isinstance(question, list) and isinstance(answer, list) and len(question) > 1):
        return None
    if not all(isinstance(turn, list) for turn in (*question, *answer)):
        return None
    if len(question) != len(answer):
        said = f"ground_truth: {len(answer)} turns where the question has {len(question)}"
        raise Unreadable(Reason.MISSING_FIELD, said)
    messages: list[JsonObject] = []
    for asked, calls in zip(question, answer, strict=True):
        made = read_answer(calls)
        messages += asked
        if made:
            listed = made if isinstance(made, list) else [made]
            messages.append({"role": "assistant", "tool_calls": listed})
        else:
            messages.append({"role": "assistant", "content": ""})
    return messages


def renamed(calls: Json, functions: Any) -> Json:
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
                arguments = text_or_json(arguments, f"result: {name}")
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
