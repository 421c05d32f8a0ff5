"""Whether the number of calls is in doubt where real models made too few or too many.

    uv run python tests/bench/bench_coverage.py BFCL RESULTS DATA [--held-back] [--show]

BFCL and RESULTS are as for `bench_agreement.py`: of the recorded answers that pass stage 1, the
distinct ones with another number of calls than the label. Right rows are its distinct right answers
and the one-turn rows of the published data sets in DATA (as for `bench_grounding.py`). Half of the
questions, by the hash of their ids, are held back while the rules are tuned.
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from bench_agreement import Answer, collected, questions
from bench_grounding import all_rows

from apigen_ray.report.intervals import Rate
from apigen_ray.stages.grounding.coverage import Coverage, cover


def is_held_back(id_: str) -> bool:
    return hashlib.sha256(id_.encode()).digest()[0] % 2 == 1


def doubtful(found: Iterable[Coverage]) -> Rate:
    flags = [each.doubtful for each in found]
    return Rate(sum(flags), len(flags))


def main(bfcl: Path, results: Path, data: Path, *, held_back: bool, show: bool) -> None:
    asked = questions(bfcl)
    answers = [a for a in collected(asked, results)[0] if is_held_back(a.question) == held_back]

    def covered(answer: Answer) -> Coverage:
        question = asked[answer.question]
        return cover(question.query, answer.calls, question.tools)

    counts = {a.question: len(asked[a.question].truth) for a in answers}
    few = [a for a in answers if len(a.calls) < counts[a.question]]
    many = [a for a in answers if len(a.calls) > counts[a.question]]
    right = [a for a in answers if a.right]
    rows = [row for row in all_rows(data) if is_held_back(row.id) == held_back]
    rows = [row for row in rows if not row.id.startswith("apibank")]  # conversations
    published = [cover(row.query, row.calls, row.tools) for row in rows]
    for name, rate in (
        ("too few calls", doubtful(map(covered, few))),
        ("too many calls", doubtful(map(covered, many))),
        ("both", doubtful(map(covered, few + many))),
        ("right answers", doubtful(map(covered, right))),
        ("right published rows", doubtful(published)),
    ):
        print(f"{name:21} in doubt: {rate.hits:4} of {rate.of:4} = {rate}")
    if show:
        for answer in (*few, *many, *right):
            found = covered(answer)
            if found.doubtful == answer.right:
                print("right" if answer.right else "wrong", answer.question, found, answer.calls)
        for row, found in zip(rows, published, strict=True):
            if found.doubtful:
                print("published", row.id, found, row.calls)


if __name__ == "__main__":
    main(
        *map(Path, sys.argv[1:4]),
        held_back="--held-back" in sys.argv[4:],
        show="--show" in sys.argv[4:],
    )
