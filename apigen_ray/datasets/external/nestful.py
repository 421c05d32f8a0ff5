"""NESTFUL's rows: calls with labels, and arguments that refer to the results of earlier ones."""

import re
from typing import Any

from apigen_ray.records import Json, JsonObject

_REFERENCE = re.compile(r"\$(\w+?)(?:\.(\w[\w.\[\]]*))?\$")
_RESULT = "var_result"
"""A call that only names what the user gets."""


def read_nestful(query: Json, output: Json) -> JsonObject:
    """The pair of a row, with references in our form: `{"$ref": "calls[0].result.distance"}`."""
    calls: list[Json] = []
    places: dict[Any, int] = {}
    for call in output if isinstance(output, list) else []:
        if not isinstance(call, dict):
            calls.append(call)
        elif call.get("name") != _RESULT:
            made = {key: call[key] for key in ("name", "arguments") if key in call}
            if isinstance(made.get("arguments"), dict):
                made["arguments"] = _referring(made["arguments"], places)
            places[str(call.get("label", "")).strip("$")] = len(calls)
            calls.append(made)
    return {"query": query, "answers": calls if isinstance(output, list) else output}


def _referring(value: Json, places: dict[Any, int]) -> Json:
    if isinstance(value, dict):
        return {key: _referring(inner, places) for key, inner in value.items()}
    if isinstance(value, list):
        return [_referring(inner, places) for inner in value]
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if not found or found.group(1) not in places:
        return value
    path = f".{found.group(2)}" if found.group(2) else ""
    return {"$ref": f"calls[{places[found.group(1)]}].result{path}"}
