"""What stage 1 says of published data: `python tests/bench/verify_published.py DATA [--show NAME]`.

DATA is a folder with BFCL's questions and answers (`bfcl/`), models' answers to them
(`model_outputs/`), Seal-Tools, NESTFUL, ToolAlpaca and rows in the xLAM format, as published. What
`verify` does not read as it is, is written in the xLAM format first. Printed are rows, passes and
failures by reason; with `--show`, each failure of a source. For answers to BFCL there follows how
many of those that pass, and of those that fail with calls, its ground truth accepts.
"""

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apigen_ray.datasets.external import open_source, read_answers, read_batches
from apigen_ray.records import Outcome
from apigen_ray.run_folder.rows import Row
from apigen_ray.stages.check import CheckSettings

Record = Mapping[str, Any]
"""A row in the xLAM format."""


@dataclass(frozen=True)
class Published:
    """A source, in a form that `verify` reads."""

    name: str
    data: Path
    answers: Path | None = None
    truth: Path | None = None
    """BFCL's ground truth, where the answers are those of a model."""


def main() -> None:
    """Check every source, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--show", help="print each failure of the sources whose name has this")
    parser.add_argument("--lossless", action="store_true", help="with check.coerce: lossless")
    given = parser.parse_args()
    settings = CheckSettings(coerce="lossless" if given.lossless else "none")
    print("| source | rows | pass | fail |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for source in sources(given.data, Path(folder)):
            rows = checked(source, settings)
            reasons = Counter(row["reason"] for row in rows if row["outcome"])
            why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            passed = len(rows) - reasons.total()
            right = f"; right: {_right(rows, source.truth)}" if source.truth else ""
            print(f"| {source.name} | {len(rows)} | {passed} | {why}{right} |", flush=True)
            if given.show is not None and given.show in source.name:
                for row in rows:
                    if row["outcome"] == Outcome.FAIL_FORMAT:
                        print(f"    {row['id']}: {row['reason']}: {row['detail']}")


def checked(source: Published, settings: CheckSettings) -> list[Row]:
    """The rows of a source after stage 1."""
    chunks = open_source(str(source.data)).chunks
    apart = read_answers(source.answers) if source.answers else {}
    return [
        row for batch in read_batches(chunks, (), settings, apart) for row in batch.rows.to_pylist()
    ]


def sources(data: Path, folder: Path) -> Iterator[Published]:
    """All that carries calls and the tools they call."""
    for answers in sorted((data / "bfcl" / "possible_answer").glob("*.json")):
        if "rest" not in answers.name:  # its ground truth is a response, not a call
            name = answers.stem.removeprefix("BFCL_v4_")
            yield Published(f"BFCL {name}", data / "bfcl" / "question" / answers.name, answers)
    for results in sorted((data / "model_outputs" / "bfcl").glob("*/*_result.json")):
        name = results.stem.removeprefix("BFCL_v4_").removesuffix("_result")
        questions = data / "bfcl" / "question" / f"BFCL_v4_{name}.json"
        truth = data / "bfcl" / "possible_answer" / questions.name
        yield Published(
            f"{results.parent.name} {name}", questions, results, truth if truth.exists() else None
        )
    for name in ("apibank_l1", "apibank_l2", "toolalpaca"):
        yield Published(f"xLAM format {name}", data / "xlam_format" / f"{name}.jsonl")
    converted: dict[str, Iterable[Record]] = {
        "Seal-Tools dev": seal_tools(data / "seal_tools", "dev"),
        "Seal-Tools test_in_domain": seal_tools(data / "seal_tools", "test_in_domain"),
        "NESTFUL glaive": nestful(data / "nestful"),
        "ToolAlpaca simulated": toolalpaca(data / "toolalpaca" / "eval_simulated"),
        "ToolAlpaca real": toolalpaca(data / "toolalpaca" / "eval_real"),
        "LiveMCPBench, claude-sonnet-4": livemcp(data),
        "agent harness, gold": harness(data / "model_outputs" / "json_calls", "gold_calls"),
        "agent harness, deepseek": harness(
            data / "model_outputs" / "json_calls", "predicted_calls"
        ),
    }
    for name, rows in converted.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
        yield Published(name, path)


def seal_tools(folder: Path, split: str) -> Iterator[Record]:
    """Calls of tools, of which the rows name those they call."""
    tools = {
        tool["api_name"]: {
            "name": tool["api_name"],
            "description": tool["api_description"],
            "parameters": {
                name: {**spec, "required": name in tool.get("required", [])}
                for name, spec in tool["parameters"].items()
            },
        }
        for tool in _lines(folder / "tool.jsonl")
    }
    for row in _lines(folder / f"{split}.jsonl"):
        calls = [{"name": c["api"], "arguments": c["parameters"]} for c in row["calling"]]
        shown = [tools[name] for name in {c["name"]: 0 for c in calls} if name in tools]
        yield {"id": row["id"], "query": row["query"], "answers": calls, "tools": shown}


def nestful(folder: Path) -> Iterator[Record]:
    """Sequences of calls that refer to earlier results, such as `$var1.distance$`."""
    specs = json.loads((folder / "non-executable-glaive-spec.json").read_text("utf-8"))
    tools = {
        spec["name"]: {
            "name": spec["name"],
            "description": spec["description"],
            "parameters": spec.get("query_parameters") or spec.get("parameters", {}),
        }
        for spec in specs
    }
    rows = json.loads((folder / "non-executable-glaive-data.json").read_text("utf-8"))
    for number, row in enumerate(rows):
        calls = [
            {"name": call["name"], "arguments": call["arguments"]}
            for call in row["output"]
            if call["name"] != "var_result"  # says what to give back, and is no tool
        ]
        shown = [tools[name] for name in {c["name"]: 0 for c in calls} if name in tools]
        yield {"id": number, "query": row["input"], "answers": calls, "tools": shown}


def toolalpaca(folder: Path) -> Iterator[Record]:
    """Golden answers over functions that are described in words."""
    for path in sorted(folder.glob("*.json")):
        api = json.loads(path.read_text("utf-8"))
        tools = [_described(*item) for item in api["Function_Description"].items()]
        answers = zip(api["Instructions"], api["Golden_Answers"], strict=True)
        for number, (query, steps) in enumerate(answers):
            calls = [{"name": s["Action"], "arguments": _json(s["Action_Input"])} for s in steps]
            yield {
                "id": f"{path.stem}-{number}",
                "query": query,
                "answers": calls,
                "tools": tools,
            }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # which stage 1 says is no object


def _described(name: str, text: str) -> Record:
    """`Parameters: {"base": "Required. string. The base currency."}`"""
    listed = text.partition("Parameters: ")[2] or "{}"
    described: dict[str, str] = json.JSONDecoder().raw_decode(listed)[0]
    properties, required = {}, []
    for parameter, words in described.items():
        if words.startswith("Required. "):
            required.append(parameter)
        kind, _, rest = words.removeprefix("Required. ").partition(".")
        known = kind.lower() in ("string", "integer", "number", "boolean", "array", "object")
        properties[parameter] = (
            {"type": kind.lower(), "description": rest} if known else {"description": words}
        )
    schema = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "description": text.partition("\n")[0], "parameters": schema}


def livemcp(data: Path) -> Iterator[Record]:
    """Calls of MCP servers whose tools are known, each with what the server answered."""
    tools = {
        (server, tool["name"]): {
            "name": tool["name"],
            "description": tool.get("description") or "",
            "parameters": tool["inputSchema"],
        }
        for found in _lines(data / "mcp_tools" / "livemcptool_servers.jsonl")
        for server, listed in found["tools"].items()
        for tool in listed["tools"]
    }
    for row in _lines(data / "semantic_judgements" / "livemcpbench_claude-sonnet-4.jsonl"):
        told = {m.get("tool_call_id"): str(m["content"]) for m in row["messages"]}
        calls = [call for m in row["messages"] for call in m.get("tool_calls") or []]
        for call in calls:
            given = json.loads(call["function"]["arguments"])
            if tool := tools.get((given.get("server_name"), given.get("tool_name"))):
                answer = {"name": tool["name"], "arguments": given.get("params")}
                answered = " ".join(told.get(call["id"], "").split())[:80]
                id_ = f"{call['id'][-6:]} ({answered})"
                yield {"id": id_, "query": row["question"], "answers": [answer], "tools": [tool]}


def harness(folder: Path, key: str) -> Iterator[Record]:
    """Calls of BFCL's questions; the tools say the parameters' descriptions only."""
    for row in _lines(folder / "bfcl_agent_harness.jsonl"):
        calls = row[key]
        if key == "gold_calls":
            calls = [
                {
                    "name": call["name"],
                    "arguments": {
                        name: values[0] for name, values in call["arguments"].items() if values[0]
                    },
                }
                for call in calls
            ]
        yield {
            "id": row["id"],
            "query": row["user_query"],
            "answers": calls,
            "tools": row["tools"],
        }


def _right(rows: Sequence[Row], truth: Path) -> str:
    """How many of those that pass are right, and of those that fail with calls."""
    expected = {row["id"]: row["ground_truth"] for row in _lines(truth)}
    counts = Counter(
        (bool(row["outcome"]), _accepted(json.loads(row["answers"]), expected[row["id"]]))
        for row in rows
        if row["answers"] and row["id"] in expected
    )
    passing, failing = ((counts[fails, True], counts[fails, False]) for fails in (False, True))
    return f"{passing[0]} of {sum(passing)} that pass, {failing[0]} of {sum(failing)} that fail"


def _accepted(calls: Any, expected: Sequence[Mapping[str, Mapping[str, Any]]]) -> bool:
    """Whether calls are those of the ground truth, in any order."""
    left = list(expected)
    for call in calls if isinstance(calls, list) else ():
        found = [truth for truth in left if _is(call, truth)]
        if not found:
            return False
        left.remove(found[0])
    return not left


def _is(call: Any, truth: Mapping[str, Mapping[str, Any]]) -> bool:
    [(name, accepted)] = truth.items()
    return call["name"].replace(".", "_") == name.replace(".", "_") and _has(
        call["arguments"], accepted
    )


def _has(given: Mapping[str, Any], accepted: Mapping[str, Any]) -> bool:
    """Each value is one of those accepted; what is not given may be left out."""
    lists = {name: v if isinstance(v, list) else [v] for name, v in accepted.items()}
    return given.keys() <= lists.keys() and all(
        any(_equal(given[name], value) for value in values) if name in given else "" in values
        for name, values in lists.items()
    )


def _equal(given: Any, value: Any) -> bool:
    """Equal as for BFCL: case, spaces and some marks of a text say nothing."""
    if isinstance(given, str) and isinstance(value, str):
        return _bare(given) == _bare(value)
    if isinstance(given, list) and isinstance(value, list):
        return len(given) == len(value) and all(map(_equal, given, value))
    if isinstance(given, dict) and isinstance(value, dict):
        return _has(given, value)
    return bool(given == value) and isinstance(given, bool) == isinstance(value, bool)


def _bare(text: str) -> str:
    return re.sub(r"[ ,./\-_*^]", "", text).lower().replace("'", '"')


def _lines(path: Path) -> Sequence[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    main()
