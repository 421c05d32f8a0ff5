"""What agreement by calls and by results keeps of real models' answers, where tools can be run.

    uv run python tests/bench/bench_agreement_results.py BFCL RESULTS [--held-back] [--show]

BFCL is `berkeley-function-call-leaderboard` of github.com/ShishirPatil/gorilla at commit de8307b
(August 2024): its executable questions, and the functions to run. RESULTS is as for
`bench_agreement.py`. Functions that ask the internet are left out, with their questions. Each
recorded answer that passes stages 1 and 2 is a row. The stage itself compares: its solvers say what
other models' recorded answers are, and calls are run in the sandbox. Right is what returns the
same as the label's calls, as BFCL's own checker has it (`exact_match`, which all of these are).
"""

import argparse
import ast
import asyncio
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench_agreement import PANELS, RULES, SUBSTITUTE, Question, decided, decoded, lines, passing

from apigen_ray import strict_json
from apigen_ray.records import Call, JsonObject, Message, Pair, Reply
from apigen_ray.report.intervals import Rate
from apigen_ray.run_folder.rows import calls_form
from apigen_ray.stages.agreement import AgreementSettings, Solver, agree
from apigen_ray.stages.agreement.compare import all_matched
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.execute.dispatch import Dispatcher, execute, result_form
from apigen_ray.stages.execute.rest import RestCaller, RestSettings
from apigen_ray.stages.execute.sandbox import Sandbox, SandboxSettings, ToolCode, open_sandbox
from apigen_ray.tools.read_forms import read_tool

CATEGORIES = ("simple", "multiple_function", "parallel_function", "parallel_multiple_function")
NAME = "gorilla_openfunctions_v1_test_executable_{}{}.json"
ONE = AgreementSettings.model_validate(
    {
        "models": [{"kind": "local", "name": "recorded", "model": "smollm2-135m"}],
        "samples": 1,
        "require": 0,
    }
)
"""One solver a time, so that each panel can be counted from the same comparisons."""
FAILED: JsonObject = {"ok": False}


@dataclass
class Answer:
    """One answer to a question, the models that gave it, and which solvers agree with it."""

    question: str
    calls: tuple[Call, ...]
    right: bool
    results: list[JsonObject]
    authors: list[str] = field(default_factory=list)
    agrees: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """A solver that says what was recorded."""

    calls: tuple[Call, ...]

    async def complete(
        self,
        messages: Sequence[Message],
        schema: JsonObject | None = None,
        *,
        sample: str = "",
        tools: Sequence[JsonObject] = (),
    ) -> Reply:
        text = json.dumps({"calls": calls_form(self.calls)})
        return Reply(text, "stop", 0, 0, 0.0, 0.0, 1)


# --- questions, and the code of the functions that need no network


def offline(source: str) -> ToolCode:
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    own = [f for f in functions if not {"requests", "api_key"} & {*names(f)}]
    code = "import math\n" + "\n".join(map(ast.unparse, own))
    return ToolCode({"bfcl.py": code.encode()}, {f.name: ("bfcl", f.name) for f in own})


def names(node: ast.AST) -> Iterable[str]:
    return (each.id for each in ast.walk(node) if isinstance(each, ast.Name))


def questions(root: Path, code: ToolCode) -> dict[str, Question]:
    """Those whose labels can be run."""
    found = {}
    for category in CATEGORIES:
        for row in lines(root / "data" / NAME.format(category, "")):
            truth = [label(text) for text in row["ground_truth"]]
            if all(call.name in code.functions for call in truth):
                assert set(row["execution_result_type"]) == {"exact_match"}
                functions = row["function"]
                functions = functions if isinstance(functions, list) else [functions]
                tools = {tool.name: tool for tool in map(read_tool, functions)}
                found[row["id"]] = Question(row["question"], tools, truth)
    return found


def label(text: str) -> Call:
    """A call of a label; a value may be a quotient or a product: `p=1/6`."""
    node = ast.parse(text.strip(), mode="eval").body
    assert isinstance(node, ast.Call)
    given = {str(each.arg): value(each.value) for each in node.keywords}
    return Call(ast.unparse(node.func), json.loads(json.dumps(given)))


def value(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp):
        left, right = value(node.left), value(node.right)
        return left / right if isinstance(node.op, ast.Div) else left * right
    return ast.literal_eval(node)


# --- the sandbox, and BFCL's verdict


@dataclass
class Runs:
    """Runs each distinct call once."""

    dispatcher: Dispatcher
    functions: set[str]
    known: dict[str, JsonObject] = field(default_factory=dict)

    async def run(self, calls: Sequence[Call]) -> list[JsonObject]:
        new = {key(call): call for call in calls if call.name in self.functions}
        new = {k: call for k, call in new.items() if k not in self.known}
        done = await execute([*new.values()], self.dispatcher)
        self.known.update(zip(new, map(result_form, done.results), strict=True))
        return [self.known.get(key(call), FAILED) for call in calls]


def key(call: Call) -> str:
    return strict_json.canonical([call.name, call.arguments])


def is_right(results: Sequence[JsonObject], expected: Sequence[JsonObject]) -> bool:
    return len(results) == len(expected) and all_matched(
        results, expected, lambda one, other: bool(one["result"] == other["result"])
    )


# --- rows and solvers


