"""From the document of a real server to clean tools, and to verified data over its endpoints."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter

import pytest
import yaml

from apigen_ray.cli import main
from apigen_ray.models.simulated import SimulatedEndpoint, serving

LOST = {
    "ping": "no_parameters",
    "misc": "undocumented",
    "sales_report": "timeout",
    "print_catalogue": "http_status",
    "search_archive": "http_status",
    "check_gift_card": "error_in_body",
    "dump_sales": "output_too_large",
    "ask_partner": "egress_denied",
    "wishlist": "empty_result",
    "book_cover": "not_serializable",
}
"""What the document says of these endpoints, and what becomes of them."""
WITHOUT_ARGUMENTS = {
    "convert_price", "opening_hours", "arrange_shelf", "empty_basket", "customer_discount",
    "delivery",
}  # fmt: skip
BADLY_DESCRIBED = {"stock", "delivery"}


@pytest.fixture
def run(capsys):
    def runner(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return runner


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def config_of(path, server, *, rest=None, models=None, **more):
    model = {"kind": "simulated", "name": "simulated", "latency_s": 0.01}
    value = {
        "out": str(path.parent / "run"),
        "points": dict.fromkeys(("simple", "multiple", "parallel", "parallel_multiple"), 6),
        "tools": [str(path.parent / "clean.jsonl")],
        "models": models or [model],
        "judge": model | {"name": "judge"},
        "rest": {"allow": [server.place], "timeout_s": 5, **(rest or {})},
        **more,
    }
    path.write_text(yaml.safe_dump(value))
    return path


@pytest.fixture
def imported(bookshop, run, tmp_path):
    """The tools of the server's own document."""
    (tmp_path / "books.json").write_text(json.dumps(bookshop.get("/openapi.json")))
    out = tmp_path / "tools.jsonl"
    assert run("tools", "import", "openapi", tmp_path / "books.json", "--out", out)[0] == 0
    assert len(lines(out)) == 29
    return out


def test_a_library_is_cleaned_and_nothing_is_called_or_asked_twice(
    bookshop, imported, run, tmp_path
):
    out = tmp_path / "clean.jsonl"
    model = SimulatedEndpoint(name="model", latency_s=0.01)
    with serving([model]) as served:
        config = config_of(
            tmp_path / "books.yaml", bookshop, models=[served["model"].model_dump(mode="json")]
        )
        command = ("tools", "clean", imported, "--config", config, "--out", out)
        code, said, _ = run(*command)
        assert code == 0, said
        calls = bookshop.get("/calls")
        asked = asked_of(served["model"])
        code, again, _ = run(*command)
        assert code == 0
        assert "0 calls made, 0 model requests sent" in again
        assert bookshop.get("/calls") == calls
        assert asked_of(served["model"]) == asked

    kept = {line["name"]: line for line in lines(out)}
    assert {
        item["name"]: item["reason"] for item in lines(tmp_path / "clean.dropped.jsonl")
    } == LOST
    assert len(kept) == 29 - len(LOST)
    assert {
        name for name, line in kept.items() if "original_description" in line
    } == BADLY_DESCRIBED
    before = {line["name"]: line for line in lines(imported)}
    for name, line in kept.items():
        assert line["parameters"]["examples"] == (
            before[name]["parameters"].get("examples") or [line["access"]["arguments"]]
        )
        assert texts_apart(line["parameters"]) == texts_apart(before[name]["parameters"])
        assert line["backend"] == before[name]["backend"]
    # Each was called once, apart from those that a redirect or a 503 leads back to.
    assert {place for place, count in calls.items() if count > 1} == {
        "GET /archive", "GET /recommended", "GET /books/{isbn}"
    }  # fmt: skip
    assert asked["propose"]["requests"] - asked["propose"]["wrong"] == len(WITHOUT_ARGUMENTS)
    assert asked["rewrite"]["requests"] - asked["rewrite"]["wrong"] == len(BADLY_DESCRIBED)


