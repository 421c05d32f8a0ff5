"""The right turns of conversations that failed: what of these can still be learnt from.

A turn is right if it passed every stage that the data was taken through. Of a conversation that a
run made turn by turn, these are the turns before the one that failed. `verify` takes conversations
through a stage as a whole: of one that failed at its last stage, these are the turns that did not.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from apigen_ray.datasets.export.conversation import Until, View
from apigen_ray.records import STAGE_OPTIONS, JsonObject, Outcome, Reason, Stage
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.conversation import Turn, turns_of


@dataclass(frozen=True, slots=True)
class Part:
    """A conversation up to its last right turn, and what was said on its results."""

    messages: list[JsonObject]
    turns: Sequence[Turn]
    wrong: frozenset[int]
    """The places of the assistant's messages among them that are not right."""
    results: list[Any]
    """What each of the calls returned, as rows hold it."""
    whole: bool
    """Whether it has all calls of the row."""
    complete: bool
    """Whether no further call was made for the last query."""

    @property
    def calls(self) -> list[Any]:
        """All calls, each `{"name", "arguments"}`."""
        return [call for turn in self.turns for call in turn.answers]


def last_stage(folder: RunFolder) -> Stage | None:
    """The last stage that `verify` took the data through; None of data that a run made."""
    verified: Any = (folder.read_manifest() or {}).get("verify") or {}
    stages = [stage for stage in STAGE_OPTIONS if stage.option in verified.get("stages", ())]
    return stages[-1] if stages else None


def right_part(row: Mapping[str, Any], view: View, last: Stage | None) -> Part | None:
    """What of a conversation that failed is right; None if it is not one turn with calls.

    Args:
        row: A row with messages.
        view: With `weights`, right turns after a wrong one count, too; with `prefixes`, errors do.
        last: See `last_stage`.
    """
    if last and (row["stage"] != last or row["outcome"] == Outcome.ERROR):
        return None  # earlier turns have not passed all stages
    messages = msgspec.json.decode(row["messages"])
    turns = turns_of(messages)
    wrong, unanswered = _flawed(row, turns, len(messages))
    if not (wrong or unanswered):
        if last:
            return None  # all of it was judged at once: any turn may be wrong
        wrong = _unfinished(messages, turns)
    masks = view.weights and bool(wrong) and row["outcome"] != Outcome.ERROR
    if not (masks or view.prefixes):
        return None
    before = len(messages) if masks else min(wrong, default=len(messages))
    right = [turn for turn in turns if turn.place not in wrong and turn.place < before]
    if right and right[-1].place in unanswered and view.until not in (Until.CALLS, Until.RESULTS):
        right.pop()
    if not right:
        return None
    end = _end(messages, right[-1].place)
    kept = [turn for turn in turns if turn.place < end]
    results = msgspec.json.decode(row["execution_results"] or "[]")
    return Part(
        messages[:end],
        kept,
        frozenset(_unlearnt(messages[:end], wrong)),
        [_shown(result) for result in results[: sum(len(turn.answers) for turn in kept)]],
        whole=len(kept) == len(turns),
        complete="tool_calls" not in (messages[end] if end < len(messages) else {}),
    )


def _flawed(row: Mapping[str, Any], turns: Sequence[Turn], end: int) -> tuple[set[int], set[int]]:
    """The places of what is wrong, and of turns that are right but for the answer after them.

    What was refused is not among the messages: an answer would come next, a turn after its query.
    """
    found = msgspec.json.decode(row["turns"]) if row["turns"] else []
    reasons = {verdict["message"]: verdict.get("reason") for verdict in found}
    answers = {at for at, reason in reasons.items() if reason == Reason.ANSWER or at == end}
    unanswered = {
        max(turn.place for turn in turns if turn.place <= at)
        for at in answers
        if reasons[at] and turns and turns[0].place <= at
    }
    if row["reason"] == Reason.ANSWER and not unanswered:
        unanswered = {turn.place for turn in turns[-1:]}
    wrong = {at for at, reason in reasons.items() if reason} - answers
    if found:
        wrong |= {turn.place for turn in turns} - reasons.keys()
    return wrong, unanswered


def _unfinished(messages: Sequence[JsonObject], turns: Sequence[Turn]) -> set[int]:
    """The last turn, unless the user went on after it, so that it is not this one that failed."""
    last = {turn.place for turn in turns[-1:]}
    return {place for place in last if all(m["role"] != "user" for m in messages[place:])}


def _end(messages: Sequence[JsonObject], place: int) -> int:
    """Where what follows from a turn ends: its results, and what is said on them."""
    after = range(place + 1, len(messages))
    return next(
        (n for n in after if messages[n]["role"] == "user" or messages[n].get("tool_calls")),
        len(messages),
    )


def _unlearnt(messages: Sequence[JsonObject], wrong: Collection[int]) -> Iterator[int]:
    """Wrong turns, and what is said on their results."""
    misled = False
    for place, message in enumerate(messages):
        if message["role"] == "user":
            misled = False
        elif message["role"] == "assistant":
            if place in wrong:
                misled = True
            elif message.get("tool_calls"):
                misled = False
            if misled:
                yield place


def _shown(result: Any) -> Any:
    """A result as it is shown where a wrong turn is not hidden: a failure says why."""
    return result if result.get("ok", True) else {"result": {"error": result["message"]}}


def weight_of(message: JsonObject) -> JsonObject:
    """The weight of a message, for forms that write messages anew."""
    return {key: value for key, value in message.items() if key == "weight"}


def weighted(messages: Sequence[JsonObject], wrong: Collection[int] = ()) -> Iterator[JsonObject]:
    """Messages, of which each of the assistant's has a weight."""
    for place, message in enumerate(messages):
        if message["role"] == "assistant":
            yield {**message, "weight": int(place not in wrong)}
        else:
            yield message
