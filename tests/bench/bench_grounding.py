"""How well grounding tells the right rows of published data sets from rows with another's query.

    uv run python tests/bench/bench_grounding.py DATA [--held-back] [--show]

DATA is a folder with `bfcl` (`question`, `possible_answer`), `seal_tools`, `toolalpaca` (`eval_*`)
and `xlam_format` (xLAM's JSONL: `apibank_l1`, `apibank_l2`, `toolalpaca`). A third of the rows, by
the hash of their ids, is held back while the rules are tuned.
"""

import ast
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from apigen_ray.records import Call, Json, JsonObject, Tool
from apigen_ray.stages.grounding import Grounding, ground


@dataclass(frozen=True, slots=True)
class Row:
    """A right row: a query and the calls that answer it."""

    id: str
    source: str
    query: str
    calls: tuple[Call, ...]
    tools: dict[str, Tool]
    system: str | None = None


def lines(path: Path) -> Iterator[JsonObject]:
    with path.open() as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def unwrap(value: Json) -> Json:
    """An acceptable value of BFCL: objects inside it list their acceptable values in turn."""
    if isinstance(value, dict):
        return {
            k: unwrap(v[0]) if isinstance(v, list) else v
            for k, v in value.items()
            if not (isinstance(v, list) and "" in v)
        }
    if isinstance(value, list):
        return [unwrap(each) for each in value]
    return value


def python_call(text: str) -> Call:
    node = ast.parse(text, mode="eval").body
    assert isinstance(node, ast.Call)
    return Call(
        ast.unparse(node.func),
        {k.arg: json.loads(json.dumps(literal(k.value))) for k in node.keywords if k.arg},
    )


def literal(node: ast.expr) -> Json:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def bfcl_tools(row: JsonObject) -> dict[str, Tool]:
    functions = row["function"]
    functions = functions if isinstance(functions, list) else [functions]
    return {f["name"]: Tool(f["name"], f["description"], f["parameters"], "") for f in functions}


def bfcl(root: Path, *, fullest: bool = False) -> Iterator[Row]:
    """The rows of BFCL; `fullest` keeps the optional arguments that the labels allow."""
    for path in sorted((root / "bfcl/possible_answer").glob("*.json")):
        answers = {row["id"]: row["ground_truth"] for row in lines(path)}
        for row in lines(root / "bfcl/question" / path.name):
            truth = answers.get(row["id"])
            if not isinstance(truth, list):
                continue
            calls = []
            for each in truth:
                if isinstance(each, str):
                    calls.append(python_call(each))
                    continue
                for name, args in each.items():
                    given = {k: [x for x in v if x != ""] for k, v in args.items()}
                    chosen = {
                        k: unwrap(v[0])
                        for k, v in given.items()
                        if v and (fullest or "" not in args[k])
                    }
                    calls.append(Call(name, chosen))
            turns = row["question"][0]
            query = "\n".join(t["content"] for t in turns if t["role"] == "user")
            system = "\n".join(t["content"] for t in turns if t["role"] == "system") or None
            yield Row(row["id"], "bfcl", query, tuple(calls), bfcl_tools(row), system)


def flat(parameters: JsonObject) -> JsonObject:
    return {"type": "object", "properties": parameters}


def is_reference(value: Json) -> bool:
    return "${" in json.dumps(value) or (
        isinstance(value, str) and (value.startswith("API_call_") or "${" in value)
    )


def seal(root: Path) -> Iterator[Row]:
    tools = {
        t["api_name"]: Tool(t["api_name"], t["api_description"], flat(t["parameters"]), "")
        for t in lines(root / "seal_tools/tool.jsonl")
    }
    for name in ("dev", "test_in_domain", "test_out_domain"):
        for row in lines(root / f"seal_tools/{name}.jsonl"):
            calls = tuple(
                Call(c["api"], {k: v for k, v in c["parameters"].items() if not is_reference(v)})
                for c in row["calling"]
            )
            shown = {c.name: tools[c.name] for c in calls if c.name in tools}
            yield Row(row["id"], "seal_tools", row["query"], calls, shown)


