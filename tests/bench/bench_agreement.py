"""What agreement keeps of the right and of the wrong answers that real models gave to BFCL.

    uv run python tests/bench/bench_agreement.py BFCL RESULTS [--held-back]

BFCL is `berkeley-function-call-leaderboard/bfcl_eval/data` of github.com/ShishirPatil/gorilla,
RESULTS the folder `2024-08-11/result` of github.com/HuanzhiMao/BFCL-Result: the answers of 71
models to its 1,000 Python questions (no licence: measured with, never copied). Each answer that
passes stage 1 is a row; three other models' recorded answers are the solvers'. Half of the
questions, by the hash of their ids, are held back while the comparison is tuned.
"""

import ast
import hashlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apigen_ray import strict_json
from apigen_ray.records import Call, Checked, Tool
from apigen_ray.stages.agreement import same_calls
from apigen_ray.stages.agreement.compare import all_matched
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.tools.read_forms import read_tool

CATEGORIES = {
    "simple_python": "simple",
    "multiple": "multiple_function",
    "parallel": "parallel_function",
    "parallel_multiple": "parallel_multiple_function",
}
PANELS = (
    (
        "claude-3-5-sonnet-20240620",
        "gpt-4-0125-preview",
        "Salesforce_xLAM-7b-fc-r",
        "mistral-large-2407-FC-Any",
    ),
    (
        "meta-llama_Meta-Llama-3-70B-Instruct",
        "Salesforce_xLAM-7b-fc-r",
        "mistral-large-2407-FC-Any",
        "nvidia_nemotron-4-340b-instruct",
    ),
)
SUBSTITUTE = "meetkai_functionary-medium-v3.1-FC"
"""Solves in place of a solver whose own answer is the row."""


@dataclass(frozen=True)
class Question:
    """A question of BFCL, and its acceptable answers."""

    query: str
    tools: dict[str, Tool]
    truth: list[dict[str, Any]]


@dataclass
class Answer:
    """One answer to a question, and the models that gave it."""

    question: str
    calls: tuple[Call, ...]
    right: bool
    authors: list[str]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as file:
        yield from (json.loads(line) for line in file if line.strip())


def questions(root: Path) -> dict[str, Question]:
    found = {}
    for category in CATEGORIES:
        name = f"BFCL_v4_{category}.json"
        truths = {row["id"]: row["ground_truth"] for row in lines(root / "possible_answer" / name)}
        for row in lines(root / name):
            query = "\n".join(t["content"] for t in row["question"][0] if t["role"] == "user")
            tools = {tool.name: tool for tool in map(read_tool, row["function"])}
            found[row["id"]] = Question(query, tools, truths[row["id"]])
    return found


# --- the models' answers, in the forms that they were recorded in


def decoded(result: Any) -> list[tuple[str, Any]] | None:
    """The calls of a recorded answer: Python calls, JSON, or both inside prose."""
    try:
        if not isinstance(result, str):
            return json_calls(result)
        found = python_calls(result)
        inside = re.search(r"[{\[].*[}\]]", result, re.DOTALL)
        return json_calls(json.loads(inside[0])) if found is None and inside else found
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return None


def python_calls(text: str) -> list[tuple[str, Any]] | None:
    bracketed = re.search(r"\[.*\]", text, re.DOTALL)
    for candidate in (text, bracketed[0] if bracketed else "", f"[{text.strip().rstrip(';')}]"):
        try:
            node = ast.parse(candidate.strip(), mode="eval").body
            nodes = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
            calls = [each for each in nodes if isinstance(each, ast.Call) and not each.args]
            if calls and len(calls) == len(nodes):
                return [(ast.unparse(c.func), keywords(c)) for c in calls]
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
            continue
    return None


def keywords(call: ast.Call) -> dict[str, Any]:
    given = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
    return json.loads(json.dumps(given))