def asked_of(endpoint):
    with urllib.request.urlopen(endpoint.base_url.removesuffix("/v1") + "/stats") as stats:
        return json.load(stats)["clean"]


def texts_apart(schema):
    if isinstance(schema, list):
        return [texts_apart(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: texts_apart(v) for k, v in schema.items() if k not in ("description", "examples")}


def test_without_a_model_what_needs_one_is_left_and_counted(bookshop, imported, run, tmp_path):
    # Without a config nothing on loopback may be reached: only the steps without calls.
    out = tmp_path / "clean.jsonl"
    code, said, _ = run(
        "tools", "clean", imported, "--steps", "documentation,rewrite", "--out", out
    )
    assert code == 0
    assert "2 tools were left without a usable description: --config" in said
    assert len(lines(out)) == 25
    assert bookshop.get("/calls") == {}
    code, said, _ = run("tools", "clean", imported, "--out", out)
    assert code == 1
    assert "6 tools were left without arguments to try: --config" in said
    assert {item["reason"] for item in lines(tmp_path / "clean.dropped.jsonl")} == {
        "egress_denied", "no_arguments", "no_parameters", "undocumented"
    }  # fmt: skip


def test_killed_and_run_again_it_goes_on_where_it_was(bookshop, imported, run, tmp_path):
    out, journal = tmp_path / "clean.jsonl", tmp_path / "clean.journal.jsonl"
    slow = {"per_host_concurrency": 1, "per_host_rate": 10}
    config = config_of(tmp_path / "books.yaml", bookshop, rest=slow)
    command = ["tools", "clean", str(imported), "--config", str(config), "--out", str(out)]
    child = subprocess.Popen([sys.executable, "-m", "apigen_ray", *command], env=os.environ)
    while not journal.exists() or journal.read_text().count("\n") < 8:
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = bookshop.get("/calls")
    assert not out.exists()
    code, said, _ = run(*command, "--set", "rest.per_host_rate=200")
    assert code == 0, said
    entries = [json.loads(line) for line in journal.read_text().splitlines() if line]
    assert max(Counter(entry["key"] for entry in entries).values()) == 1
    twice = {
        place for place, count in bookshop.get("/calls").items() if count > before.get(place, 0) > 0
    }
    # One call at a time was under way when it was killed; others lead to the book, too.
    assert len(twice - {"GET /books/{isbn}"}) <= 1
    assert {
        item["name"]: item["reason"] for item in lines(tmp_path / "clean.dropped.jsonl")
    } == LOST


@pytest.mark.usefixtures("shared_ray")
def test_from_a_document_to_verified_data_by_commands(bookshop, imported, run, tmp_path):
    config = config_of(tmp_path / "books.yaml", bookshop)
    out = tmp_path / "clean.jsonl"
    assert run("tools", "clean", imported, "--config", config, "--out", out)[0] == 0
    before = Counter(bookshop.get("/calls"))
    code, said, _ = run("run", config)
    assert code == 0, said
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    assert sum(stats["outcomes"].values()) == 24
    assert stats["outcomes"]["verified"] >= 12
    called = Counter(bookshop.get("/calls")) - before
    assert sum(called.values()) >= stats["outcomes"]["verified"]
    assert len(called) >= 8
    assert not {"GET /report", "GET /broken", "GET /dump"} & called.keys()


def played(name, **more):
    parameter = {"name": "q", "type": "STRING", "description": "What to look for.", "default": "x"}
    return {
        "category_name": "Food",
        "tool_name": "Tasty",
        "api_name": name,
        "api_description": f"Look up {name} for a query.",
        "required_parameters": [parameter],
        "optional_parameters": [],
        "method": "GET",
        **more,
    }


@pytest.mark.usefixtures("shared_ray")
def test_apis_that_a_virtual_server_plays_are_cleaned_and_called(virtual_server, run, tmp_path):
    good = ["recipes", "menus", "drinks"]
    bad = {
        "broken ovens": "http_status", "silent kitchen": "timeout", "gone dishes": "error_in_body",
        "paid dinners": "error_in_body", "busy cooks": "error_in_body",
        "wrong soup": "error_in_body",
        "empty plates": "empty_result", "soft eggs": "error_in_body",
    }  # fmt: skip
    source, tools = tmp_path / "apis.jsonl", tmp_path / "tools.jsonl"
    source.write_text("".join(json.dumps(played(name)) + "\n" for name in (*good, *bad)))
    code, said, _ = run(
        "tools", "import", "toolbench", source, "--out", tools,
        "--backend", "virtual", "--virtual-url", virtual_server.url + "/virtual",
    )  # fmt: skip
    assert code == 0, said
    config, out = config_of(tmp_path / "food.yaml", virtual_server), tmp_path / "clean.jsonl"
    code, said, _ = run("tools", "clean", tools, "--config", config, "--out", out)
    assert code == 0, said
    excluded = {item["name"]: item["reason"] for item in lines(tmp_path / "clean.dropped.jsonl")}
    assert Counter(excluded.values()) == Counter(bad.values())
    assert len(lines(out)) == len(good)

    code, said, _ = run("run", config)
    assert code == 0, said
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    assert stats["outcomes"]["verified"] >= 12
    asked = virtual_server.get("/calls")
    assert len(asked) > stats["outcomes"]["verified"]
    assert {body["tool_name"] for body in asked} == {"Tasty"} or asked[0]["tool_name"] == "tasty"


def test_python_tools_are_cleaned_with_their_code(run, tmp_path):
    source, out = tmp_path / "mine.py", tmp_path / "clean.jsonl"
    source.write_text(
        "def double(x: int = 1) -> int:\n"
        '    """Double a number, by adding it to itself."""\n'
        "    return 2 * x\n\n"
        "def fail(x: int = 1) -> int:\n"
        '    """Fail whatever the number is."""\n'
        "    raise ValueError(x)\n\n"
        "def tell(x: int = 1) -> dict:\n"
        '    """Tell of an error whatever the number is."""\n'
        '    return {"error": "no such number"}\n'
    )
    tools = tmp_path / "tools.jsonl"
    assert run("tools", "import", "python", source, "--out", tools)[0] == 0
    code, said, _ = run("tools", "clean", tools, source, "--out", out)
    assert code == 0, said
    assert [line["name"] for line in lines(out)] == ["double"]
    excluded = [item["reason"] for item in lines(tmp_path / "clean.dropped.jsonl")]
    assert excluded == ["raised", "error_in_body"]
    code, _, err = run("tools", "clean", tools, "--out", tmp_path / "again.jsonl")
    assert code == 2
    assert "add its file or package to the tools" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.jsonl", "--out", "{tmp}/o"), "nowhere.jsonl: no such file"),
        (("{tmp}/t.jsonl", "--out", "{tmp}/t.jsonl"), "must not be one of the lists to read"),
        (("{tmp}/t.jsonl", "--out", "{tmp}"), "must be a file"),
        (("{tmp}/t.jsonl", "--out", "{tmp}/o", "--steps", "acess"), "'acess' must be one of"),
        (("{tmp}/t.jsonl", "--out", "{tmp}/o", "--concurrency", "0"), "at least 1"),
        (("{tmp}/t.jsonl", "--out", "{tmp}/o", "--set", "seed=1"), "needs --config"),
        (("{tmp}/t.jsonl", "--out", "{tmp}/o", "--config", "{tmp}/none"), "none: no such file"),
    ],
)
def test_bad_input_is_one_line(run, tmp_path, arguments, says):
    tool = {"name": "t", "description": "Do it.", "parameters": {"type": "object"}}
    (tmp_path / "t.jsonl").write_text(json.dumps(tool))
    code, _, err = run("tools", "clean", *(a.format(tmp=tmp_path) for a in arguments))
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
