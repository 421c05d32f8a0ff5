"""What a server answers becomes a result, or a failure with a reason."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import CallResult, Failed, Json, JsonObject, Reason, Returned

MESSAGE_CHARS = 500


def result_of(answer: Any, seconds: float, result_bytes: int) -> CallResult:
    """The result of a call.

    Args:
        answer: The SDK's `CallToolResult`.
        seconds: What the call took.
        result_bytes: The largest result, as JSON text.
    """
    if answer.is_error:
        return Failed(Reason.RAISED, short(_text(answer.content) or "it names no cause"), seconds)
    value: Json
    if answer.structured_content is not None:
        value = answer.structured_content
    else:
        blocks = [_value(block) for block in answer.content]
        value = blocks[0] if len(blocks) == 1 else blocks
    if value in (None, "", []) and value is not False:
        return Failed(Reason.EMPTY_RESULT, "the server returned no content", seconds)
    try:
        text = strict_json.dumps(value)
        strict_json.parse(text, max_characters=max(len(text), 1))
    except (ValueError, TypeError, RecursionError) as error:
        return Failed(Reason.NOT_SERIALIZABLE, f"the result is not JSON: {error}", seconds)
    if (size := len(text.encode())) > result_bytes:
        detail = f"the result has {size} bytes, over {result_bytes}"
        return Failed(Reason.OUTPUT_TOO_LARGE, detail, seconds)
    return Returned(value, seconds)


def short(text: str) -> str:
    """A message in one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_CHARS else line[:MESSAGE_CHARS] + "…"


def _text(content: Sequence[Any]) -> str:
    return " ".join(block.text for block in content if block.type == "text")


def _value(block: Any) -> Json:
    match block.type:
        case "text":
            return _parsed(block.text)
        case "image" | "audio":
            described = {"type": block.type, "mimeType": block.mime_type}
            return described | {"bytes": _decoded_size(block.data)}
        case "resource":
            return _resource(block.resource)
        case "resource_link":
            link: JsonObject = {"type": "resource_link", "uri": str(block.uri), "name": block.name}
            return link | ({"mimeType": block.mime_type} if block.mime_type else {})
    return {"type": str(block.type)}


def _resource(resource: Any) -> Json:
    form: JsonObject = {"type": "resource", "uri": str(resource.uri)}
    if resource.mime_type:
        form["mimeType"] = resource.mime_type
    if (text := getattr(resource, "text", None)) is not None:
        return form | {"text": text}
    return form | {"bytes": _decoded_size(resource.blob)}


def _parsed(text: str) -> Json:
    """A text as the JSON object or list that it may be."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return strict_json.parse(text, max_characters=len(text))
    except strict_json.NotJson:
        return text


def _decoded_size(data: str) -> int:
    try:
        return len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return len(data)