def json_calls(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        value = value.get("tool_calls", [value])
    calls = []
    for call in value:
        if "name" in call:
            name, arguments = call["name"], call.get("arguments", call.get("parameters"))
        else:
            [(name, arguments)] = call.items()
        calls.append((name, json.loads(arguments) if isinstance(arguments, str) else arguments))
    return calls


# --- whether an answer is right: BFCL's own rules for syntax trees


def is_right(calls: Sequence[Call], truth: Sequence[dict[str, Any]]) -> bool:
    return len(calls) == len(truth) and all_matched(calls, truth, is_one_of)


def is_one_of(call: Call, truth: dict[str, Any]) -> bool:
    [(name, accepted)] = truth.items()
    arguments = call.arguments
    return (
        call.name == name
        and all(k in accepted and accepts(accepted[k], v) for k, v in arguments.items())
        and all(k in arguments or "" in values for k, values in accepted.items())
    )


def accepts(values: Sequence[Any], value: Any) -> bool:
    return any(equal(value, each) for each in values)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return loose(one) == loose(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):  # each key lists acceptable values
        lists = {k: v if isinstance(v, list) else [v] for k, v in other.items()}
        return one.keys() <= lists.keys() and all(
            accepts(v, one[k]) if k in one else "" in v for k, v in lists.items()
        )
    return bool(one == other and isinstance(one, bool) == isinstance(other, bool))


def loose(text: str) -> str:
    return re.sub(r"[ ,./\-_*^]", "", text).lower().replace("'", '"')


# --- rows and solvers


def collected(
    asked: dict[str, Question], results: Path
) -> tuple[list[Answer], dict[tuple[str, str], tuple[Call, ...]]]:
    """The distinct answers that pass stage 1, and each model's solution of each question."""
    answers: dict[tuple[str, str], Answer] = {}
    solutions = {}
    for model in sorted(results.iterdir()):
        for category, old in CATEGORIES.items():
            path = model / f"gorilla_openfunctions_v1_test_{old}_result.json"
            for row in lines(path):
                id_ = row["id"].replace(old, category)
                found = decoded(row["result"])
                strict = passing(found, asked[id_], CheckSettings())
                solved = strict or passing(found, asked[id_], CheckSettings(coerce="lossless"))
                if solved:
                    solutions[id_, model.name] = solved
                if strict:
                    key = (id_, strict_json.canonical([[c.name, c.arguments] for c in strict]))
                    right = is_right(strict, asked[id_].truth)
                    answer = answers.setdefault(key, Answer(id_, strict, right, []))
                    answer.authors.append(model.name)
    return list(answers.values()), solutions


def passing(
    calls: list[tuple[str, Any]] | None, question: Question, settings: CheckSettings
) -> tuple[Call, ...] | None:
    names = {name.replace(".", "_"): name for name in question.tools}
    answers = [{"name": names.get(n, n), "arguments": a} for n, a in calls or ()]
    checked = check_pair(
        {"query": "-", "answers": answers},
        style=None,
        signatures=signatures_of(question.tools.values()),
        settings=settings,
    )
    return checked.pair.calls if isinstance(checked, Checked) else None


RULES = ((2, 2), (2, 3), (2, 4), (1, 2))
"""How many solvers must agree, and how many there are at most."""


def decided(votes: Sequence[bool], require: int, samples: int) -> tuple[bool, int]:
    """Whether enough agree, and after how many solutions that is certain."""
    agreed = 0
    for asked, vote in enumerate(votes[:samples], 1):
        agreed += vote
        if agreed == require or agreed + samples - asked < require:
            return agreed == require, asked
    raise AssertionError("the last solver decides")


def main(bfcl: Path, results: Path, *, held_back: bool) -> None:
    asked = questions(bfcl)
    answers, solutions = collected(asked, results)
    answers = [
        a for a in answers if hashlib.sha256(a.question.encode()).digest()[0] % 2 == held_back
    ]
    wrong = [a for a in answers if not a.right]
    rows = sum(len(a.authors) for a in answers)
    given = sum(len(a.authors) for a in wrong)
    print(f"{len(answers)} distinct answers pass stage 1, {len(wrong)} of them are wrong")
    print(f"with every model that gave one: {rows} rows, {given} of them wrong")
    print("kept:     wrong (distinct)  wrong (rows)  right (distinct)  right (rows)  solvers a row")
    for panel in PANELS:
        print(", ".join(panel))
        for require, samples in RULES:
            shares: dict[tuple[bool, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
            requests = 0
            for answer in answers:
                tools = asked[answer.question].tools
                for author in answer.authors:
                    solvers = [SUBSTITUTE if each == author else each for each in panel]
                    votes = []
                    for solver in solvers:
                        solution = solutions.get((answer.question, solver))
                        votes.append(
                            solution is not None and same_calls(answer.calls, solution, tools)
                        )
                    kept, count = decided(votes, require, samples)
                    requests += count
                    for kind, weight in (("rows", 1.0), ("distinct", 1 / len(answer.authors))):
                        share = shares[answer.right, kind]
                        share[0] += kept * weight
                        share[1] += weight
            columns = [
                shares[right, kind] for right in (False, True) for kind in ("distinct", "rows")
            ]
            shown = "  ".join(f"{100 * kept / total:15.1f}%" for kept, total in columns)
            print(f"  {require} of {samples}  {shown}  {requests / rows:10.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), held_back="--held-back" in sys.argv[3:])