async def collected(
    asked: dict[str, Question], models: Sequence[Path], runs: Runs
) -> tuple[list[Answer], dict[tuple[str, str], tuple[Call, ...]], list[int]]:
    """The distinct answers that return, each model's solutions, and how many rows fail stage 2."""
    answers: dict[tuple[str, str], Answer] = {}
    solutions = {}
    failed = [0, 0]
    for model in models:
        for category in CATEGORIES:
            for row in lines(model / NAME.format(category, "_result")):
                question = asked.get(row["id"])
                if question is None:
                    continue
                found = decoded(row["result"])
                strict = passing(found, question, CheckSettings())
                solved = strict or passing(found, question, CheckSettings(coerce="lossless"))
                if solved:
                    solutions[row["id"], model.name] = solved
                if not strict:
                    continue
                returned = await runs.run(strict)
                if not all(each["ok"] for each in returned):
                    failed[any(call.name not in runs.functions for call in strict)] += 1
                    continue
                right = is_right(returned, await runs.run(question.truth))
                place = (row["id"], " ".join(map(key, strict)))
                new = Answer(row["id"], strict, right, returned)
                answers.setdefault(place, new).authors.append(model.name)
    return list(answers.values()), solutions, failed


async def compare(
    answer: Answer,
    question: Question,
    solutions: dict[tuple[str, str], tuple[Call, ...]],
    runs: Runs,
) -> None:
    """Let each solver's recorded answer meet this one in the stage itself."""
    pair = Pair(question.query, answer.calls)
    for solver in {SUBSTITUTE, *(each for panel in PANELS for each in panel)}:
        solution = solutions.get((answer.question, solver))
        answer.agrees[solver] = None
        if solution is not None:
            found = await agree(
                pair,
                answer.results,
                [*question.tools.values()],
                [Solver(solver, Recorded(solution))],
                ONE,
                run=runs.run,
                sample="",
            )
            answer.agrees[solver] = found.solutions[0].agrees


@dataclass
class Kept:
    """How many of the right or the wrong answers a rule keeps."""

    rows: int = 0
    of_rows: int = 0
    distinct: float = 0.0
    """Each answer counts once, however many models gave it."""
    of_distinct: float = 0.0

    def add(self, weight: float, *, is_kept: bool) -> None:
        self.rows += is_kept
        self.of_rows += 1
        self.distinct += is_kept * weight
        self.of_distinct += weight


def report(answers: Sequence[Answer], *, show: bool) -> None:
    for panel in PANELS:
        print(", ".join(panel))
        for rule in RULES:
            for counted in (("calls",), ("calls", "results")):
                kept = {True: Kept(), False: Kept()}
                requests = 0
                for answer in answers:
                    for author in answer.authors:
                        solvers = [SUBSTITUTE if each == author else each for each in panel]
                        votes = [answer.agrees[each] in counted for each in solvers]
                        is_kept, asked = decided(votes, *rule)
                        requests += asked
                        kept[answer.right].add(1 / len(answer.authors), is_kept=is_kept)
                        if show and counted[1:] and is_kept != answer.right:
                            print("    ", answer.question, author, is_kept, answer.calls)
                print(line(rule, counted, kept, requests))


def line(
    rule: tuple[int, int], counted: Sequence[str], kept: dict[bool, Kept], requests: int
) -> str:
    wrong, right = kept[False], kept[True]
    low, high = Rate(round(wrong.distinct), round(wrong.of_distinct)).interval or (0.0, 1.0)
    distinct = f"{wrong.distinct / wrong.of_distinct:.1%} [{low:.1%}, {high:.1%}]"
    return (
        f"  {rule[0]} of {rule[1]} by {' or '.join(counted):16}"
        f" wrong (distinct) {distinct}"
        f"  wrong rows {Rate(wrong.rows, wrong.of_rows)}"
        f"  right rows {Rate(right.rows, right.of_rows)}"
        f"  solutions a row {requests / (wrong.of_rows + right.of_rows):.2f}"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bfcl", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--held-back", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--kind", default="auto")
    options = parser.parse_args()
    models = sorted(options.results.iterdir())
    code = offline((options.bfcl / "eval_checker/executable_python_function.py").read_text())
    asked = questions(options.bfcl, code)
    print(f"{len(asked)} questions can be run")
    asked = {
        id_: question
        for id_, question in asked.items()
        if hashlib.sha256(id_.encode()).digest()[0] % 2 == options.held_back
    }
    print(f"{len(asked)} of them in this half")
    sandbox = await open_sandbox(SandboxSettings(kind=options.kind), code)

    async def opened() -> Sandbox:
        return sandbox

    try:
        runs = Runs(Dispatcher({}, RestCaller(RestSettings(), {}), opened), {*code.functions})
        answers, solutions, failed = await collected(asked, models, runs)
        print(f"stage 2 refuses {failed[0]} rows; {failed[1]} call what can't be run here")
        for answer in answers:
            await compare(answer, asked[answer.question], solutions, runs)
        print(f"{len(runs.known)} distinct calls were run")
    finally:
        await sandbox.close()
    wrong = [a for a in answers if not a.right]
    rows, given = (sum(len(a.authors) for a in each) for each in (answers, wrong))
    print(f"{len(answers)} distinct answers return, {len(wrong)} of them are wrong")
    print(f"with every model that gave one: {rows} rows, {given} of them wrong")
    report(answers, show=options.show)


if __name__ == "__main__":
    asyncio.run(main())
