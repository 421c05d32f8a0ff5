"""A conversation as the report shows it: who says what, with calls and results folded away."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apigen_ray.stages.messages import result_text

MOST_MESSAGES = 40
"""The most messages shown of one conversation: its first ones."""


@dataclass(frozen=True, slots=True)
class Bubble:
    """What a message says, and what is folded away below it."""

    role: str
    text: str
    flaw: str = ""
    """Why the turn failed, or what is found about it."""
    folded: list[tuple[str, str]] = field(default_factory=list)


def chat(row: Mapping[str, Any]) -> list[Bubble]:
    """The bubbles of a row; none, if it is no conversation."""
    if not row["messages"]:
        return []
    messages = json.loads(row["messages"])
    bubbles = list(_bubbles(messages[:MOST_MESSAGES], row))
    bubbles += _refused(len(messages), row)
    if len(messages) > MOST_MESSAGES:
        more = len(messages) - MOST_MESSAGES
        bubbles.append(Bubble("system", f"… and {more:,} messages more"))
    return bubbles


def _bubbles(messages: list[dict[str, Any]], row: Mapping[str, Any]) -> Iterator[Bubble]:
    flaws = {turn["message"]: _flaw(turn) for turn in json.loads(row["turns"] or "[]")}
    ours = iter(json.loads(row["execution_results"] or "[]"))
    folds: dict[str, list[tuple[str, str]]] = {}
    returned: dict[str, str] = {}
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            id_, content = message["tool_call_id"], message["content"]
            if id_ in folds and returned.get(id_) != content:
                folds[id_].append(("Result that is given", content))
            continue
        bubble = Bubble(message["role"], message["content"], flaws.get(place, ""))
        if thought := message.get("reasoning_content"):
            bubble.folded.append(("Reasoning", thought))
        calls = message.get("tool_calls", ())
        if bubble.text or bubble.flaw or bubble.folded or not calls:
            yield bubble
        for call in calls:
            name = call["function"]["name"]
            written = json.dumps(call["function"]["arguments"], ensure_ascii=False)
            parts = [("Call", written)]
            if result := next(ours, None):
                parts.append(("Result", json.dumps(result, ensure_ascii=False)))
                if result["ok"]:
                    returned[call["id"]] = result_text(result["result"])
            folds[call["id"]] = parts
            yield Bubble("call", str(name), "", parts)


def _refused(end: int, row: Mapping[str, Any]) -> Iterator[Bubble]:
    """What was written for the end of the conversation, and has no place in it."""
    for turn in json.loads(row["turns"] or "[]"):
        if turn["message"] >= end and "reason" in turn:
            yield Bubble("assistant", turn.get("refused", ""), _flaw(turn))


def _flaw(turn: Mapping[str, Any]) -> str:
    said = [f"{turn['reason']}: {turn['detail']}"] if "reason" in turn else []
    return "; ".join([*said, *turn.get("result_mismatch", ())])
