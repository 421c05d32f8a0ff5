"""What stage 3 finds and decides, as rows hold it."""

from collections.abc import Iterable

from apigen_ray import strict_json
from apigen_ray.pipeline.charges import charged
from apigen_ray.records import Json, JsonObject, Reason, Rejected, Stage
from apigen_ray.run_folder.rows import Row, rejected_row, with_values
from apigen_ray.stages.ballot import Ballot
from apigen_ray.stages.check import no_completion
from apigen_ray.stages.grounding import Examined
from apigen_ray.stages.verdict import Vote


def with_findings(row: Row, examined: Examined | None) -> Row:
    """A row with what the comparison of query and calls found."""
    if examined is None:
        return row
    values: list[Json] = [{"path": each.path, "value": each.value} for each in examined.ungrounded]
    unused = None
    if examined.unused is not None:
        parts: list[Json] = [{"kind": e.kind.value, "text": e.text} for e in examined.unused]
        unused = strict_json.dumps(parts)
    return with_values(row, ungrounded=strict_json.dumps(values), unused=unused)


def voted_row(row: Row, ballot: Ballot) -> Row:
    """A row after the vote of its judges."""
    voted = charged(row, ballot.replies)
    voted = with_values(voted, judge_s=sum(reply.seconds for reply in ballot.replies))
    if ballot.votes:
        votes = votes_form(ballot.votes)
        thought = ballot.votes[-1].thought  # of the deciding vote
        voted = with_values(voted, thought=thought, votes=strict_json.dumps(votes))
    if ballot.passed:
        return voted
    if ballot.passed is None:
        last = ballot.replies[-1]
        missing = no_completion(last)
        why = missing.detail if missing else repr(last.text[:500])
        unreadable = Rejected(Reason.JUDGE_UNREADABLE, f"no verdict in the answer: {why}")
        return rejected_row(voted, Stage.JUDGE, unreadable)
    refused = Rejected(Reason.JUDGED_NO, voted["thought"] or "judged no, without a thought")
    return rejected_row(voted, Stage.JUDGE, refused)


def votes_form(votes: Iterable[Vote]) -> list[Json]:
    """Votes as rows hold them."""
    return [_vote_form(vote) for vote in votes]


def _vote_form(vote: Vote) -> JsonObject:
    form: JsonObject = {"judge": vote.judge, "pass": vote.passed, "thought": vote.thought}
    return form | ({"reasoning": vote.reasoning} if vote.reasoning else {})
