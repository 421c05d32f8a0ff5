"""Conversations as others write them, read into OpenAI's messages (`stages/conversation.py`).

A message is `{"role", "content"}` or, in ShareGPT's form, `{"from", "value"}`. Calls are in
`tool_calls`, in a `function_call` as OpenAI had before, in a turn of their own (`function_call`,
`tool_call`), or in the assistant's text (`call_text.py`). Results are messages of a `tool`,
`function`, `observation` or `ipython`, or in `<tool_response>` tags. Each call gets a new id, and
its result has the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apigen_ray import strict_json
from apigen_ray.datasets.external.call_text import read_calls, read_results, read_said
from apigen_ray.datasets.external.unreadable import Unreadable, text_or_json
from apigen_ray.records import Json, JsonObject, Reason

ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "agent", "chatbot"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call", "tool_calls"), "call"),
    **dict.fromkeys(
        ("tool", "function", "observation", "ipython", "tool_response", "function_response"), "tool"
    ),
}
"""What the roles of others are here; a `call` is the assistant's, and nothing but calls."""


def read_messages(listed: Sequence[Any]) -> list[JsonObject]:
    """The messages of a conversation in OpenAI's form.

    Raises:
        Unreadable: if a message or a call can't be read, or they don't fit together.
    """
    messages: list[JsonObject] = []
    for place, given in enumerate(listed):
        where = f"messages[{place}]"
        if not isinstance(given, Mapping):
            raise Unreadable(Reason.WRONG_TYPE, f"{where}: not a JSON object")
        for message in _read(given, where):
            _append(messages, message, where)
    if not any(message["role"] == "assistant" for message in messages):
        raise Unreadable(Reason.MISSING_FIELD, "messages: no reply of an assistant")
    return list(_with_ids(messages))


def _append(messages: list[JsonObject], message: JsonObject, where: str) -> None:
    """Add a message. A turn of calls goes with the text before it, a list of results is divided."""
    before = messages[-1] if messages else {}
    waiting = before.get("tool_calls")
    if message["role"] == "call":
        message["role"] = "assistant"
        if before.get("role") == "assistant" and not waiting:
            messages[-1] = {**before, "tool_calls": message["tool_calls"]}
            return
    elif message["role"] == "tool" and "tool_call_id" not in message:
        several = len(waiting) if isinstance(waiting, list) else 0
        if several > 1 and (results := _list_of(message["content"], several)):
            messages += [{"role": "tool", "content": text_of(result, where)} for result in results]
            return
    messages.append(message)


def _list_of(content: Json, count: int) -> list[Json] | None:
    """The items of a JSON list of so many items."""
    if not isinstance(content, str) or not content.lstrip().startswith("["):
        return None
    try:
        value = strict_json.parse(content)
    except strict_json.NotJson:
        return None
    return value if isinstance(value, list) and len(value) == count else None


def _read(given: Mapping[str, Any], where: str) -> Iterator[JsonObject]:
    """One message; several, where one has several results."""
    written = given.get("role", given.get("from"))
    role = ROLES.get(written) if isinstance(written, str) else None
    content = text_of(given["content"] if "content" in given else given.get("value"), where)
    if role == "assistant":
        yield _assistant(given, content, where)
    elif role == "call":
        yield {"role": "call", "content": "", "tool_calls": _made(content, where)}
    elif role in ("tool", "user") and (results := read_results(content)):
        for result in results:
            yield {"role": "tool", **result}
    elif role == "tool":
        known = {key: given[key] for key in ("tool_call_id", "name") if given.get(key)}
        yield {"role": "tool", **known, "content": content}
    elif role:
        yield {"role": role, "content": content}
    else:
        known_roles = ", ".join(ROLES)
        said = f"{where}: role: must be one of {known_roles}, not {str(written)[:80]!r}"
        raise Unreadable(Reason.BAD_CONVERSATION, said)


def _made(content: str, where: str) -> list[Json]:
    try:
        return _as_tool_calls(read_calls(content))
    except strict_json.DuplicateKey as error:
        raise Unreadable(Reason.DUPLICATE_KEY, f"{where}: {error}") from error
    except strict_json.NotJson as error:
        raise Unreadable(Reason.INVALID_JSON, f"{where}: {error}") from error


def text_of(content: Any, where: str = "messages") -> str:
    """The content of a message; of a list of text parts, their text.

    Raises:
        Unreadable: if a part is no text, as of an image.
    """
    if content is None:
        return ""
    if isinstance(content, list) and all(_is_part(part) for part in content):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) < len(parts):
            raise Unreadable(Reason.WRONG_TYPE, f"{where}: content has a part that is not text")
        return "\n".join(texts)
    # The result of a tool may be given as the JSON that it is.
    return content if isinstance(content, str) else strict_json.dumps(content)


