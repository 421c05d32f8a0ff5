"""Solvers behind a real endpoint, in Ray: who agrees, by calls or by what these return."""

import io
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from example_runs import ROOT, config
from rich.console import Console

from apigen_ray.workflows.verify import verify

RUN = Console(file=io.StringIO())


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


LENGTH = "Convert 5 kilometre to mile, please: convert length value 5."
GCD = "What do gcd and lcm give for first 48 and second 36?"
WEEK = "In which iso week is day 2024-03-01?"
ROMAN = "Write number 1994 as a roman numeral."
ROWS = {
    LENGTH: call("convert_length", value=5, from_unit="kilometre", to_unit="mile"),
    GCD: call("gcd_and_lcm", numbers=[48, 36]),
    WEEK: call("iso_week_date", day="2024-03-01"),
    ROMAN: call("to_roman_numeral", number=1994),
}
SOLVED = {
    LENGTH: call("convert_length", value=5000, to_unit="mile", from_unit="metre"),
    GCD: call("gcd_and_lcm", numbers=[36, 48]),
    WEEK: call("iso_week_date", day="2024-03-01"),
    ROMAN: call("to_roman_numeral", number=1949),
}


@contextmanager
def solver():
    """An OpenAI-compatible endpoint that answers with `tool_calls`, and keeps what it was sent."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer({"object": "list", "data": []})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            [message] = body["messages"]
            solved = SOLVED[message["content"]]
            arguments = json.dumps(solved["arguments"])
            function = {"name": solved["name"], "arguments": arguments}
            message = {"content": None, "tool_calls": [{"id": "1", "function": function}]}
            choice = {"message": message, "finish_reason": "tool_calls"}
            self.answer(
                {"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}
            )

        def answer(self, value):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.usefixtures("shared_ray")
def test_rows_that_solvers_bear_out_are_verified_and_others_are_not(tmp_path):
    with solver() as (url, asked):
        model = {"kind": "openai", "name": "solver", "base_url": url, "model": "m"}
        settings = config(
            tmp_path / "unused",
            agreement={"models": [model], "native_tools": True},
            grounding={"reject": "off"},
            judge={"kind": "simulated", "name": "judge", "profile": "perfect", "latency_s": 0},
        )
        result = verify(
            [{"id": query, "query": query, "answers": [given]} for query, given in ROWS.items()],
            tools=ROOT / "sandbox" / "tools",
            out=tmp_path / "out",
            config=settings,
            console=RUN,
        )
    found = {row["id"]: row for row in result.rows()}
    assert {query: (row["outcome"], row["agreement"]) for query, row in found.items()} == {
        LENGTH: ("verified", "2 of 2"),
        GCD: ("verified", "2 of 2"),
        WEEK: ("verified", "2 of 2"),
        ROMAN: ("fail_semantic", "0 of 2"),
    }
    agrees = {q: [s["agrees"] for s in json.loads(row["solutions"])] for q, row in found.items()}
    assert agrees[LENGTH] == agrees[GCD] == ["results", "results"]
    assert agrees[WEEK] == ["calls", "calls"]
    assert found[ROMAN]["reason"] == "disagreement"
    assert json.loads(found[ROMAN]["solutions"])[0]["calls"] == [SOLVED[ROMAN]]
    assert len(asked) == 2 * len(ROWS)
    assert {tool["function"]["name"] for body in asked for tool in body["tools"]} >= {
        "slugify_title"
    }
    # What solving took is the row's: 2 solvers with 100 and 10 tokens.
    assert found[WEEK]["output_tokens"] >= 20