def toolalpaca(root: Path) -> Iterator[Row]:
    for path in sorted((root / "toolalpaca").glob("eval_*/*.json")):
        api = json.loads(path.read_text())
        tools = {
            name: Tool(name, text, openapi(api["Documentation"], name), "")
            for name, text in api["Function_Description"].items()
        }
        known = json.dumps(api.get("Authentication") or "")
        for i, (query, golden) in enumerate(
            zip(api["Instructions"], api["Golden_Answers"], strict=True)
        ):
            try:
                calls = tuple(Call(g["Action"], json.loads(g["Action_Input"])) for g in golden)
            except (ValueError, KeyError, TypeError):
                continue
            calls = tuple(c for c in calls if c.name != "getDetails")
            calls = tuple(
                Call(c.name, {k: v for k, v in c.arguments.items() if not is_reference(v)})
                for c in calls
            )
            yield Row(f"{path.stem}_{i}", "toolalpaca", query, calls, tools, known)


def openapi(text: str, name: str) -> JsonObject:
    document = json.loads(text)
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and operation.get("operationId") == name:
                return flat(
                    {
                        p["name"]: {**p.get("schema", {}), "description": p.get("description", "")}
                        for p in operation.get("parameters", [])
                        if "name" in p
                    }
                )
    return {}


def xlam(root: Path) -> Iterator[Row]:
    for name in ("apibank_l1", "apibank_l2", "toolalpaca"):
        for i, row in enumerate(lines(root / f"xlam_format/{name}.jsonl")):
            query = row["query"]
            if isinstance(query, list):
                query = "\n".join(turn["content"] for turn in query)
            tools = {
                t["name"]: Tool(t["name"], t["description"], flat(t["parameters"]), "")
                for t in row["tools"]
            }
            calls = tuple(Call(a["name"], a["arguments"]) for a in row["answers"])
            yield Row(f"{name}_{i}", "xlam_format", query, calls, tools)


def all_rows(root: Path) -> list[Row]:
    rows = [*bfcl(root), *seal(root), *toolalpaca(root), *xlam(root)]
    return [row for row in rows if row.calls]


def held_back(row: Row) -> bool:
    """A third of the rows, by the id alone, is not looked at while tuning."""
    return hashlib.sha256(row.id.encode()).digest()[0] % 3 == 0


def line(name: str, found: Sequence[Grounding]) -> None:
    found = [each for each in found if each.literals]
    calls = sum(bool(each.unsupported) for each in found)
    arguments = sum(bool(each.ungrounded) for each in found)
    n = max(len(found), 1)
    print(
        f"  {name:12} rows {len(found):5}  call {calls:4} = {calls / n:6.2%}"
        f"  argument {arguments:4} = {arguments / n:6.2%}"
    )


def part(name: str, rows: Sequence[Row], show: bool) -> None:
    print(name)
    right = {row.id: ground(row.query, row.calls, row.tools, row.system) for row in rows}
    for source in sorted({row.source for row in rows}):
        line(source, [right[row.id] for row in rows if row.source == source])
    line("all", list(right.values()))
    generator = random.Random(0)
    pairs = [(row, generator.choice(rows)) for row in rows]
    pairs = [(row, other) for row, other in pairs if other.query != row.query]
    swapped = [ground(other.query, row.calls, row.tools, row.system) for row, other in pairs]
    line("swapped", swapped)
    if show:
        for row in rows:
            if right[row.id].ungrounded or right[row.id].unsupported:
                kind = "CALL" if right[row.id].unsupported else "arg "
                values = [(f.path[5:], f.value) for f in right[row.id].ungrounded]
                print(kind, row.id, values[:4], "|", row.query[:230].replace("\n", " "))
    if show:
        for (row, other), found in zip(pairs, swapped, strict=True):
            if found.literals and not found.unsupported:
                print("MISS", row.id, [c.arguments for c in row.calls][:2], "|", other.query[:200])


def main() -> None:
    rows = all_rows(Path(sys.argv[1]))
    show = "--show" in sys.argv
    part("tuning", [row for row in rows if not held_back(row)], show)
    if "--held-back" in sys.argv:
        part("held back", [row for row in rows if held_back(row)], False)
    start = time.process_time()
    for row in rows:
        ground(row.query, row.calls, row.tools, row.system)
    print(f"{len(rows) / (time.process_time() - start):,.0f} rows/s of CPU time")


if __name__ == "__main__":
    main()