def _is_part(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, Mapping) and "type" in part)


def _assistant(given: Mapping[str, Any], content: str, where: str) -> JsonObject:
    calls = _calls(given, where)
    reasoning = given.get("reasoning_content") or given.get("reasoning") or given.get("thinking")
    if not calls:
        try:
            said = read_said(content)
        except strict_json.DuplicateKey as error:
            raise Unreadable(Reason.DUPLICATE_KEY, f"{where}: {error}") from error
        except strict_json.NotJson as error:
            raise Unreadable(Reason.INVALID_JSON, f"{where}: {error}") from error
        content, calls = said.content, _as_tool_calls(said.calls)
        reasoning = said.reasoning or reasoning
    message: JsonObject = {"role": "assistant", "content": content}
    if isinstance(reasoning, str) and reasoning.strip():
        message["reasoning_content"] = reasoning.strip()
    return message | ({"tool_calls": calls} if calls else {})


def _calls(given: Mapping[str, Any], where: str) -> list[Json]:
    """The calls of a message: `tool_calls`, or `function_call` from before there were several."""
    made = text_or_json(given.get("tool_calls"), f"{where}: tool_calls") or []
    if not isinstance(made, list):
        raise Unreadable(Reason.WRONG_TYPE, f"{where}: tool_calls is not a list")
    if not made and given.get("function_call") is not None:
        made = [{"function": given["function_call"]}]
    return [_call(call, where) for call in made]


def _call(call: Any, where: str) -> JsonObject:
    """A call; where there are no arguments, some write empty text or null, or leave them out."""
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or "name" not in function:
        raise Unreadable(Reason.MISSING_FIELD, f"{where}: a tool call without a function")
    written = function.get("arguments")
    blank = isinstance(written, str) and not written.strip()
    arguments = None if blank else text_or_json(written, f"{where}: arguments")
    made = {"name": function["name"], "arguments": {} if arguments is None else arguments}
    return {"id": call.get("id"), "type": "function", "function": made}


def _as_tool_calls(calls: Sequence[Json]) -> list[Json]:
    return [_call(call, "messages") for call in calls]


# --- how they fit together


def _with_ids(messages: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """The messages, where each result has the id of its call.

    Raises:
        Unreadable: if a result has no call, or some calls of a turn have a result and others not.
    """
    numbered = 0
    waiting: dict[str, Any] = {}
    answered = False
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if message["role"] == "tool":
            id_ = _call_of(message, waiting, where)
            waiting.pop(id_)
            answered = True
            yield {"role": "tool", "tool_call_id": id_, "content": message["content"]}
            continue
        _check_answered(waiting, where, answered=answered)
        waiting, answered = {}, False
        if calls := message.get("tool_calls"):
            assert isinstance(calls, list)
            made = [{**call, "id": f"call{numbered + n:05}"} for n, call in enumerate(calls)]
            numbered += len(made)
            waiting = {
                new["id"]: (call["id"], call["function"]["name"])
                for new, call in zip(made, calls, strict=True)
            }
            known = [call["id"] for call in calls if call["id"] is not None]
            if len({*map(str, known)}) < len(known):
                raise Unreadable(Reason.BAD_CONVERSATION, f"{where}: two calls have the same id")
            yield {**message, "tool_calls": made}
        else:
            yield message
    _check_answered(waiting, "the end", answered=answered)
    if messages[-1]["role"] == "user":
        raise Unreadable(Reason.BAD_CONVERSATION, "messages: the user has the last word")


def _call_of(message: JsonObject, waiting: Mapping[str, Any], where: str) -> str:
    """The new id of the call that a result belongs to: by id, else by name, else in turn."""
    if not waiting:
        raise Unreadable(Reason.BAD_CONVERSATION, f"{where}: a result without a call before it")
    given, name = message.get("tool_call_id"), message.get("name")
    ids = {id_ for id_, _ in waiting.values() if id_ is not None}
    for new, (id_, called) in waiting.items():
        if (given is not None and ids and id_ == given) or (
            not (given is not None and ids) and name in (None, called)
        ):
            return new
    if given is not None and ids:
        said = f"tool_call_id {str(given)[:80]!r} is of none of the calls before it"
    else:
        said = f"a result of {str(name)[:80]!r}, which was not called before it"
    raise Unreadable(Reason.BAD_CONVERSATION, f"{where}: {said}")


def _check_answered(waiting: Mapping[str, Any], where: str, *, answered: bool) -> None:
    """All calls of a turn have a result, or none has: they may be left to whoever runs them."""
    if waiting and answered:
        name = next(iter(waiting.values()))[1]
        said = f"{where}: a call of {str(name)[:80]!r} before it has no result, but others have"
        raise Unreadable(Reason.BAD_CONVERSATION, said)
